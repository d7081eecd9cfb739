//! A control plane of its own with the chart's policies (`files/admission/`), and users
//! who are not its administrator: the policies would judge the other tests' objects
//! too.

use std::time::Duration;

use axum::http::Request;
use serde_json::{Value, json};
use testbed::ControlPlane;
use tokio::sync::OnceCell;

use crate::server::install;

/// Who may do everything, but not past a policy.
pub(crate) const ADMIN: &str = "somebody";

/// Gives [`ADMIN`] its rights.
pub(crate) async fn admin(cluster: &ControlPlane) {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": ADMIN },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": ADMIN }],
    });
    cluster.apply_yaml(&binding.to_string()).await.unwrap();
}

/// The control plane with both definitions and all policies.
pub(crate) async fn guarded() -> &'static ControlPlane {
    static GUARDED: OnceCell<ControlPlane> = OnceCell::const_new();
    GUARDED.get_or_init(own).await
}

/// Another one, for what the other tests would not survive.
pub(crate) async fn own() -> ControlPlane {
    let cluster = ControlPlane::start().await.unwrap();
    install(&cluster).await;
    for policies in [
        include_str!("../../charts/neo4j-okta-operator/files/admission/annotations.yaml"),
        include_str!("../../charts/neo4j-okta-operator/files/admission/allow.yaml"),
        include_str!("../../charts/neo4j-okta-operator/files/admission/secrets.yaml"),
    ] {
        cluster.apply_yaml(policies).await.unwrap();
    }
    cluster
}

/// A request by a user, and the server's words when it is refused.
pub(crate) async fn by(
    cluster: &ControlPlane,
    user: &str,
    method: &str,
    url: &str,
    body: &Value,
) -> Result<Value, String> {
    let content = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", content)
        .header("impersonate-user", user)
        .body(body.to_string().into_bytes());
    match cluster.client().request(request.unwrap()).await {
        Ok(answer) => Ok(answer),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(error) => panic!("{error}"),
    }
}

/// Asks until the answer is a refusal by this policy, which is in force a moment
/// after it is there.
pub(crate) async fn in_force(policy: &str, request: impl AsyncFn() -> Result<Value, String>) {
    let by_it = |said: String| said.contains(&format!("ValidatingAdmissionPolicy '{policy}'"));
    waited(&format!("{policy} in force"), async || {
        request().await.is_err_and(by_it)
    })
    .await;
}

/// Waits until somebody has begun to delete an object.
pub(crate) async fn until_deleted(cluster: &ControlPlane, url: &str) {
    waited(&format!("{url} being deleted"), async || {
        let object = by(cluster, ADMIN, "GET", url, &Value::Null).await;
        object.is_ok_and(|o| o["metadata"]["deletionTimestamp"].is_string())
    })
    .await;
}

/// Waits until there is no such object any more.
pub(crate) async fn gone(cluster: &ControlPlane, url: &str) {
    waited(&format!("{url} gone"), async || {
        let object = by(cluster, ADMIN, "GET", url, &Value::Null).await;
        object.is_err_and(|said| said.contains("not found"))
    })
    .await;
}

pub(crate) async fn waited(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    assert!(waited.is_ok(), "not {what} within a minute");
}

#[tokio::test]
async fn every_expression_of_a_policy_fits_the_types() {
    let cluster = guarded().await;
    admin(cluster).await;
    let root = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    let list = by(cluster, ADMIN, "GET", root, &Value::Null).await.unwrap();
    let items = list["items"].as_array().unwrap();
    let ours = items.iter().map(|policy| &policy["metadata"]["name"]);
    let ours: Vec<&str> = ours.map(|name| name.as_str().unwrap()).collect();
    assert_eq!(ours.len(), 4, "{ours:?}");
    for name in ours {
        let url = format!("{root}/{name}");
        let status =
            async || by(cluster, ADMIN, "GET", &url, &Value::Null).await.unwrap()["status"].clone();
        waited("looked at", async || {
            status().await["observedGeneration"] == 1
        })
        .await;
        let warnings = status().await["typeChecking"]["expressionWarnings"].clone();
        assert_eq!(warnings, Value::Null, "{name}");
    }
}
