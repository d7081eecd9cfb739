//! The real Neo4j server, with a realm for OIDC providers (tests/neo4j).
//!
//! It needs a JDK of version 21 or newer, Maven, and once Maven Central. It refuses
//! to be Neo4j Enterprise: the server is the real one, the realm follows the
//! settings that Neo4j documents for it. It says so when something is missing, and
//! a test then passes over it; with `CI` set it panics instead.

mod build;
mod jdk;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Child;
use crate::error::Error;
use crate::folder::Folder;
use crate::net::{answers_200, free_port};
use crate::start::ready;

/// Beside what a test wants: nothing that phones home, little memory, a quick end.
const BASE: &str = "\
dbms.usage_report.enabled=false
server.fleet_discovery.enabled=false
dbms.fleet_manager.enabled=false
server.memory.heap.initial_size=192m
server.memory.pagecache.size=16m
internal.dbms.bolt.netty_server_shutdown_quiet_period_duration=0s
internal.server.bolt.thread_pool_shutdown_wait_time=1s
server.https.enabled=false
";

/// Which server to start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Edition {
    /// With the realm for OIDC providers.
    Oidc,
    /// As Neo4j publishes it; the settings of providers mean nothing to it.
    Community,
}

/// How the server gets its settings.
#[derive(Clone, Debug)]
pub enum Settings {
    /// Lines of `neo4j.conf`.
    Conf(String),
    /// Keys and values, as the official chart hands them over: each in a file.
    Files(BTreeMap<String, String>),
}

/// A running server. It ends when this value is dropped.
#[derive(Debug)]
pub struct Neo4j {
    child: Child,
    folder: Folder,
    http: u16,
    bolt: u16,
}

/// What the Query API answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; null when it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The code of the first error, if there is one.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.body["errors"][0]["code"].as_str()
    }

    /// The rows.
    #[must_use]
    pub fn values(&self) -> &Value {
        &self.body["data"]["values"]
    }
}

/// Whether a server can be started here; says on standard error why not.
///
/// # Panics
///
/// With `CI` set, when it cannot.
#[must_use]
pub fn available() -> bool {
    let Err(missing) = jdk::find() else {
        return true;
    };
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci.is_empty()),
        "{missing}"
    );
    crate::progress::note(&format!("SKIPPED, no Neo4j: {missing}"));
    false
}

/// Neo4j expands commands only in files that not everybody may read.
fn write_conf(folder: &Folder, name: &str, content: &str) -> Result<(), Error> {
    let path = folder.write(name, content)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).map_err(Error::file(&path))
}

impl Neo4j {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it cannot be built, or refuses its settings; the end of its log is
    /// part of the error.
    pub async fn start(edition: Edition, settings: &Settings) -> Result<Self, Error> {
        let mut tries = 0;
        loop {
            match Self::try_start(edition, settings).await {
                Err(error) if error.is_taken_port() && tries < 3 => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_start(edition: Edition, settings: &Settings) -> Result<Self, Error> {
        let built = build::built().await?;
        let folder = Folder::new()?;
        let (http, bolt) = (free_port(), free_port());
        let base = format!(
            "{BASE}server.http.listen_address=127.0.0.1:{http}\nserver.bolt.listen_address=127.0.0.1:{bolt}\nserver.bolt.advertised_address=127.0.0.1:{bolt}\n"
        );
        let conf = folder.join("conf");
        fs::create_dir_all(&conf).map_err(Error::file(&conf))?;
        match settings {
            Settings::Conf(lines) => {
                write_conf(&folder, "conf/neo4j.conf", &format!("{base}{lines}"))?;
            }
            Settings::Files(files) => {
                let made = folder.join("conf/neo4j.conf");
                fs::create_dir_all(&made).map_err(Error::file(&made))?;
                let base = base.lines().filter_map(|line| line.split_once('='));
                let files = files
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str()));
                for (key, value) in base.chain(files) {
                    write_conf(&folder, &format!("conf/neo4j.conf/{key}"), value)?;
                }
            }
        }
        let main = match edition {
            Edition::Oidc => "dev.neo4jokta.Main",
            Edition::Community => "org.neo4j.server.Neo4jCommunity",
        };
        let arguments = [
            "-Xmx192m".to_owned(),
            "--enable-native-access=ALL-UNNAMED".to_owned(),
            "-XX:+UseSerialGC".to_owned(),
            "-XX:TieredStopAtLevel=1".to_owned(),
            "--add-opens=java.base/java.nio=ALL-UNNAMED".to_owned(),
            "--add-opens=java.base/java.io=ALL-UNNAMED".to_owned(),
            "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED".to_owned(),
            format!("-Doidc.clock={}", folder.join("clock").display()),
            "-cp".to_owned(),
            built.class_path,
            main.to_owned(),
            format!("--home-dir={}", folder.path().display()),
            format!("--config-dir={}", conf.display()),
            // As the official chart and image start it.
            "--expand-commands".to_owned(),
            "--console-mode".to_owned(),
        ];
        let java = built.jdk.java();
        let log = folder.join("neo4j.log");
        let mut child =
            Child::spawn(&java, arguments, [("", ""); 0], &log).map_err(Error::file(&java))?;
        ready(&mut child, || answers_200(http, "/")).await?;
        Ok(Self {
            child,
            folder,
            http,
            bolt,
        })
    }

    /// Base URL of the HTTP interface.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// URI for drivers.
    #[must_use]
    pub fn bolt(&self) -> String {
        format!("bolt://127.0.0.1:{}", self.bolt)
    }

    /// What the server printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.child.log()).unwrap_or_default()
    }

    /// Puts the realm's clock ahead of the machine's, by this much in all.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn set_ahead(&self, ahead: Duration) -> Result<(), Error> {
        // Moved into place: the server may read it at any time.
        let next = self
            .folder
            .write("clock.next", &ahead.as_secs().to_string())?;
        fs::rename(&next, self.folder.join("clock")).map_err(Error::file(&next))
    }

    /// Runs one statement with a token, as `Authorization: Bearer` carries it.
    ///
    /// # Panics
    ///
    /// When the server does not answer.
    pub async fn query(&self, token: &str, statement: &str) -> Answer {
        self.ask("neo4j", statement, |request| request.bearer_auth(token))
            .await
    }

    /// Runs one statement as the user that each server begins with.
    ///
    /// # Panics
    ///
    /// When the server does not answer, or does not take the password.
    pub async fn query_as_admin(&self, statement: &str) -> Answer {
        const PASSWORD: &str = "of-a-test";
        let asked = self
            .ask("neo4j", statement, |r| {
                r.basic_auth("neo4j", Some(PASSWORD))
            })
            .await;
        if asked.status != 401 {
            return asked;
        }
        // It insists on another password than its own.
        let change = format!("ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO '{PASSWORD}'");
        let changed = self
            .ask("system", &change, |r| r.basic_auth("neo4j", Some("neo4j")))
            .await;
        assert_eq!(changed.status, 202, "{changed:?}");
        self.ask("neo4j", statement, |r| {
            r.basic_auth("neo4j", Some(PASSWORD))
        })
        .await
    }

    async fn ask(
        &self,
        database: &str,
        statement: &str,
        authorize: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Answer {
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client without TLS settings of its own");
        let request = client
            .post(format!("{}/db/{database}/query/v2", self.http()))
            .json(&json!({ "statement": statement }));
        let response = authorize(request).send().await.expect("Neo4j answers");
        Answer {
            status: response.status().as_u16(),
            body: response.json().await.unwrap_or(Value::Null),
        }
    }
}
