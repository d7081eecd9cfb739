//! The chart at a real API server, installed by Helm; the operator runs as its
//! Deployment says, with the rights of its ServiceAccount.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::{Api, Client, ResourceExt};
use neo4j_okta_operator::api::{Neo4jServiceAccount, OktaIssuer};
use okta_emulator::{Config, Emulator};
use serde_json::{Value, json};
use testbed::{Child, ControlPlane, free_port};

use crate::helm::{CHART, Helm, NAMESPACE, RELEASE};

const PATIENCE: Duration = Duration::from_secs(60);

/// A control plane of its own: the others have the operator's rights already.
async fn bare() -> ControlPlane {
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

fn kubectl(cluster: &ControlPlane, arguments: &[&str]) -> String {
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

async fn until<T>(what: &str, look: impl AsyncFn() -> Result<T, String>) -> T {
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

/// The operator as the Deployment's container starts it, but for the address.
async fn start(cluster: &ControlPlane, kubeconfig: &Path, log: &Path) -> (Child, String) {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client(), NAMESPACE);
    let deployment = deployments.get(RELEASE).await.unwrap();
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    let arguments: Vec<String> = pod.containers[0].args.clone().unwrap_or_default();
    let address = format!("127.0.0.1:{}", free_port());
    let here = format!("--admin-address={address}");
    let arguments = arguments.into_iter().map(|argument| {
        if argument.starts_with("--admin-address=") {
            here.clone()
        } else {
            argument
        }
    });
    let environment = [("KUBECONFIG", kubeconfig.display().to_string())];
    let program = env!("CARGO_BIN_EXE_neo4j-okta-operator");
    let child = Child::spawn(program, arguments, environment, log).unwrap();
    (child, address)
}

async fn sign_in(client: Client, okta: &Emulator) {
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

fn is_ready(conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition]) -> bool {
    conditions
        .iter()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_install_with_an_url_and_a_secret_gives_accounts_their_tokens() {
    let Some(helm) = Helm::new().await else {
        return;
    };
    let cluster = bare().await;
    let helm = helm.at(cluster.kubeconfig());
    let okta = Emulator::start(Config::default()).await.unwrap();
    let org = format!("--set=issuer.orgUrl={}", okta.url());
    let least = [org.as_str(), "--set=issuer.secretName=okta-sign-in"];

    let fixed = ["install", RELEASE, CHART, "-n", NAMESPACE];
    let notes = helm.ok(&[&fixed[..], &least].concat());
    assert!(
        notes.contains("kubectl annotate secret okta-sign-in"),
        "{notes}"
    );
    assert!(notes.contains("allow-host=127.0.0.1"), "{notes}");

    let kubeconfig = kubeconfig_of_the_pod(&cluster).await;
    let log = cluster.directory().join("operator.log");
    let (mut operator, address) = start(&cluster, &kubeconfig, &log).await;
    sign_in(cluster.client(), &okta).await;
    let issuers: Api<OktaIssuer> = Api::all(cluster.client());
    until("an issuer that is ready", async || {
        let issuer = issuers
            .get_opt("default")
            .await
            .map_err(|e| e.to_string())?;
        let status = issuer.and_then(|i| i.status).unwrap_or_default();
        if is_ready(&status.conditions) {
            Ok(())
        } else {
            Err(format!("{:?}", status.conditions))
        }
    })
    .await;

    // Nothing is allowed yet. An upgrade says what is, and the operator hears it.
    let namespace = cluster.namespace("payments").await;
    let allow = [
        format!("--set=issuer.allow[0].namespaces[0]={namespace}"),
        "--set=issuer.allow[0].groups[0]=neo4j_*".to_owned(),
    ];
    let upgrade = ["upgrade", RELEASE, CHART, "-n", NAMESPACE, "--reuse-values"];
    let notes = helm.ok(&[&upgrade[..], &[&allow[0], &allow[1]]].concat());
    assert!(notes.contains("kind: Neo4jServiceAccount"), "{notes}");
    let accounts: Api<Neo4jServiceAccount> = Api::namespaced(cluster.client(), &namespace);
    let account = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": "etl" }, "spec": { "groups": ["neo4j_reader"] },
    });
    until("an account that is allowed", async || {
        let params = PatchParams::apply("test");
        let applied = accounts
            .patch("etl", &params, &Patch::Apply(&account))
            .await;
        applied.map(drop).map_err(|e| e.to_string())
    })
    .await;
    until("an account with a token", async || {
        let account = accounts.get("etl").await.map_err(|e| e.to_string())?;
        let status = account.status.unwrap_or_default();
        if is_ready(&status.conditions) {
            Ok(())
        } else {
            Err(format!("{:?}", status.conditions))
        }
    })
    .await;
    let secrets: Api<Secret> = Api::namespaced(cluster.client(), &namespace);
    let token = secrets.get("etl-neo4j-token").await.unwrap();
    assert!(token.data.unwrap().contains_key("token"));

    // The administrator is kept from changing it; deletion is not.
    let change = json!({ "stringData": { "token": "x" } });
    let refused = secrets
        .patch(
            "etl-neo4j-token",
            &PatchParams::default(),
            &Patch::Merge(&change),
        )
        .await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("only neo4j-okta-operator changes"), "{said}");

    let ready = reqwest::get(format!("http://{address}/readyz"))
        .await
        .unwrap();
    assert_eq!(ready.status().as_u16(), 200);
    sufficient(&cluster, &log);
    assert_eq!(operator.terminate(PATIENCE).await.code, 0);

    // The definitions stay, and with them all that was asked for.
    helm.ok(&["uninstall", RELEASE, "-n", NAMESPACE]);
    assert!(accounts.get("etl").await.is_ok() && issuers.get("default").await.is_ok());
    assert!(left(&cluster).await.is_empty());
}

/// Nothing that the operator asked for was beyond its rights.
fn sufficient(cluster: &ControlPlane, log: &Path) {
    let user = testbed::OPERATOR_USER;
    let events = cluster.audit();
    let of_it = || events.iter().filter(|e| e.user == user);
    assert!(of_it().any(|e| e.resource == "oktaissuers" && e.verb == "patch"));
    let forbidden: Vec<_> = of_it().filter(|e| e.code == 403).collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    let said = std::fs::read_to_string(log).unwrap();
    assert!(said.contains("applied the issuer"), "{said}");
}

/// What a release leaves behind of its own, definitions apart.
async fn left(cluster: &ControlPlane) -> Vec<String> {
    let kinds = [
        ("rbac.authorization.k8s.io", "v1", "ClusterRole"),
        ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"),
        (
            "admissionregistration.k8s.io",
            "v1",
            "ValidatingAdmissionPolicy",
        ),
        (
            "admissionregistration.k8s.io",
            "v1",
            "ValidatingAdmissionPolicyBinding",
        ),
        ("apps", "v1", "Deployment"),
    ];
    let mut found = Vec::new();
    for (group, version, kind) in kinds {
        let gvk = kube::core::GroupVersionKind::gvk(group, version, kind);
        let (resource, _) = kube::discovery::pinned_kind(&cluster.client(), &gvk)
            .await
            .unwrap();
        let api: Api<DynamicObject> = Api::all_with(cluster.client(), &resource);
        let selector =
            ListParams::default().labels("app.kubernetes.io/part-of=neo4j-okta-operator");
        for object in api.list(&selector).await.unwrap() {
            found.push(format!("{kind} {}", object.name_any()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_installation_is_taken_by_the_api_server() {
    let Some(helm) = Helm::new().await else {
        return;
    };
    let cluster = bare().await;
    let helm = helm.at(cluster.kubeconfig());
    let root = env!("CARGO_MANIFEST_DIR");
    cluster.apply_yaml(MONITORS).await.unwrap();
    cluster
        .wait_for_crds(&["servicemonitors.monitoring.coreos.com"])
        .await
        .unwrap();
    for name in ["everything", "single", "nothing", "minimal"] {
        let values = format!("--values={root}/tests/chart/values/{name}.yaml");
        helm.ok(&["install", RELEASE, CHART, "-n", NAMESPACE, &values]);
        let release: Value =
            serde_json::from_str(&helm.ok(&["list", "-n", NAMESPACE, "-o", "json"])).unwrap();
        assert_eq!(release[0]["status"], "deployed", "{name}: {release}");
        helm.ok(&["uninstall", RELEASE, "-n", NAMESPACE]);
    }
}

/// The definition of ServiceMonitor, as far as the API server has to know it.
const MONITORS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: servicemonitors.monitoring.coreos.com }
spec:
  group: monitoring.coreos.com
  names: { kind: ServiceMonitor, plural: servicemonitors }
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
";
