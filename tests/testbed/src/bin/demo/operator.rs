//! The operator: built as its users build it, and run as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use testbed::{Child, Exit, NO_PROXIES, executable, free_port};
use tokio::process::Command;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::redact::redact;
use crate::screen::{Screen, Stopwatch};

const NAME: &str = "neo4j-okta-operator";
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const LAST_WORDS: usize = 15;

/// Builds the operator; cargo shows its progress on standard error.
pub(crate) async fn build(screen: &Screen) -> Result<PathBuf, Failure> {
    let watch = Stopwatch::start();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--bin", NAME])
        // Cargo alone knows where it puts things; this makes it tell.
        .arg("--message-format=json-render-diagnostics")
        .current_dir(ROOT)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    if !screen.is_colored() {
        command.env("CARGO_TERM_COLOR", "never");
    }
    let output = command
        .output()
        .await
        .map_err(Failure::because("cargo cannot be run"))?;
    if !output.status.success() {
        return Err(Failure::new(
            "the operator cannot be built; cargo says why above",
        ));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let binary = executable(&said, NAME)
        .ok_or_else(|| Failure::new("cargo did not say where it put the operator"))?;
    let seconds = watch.elapsed().as_secs();
    screen.ready("operator", &format!("built in {seconds} s"));
    Ok(binary)
}

/// The running operator.
pub(crate) struct Operator {
    child: Child,
}

impl Operator {
    /// Starts it with exactly the rights that an installation has, or with the
    /// reader's own in the reader's cluster.
    pub(crate) fn start(
        binary: &Path,
        cluster: &Cluster,
        screen: &Screen,
    ) -> Result<Self, Failure> {
        let admin = format!("127.0.0.1:{}", free_port());
        let arguments = [
            "run",
            "--operator-namespace",
            &cluster.operator_namespace,
            "--admin-address",
            &admin,
            "--log-format",
            "text",
            "--log",
            "info",
        ];
        let mut env = vec![(
            "KUBECONFIG",
            cluster.operator_kubeconfig().display().to_string(),
        )];
        if cluster.is_the_readers() {
            env.extend(["NO_PROXY", "no_proxy"].map(|name| (name, without_loopback(name))));
        } else {
            env.extend(NO_PROXIES.map(|(name, none)| (name, none.to_owned())));
        }
        let log = cluster.folder().join("operator.log");
        let child = Child::spawn(binary, arguments, env, &log)
            .map_err(Failure::because("starting the operator"))?;
        let rights = if cluster.is_the_readers() {
            "the rights of your kubeconfig"
        } else {
            "the rights of an installation"
        };
        screen.ready(
            "operator",
            &format!("runs as process {} with {rights}", child.id()),
        );
        Ok(Self { child })
    }

    /// How it ended, if it did: it should not.
    pub(crate) fn ended(&mut self) -> Option<Exit> {
        self.child.try_wait()
    }

    pub(crate) fn log(&self) -> &Path {
        self.child.log()
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> Vec<String> {
        let text = std::fs::read(self.log()).unwrap_or_default();
        let text = redact(&String::from_utf8_lossy(&text));
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_WORDS)..];
        last.iter().map(|line| (*line).to_owned()).collect()
    }
}

/// The reader's own exceptions from their proxy, and loopback.
fn without_loopback(name: &str) -> String {
    let theirs = std::env::var(name).unwrap_or_default();
    let all = ["127.0.0.1", "localhost", &theirs];
    all.join(",").trim_end_matches(',').to_owned()
}
