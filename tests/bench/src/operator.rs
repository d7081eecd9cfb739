//! The operator: built as it is released, and run as a process of its own with
//! the rights and the arguments that the chart gives it.
//!
//! It needs cargo. It refuses to measure a debug build.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use testbed::{Child, ControlPlane, NO_PROXIES, OPERATOR_NAMESPACE, executable, free_port};
use tokio::process::Command;

use crate::clock;
use crate::process::Process;

const NAME: &str = "neo4j-okta-operator";
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const STARTS_WITHIN: Duration = Duration::from_secs(120);

/// As the chart's, but for its log, which costs what its reader makes of it.
pub(crate) const FLAGS: [&str; 3] = ["run", "--log", "warn"];

/// Builds it; cargo shows its progress on standard error.
pub(crate) async fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", NAME, "--bin", NAME])
        // Cargo alone knows where it puts things; this makes it tell.
        .arg("--message-format=json-render-diagnostics")
        .current_dir(ROOT)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("cargo cannot be run")?;
    ensure!(output.status.success(), "the operator cannot be built");
    executable(&String::from_utf8_lossy(&output.stdout), NAME)
        .context("cargo did not say where it put the operator")
}

/// A running operator.
pub(crate) struct Operator {
    child: Child,
    admin: String,
    http: reqwest::Client,
}

impl Operator {
    pub(crate) fn start(binary: &Path, cluster: &ControlPlane) -> Result<Self> {
        let admin = format!("127.0.0.1:{}", free_port());
        let here = [
            "--operator-namespace",
            OPERATOR_NAMESPACE,
            "--admin-address",
            &admin,
        ];
        let arguments = FLAGS.into_iter().chain(here);
        let kubeconfig = cluster.operator_kubeconfig().display().to_string();
        let env = [("KUBECONFIG", kubeconfig.as_str())];
        let log = cluster.directory().join("operator.log");
        let child = Child::spawn(binary, arguments, NO_PROXIES.into_iter().chain(env), &log)
            .context("starting the operator")?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { child, admin, http })
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Waits until its caches are filled.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let start = clock::now();
        loop {
            self.running()?;
            let url = format!("http://{}/readyz", self.admin);
            let answer = self.http.get(url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            ensure!(start.elapsed() < STARTS_WITHIN, "the operator is not ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many accounts it has looked at since its start and knows a token of.
    pub(crate) async fn accounts_with_a_token(&self) -> Result<usize> {
        let url = format!("http://{}/metrics", self.admin);
        let text = self.http.get(url).send().await?.text().await?;
        let gauge = "neo4j_okta_account_token_expiry_timestamp_seconds{";
        Ok(text.lines().filter(|line| line.starts_with(gauge)).count())
    }

    /// That it did not end.
    pub(crate) fn running(&mut self) -> Result<()> {
        if let Some(exit) = self.child.try_wait() {
            let log = std::fs::read_to_string(self.child.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(10)..].join("\n");
            bail!("the operator ended ({exit}):\n{last}");
        }
        Ok(())
    }

    /// As a rollout ends it.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let exit = self.child.terminate(Duration::from_secs(30)).await;
        ensure!(exit.success(), "the operator did not stop in order: {exit}");
        Ok(())
    }
}
