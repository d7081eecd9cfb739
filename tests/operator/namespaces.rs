//! An operator that may see Secrets in named namespaces only: it serves the
//! accounts there, tells the others, and lets all of them go.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::api::DeleteParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use neo4j_okta_operator::api::Neo4jServiceAccount;
use serde_json::json;
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, apply, message, until};

const USER: &str = "operator-of-some-namespaces";

fn subject() -> serde_json::Value {
    let user = Subject {
        api_group: Some("rbac.authorization.k8s.io".to_owned()),
        kind: "User".to_owned(),
        name: USER.to_owned(),
        ..Subject::default()
    };
    json!([user])
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

fn concerns_secrets(rule: &PolicyRule) -> bool {
    rule.resources.iter().flatten().any(|r| r == "secrets")
}

/// A user with the operator's rights, but those on Secrets in `namespaces` only.
async fn narrowed(world: &World, namespaces: &[&str]) -> Client {
    let roles = Api::<ClusterRole>::all(world.client.clone());
    let whole = roles.get("neo4j-okta-operator").await.unwrap();
    let (secrets, rest): (Vec<_>, Vec<_>) = whole
        .rules
        .unwrap_or_default()
        .into_iter()
        .partition(concerns_secrets);
    assert_eq!(secrets.len(), 1, "one rule is about Secrets");
    let meta = |name: &str| json!({ "name": name });
    let api = "rbac.authorization.k8s.io/v1";
    let role =
        json!({ "apiVersion": api, "kind": "ClusterRole", "metadata": meta(USER), "rules": rest });
    apply(&roles, USER, &role).await;
    let binding = json!({ "apiVersion": api, "kind": "ClusterRoleBinding", "metadata": meta(USER),
        "roleRef": role_ref("ClusterRole", USER), "subjects": subject() });
    apply(
        &Api::<ClusterRoleBinding>::all(world.client.clone()),
        USER,
        &binding,
    )
    .await;
    for namespace in namespaces {
        let roles = Api::<Role>::namespaced(world.client.clone(), namespace);
        let role =
            json!({ "apiVersion": api, "kind": "Role", "metadata": meta(USER), "rules": secrets });
        apply(&roles, USER, &role).await;
        bind(world, namespace, USER, USER).await;
    }
    // Leases and what it remembers, as before.
    bind(
        world,
        OPERATOR_NAMESPACE,
        "neo4j-okta-operator",
        "narrowed-memory",
    )
    .await;
    let file = Kubeconfig::read_from(world.cluster.kubeconfig()).unwrap();
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    config.auth_info.impersonate = Some(USER.to_owned());
    Client::try_from(config).unwrap()
}

async fn bind(world: &World, namespace: &str, role: &str, name: &str) {
    let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": name }, "roleRef": role_ref("Role", role), "subjects": subject() });
    let api = Api::<RoleBinding>::namespaced(world.client.clone(), namespace);
    apply(&api, name, &binding).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_rights_in_named_namespaces_only_these_are_served_and_the_others_are_told() {
    let world = World::without_operator().await;
    let other = world.cluster.namespace("elsewhere").await;
    // A Neo4j that is away holds nothing up.
    world
        .issuer(json!({
            "allow": [{ "namespaces": [world.namespace, other], "groups": ["neo4j_*"] }],
            "neo4j": {
                "endSessions": true, "endSessionsAs": "sessions",
                "queryApiUrls": ["http://127.0.0.1:9"],
            },
        }))
        .await;
    let everywhere = world.operator(None).await;
    world.account("etl", json!({})).await;
    let accounts = Api::<Neo4jServiceAccount>::namespaced(world.client.clone(), &other);
    let account = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": "far", "namespace": other }, "spec": { "groups": ["neo4j_reader"] },
    });
    apply(&accounts, "far", &account).await;
    world.ready("etl").await;
    until("ready", async || {
        let far = accounts.get("far").await.unwrap();
        let token = far.status.as_ref().and_then(|s| s.token.as_ref());
        token.map(|_| ()).ok_or(far.status)
    })
    .await;
    everywhere.stop().await;

    let client = narrowed(&world, &[&world.namespace, OPERATOR_NAMESPACE]).await;
    let served = BTreeSet::from([world.namespace.clone()]);
    let operator = world.operator_of(client, served, None).await;
    world
        .account("etl", json!({ "groups": ["neo4j_publisher"] }))
        .await;
    world
        .account_is("etl", "with its new group", |a| {
            let token = a.status.as_ref().and_then(|s| s.token.as_ref());
            token.is_some_and(|t| t.groups == ["neo4j_publisher"])
        })
        .await;
    let far = until("told", async || {
        let far = accounts.get("far").await.unwrap();
        let conditions = far.status.clone().unwrap_or_default().conditions;
        let told = ["Ready", "Stalled"].iter().all(|wanted| {
            conditions
                .iter()
                .any(|c| c.type_ == *wanted && c.reason == "NamespaceNotWatched")
        });
        if told { Ok(far) } else { Err(conditions) }
    })
    .await;
    assert!(message(&far, "Ready").contains("--watch-namespaces"));
    let status = far.status.clone().unwrap();
    assert!(status.app_id.is_some(), "what is at Okta is not forgotten");
    // Nobody but the issuer has to name the account that it ends sessions as.
    let own = Api::<Neo4jServiceAccount>::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let account = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": "sessions", "namespace": OPERATOR_NAMESPACE },
        "spec": { "groups": ["neo4j_admin"] },
    });
    apply(&own, "sessions", &account).await;
    until("the administrator is ready", async || {
        let own = own.get("sessions").await.unwrap();
        let token = own.status.as_ref().and_then(|s| s.token.as_ref());
        token.map(|_| ()).ok_or(own.status)
    })
    .await;
    let apps = world.okta.admin().apps();
    assert!(apps.iter().all(|app| app["status"] == "ACTIVE"), "{apps:?}");

    accounts
        .delete("far", &DeleteParams::default())
        .await
        .unwrap();
    until("gone", async || {
        let left = accounts.get_opt("far").await.unwrap();
        if left.is_none() {
            Ok(())
        } else {
            Err("still there")
        }
    })
    .await;
    assert_eq!(world.okta.admin().apps().len(), 2, "its app is deleted");
    operator.stop().await;
}
