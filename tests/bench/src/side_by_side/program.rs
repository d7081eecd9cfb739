//! External Secrets itself: built, told its definitions, started.
//!
//! It needs Go and its module proxy. It refuses to run the webhooks of External
//! Secrets: its definitions are applied without conversion between versions, of
//! which only one is used here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testbed::{Child, ControlPlane, NO_PROXIES, free_port};
use tokio::process::Command;

use crate::process::Process;

pub(super) const NAME: &str = "external-secrets";
/// As `tests/tools/external-secrets/go.mod` says.
pub(crate) const PROGRAM: &str = "External Secrets 0.16.2";
/// What its chart passes, but for the log.
pub(crate) const DEFAULTS: &[&str] = &["--concurrent=1", "--loglevel=warn"];
/// What its users are advised to pass with many objects.
pub(crate) const FASTER: &[&str] = &[
    "--concurrent=10",
    "--client-qps=1000",
    "--client-burst=2000",
    "--loglevel=warn",
];

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/external-secrets");
const PATH: &str = "github.com/external-secrets/external-secrets";
const KINDS: [&str; 2] = [
    "externalsecrets.external-secrets.io",
    "webhooks.generators.external-secrets.io",
];

/// Builds it, once.
pub(crate) async fn build() -> Result<PathBuf> {
    Ok(testbed::tool(NAME).await?)
}

/// Applies its definitions, which are part of its module.
pub(super) async fn definitions(cluster: &ControlPlane) -> Result<()> {
    let output = Command::new("go")
        .args(["-C", MODULE, "list", "-m", "-f", "{{.Dir}}", PATH])
        .env("GOWORK", "off")
        .output()
        .await
        .context("go cannot be run")?;
    ensure!(output.status.success(), "go does not know where {PATH} is");
    let folder = String::from_utf8(output.stdout)?;
    let bundle = Path::new(folder.trim()).join("deploy/crds/bundle.yaml");
    let text = std::fs::read_to_string(&bundle).with_context(|| bundle.display().to_string())?;
    for definition in text.split("\n---\n") {
        cluster.apply_yaml(&without_conversion(definition)).await?;
    }
    Ok(cluster.wait_for_crds(&KINDS).await?)
}

/// The same definition, with nobody to be asked about its versions.
fn without_conversion(definition: &str) -> String {
    let mut inside = false;
    let kept = definition.lines().filter(|line| {
        if inside && !line.starts_with("    ") {
            inside = false;
        }
        inside |= *line == "  conversion:";
        !inside
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// It runs.
pub(super) struct Program {
    child: Child,
}

impl Program {
    pub(super) fn start(binary: &Path, flags: &[&str], cluster: &ControlPlane) -> Result<Self> {
        let metrics = format!("--metrics-addr=127.0.0.1:{}", free_port());
        let arguments = flags.iter().copied().chain([metrics.as_str()]);
        let kubeconfig = cluster.kubeconfig().display().to_string();
        let env = [("KUBECONFIG", kubeconfig.as_str())];
        let log = cluster.directory().join("external-secrets.log");
        let child = Child::spawn(binary, arguments, NO_PROXIES.into_iter().chain(env), &log)
            .with_context(|| format!("starting {PROGRAM}"))?;
        Ok(Self { child })
    }

    pub(super) fn process(&self) -> Process {
        Process(self.child.id())
    }

    pub(super) async fn stop(&mut self) -> Result<()> {
        let exit = self.child.terminate(Duration::from_secs(30)).await;
        let log = std::fs::read_to_string(self.child.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        ensure!(exit.success(), "{PROGRAM} ended: {exit}\n{last}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_loses_its_conversion_and_nothing_else() {
        let definition = "spec:\n  conversion:\n    strategy: Webhook\n    webhook:\n      a: b\n  group: x\n  names:\n    kind: X";
        let expected = "spec:\n  group: x\n  names:\n    kind: X";
        assert_eq!(without_conversion(definition), expected);
        assert_eq!(without_conversion(expected), expected);
    }
}
