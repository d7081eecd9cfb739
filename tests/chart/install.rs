//! The chart at a real API server, installed by Helm; the operator runs as its
//! Deployment says, with the rights of its ServiceAccount.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod as KubePod, Secret};
use kube::api::{DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use neo4j_okta_operator::api::{Neo4jServiceAccount, OktaIssuer};
use okta_emulator::{Config, Emulator};
use serde_json::{Value, json};
use testbed::ControlPlane;

use crate::helm::{CHART, Helm, NAMESPACE, RELEASE};
use crate::pod::{
    Pod, account_is, apply_account, bare, default_issuer_is_ready, is_ready, kubectl, refused,
    sign_in,
};

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

    assert_eq!(restricted(&cluster).await, Ok(()));
    let pod = Pod::start(&cluster).await;
    sign_in(cluster.client(), &okta).await;
    default_issuer_is_ready(&cluster).await;

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
    apply_account(&accounts, "etl", "neo4j_reader").await;
    account_is(&accounts, "etl", is_ready).await;
    let secrets: Api<Secret> = Api::namespaced(cluster.client(), &namespace);
    let token = secrets.get("etl-neo4j-token").await.unwrap();
    assert!(token.data.unwrap().contains_key("token"));

    // The administrator is kept from changing it; deletion is not.
    let patch = json!({ "stringData": { "token": "x" } });
    let change = secrets
        .patch(
            "etl-neo4j-token",
            &PatchParams::default(),
            &Patch::Merge(&patch),
        )
        .await;
    let said = change.unwrap_err().to_string();
    assert!(said.contains("only neo4j-okta-operator changes"), "{said}");

    let ready = reqwest::get(format!("http://{}/readyz", pod.address)).await;
    assert_eq!(ready.unwrap().status().as_u16(), 200);
    let beyond = refused(&cluster);
    assert!(beyond.is_empty(), "{beyond:#?}");
    let said = std::fs::read_to_string(&pod.log).unwrap();
    assert!(said.contains("applied the issuer"), "{said}");
    pod.stop().await;

    // The definitions stay, and with them all that was asked for: when they are taken
    // out of the release, and when it goes.
    helm.ok(&[&upgrade[..], &["--set=crds.install=false"]].concat());
    helm.ok(&["uninstall", RELEASE, "-n", NAMESPACE]);
    let issuers: Api<OktaIssuer> = Api::all(cluster.client());
    assert!(accounts.get("etl").await.is_ok() && issuers.get("default").await.is_ok());
    assert!(left(&cluster).await.is_empty());
}

/// Whether Pod Security admission would let the Deployment's pods into a namespace
/// that enforces `restricted`.
async fn restricted(cluster: &ControlPlane) -> Result<(), String> {
    let enforce = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(cluster, &["label", "namespace", NAMESPACE, enforce]);
    let deployments: Api<Deployment> = Api::namespaced(cluster.client(), NAMESPACE);
    let template = deployments
        .get(RELEASE)
        .await
        .unwrap()
        .spec
        .unwrap()
        .template;
    let pod = |spec| KubePod {
        metadata: ObjectMeta {
            name: Some("operator".to_owned()),
            ..ObjectMeta::default()
        },
        spec,
        ..KubePod::default()
    };
    let pods: Api<KubePod> = Api::namespaced(cluster.client(), NAMESPACE);
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    // So that it is known to be asked.
    let mut lax = template.spec.clone();
    lax.as_mut().unwrap().security_context = None;
    let refused = pods.create(&params, &pod(lax)).await;
    assert!(refused.is_err_and(|e| e.to_string().contains("PodSecurity")));
    let created = pods.create(&params, &pod(template.spec)).await;
    created.map(drop).map_err(|error| error.to_string())
}

/// What a release leaves behind of its own, definitions apart.
pub(crate) async fn left(cluster: &ControlPlane) -> Vec<String> {
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
        (
            "admissionregistration.k8s.io",
            "v1",
            "MutatingAdmissionPolicy",
        ),
        (
            "admissionregistration.k8s.io",
            "v1",
            "MutatingAdmissionPolicyBinding",
        ),
        ("rbac.authorization.k8s.io", "v1", "Role"),
        ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
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
    let kinds = [
        "servicemonitors.monitoring.coreos.com",
        "prometheusrules.monitoring.coreos.com",
    ];
    cluster.wait_for_crds(&kinds).await.unwrap();
    for name in ["everything", "single", "nothing", "minimal"] {
        let values = format!("--values={root}/tests/chart/values/{name}.yaml");
        helm.ok(&["install", RELEASE, CHART, "-n", NAMESPACE, &values]);
        let release: Value =
            serde_json::from_str(&helm.ok(&["list", "-n", NAMESPACE, "-o", "json"])).unwrap();
        assert_eq!(release[0]["status"], "deployed", "{name}: {release}");
        helm.ok(&["uninstall", RELEASE, "-n", NAMESPACE]);
    }
}

/// The definitions of the Prometheus operator, as far as the API server has to know
/// them, and the namespaces that the values name.
const MONITORS: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: monitoring }
---
apiVersion: v1
kind: Namespace
metadata: { name: payments }
---
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
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: prometheusrules.monitoring.coreos.com }
spec:
  group: monitoring.coreos.com
  names: { kind: PrometheusRule, plural: prometheusrules }
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
";
