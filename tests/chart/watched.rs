//! `watchNamespaces`: what the chart grants then is enough, and no more than that.

use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use neo4j_okta_operator::api::Neo4jServiceAccount;
use okta_emulator::{Config as OktaConfig, Emulator};
use serde_json::{Value, json};
use testbed::{ControlPlane, OPERATOR_USER};

use crate::helm::{CHART, Helm, ISSUER, NAMESPACE, RELEASE, object};
use crate::install::left;
use crate::pod::{
    Pod, account_is, apply_account, bare, default_issuer_is_ready, is_ready, refused, sign_in,
};

/// The rules about Secrets, each with its kind and namespace.
fn secrets(objects: &[Value]) -> Vec<(String, Value)> {
    let about = |rule: &Value| rule["resources"] == json!(["secrets"]);
    objects
        .iter()
        .filter(|o| o["rules"].as_array().into_iter().flatten().any(about))
        .map(|o| {
            let kind = o["kind"].as_str().unwrap().to_owned();
            (kind, o["metadata"]["namespace"].clone())
        })
        .collect()
}

#[tokio::test]
async fn the_right_to_secrets_is_a_role_in_each_named_namespace_and_in_the_operators() {
    let Some(helm) = Helm::new().await else {
        return;
    };
    let everywhere = secrets(&helm.objects(&ISSUER));
    assert_eq!(everywhere, [("ClusterRole".to_owned(), Value::Null)]);

    // Named twice, and the operator's own among them.
    let named = format!("--set=watchNamespaces={{payments,{NAMESPACE},graph,payments}}");
    let objects = helm.objects(&[&ISSUER[..], &[&named]].concat());
    let role = |namespace: &str| ("Role".to_owned(), json!(namespace));
    let mut wanted = [role("payments"), role(NAMESPACE), role("graph")];
    let mut found = secrets(&objects);
    found.sort_by_key(|(_, namespace)| namespace.to_string());
    wanted.sort_by_key(|(_, namespace)| namespace.to_string());
    assert_eq!(found, wanted);
    for (_, namespace) in wanted {
        let bound = objects.iter().find(|o| {
            o["kind"] == "RoleBinding"
                && o["metadata"]["namespace"] == namespace
                && o["roleRef"]["name"] == "neo4j-okta-operator-watched"
        });
        let subject =
            json!([{ "kind": "ServiceAccount", "name": RELEASE, "namespace": NAMESPACE }]);
        assert_eq!(bound.unwrap()["subjects"], subject, "{namespace}");
    }
    let deployment = object(&objects, "Deployment", RELEASE);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let named = format!("payments,{NAMESPACE},graph");
    let environment = json!([{ "name": "WATCH_NAMESPACES", "value": named }]);
    assert_eq!(container["env"], environment);
}

/// What the operator's ServiceAccount may do, asked as it.
async fn as_the_operator(cluster: &ControlPlane) -> Client {
    let file = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options)
        .await
        .unwrap();
    config.auth_info.impersonate = Some(OPERATOR_USER.to_owned());
    Client::try_from(config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_for_some_namespaces_serves_these_and_cannot_read_secrets_of_others() {
    let Some(helm) = Helm::new().await else {
        return;
    };
    let cluster = bare().await;
    let helm = helm.at(cluster.kubeconfig());
    let okta = Emulator::start(OktaConfig::default()).await.unwrap();
    let (here, elsewhere) = (
        cluster.namespace("payments").await,
        cluster.namespace("elsewhere").await,
    );
    helm.ok(&[
        "install",
        RELEASE,
        CHART,
        "-n",
        NAMESPACE,
        &format!("--set=issuer.orgUrl={}", okta.url()),
        "--set=issuer.secretName=okta-sign-in",
        "--set=issuer.allow[0].groups[0]=neo4j_*",
        &format!("--set=issuer.allow[0].namespaces={{{here},{elsewhere}}}"),
        &format!("--set=watchNamespaces={{{here}}}"),
    ]);
    let pod = Pod::start(&cluster).await;
    sign_in(cluster.client(), &okta).await;
    default_issuer_is_ready(&cluster).await;

    let served: Api<Neo4jServiceAccount> = Api::namespaced(cluster.client(), &here);
    apply_account(&served, "etl", "neo4j_reader").await;
    account_is(&served, "etl", is_ready).await;
    let others: Api<Neo4jServiceAccount> = Api::namespaced(cluster.client(), &elsewhere);
    apply_account(&others, "far", "neo4j_reader").await;
    account_is(&others, "far", |conditions| {
        conditions.iter().any(|c| c.reason == "NamespaceNotWatched")
    })
    .await;

    // Its own namespace has the sign-in and private credentials.
    let operator = as_the_operator(&cluster).await;
    for (namespace, may) in [
        (here.as_str(), true),
        (NAMESPACE, true),
        (&elsewhere, false),
    ] {
        let secrets: Api<Secret> = Api::namespaced(operator.clone(), namespace);
        let listed = secrets.list(&ListParams::default()).await;
        assert_eq!(listed.is_ok(), may, "{namespace}: {listed:?}");
    }
    let secrets: Api<Secret> = Api::all(operator);
    assert!(secrets.list(&ListParams::default()).await.is_err());

    // Only events about accounts that are not served go unwritten.
    let mut beyond = refused(&cluster);
    beyond.retain(|e| e.user_agent.contains("neo4j-okta-operator"));
    beyond.retain(|e| !(e.resource == "events" && e.namespace.as_ref() == Some(&elsewhere)));
    assert!(beyond.is_empty(), "{beyond:#?}");
    pod.stop().await;
    helm.ok(&["uninstall", RELEASE, "-n", NAMESPACE]);
    assert!(left(&cluster).await.is_empty());
}
