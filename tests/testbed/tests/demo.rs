//! The demo keeps its promises: it tells the whole story, shows no secret,
//! leaves a reader's cluster as it was, and ends when it is told to.
//!
//! Each test runs the real program. The first run on a machine builds the
//! control plane and the operator.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use testbed::{ControlPlane, control_plane};
use tokio::sync::Mutex;

/// Each brings a cluster and an operator: two at once would only be slow.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

const HEADLINES: [&str; 8] = [
    "1  One small object becomes an identity",
    "2  What stands in the cluster",
    "3  What Neo4j reads in the token",
    "4  A fresh token, on demand",
    "5  Other groups, in the next token",
    "6  A group that is not allowed",
    "7  What Okta sees",
    "8  Gone without a trace",
];

#[tokio::test]
async fn the_story_is_told_to_its_end_and_shows_no_secret() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let output = demo(&[]).output().unwrap();
    let said = told(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for headline in HEADLINES {
        assert!(
            said.contains(headline),
            "no headline {headline:?} in\n{said}"
        );
    }
    assert!(said.contains("calls to Okta"), "{said}");
    shows_no_secret(&said);
    // Not a terminal, so no colours.
    assert!(!said.contains('\x1b'), "{said}");
}

#[tokio::test]
async fn a_readers_cluster_is_left_as_it_was() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let cluster = control_plane().await;
    let before = namespaces(cluster).await;

    let output = in_cluster(cluster).output().unwrap();
    let said = told(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(HEADLINES[7]), "{said}");
    shows_no_secret(&said);
    let crds: Api<CustomResourceDefinition> = Api::all(cluster.client());
    let left = crds.list(&ListParams::default()).await.unwrap();
    assert!(left.items.is_empty(), "{left:?}");
    let after = namespaces(cluster).await;
    assert!(after.iter().all(|name| before.contains(name)), "{after:?}");

    // The same definitions, and an account that is not the demo's.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds");
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        cluster.apply_yaml(&text).await.unwrap();
    }
    let names = ["neo4jserviceaccounts", "oktaissuers"].map(|n| format!("{n}.neo4j-okta.dev"));
    cluster
        .wait_for_crds(&names.each_ref().map(String::as_str))
        .await
        .unwrap();
    let foreign = "{apiVersion: neo4j-okta.dev/v1alpha1, kind: Neo4jServiceAccount, \
                   metadata: {name: theirs}, spec: {groups: [readers]}}";
    cluster.apply_yaml(foreign).await.unwrap();
    refused(cluster, "default/theirs");

    // Other definitions.
    let mut other = crds.get(&names[1]).await.unwrap();
    other.spec.names.short_names = Some(vec!["other".to_owned()]);
    crds.replace(&names[1], &kube::api::PostParams::default(), &other)
        .await
        .unwrap();
    refused(cluster, "another version");
}

#[tokio::test]
async fn an_interrupt_ends_everything() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut demo = demo(&[])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut operator = None;
    for line in lines.map(Result::unwrap) {
        if let Some((_, rest)) = line.split_once("runs as process ") {
            operator = rest.split(' ').next().map(str::to_owned);
        }
        if line.starts_with(HEADLINES[0]) {
            break;
        }
    }
    signal("INT", &demo.id().to_string());
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    // Its guardian was waited for; the kernel knows it no more.
    let alive = signal("0", &operator.expect("the process id of the operator"));
    assert!(!alive, "the operator outlived the demo");
}

#[test]
fn wrong_flags_are_one_line_and_exit_code_64() {
    for arguments in [&["--frobnicate"][..], &["--kubeconfig"], &["nonsense"]] {
        let output = demo(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_kubeconfig_that_does_not_exist_is_named() {
    let output = demo(&["--kubeconfig", "/no/such/file"]).output().unwrap();
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: /no/such/file: "), "{said}");
}

fn demo(arguments: &[&str]) -> Command {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
    demo.args(arguments).stdin(Stdio::null());
    demo
}

/// The demo in a cluster that stays, with the kubectl that belongs to it.
fn in_cluster(cluster: &ControlPlane) -> Command {
    let mut demo = demo(&["--kubeconfig"]);
    let folder = cluster.kubectl().parent().unwrap().display();
    let path = std::env::var("PATH").unwrap_or_default();
    demo.arg(cluster.kubeconfig())
        .env("PATH", format!("{folder}:{path}"));
    demo
}

fn refused(cluster: &ControlPlane, why: &str) {
    let output = in_cluster(cluster).output().unwrap();
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(why), "{said}");
    assert!(!said.contains(HEADLINES[0]), "{said}");
}

/// Everything that the demo printed.
fn told(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Neither a JWT nor 64 characters of the alphabet of client secrets in a row.
fn shows_no_secret(said: &str) {
    assert!(!said.contains("eyJ"), "{said}");
    let in_secrets = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let longest = said.split(|c| !in_secrets(c)).max_by_key(|word| word.len());
    assert!(longest.unwrap().len() < 64, "{longest:?}");
}

/// Those that are not on their way out.
async fn namespaces(cluster: &ControlPlane) -> Vec<String> {
    let api: Api<Namespace> = Api::all(cluster.client());
    let list = api.list(&ListParams::default()).await.unwrap();
    let stay = list
        .iter()
        .filter(|n| n.metadata.deletion_timestamp.is_none());
    stay.map(ResourceExt::name_any).collect()
}

fn signal(name: &str, process: &str) -> bool {
    let kill = Command::new("kill")
        .args(["-s", name, process])
        .stderr(Stdio::null())
        .status();
    kill.unwrap().success()
}
