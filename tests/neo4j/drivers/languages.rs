//! What each sample is run with. Dependencies are installed once, below cargo's target
//! directory, with the versions that the sample pins.
//!
//! Needs the language's own tools and its registry. Refuses to write into the source
//! tree, and to skip in CI.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// A language with a sample in docs/samples/drivers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Language {
    Python,
    JavaScript,
    Go,
    Java,
    Shell,
}

/// How a sample is started.
pub(super) struct Program {
    pub(super) command: Vec<PathBuf>,
    pub(super) folder: PathBuf,
    /// Whether it speaks HTTP instead of Bolt.
    pub(super) http: bool,
}

impl Language {
    fn folder(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Go => "go",
            Self::Java => "java",
            Self::Shell => "shell",
        }
    }

    /// Whether the driver logs in anew on the connection where a token has expired,
    /// instead of opening another; docs/neo4j/drivers.md tells it.
    pub(super) fn keeps_connections(self) -> bool {
        !matches!(self, Self::JavaScript)
    }

    fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["python3"],
            Self::JavaScript => &["node", "npm"],
            Self::Go => &["go"],
            Self::Java => &["java", "mvn"],
            Self::Shell => &["curl", "base64"],
        }
    }

    /// Shell commands that install into `$OUT`, from the folder of the sample.
    fn install(self) -> &'static str {
        match self {
            Self::Python => {
                r#"python3 -m venv "$OUT/venv"
                "$OUT/venv/bin/pip" install -q --disable-pip-version-check --no-deps -r requirements.txt"#
            }
            // Node looks for modules beside the program.
            Self::JavaScript => {
                r#"cp *.js *.json "$OUT"
                npm ci --prefix "$OUT" --omit=dev --ignore-scripts --no-audit --no-fund"#
            }
            Self::Go => {
                r#"GOWORK=off GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false -o "$OUT/sample" ."#
            }
            Self::Java => r#"mvn -B -q "-Dout=$OUT" package"#,
            Self::Shell => "",
        }
    }

    fn command(self, out: &Path) -> Vec<PathBuf> {
        match self {
            // -B: no caches in the source tree.
            Self::Python => vec![out.join("venv/bin/python"), "-B".into(), "main.py".into()],
            Self::JavaScript => vec!["node".into(), out.join("main.js")],
            Self::Go => vec![out.join("sample")],
            Self::Java => {
                let jars = format!("{0}/driver-sample-1.jar:{0}/lib/*", out.display());
                vec![
                    "java".into(),
                    "-cp".into(),
                    jars.into(),
                    "sample.Main".into(),
                ]
            }
            Self::Shell => vec!["./query.sh".into()],
        }
    }

    /// The sample, ready to start; none when its language is not here.
    ///
    /// # Panics
    ///
    /// With `CI` set, when a tool is missing; when the installation fails.
    pub(super) async fn program(self) -> Option<Program> {
        let missing = self.needs().iter().find(|tool| !on_path(tool));
        if let Some(tool) = missing {
            let line = format!("no {self:?}: there is no {tool} on PATH");
            let ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
            assert!(!ci, "{line}");
            let _ = writeln!(std::io::stderr(), "SKIPPED, {line}");
            return None;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("docs/samples/drivers")
            .join(self.folder());
        let out = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("drivers")
            .join(self.folder());
        self.installed(&folder, &out).await;
        Some(Program {
            command: self.command(&out),
            folder,
            http: matches!(self, Self::Shell),
        })
    }

    /// Installs what is not there yet. A mark holds what it was made of.
    async fn installed(self, folder: &Path, out: &Path) {
        let made_of = self.install().to_owned() + &sources(folder);
        fs::create_dir_all(out).unwrap();
        let lock = File::create(out.with_extension("lock")).unwrap();
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
            .await
            .unwrap()
            .unwrap();
        let mark = out.join("made-of");
        if fs::read_to_string(&mark).is_ok_and(|before| before == made_of) {
            return;
        }
        fs::remove_dir_all(out).unwrap();
        fs::create_dir(out).unwrap();
        let output = Command::new("/bin/sh")
            .args(["-euc", self.install()])
            .current_dir(folder)
            .env("OUT", out)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?}: {said}");
        fs::write(mark, made_of).unwrap();
        drop(lock);
    }
}

fn on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

/// All files of a sample, which are few and small.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| match path.is_dir() {
        true => sources(path),
        false => format!(
            "{}\n{}\n",
            path.display(),
            fs::read_to_string(path).unwrap()
        ),
    };
    paths.iter().map(read).collect()
}
