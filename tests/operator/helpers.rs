//! Looking, waiting, applying and cleaning up.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use neo4j_okta_operator::api::{Neo4jServiceAccount, OktaIssuer, crds};
use neo4j_okta_operator::leader::LEASE;
use serde_json::{Value, json};
use testbed::{ControlPlane, OPERATOR_NAMESPACE};

/// Where the operator notes whose sessions end.
pub(crate) const ENDED_SESSIONS: &str = "neo4j-okta-operator-ended-sessions";
/// How long a test waits for what has to happen; no test judges a timing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Status and reason of a condition.
pub(crate) fn condition(account: &Neo4jServiceAccount, type_: &str) -> Option<(String, String)> {
    let status = account.status.as_ref()?;
    status
        .conditions
        .iter()
        .find(|c| c.type_ == type_)
        .map(|c| (c.status.clone(), c.reason.clone()))
}

pub(crate) fn message(account: &Neo4jServiceAccount, type_: &str) -> String {
    let conditions = account.status.clone().unwrap_or_default().conditions;
    conditions
        .into_iter()
        .find(|c| c.type_ == type_)
        .map(|c| c.message)
        .unwrap_or_default()
}

/// Waits until `look` says `Ok`; shows what it saw last when it never does.
pub(crate) async fn until<T, E: Debug>(what: &str, look: impl AsyncFn() -> Result<T, E>) -> T {
    let deadline = tokio::time::sleep(PATIENCE);
    tokio::pin!(deadline);
    loop {
        let last = match look().await {
            Ok(found) => return found,
            Err(last) => last,
        };
        tokio::select! {
            () = &mut deadline => panic!("not {what}; last seen: {last:#?}"),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
}

pub(crate) async fn apply<K>(api: &Api<K>, name: &str, object: &Value)
where
    K: Clone + serde::de::DeserializeOwned + Debug,
{
    api.patch(
        name,
        &PatchParams::apply("test").force(),
        &Patch::Apply(object),
    )
    .await
    .expect("applied");
}

pub(crate) fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    into.remove(key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, change) => *into = change.clone(),
    }
}

pub(crate) async fn install(cluster: &ControlPlane) {
    for crd in crds() {
        let text = serde_json::to_string(&crd).expect("JSON");
        cluster
            .apply_yaml(&text)
            .await
            .expect("the CRD is accepted");
    }
    // The operator lives with these policies in every test.
    let policies =
        include_str!("../../charts/neo4j-okta-operator/files/admission/annotations.yaml");
    cluster
        .apply_yaml(policies)
        .await
        .expect("the policies are accepted");
    cluster
        .wait_for_crds(&[
            "neo4jserviceaccounts.neo4j-okta.dev",
            "oktaissuers.neo4j-okta.dev",
        ])
        .await
        .expect("established");
}

/// Removes what an earlier test left behind, finalizers included.
pub(crate) async fn clean(client: &Client) {
    let accounts = Api::<Neo4jServiceAccount>::all(client.clone())
        .list(&ListParams::default())
        .await
        .expect("accounts");
    for account in accounts {
        let api: Api<Neo4jServiceAccount> =
            Api::namespaced(client.clone(), &account.namespace().unwrap_or_default());
        release(&api, &account.name_any()).await;
    }
    let issuers: Api<OktaIssuer> = Api::all(client.clone());
    for issuer in issuers.list(&ListParams::default()).await.expect("issuers") {
        release(&issuers, &issuer.name_any()).await;
    }
    // Whoever held it was killed: nobody has to wait for that.
    let leases: Api<Lease> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    release(&leases, LEASE).await;
    let notes: Api<ConfigMap> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    release(&notes, ENDED_SESSIONS).await;
}

async fn release<K>(api: &Api<K>, name: &str)
where
    K: Clone + serde::de::DeserializeOwned + Debug,
{
    let _ = api.delete(name, &DeleteParams::default()).await;
    let patch = json!({ "metadata": { "finalizers": null } });
    let _ = api
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    until("gone", async || {
        if api.get_opt(name).await.is_ok_and(|o| o.is_none()) {
            Ok(())
        } else {
            Err(name.to_owned())
        }
    })
    .await;
}
