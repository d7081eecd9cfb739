//! How both kinds look to somebody who works with kubectl.

use std::process::Command;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use neo4j_okta_operator::api::{Neo4jServiceAccount, crds_yaml};
use serde_json::json;
use testbed::ControlPlane;

use crate::corpus::base;
use crate::server::{create, server};

const EXPIRES: &str = "2999-12-31T23:59:59Z";

#[tokio::test]
async fn the_definitions_are_applied_without_a_warning() {
    let cluster = server().await;
    for (name, text) in crds_yaml() {
        let file = cluster.directory().join(name);
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let output = run(
            cluster,
            &["apply", "--server-side", "--force-conflicts", "-f", file],
        );
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success());
    }
}

#[tokio::test]
async fn get_shows_the_state_of_an_account_and_never_an_invalid_date() {
    let cluster = server().await;
    let namespace = cluster.namespace("columns").await;
    ready(cluster, &namespace).await;

    let narrow = kubectl(cluster, &["get", "n4jsa", "-n", &namespace]);
    let header: Vec<_> = narrow.lines().next().unwrap().split_whitespace().collect();
    let columns = ["NAME", "READY", "GROUPS", "REFRESHED", "EXPIRES", "AGE"];
    assert_eq!(header, columns);

    let wide = kubectl(cluster, &["get", "n4jsa", "-n", &namespace, "-o", "wide"]);
    let header: Vec<_> = wide
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .skip(6)
        .collect();
    assert_eq!(
        header,
        ["NEXT-REFRESH", "CLIENT-ID", "APP-ID", "ISSUER", "REASON"]
    );
    let row: Vec<_> = wide.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        row[..3],
        ["etl", "True", r#"["neo4j_publisher"]"#],
        "{wide}"
    );
    assert_eq!(row[4], EXPIRES);
    let rest = [
        EXPIRES,
        "prod-eu.payments.etl.3f2c1a7e",
        "0oa1etl",
        "default",
        "TokenIssued",
    ];
    assert_eq!(row[6..], rest, "{wide}");
    assert!(!wide.contains("<invalid>"), "{wide}");
}

#[tokio::test]
async fn get_shows_an_issuer_and_the_category_lists_it_with_the_accounts() {
    let cluster = server().await;
    let namespace = cluster.namespace("category").await;
    let mut issuer = base("issuer-minimal");
    issuer["metadata"]["name"] = "shown".into();
    create(cluster, &issuer, "").await;
    create(cluster, &base("account-minimal"), &namespace).await;

    let wide = kubectl(cluster, &["get", "oktaiss", "shown", "-o", "wide"]);
    let header: Vec<_> = wide.lines().next().unwrap().split_whitespace().collect();
    let columns = [
        "NAME", "READY", "ORG", "ACCOUNTS", "AGE", "ISSUER", "REASON",
    ];
    assert_eq!(header, columns);

    let all = kubectl(cluster, &["get", "neo4j", "-n", &namespace, "-o", "name"]);
    assert!(
        all.contains("neo4jserviceaccount.neo4j-okta.dev/etl"),
        "{all}"
    );
    assert!(all.contains("oktaissuer.neo4j-okta.dev/shown"), "{all}");
}

#[tokio::test]
async fn accounts_can_be_selected_by_their_issuer() {
    let cluster = server().await;
    let namespace = cluster.namespace("selected").await;
    create(cluster, &base("account-minimal"), &namespace).await;
    create(cluster, &base("account-maximal"), &namespace).await;
    let of = |issuer| {
        let selector = format!("spec.issuerRef.name={issuer}");
        let args = [
            "get",
            "n4jsa",
            "-n",
            &namespace,
            "-o",
            "name",
            "--field-selector",
            &selector,
        ];
        kubectl(cluster, &args)
    };
    assert_eq!(of("default"), "neo4jserviceaccount.neo4j-okta.dev/etl\n");
    assert_eq!(of("acme"), "neo4jserviceaccount.neo4j-okta.dev/etl-full\n");
    assert_eq!(of("none"), "");
}

#[tokio::test]
async fn wait_returns_once_an_account_is_ready() {
    let cluster = server().await;
    let namespace = cluster.namespace("waited").await;
    ready(cluster, &namespace).await;
    let args = [
        "wait",
        "--for=condition=Ready",
        "n4jsa/etl",
        "-n",
        &namespace,
        "--timeout=10s",
    ];
    assert!(kubectl(cluster, &args).contains("condition met"));
}

#[tokio::test]
async fn explain_tells_what_a_change_of_groups_leads_to() {
    let cluster = server().await;
    let groups = kubectl(cluster, &["explain", "n4jsa.spec.groups"]);
    let words: Vec<_> = groups.split_whitespace().collect();
    let text = words.join(" ");
    assert!(
        text.contains("tokens already handed out keep the old groups until they expire"),
        "{text}"
    );

    let lifetime = kubectl(
        cluster,
        &["explain", "oktaiss.spec.authorizationServer.tokenLifetime"],
    );
    assert!(lifetime.contains("in whole minutes"), "{lifetime}");
}

/// Creates the minimal account, and the status that it has when all is well.
async fn ready(cluster: &ControlPlane, namespace: &str) {
    create(cluster, &base("account-minimal"), namespace).await;
    let api: Api<Neo4jServiceAccount> = Api::namespaced(cluster.client(), namespace);
    let since = api.get("etl").await.unwrap().creation_timestamp().unwrap();
    let status = json!({ "status": {
        "observedGeneration": 1,
        "appId": "0oa1etl",
        "clientId": "prod-eu.payments.etl.3f2c1a7e",
        "orgUrl": "https://acme.okta.com",
        "credentials": { "secretName": "etl-okta-credentials", "rotatedAt": since },
        "token": {
            "issuedAt": since,
            "expiresAt": EXPIRES.parse::<Timestamp>().unwrap(),
            "nextRefreshAt": EXPIRES.parse::<Timestamp>().unwrap(),
            "groups": ["neo4j_publisher"],
            "secretName": "etl-neo4j-token",
            "secretVersion": "1",
        },
        "binding": { "name": "etl-neo4j-token" },
        "conditions": [{
            "type": "Ready",
            "status": "True",
            "reason": "TokenIssued",
            "message": "The token is fresh.",
            "observedGeneration": 1,
            "lastTransitionTime": since,
        }],
    }});
    let patched = api
        .patch_status("etl", &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
    assert_eq!(json!(patched.status.unwrap()), status["status"]);
}

fn kubectl(cluster: &ControlPlane, args: &[&str]) -> String {
    let output = run(cluster, args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn run(cluster: &ControlPlane, args: &[&str]) -> std::process::Output {
    Command::new(cluster.kubectl())
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .args(args)
        .output()
        .unwrap()
}
