//! The chart's `files/admission/secrets.yaml` at a real API server: what the operator
//! keeps in its Secrets is changed by nobody else, and all the rest is as before.

use serde_json::{Value, json};
use testbed::{ControlPlane, OPERATOR_USER};

use crate::policies::{ADMIN, admin, by, guarded, in_force};

const POLICY: &str = "neo4j-okta-operator-secrets";

struct Test {
    cluster: &'static ControlPlane,
    secrets: String,
}

impl Test {
    async fn new(name: &str) -> Self {
        let cluster = guarded().await;
        admin(cluster).await;
        let namespace = cluster.namespace(name).await;
        let secrets = format!("/api/v1/namespaces/{namespace}/secrets");
        let test = Self { cluster, secrets };
        test.create(&secret("canary")).await.unwrap();
        let patch = json!({ "data": { "token": "Yw==" } });
        in_force(POLICY, async || test.patch(ADMIN, "canary", &patch).await).await;
        // The operator's rights of the testbed are those of the chart.
        test
    }

    async fn create(&self, secret: &Value) -> Result<Value, String> {
        by(self.cluster, OPERATOR_USER, "POST", &self.secrets, secret).await
    }

    async fn patch(&self, user: &str, name: &str, patch: &Value) -> Result<Value, String> {
        let url = format!("{}/{name}?dryRun=All", self.secrets);
        by(self.cluster, user, "PATCH", &url, patch).await
    }
}

/// As the operator writes one.
fn secret(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "servicebinding.io/neo4j",
        "metadata": {
            "name": name,
            "labels": { "app.kubernetes.io/managed-by": "neo4j-okta-operator", "team": "data" },
            "annotations": { "neo4j-okta.dev/expires-at": "2026-01-01T00:00:00Z" },
            "finalizers": ["example.com/hold"],
        },
        "data": { "token": "YQ==", "type": "bmVvNGo=" },
    })
}

#[tokio::test]
async fn only_the_operator_changes_what_is_in_its_secrets() {
    let test = Test::new("secrets").await;
    test.create(&secret("etl")).await.unwrap();
    for patch in [
        json!({ "data": { "token": "Yg==" } }),
        json!({ "stringData": { "token": "b" } }),
        json!({ "data": { "token": null } }),
        json!({ "data": { "more": "Yg==" } }),
        json!({ "data": null }),
    ] {
        let said = test.patch(ADMIN, "etl", &patch).await.unwrap_err();
        let why = "only neo4j-okta-operator changes what is in its Secrets";
        assert!(said.contains(why), "{patch}: {said}");
        test.patch(OPERATOR_USER, "etl", &patch).await.unwrap();
    }
    // Nor by taking the label off first, or with it.
    for labels in [
        json!({ "app.kubernetes.io/managed-by": null }),
        json!({ "app.kubernetes.io/managed-by": "somebody" }),
        Value::Null,
    ] {
        let patch = json!({ "metadata": { "labels": labels } });
        let said = test.patch(ADMIN, "etl", &patch).await.unwrap_err();
        assert!(said.contains("leave it as it is"), "{patch}: {said}");
    }
    let both = json!({ "metadata": { "labels": null }, "data": { "token": "Yg==" } });
    test.patch(ADMIN, "etl", &both).await.unwrap_err();
}

#[tokio::test]
async fn everything_else_about_a_secret_is_everybodys_as_before() {
    let test = Test::new("secrets-free").await;
    test.create(&secret("etl")).await.unwrap();
    for metadata in [
        json!({ "labels": { "team": null, "backup": "yes" } }),
        json!({ "annotations": { "reloader.stakater.com/match": "true" } }),
        json!({ "finalizers": null }),
        json!({ "ownerReferences": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1" }] }),
    ] {
        let patch = json!({ "metadata": metadata });
        test.patch(ADMIN, "etl", &patch).await.unwrap();
    }
    // The same data, written again as a whole.
    let url = format!("{}/etl", test.secrets);
    let mut whole = by(test.cluster, ADMIN, "GET", &url, &Value::Null)
        .await
        .unwrap();
    whole["metadata"]["labels"]["restored"] = json!("yes");
    by(test.cluster, ADMIN, "PUT", &url, &whole).await.unwrap();
    by(test.cluster, ADMIN, "DELETE", &url, &json!({}))
        .await
        .unwrap();
    let free = json!({ "metadata": { "finalizers": null } });
    by(test.cluster, ADMIN, "PATCH", &url, &free).await.unwrap();
    let gone = by(test.cluster, ADMIN, "GET", &url, &Value::Null).await;
    assert!(gone.unwrap_err().contains("not found"));

    // Somebody's own Secret, without the label, with it put on, and without data.
    let mut own = secret("own");
    own["metadata"]["labels"] = json!({ "team": "data" });
    by(test.cluster, ADMIN, "POST", &test.secrets, &own)
        .await
        .unwrap();
    let change = json!({ "data": { "token": "Yg==" } });
    test.patch(ADMIN, "own", &change).await.unwrap();
    let labelled = json!({ "metadata": { "labels": secret("own")["metadata"]["labels"] }, "data": { "token": "Yg==" } });
    test.patch(ADMIN, "own", &labelled).await.unwrap();
    let mut empty = secret("empty");
    empty.as_object_mut().unwrap().remove("data");
    test.create(&empty).await.unwrap();
    let label = json!({ "metadata": { "labels": { "backup": "yes" } } });
    test.patch(ADMIN, "empty", &label).await.unwrap();
    test.patch(ADMIN, "empty", &change).await.unwrap_err();
}

#[tokio::test]
async fn the_largest_secret_is_still_judged() {
    let test = Test::new("secrets-large").await;
    let mut large = secret("large");
    // A Secret holds 1 MiB; base64 makes that a third more.
    let half = "YWFh".repeat(512 * 1024 / 3 - 100);
    large["data"] = json!({ "token": half, "other": half });
    test.create(&large).await.unwrap();
    let label = json!({ "metadata": { "labels": { "backup": "yes" } } });
    test.patch(ADMIN, "large", &label).await.unwrap();
    let other = json!({ "data": { "other": format!("YWFi{}", &half[4..]) } });
    let said = test.patch(ADMIN, "large", &other).await.unwrap_err();
    assert!(said.contains("only neo4j-okta-operator changes"), "{said}");
}
