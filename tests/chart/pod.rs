//! The operator beside a real API server as a pod of the chart's Deployment: its
//! arguments and its environment, with the rights of its ServiceAccount.
//!
//! Needs a release of the chart. Runs no image; `tests/node` does that.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::{Api, Client};
use neo4j_okta_operator::api::{Neo4jServiceAccount, OktaIssuer};
use okta_emulator::Emulator;
use serde_json::json;
use testbed::{AuditEvent, Child, ControlPlane, free_port};

use crate::helm::{NAMESPACE, RELEASE};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A control plane of its own: the others have the operator's rights already.
pub(crate) async fn bare() -> ControlPlane {
    let cluster = ControlPlane::start().await.unwrap();
    for (kind, name) in [
        ("clusterrole", RELEASE),
        ("clusterrolebinding", RELEASE),
        ("role", RELEASE),
        ("rolebinding", RELEASE),
    ] {
        kubectl(&cluster, &["delete", kind, name, "-n", NAMESPACE]);
    }
    cluster
}

pub(crate) fn kubectl(cluster: &ControlPlane, arguments: &[&str]) -> String {
    let output = std::process::Command::new(cluster.kubectl())
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "kubectl {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Result<T, String>) -> T {
    let mut last = String::new();
    let wait = async {
        loop {
            match look().await {
                Ok(found) => return found,
                Err(seen) => last = seen,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(found) => found,
        Err(_) => panic!("not {what}; last seen: {last}"),
    }
}

/// A kubeconfig with a token of the chart's ServiceAccount, as a pod has it.
async fn kubeconfig_of_the_pod(cluster: &ControlPlane) -> PathBuf {
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client(), NAMESPACE);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(3600),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(RELEASE, &PostParams::default(), &request)
        .await
        .unwrap();
    let mut config = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let user = config.auth_infos[0].auth_info.as_mut().unwrap();
    user.token = Some(answer.status.unwrap().token.into());
    let file = cluster.directory().join("pod.kubeconfig");
    std::fs::write(&file, serde_saphyr::to_string(&config).unwrap()).unwrap();
    file
}

/// A running operator.
pub(crate) struct Pod {
    pub(crate) child: Child,
    /// Of its admin port.
    pub(crate) address: String,
    pub(crate) log: PathBuf,
}

impl Pod {
    /// As the Deployment's container starts, but for the address.
    pub(crate) async fn start(cluster: &ControlPlane) -> Self {
        let kubeconfig = kubeconfig_of_the_pod(cluster).await;
        let log = cluster.directory().join("operator.log");
        let deployments: Api<Deployment> = Api::namespaced(cluster.client(), NAMESPACE);
        let deployment = deployments.get(RELEASE).await.unwrap();
        let pod = deployment.spec.unwrap().template.spec.unwrap();
        let container = &pod.containers[0];
        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments = container.args.clone().unwrap_or_default();
        arguments.retain(|argument| !argument.starts_with("--admin-address="));
        arguments.push(format!("--admin-address={address}"));
        let environment = container.env.iter().flatten();
        let environment = environment
            .map(|v| (v.name.clone(), v.value.clone().unwrap_or_default()))
            .chain([("KUBECONFIG".to_owned(), kubeconfig.display().to_string())]);
        let program = env!("CARGO_BIN_EXE_neo4j-okta-operator");
        let child = Child::spawn(program, arguments, environment, &log).unwrap();
        Self {
            child,
            address,
            log,
        }
    }

    /// It ends by itself, in order.
    pub(crate) async fn stop(mut self) {
        assert_eq!(self.child.terminate(PATIENCE).await.code, 0);
    }
}

pub(crate) async fn sign_in(client: Client, okta: &Emulator) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "okta-sign-in", "annotations": { "neo4j-okta.dev/allow-host": "127.0.0.1" } },
        "stringData": { "token": okta.api_token() },
    });
    let secrets: Api<Secret> = Api::namespaced(client, NAMESPACE);
    let params = PatchParams::apply("test");
    secrets
        .patch("okta-sign-in", &params, &Patch::Apply(&secret))
        .await
        .unwrap();
}

pub(crate) fn is_ready(conditions: &[Condition]) -> bool {
    conditions
        .iter()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Applies an account as a person does, until the policies let it in.
pub(crate) async fn apply_account(accounts: &Api<Neo4jServiceAccount>, name: &str, group: &str) {
    let account = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": name }, "spec": { "groups": [group] },
    });
    until("an account that is allowed", async || {
        let params = PatchParams::apply("test");
        let applied = accounts.patch(name, &params, &Patch::Apply(&account)).await;
        applied.map(drop).map_err(|e| e.to_string())
    })
    .await;
}

pub(crate) async fn account_is(
    accounts: &Api<Neo4jServiceAccount>,
    name: &str,
    holds: impl Fn(&[Condition]) -> bool,
) {
    until("an account as it should be", async || {
        let account = accounts.get(name).await.map_err(|e| e.to_string())?;
        let conditions = account.status.unwrap_or_default().conditions;
        if holds(&conditions) {
            Ok(())
        } else {
            Err(format!("{conditions:?}"))
        }
    })
    .await;
}

pub(crate) async fn default_issuer_is_ready(cluster: &ControlPlane) {
    let issuers: Api<OktaIssuer> = Api::all(cluster.client());
    until("an issuer that is ready", async || {
        let issuer = issuers.get_opt("default").await;
        let issuer = issuer.map_err(|e| e.to_string())?;
        let status = issuer.and_then(|i| i.status).unwrap_or_default();
        if is_ready(&status.conditions) {
            Ok(())
        } else {
            Err(format!("{:?}", status.conditions))
        }
    })
    .await;
}

/// What the operator asked for and was beyond its rights.
pub(crate) fn refused(cluster: &ControlPlane) -> Vec<AuditEvent> {
    let mut events = cluster.audit();
    events.retain(|e| e.user == testbed::OPERATOR_USER);
    let wrote = |e: &AuditEvent| e.resource == "oktaissuers" && e.verb == "patch";
    assert!(events.iter().any(wrote), "it did nothing");
    events.retain(|e| e.code == 403);
    events
}
