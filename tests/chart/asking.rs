//! Pods that ask for a token by a label, and what has become of them: for the tests
//! of `admission.inject`.
//!
//! Needs a control plane of its own, in which the release has the policies alone.

use axum::http::Request;
use serde_json::{Value, json};
use testbed::ControlPlane;
use tokio::sync::OnceCell;

use crate::helm::{CHART, Helm, NAMESPACE, RELEASE};
use crate::pod::{bare, until};

pub(crate) const LABEL: &str = neo4j_okta_operator::api::names::LABEL_INJECT;
pub(crate) const SECRET: &str = "etl-neo4j-token";
pub(crate) const PATH: &str = "/var/run/secrets/neo4j";
pub(crate) const VOLUME: &str = "neo4j-okta-token";

/// The policies alone: nothing else of the chart has a part in it.
pub(crate) const INSTALL: [&str; 12] = [
    "install",
    RELEASE,
    CHART,
    "-n",
    NAMESPACE,
    "--set=admission.inject=true",
    "--set=admission.allow=false",
    "--set=admission.annotations=false",
    "--set=admission.secrets=false",
    "--set=crds.install=false",
    "--set=rbac.create=false",
    "--set=rbac.userRoles=false",
];

pub(crate) struct Test {
    pub(crate) cluster: &'static ControlPlane,
    pub(crate) namespace: String,
}

impl Test {
    /// A namespace in a cluster in which injection is switched on.
    pub(crate) async fn new(name: &str) -> Option<Self> {
        static CLUSTER: OnceCell<Option<ControlPlane>> = OnceCell::const_new();
        let start = async || {
            let helm = Helm::new().await?;
            let cluster = bare().await;
            helm.at(cluster.kubeconfig()).ok(&INSTALL);
            in_force(&cluster).await;
            Some(cluster)
        };
        let cluster = CLUSTER.get_or_init(start).await.as_ref()?;
        let namespace = cluster.namespace(name).await;
        Some(Self { cluster, namespace })
    }

    /// What becomes of a pod, or why it is refused.
    pub(crate) async fn create(&self, pod: &Value) -> Result<Value, String> {
        create(self.cluster, &self.namespace, pod).await
    }

    pub(crate) async fn refused(&self, pod: &Value) -> String {
        self.create(pod).await.expect_err("it should be refused")
    }
}

pub(crate) async fn create(
    cluster: &ControlPlane,
    namespace: &str,
    pod: &Value,
) -> Result<Value, String> {
    send(
        cluster,
        "POST",
        &format!("/api/v1/namespaces/{namespace}/pods"),
        pod,
    )
    .await
}

pub(crate) async fn send(
    cluster: &ControlPlane,
    method: &str,
    url: &str,
    body: &Value,
) -> Result<Value, String> {
    let content = match method {
        "PATCH" => "application/strategic-merge-patch+json",
        _ => "application/json",
    };
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", content)
        .body(body.to_string().into_bytes());
    match cluster.client().request(request.unwrap()).await {
        Ok(answer) => Ok(answer),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(error) => panic!("{error}"),
    }
}

/// A pod that asks for a token, with this spec beside one container.
pub(crate) fn pod(name: &str, spec: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "labels": { LABEL: SECRET } },
        "spec": { "containers": [{ "name": "etl", "image": "example.com/etl:1" }] },
    });
    for (key, value) in spec.as_object().unwrap() {
        pod["spec"][key] = value.clone();
    }
    pod
}

/// Waits until both policies are in force, which they are a moment after they are there.
pub(crate) async fn in_force(cluster: &ControlPlane) {
    until("injection", async || {
        let created = dry_run(cluster, &pod("canary", &json!({}))).await?;
        let mut empty = pod("canary", &json!({}));
        empty["metadata"]["labels"][LABEL] = json!("");
        let refused = dry_run(cluster, &empty).await;
        if volumes(&created).len() == 1 && refused.is_err() {
            Ok(())
        } else {
            Err(format!("{:?}, {refused:?}", volumes(&created)))
        }
    })
    .await;
}

pub(crate) async fn dry_run(cluster: &ControlPlane, pod: &Value) -> Result<Value, String> {
    let url = format!("/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All");
    send(cluster, "POST", &url, pod).await
}

/// The volumes of our name.
pub(crate) fn volumes(pod: &Value) -> Vec<&Value> {
    let volumes = pod["spec"]["volumes"].as_array();
    let ours = volumes.into_iter().flatten();
    ours.filter(|v| v["name"] == VOLUME).collect()
}

/// The mounts at our path, by container.
pub(crate) fn mounts(pod: &Value) -> Vec<(String, Vec<Value>)> {
    ["initContainers", "containers", "ephemeralContainers"]
        .iter()
        .flat_map(|kind| pod["spec"][kind].as_array().into_iter().flatten())
        .map(|container| {
            let mounts = container["volumeMounts"].as_array().into_iter().flatten();
            let ours = mounts.filter(|m| m["mountPath"] == PATH).cloned();
            (
                container["name"].as_str().unwrap().to_owned(),
                ours.collect(),
            )
        })
        .collect()
}

/// Each of these has the token once, and the pod one volume for it.
pub(crate) fn has_the_token(pod: &Value, containers: &[&str]) {
    let volume = json!({ "name": VOLUME, "projected": { "defaultMode": 0o444, "sources": [
        { "secret": { "name": SECRET, "items": [{ "key": "token", "path": "token" }] } },
    ] } });
    assert_eq!(volumes(pod), [&volume], "{pod:#}");
    let mount = json!({ "name": VOLUME, "mountPath": PATH, "readOnly": true });
    let wanted: Vec<_> = containers
        .iter()
        .map(|name| ((*name).to_owned(), vec![mount.clone()]))
        .collect();
    assert_eq!(mounts(pod), wanted, "{pod:#}");
}
