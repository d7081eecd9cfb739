//! Helm as a person runs it, of the version in `tests/tools/helm`, with folders of
//! its own instead of the user's.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use testbed::{Folder, tool};

pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/neo4j-okta-operator");
pub(crate) const RELEASE: &str = "neo4j-okta-operator";
pub(crate) const NAMESPACE: &str = "neo4j-okta-system";
/// The least that gives a default issuer.
pub(crate) const ISSUER: [&str; 2] = [
    "--set=issuer.orgUrl=https://acme.okta.com",
    "--set=issuer.secretName=okta",
];

pub(crate) struct Helm {
    program: PathBuf,
    home: Folder,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// `None`, and a line on stderr, where it cannot be built; never in CI.
    pub(crate) async fn new() -> Option<Self> {
        Some(Self {
            program: needed("helm").await?,
            home: Folder::new().unwrap(),
            kubeconfig: None,
        })
    }

    pub(crate) fn at(mut self, kubeconfig: &Path) -> Self {
        self.kubeconfig = Some(kubeconfig.to_owned());
        self
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let home = self.home.path();
        let nowhere = home.join("kubeconfig");
        Command::new(&self.program)
            .args(arguments)
            .env("HELM_CACHE_HOME", home)
            .env("HELM_CONFIG_HOME", home)
            .env("HELM_DATA_HOME", home)
            .env("KUBECONFIG", self.kubeconfig.as_ref().unwrap_or(&nowhere))
            .output()
            .unwrap()
    }

    /// What it prints; fails with what it says when it fails.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "helm {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says when it refuses.
    pub(crate) fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "helm {arguments:?} was content");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The text that the chart renders to.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let fixed = ["template", RELEASE, CHART, "--namespace", NAMESPACE];
        self.ok(&[&fixed, arguments].concat())
    }

    /// The objects that the chart renders to.
    pub(crate) fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        objects(&self.text(arguments))
    }
}

/// The documents of a manifest.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let documents: Vec<Option<Value>> = serde_saphyr::from_multiple(text).unwrap();
    documents.into_iter().flatten().collect()
}

/// The one object of a kind and name.
pub(crate) fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut found = objects
        .iter()
        .filter(|o| o["kind"] == kind && o["metadata"]["name"] == name);
    let one = found.next();
    one.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// A tool of `tests/tools`. Without Go that is none: CI has to have it.
pub(crate) async fn needed(name: &str) -> Option<PathBuf> {
    match tool(name).await {
        Ok(program) => Some(program),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped, as there is no {name}: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Runs a tool that reads `input` on standard input.
pub(crate) fn fed(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    // In a thread of its own: it may talk before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}
