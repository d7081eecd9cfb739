//! The chart's `files/admission/allow.yaml` at a real API server: it answers as the
//! planner decides, by the same table, and holds up nothing that is there already.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use testbed::{ControlPlane, OPERATOR_NAMESPACE};

use crate::corpus::{base, merge};
use crate::policies::{ADMIN, admin, by, gone, guarded, in_force, until_deleted};
use crate::server::url;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    allow: Value,
    #[serde(default)]
    map: BTreeMap<String, Vec<String>>,
    #[serde(default = "payments")]
    namespace: String,
    groups: Vec<String>,
    #[serde(default, rename = "position")]
    _position: usize,
    denied: Option<String>,
    #[serde(default)]
    admitted: bool,
}

fn payments() -> String {
    "payments".to_owned()
}

pub(crate) fn account(issuer: &str, groups: &[impl AsRef<str>]) -> Value {
    let groups: Vec<&str> = groups.iter().map(AsRef::as_ref).collect();
    let mut account = base("account-minimal");
    let spec = json!({ "groups": groups, "issuerRef": { "name": issuer } });
    merge(
        &mut account,
        &json!({ "metadata": { "name": issuer, "finalizers": ["example.com/hold"] }, "spec": spec }),
    );
    account
}

pub(crate) async fn issuer(cluster: &ControlPlane, name: &str, spec: Value) {
    let mut issuer = base("issuer-minimal");
    merge(
        &mut issuer,
        &json!({ "metadata": { "name": name }, "spec": spec }),
    );
    cluster.apply_yaml(&issuer.to_string()).await.unwrap();
}

pub(crate) async fn create(
    cluster: &ControlPlane,
    namespace: &str,
    object: &Value,
    query: &str,
) -> Result<Value, String> {
    let url = format!("{}{query}", url(object, namespace));
    by(cluster, ADMIN, "POST", &url, object).await
}

/// The API server with the policy, and a user who may do everything.
async fn ready() -> &'static ControlPlane {
    let cluster = guarded().await;
    admin(cluster).await;
    cluster
}

/// Waits until the policy knows an issuer that was created now, and so all that
/// were created before.
pub(crate) async fn knows(cluster: &ControlPlane, canary: &str) {
    issuer(cluster, canary, json!({ "allow": [] })).await;
    let asks = account(canary, &["reader"]);
    in_force("neo4j-okta-operator-allow", async || {
        create(cluster, "default", &asks, "?dryRun=All").await
    })
    .await;
}

#[tokio::test]
async fn the_early_answer_is_the_planners() {
    let cluster = ready().await;
    let cases: Vec<Case> = serde_saphyr::from_str(include_str!("corpus/allow.yaml")).unwrap();
    for (name, labels) in [
        ("payments", json!({ "team": "data" })),
        ("payments2", json!({ "team": "data" })),
        ("bare", json!({})),
    ] {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } });
        cluster.apply_yaml(&namespace.to_string()).await.unwrap();
    }
    for (number, case) in cases.iter().enumerate() {
        let spec = json!({ "allow": case.allow, "neo4j": { "groupToRole": case.map } });
        issuer(cluster, &format!("case-{number}"), spec).await;
    }
    knows(cluster, "case-canary").await;
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let issuer = format!("case-{number}");
        let asks = account(&issuer, &case.groups);
        let answer = create(cluster, &case.namespace, &asks, "?dryRun=All").await;
        let as_decided = match (&answer, &case.denied) {
            (Ok(_), denied) => denied.is_none() || case.admitted,
            (Err(said), Some(names)) => {
                said.contains(names) && said.contains(&issuer) && !case.admitted
            }
            (Err(_), None) => false,
        };
        if !as_decided {
            wrong.push(format!("{}: {answer:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_account_that_ends_sessions_has_its_permission_from_being_named() {
    let cluster = ready().await;
    let home = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": OPERATOR_NAMESPACE } });
    cluster.apply_yaml(&home.to_string()).await.unwrap();
    let neo4j = |on: bool| {
        json!({ "neo4j": {
            "endSessions": on, "endSessionsAs": "sessions",
            "queryApiUrls": ["https://graph.example.com:7473"],
        } })
    };
    issuer(cluster, "ends", neo4j(true)).await;
    issuer(cluster, "ends-not", neo4j(false)).await;
    knows(cluster, "ends-canary").await;
    for (issuer, name, namespace, admitted) in [
        ("ends", "sessions", OPERATOR_NAMESPACE, true),
        ("ends", "sessions", "default", false),
        ("ends", "another", OPERATOR_NAMESPACE, false),
        ("ends-not", "sessions", OPERATOR_NAMESPACE, false),
    ] {
        let mut asks = account(issuer, &["admin"]);
        asks["metadata"]["name"] = json!(name);
        let answer = create(cluster, namespace, &asks, "?dryRun=All").await;
        assert_eq!(
            answer.is_ok(),
            admitted,
            "{issuer} {namespace}/{name}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn an_account_whose_permission_was_narrowed_can_be_changed_and_deleted_but_not_ask_for_more()
{
    let cluster = ready().await;
    let namespace = cluster.namespace("narrowed").await;
    let allow =
        |groups: Value| json!({ "allow": [{ "namespaces": [namespace], "groups": groups }] });
    issuer(cluster, "narrowed", allow(json!(["reader", "editor"]))).await;
    let asks = account("narrowed", &["reader", "editor"]);
    create(cluster, &namespace, &asks, "").await.unwrap();
    issuer(cluster, "narrowed", allow(json!(["others"]))).await;
    knows(cluster, "narrowed-canary").await;
    let one = format!("{}/narrowed", url(&asks, &namespace));
    let patch = async |patch: Value| by(cluster, ADMIN, "PATCH", &one, &patch).await;
    patch(json!({ "metadata": { "labels": { "team": "data" } } }))
        .await
        .unwrap();
    patch(json!({ "spec": { "groups": ["editor", "reader"], "suspended": true } }))
        .await
        .unwrap();
    patch(json!({ "spec": { "groups": ["reader", "others"] } }))
        .await
        .unwrap();
    let said = patch(json!({ "spec": { "groups": ["reader", "more"] } }))
        .await
        .unwrap_err();
    assert!(said.contains("does not allow group \"more\""), "{said}");
    by(cluster, ADMIN, "DELETE", &one, &json!({}))
        .await
        .unwrap();
    patch(json!({ "metadata": { "finalizers": null } }))
        .await
        .unwrap();
    let gone = by(cluster, ADMIN, "GET", &one, &json!({})).await;
    assert!(gone.unwrap_err().contains("not found"));
}

#[tokio::test]
async fn a_namespace_whose_permission_was_narrowed_goes_with_its_accounts() {
    let cluster = ready().await;
    let namespace = cluster.namespace("leaving").await;
    let allow =
        |groups: Value| json!({ "allow": [{ "namespaces": [namespace], "groups": groups }] });
    issuer(cluster, "leaving", allow(json!(["reader"]))).await;
    let asks = account("leaving", &["reader"]);
    create(cluster, &namespace, &asks, "").await.unwrap();
    issuer(cluster, "leaving", allow(json!(["others"]))).await;
    knows(cluster, "leaving-canary").await;
    let itself = format!("/api/v1/namespaces/{namespace}");
    by(cluster, ADMIN, "DELETE", &itself, &json!({}))
        .await
        .unwrap();
    let one = format!("{}/leaving", url(&asks, &namespace));
    until_deleted(cluster, &one).await;
    // As the operator does when the app is gone, in a namespace that is going.
    let free = json!({ "metadata": { "finalizers": null } });
    by(cluster, ADMIN, "PATCH", &one, &free).await.unwrap();
    gone(cluster, &itself).await;
}

#[tokio::test]
async fn an_account_may_come_before_its_issuer() {
    let cluster = ready().await;
    knows(cluster, "late-canary").await;
    let asks = account("not-yet-there", &["reader"]);
    create(cluster, "default", &asks, "?dryRun=All")
        .await
        .unwrap();
}

#[tokio::test]
async fn the_largest_issuer_and_account_are_still_judged() {
    let cluster = ready().await;
    let namespace = cluster.namespace("large").await;
    let name = |prefix: &str, i: usize| format!("{prefix}-{i:02}-{}", "x".repeat(50));
    let mut namespaces: Vec<String> = (0..31).map(|i| name("namespace", i)).collect();
    namespaces.push(namespace.clone());
    let patterns: Vec<String> = (0..32).map(|i| name("group", i) + "*").collect();
    let entry = json!({ "namespaces": namespaces, "groups": patterns });
    let roles: BTreeMap<String, Vec<String>> = (0..32)
        .map(|i| (name("group", i), vec!["reader".to_owned()]))
        .collect();
    let spec = json!({ "allow": vec![entry; 32], "neo4j": { "groupToRole": roles } });
    issuer(cluster, "large", spec).await;
    knows(cluster, "large-canary").await;
    let mut groups: Vec<String> = (0..19).map(|i| name("group", i + 5)).collect();
    groups.push(name("other", 0));
    let asks = account("large", &groups);
    let said = create(cluster, &namespace, &asks, "?dryRun=All").await;
    let said = said.unwrap_err();
    assert!(said.contains("does not allow group \"other-00"), "{said}");
    groups.pop();
    let asks = account("large", &groups);
    create(cluster, &namespace, &asks, "?dryRun=All")
        .await
        .unwrap();
}
