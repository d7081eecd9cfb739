//! Which log lines are written: a filter, and a file that changes it while the
//! operator runs.
//!
//! Needs no right in the cluster and opens no port: whoever may write the file,
//! usually a ConfigMap mounted in the pod, may change the filter, and nobody
//! else. Refuses a filter that would silence the log by a slip of the pen; the
//! one before stays then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// How often the file is looked at. The kubelet takes a minute or so to bring a
/// changed ConfigMap, so a watch of the folder would gain nothing.
const LOOK: Duration = Duration::from_secs(5);
/// Nobody writes a longer filter.
const LONGEST: u64 = 4096;
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Parses a filter such as `info` or `info,neo4j_okta_operator=debug`.
///
/// # Errors
/// In words, what is wrong with it.
pub fn parse(text: &str) -> Result<EnvFilter, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    for part in &parts {
        // A word alone would be taken for a module, at its most talkative, and
        // everything else would be silent.
        let word = !part.contains(['=', '[', ']', '{', '}', '/']);
        if word && !LEVELS.contains(&part.to_ascii_lowercase().as_str()) {
            return Err(match *part {
                "" => "it is empty, or has an empty part".to_owned(),
                part => format!(
                    "`{}` is no level ({}); for a module write `module=level`",
                    part.escape_debug().take(40).collect::<String>(),
                    LEVELS.join(", ")
                ),
            });
        }
    }
    EnvFilter::try_new(parts.join(",")).map_err(|error| error.to_string())
}

/// Turns the filter of a log.
#[derive(Clone, Debug)]
pub struct Switch(reload::Handle<EnvFilter, Registry>);

impl Switch {
    pub(super) fn new(handle: reload::Handle<EnvFilter, Registry>) -> Self {
        Self(handle)
    }

    fn turn(&self, filter: EnvFilter) -> Result<(), String> {
        self.0.reload(filter).map_err(|error| error.to_string())
    }
}

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    /// There is none, or it is empty.
    Nothing,
    Filter(String),
    Unreadable(String),
}

/// A file with the filter that holds instead of the one from the command line,
/// as long as it is there.
#[derive(Debug)]
pub struct FilterFile {
    path: PathBuf,
    switch: Switch,
    usual: String,
    current: String,
    seen: Option<Told>,
}

impl FilterFile {
    /// Without the file, or when it is empty, `usual` holds.
    #[must_use]
    pub fn new(path: &Path, switch: Switch, usual: &str) -> Self {
        Self {
            path: path.to_owned(),
            switch,
            usual: usual.to_owned(),
            current: usual.to_owned(),
            seen: None,
        }
    }

    /// Looks at the file again and again.
    pub async fn follow(mut self) {
        loop {
            self.look().await;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks at the file once, and does what it says if that is new.
    pub async fn look(&mut self) {
        let told = read(&self.path).await;
        if self.seen.as_ref() == Some(&told) {
            return;
        }
        let wanted = match &told {
            Told::Nothing => Ok(self.usual.clone()),
            Told::Filter(text) => Ok(text.clone()),
            Told::Unreadable(why) => Err(why.clone()),
        };
        self.seen = Some(told);
        let turned = wanted.and_then(|wanted| self.turn(wanted));
        if let Err(why) = turned {
            let (file, filter) = (self.path.display(), &self.current);
            tracing::error!(%file, filter, why, "refused the log filter of the file; the one before stays");
        }
    }

    fn turn(&mut self, wanted: String) -> Result<(), String> {
        if wanted == self.current {
            return Ok(());
        }
        let filter = parse(&wanted)?;
        let before = std::mem::replace(&mut self.current, wanted);
        let (file, filter_now) = (self.path.display(), self.current.as_str());
        // One of the two filters may hide the line, so it is written under
        // whichever shows it.
        let told = tracing::enabled!(tracing::Level::INFO);
        if told {
            tracing::info!(%file, filter = filter_now, before, "changed the log filter");
        }
        self.switch.turn(filter)?;
        if !told {
            tracing::info!(%file, filter = filter_now, before, "changed the log filter");
        }
        Ok(())
    }
}

async fn read(path: &Path) -> Told {
    let text = async {
        let mut text = String::new();
        let file = tokio::fs::File::open(path).await?;
        file.take(LONGEST + 1).read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    match text.await {
        Ok(text) if text.len() as u64 > LONGEST => {
            Told::Unreadable(format!("it is longer than {LONGEST} bytes"))
        }
        Ok(text) if text.trim().is_empty() => Told::Nothing,
        Ok(text) => Told::Filter(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Told::Nothing,
        Err(error) => Told::Unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::cli::LogFormat;
    use crate::sync::lock;

    #[test]
    fn a_slip_of_the_pen_is_refused_and_named() {
        for good in [
            "info",
            "WARN",
            "info,neo4j_okta_operator=debug",
            "off, kube_client=trace",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for (bad, word) in [
            ("debgu", "debgu"),
            ("info,neo4j_okta_operator", "neo4j_okta_operator"),
            ("neo4j_okta_operator=debgu", "expected one of"),
            ("info,,debug", "empty"),
            ("", "empty"),
        ] {
            let why = parse(bad).expect_err(bad);
            assert!(why.contains(word), "{bad}: {why}");
        }
    }

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut lock(&self.0))).expect("text")
        }
    }

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_file_changes_what_is_logged_and_a_bad_one_changes_nothing() {
        let folder = std::env::temp_dir().join(format!("log-filter-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("filter");
        let _ = std::fs::remove_file(&path);
        let kept = Kept::default();
        let writer = kept.clone();
        let usual = parse("info").unwrap();
        let (lines, switch) =
            crate::telemetry::lines(LogFormat::Text, usual, move || writer.clone(), false);
        let _guard =
            tracing::subscriber::set_default(tracing_subscriber::registry().with(vec![lines]));
        let mut file = FilterFile::new(&path, switch, "info");
        let mut says = async |content: Option<&str>| {
            match content {
                Some(content) => std::fs::write(&path, content).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            file.look().await;
            let told = kept.take();
            file.look().await;
            assert_eq!(kept.take(), "", "the same is told once");
            tracing::info!("an act");
            tracing::debug!("a detail");
            (told, kept.take())
        };

        let (told, now) = says(Some("debug\n")).await;
        assert!(told.contains("changed the log filter"), "{told}");
        assert!(now.contains("an act") && now.contains("a detail"), "{now}");

        let (told, now) = says(Some("verbose")).await;
        assert!(
            told.contains("ERROR") && told.contains("`verbose` is no level"),
            "{told}"
        );
        assert!(now.contains("a detail"), "the one before stays: {now}");

        let (told, now) = says(Some(&"debug,".repeat(1000))).await;
        assert!(told.contains("longer than"), "{told}");
        assert!(now.contains("a detail"), "the one before stays: {now}");

        let (told, now) = says(Some("error")).await;
        assert!(told.contains("changed the log filter"), "{told}");
        assert_eq!(now, "");

        let (told, now) = says(None).await;
        assert!(told.contains("changed the log filter"), "{told}");
        assert!(now.contains("an act") && !now.contains("a detail"), "{now}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
