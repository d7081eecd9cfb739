//! The API server that knows both kinds, and requests that kubectl would send.

use axum::http::Request as HttpRequest;
use kube::api::{GetParams, PostParams};
use kube::core::Request;
use neo4j_okta_operator::api::crds_yaml;
use serde_json::{Value, json};
use testbed::ControlPlane;
use tokio::sync::OnceCell;

/// The shared control plane, with both definitions.
pub(crate) async fn server() -> &'static ControlPlane {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = testbed::control_plane().await;
    INSTALLED.get_or_init(|| install(cluster)).await;
    cluster
}

/// Puts both definitions in.
pub(crate) async fn install(cluster: &ControlPlane) {
    for (_, text) in crds_yaml() {
        cluster.apply_yaml(&text).await.unwrap();
    }
    let names = [
        "neo4jserviceaccounts.neo4j-okta.dev",
        "oktaissuers.neo4j-okta.dev",
    ];
    cluster.wait_for_crds(&names).await.unwrap();
}

/// The path of all objects of an object's kind; accounts live in `namespace`.
pub(crate) fn url(object: &Value, namespace: &str) -> String {
    match object["kind"].as_str().unwrap() {
        "OktaIssuer" => "/apis/neo4j-okta.dev/v1alpha1/oktaissuers".to_owned(),
        _ => format!("/apis/neo4j-okta.dev/v1alpha1/namespaces/{namespace}/neo4jserviceaccounts"),
    }
}

/// Creates an object, unknown fields refused, and reads it back.
pub(crate) async fn create(cluster: &ControlPlane, object: &Value, namespace: &str) -> Value {
    let created = post(cluster, object, namespace, false).await.unwrap();
    let name = created["metadata"]["name"].as_str().unwrap();
    let read = Request::new(url(object, namespace)).get(name, &GetParams::default());
    cluster.client().request(read.unwrap()).await.unwrap()
}

/// Whether an object would be accepted; else the server's words.
pub(crate) async fn try_create(
    cluster: &ControlPlane,
    object: &Value,
    namespace: &str,
) -> Result<Value, String> {
    post(cluster, object, namespace, true).await
}

async fn post(
    cluster: &ControlPlane,
    object: &Value,
    namespace: &str,
    dry_run: bool,
) -> Result<Value, String> {
    let params = PostParams {
        dry_run,
        ..PostParams::default()
    };
    let data = object.to_string().into_bytes();
    let request = Request::new(url(object, namespace)).create(&params, data);
    send(cluster, request.unwrap()).await
}

/// Whether an update of what exists would be accepted; else the server's words.
pub(crate) async fn try_update(
    cluster: &ControlPlane,
    existing: &Value,
    object: &Value,
    namespace: &str,
) -> Result<Value, String> {
    let mut object = object.clone();
    object["metadata"] = json!({
        "name": existing["metadata"]["name"],
        "resourceVersion": existing["metadata"]["resourceVersion"],
    });
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let name = existing["metadata"]["name"].as_str().unwrap();
    let data = object.to_string().into_bytes();
    let request = Request::new(url(&object, namespace)).replace(name, &params, data);
    send(cluster, request.unwrap()).await
}

/// Sends a request whose unknown fields are refused, as kubectl does.
async fn send(cluster: &ControlPlane, mut request: HttpRequest<Vec<u8>>) -> Result<Value, String> {
    let strict = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = strict.parse().unwrap();
    match cluster.client().request(request).await {
        Ok(answer) => Ok(answer),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(error) => panic!("{error}"),
    }
}
