//! One sample as a process: statements go in, lines come out.
//!
//! Needs the sample's command. Refuses to judge how long a line takes; it shows all that
//! the program said when one never comes. The process ends with its value, and by itself
//! when its standard input does.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use testbed::neo4j::Neo4j;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use super::languages::Program;
use crate::harness::until;

/// A running sample.
pub(super) struct Sample {
    input: ChildStdin,
    lines: Arc<Mutex<Vec<String>>>,
    /// How many lines a test has already looked at.
    seen: usize,
    child: Child,
}

/// What came of a statement.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// Each row, its values separated by a space.
    pub(super) rows: Vec<String>,
    /// The expiry of each token that was taken up meanwhile.
    pub(super) tokens: Vec<u64>,
    pub(super) retries: Vec<String>,
}

impl Sample {
    pub(super) fn start<'a>(
        program: &Program,
        neo4j: &Neo4j,
        env: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Self {
        let uri = if program.http {
            neo4j.http()
        } else {
            neo4j.bolt()
        };
        let mut child = Command::new(&program.command[0])
            .args(&program.command[1..])
            .current_dir(&program.folder)
            .env("NEO4J_URI", uri)
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", program.command));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let output = child.stdout.take().unwrap();
        let heard = lines.clone();
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                heard.lock().unwrap().push(line);
            }
        });
        Self {
            input: child.stdin.take().unwrap(),
            lines,
            seen: 0,
            child,
        }
    }

    pub(super) async fn send(&mut self, statement: &str) {
        let line = format!("{statement}\n");
        self.input
            .write_all(line.as_bytes())
            .await
            .unwrap_or_else(|error| panic!("{error}: {:#?}", self.lines));
    }

    /// Waits until a retry is told whose reason holds one of these words.
    pub(super) async fn retries(&self, reasons: &[&str]) {
        let what = format!("a retry for {reasons:?}");
        until(&what, async || {
            let lines = self.lines.lock().unwrap();
            let mut new = lines[self.seen..].iter();
            let holds = |line: &String| {
                line.starts_with("retry: ") && reasons.iter().any(|r| line.contains(r))
            };
            if new.any(holds) {
                Ok(())
            } else {
                Err(lines.clone())
            }
        })
        .await;
    }

    /// Waits until the statement has succeeded, and tells all that was said until then.
    pub(super) async fn done(&mut self) -> Said {
        let seen = self.seen;
        let new = until("ok", async || {
            let lines = self.lines.lock().unwrap();
            let new = &lines[seen..];
            assert!(
                !new.iter().any(|line| line.starts_with("failed")),
                "{lines:#?}"
            );
            match new.iter().position(|line| line == "ok") {
                Some(at) => Ok(new[..=at].to_vec()),
                None => Err(lines.clone()),
            }
        })
        .await;
        self.seen += new.len();
        let mut said = Said::default();
        for line in new {
            if let Some(row) = line.strip_prefix("row ") {
                said.rows.push(row.to_owned());
            } else if let Some(expires) = line.strip_prefix("token expires=") {
                said.tokens.push(expires.parse().expect("seconds"));
            } else if let Some(reason) = line.strip_prefix("retry: ") {
                said.retries.push(reason.to_owned());
            } else {
                assert_eq!(line, "ok", "nothing else is said");
            }
        }
        said
    }

    /// Runs a statement.
    pub(super) async fn run(&mut self, statement: &str) -> Said {
        self.send(statement).await;
        self.done().await
    }

    /// Ends its input, which ends it.
    pub(super) async fn end(self) {
        let Self {
            input, mut child, ..
        } = self;
        drop(input);
        let ended = child.wait().await.expect("it was started");
        assert!(ended.success(), "{ended}");
    }
}
