//! A control plane of its own with the chart's policies (`files/admission/`), and users
//! who are not its administrator: the policies would judge the other tests' objects
//! too.

use std::time::Duration;

use axum::http::Request;
use serde_json::Value;
use testbed::ControlPlane;
use tokio::sync::OnceCell;

use crate::server::install;

/// The control plane with both definitions and all policies.
pub(crate) async fn guarded() -> &'static ControlPlane {
    static GUARDED: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = async || {
        let cluster = ControlPlane::start().await.unwrap();
        install(&cluster).await;
        for policies in [
            include_str!("../../charts/neo4j-okta-operator/files/admission/annotations.yaml"),
            include_str!("../../charts/neo4j-okta-operator/files/admission/allow.yaml"),
        ] {
            cluster.apply_yaml(policies).await.unwrap();
        }
        cluster
    };
    GUARDED.get_or_init(start).await
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
    let wait = async {
        while !request().await.is_err_and(by_it) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    assert!(waited.is_ok(), "{policy} never came into force");
}
