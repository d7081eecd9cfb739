//! The chart's policies when a definition is not there: nothing that is gets stuck.

use serde_json::json;

use crate::allow::{account, create, issuer, knows};
use crate::policies::{ADMIN, admin, by, gone, own, until_deleted, waited};
use crate::server::url;

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_namespaces_go_while_the_definition_of_issuers_is_missing() {
    let cluster = own().await;
    admin(&cluster).await;
    let namespace = cluster.namespace("payments").await;
    let allow = json!({ "allow": [{ "namespaces": [namespace], "groups": ["reader"] }] });
    issuer(&cluster, "acme", allow).await;
    let asks = account("acme", &["reader"]);
    create(&cluster, &namespace, &asks, "").await.unwrap();
    knows(&cluster, "canary").await;

    let definition =
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/oktaissuers.neo4j-okta.dev";
    by(&cluster, ADMIN, "DELETE", definition, &json!({}))
        .await
        .unwrap();
    gone(&cluster, definition).await;

    // What the policy cannot look up it does not judge; the operator does.
    let one = format!("{}/acme", url(&asks, &namespace));
    let more = json!({ "spec": { "groups": ["reader", "others"] } });
    waited("let in", async || {
        let changed = by(&cluster, ADMIN, "PATCH", &one, &more).await;
        changed.is_ok()
    })
    .await;
    create(
        &cluster,
        "default",
        &account("other", &["reader"]),
        "?dryRun=All",
    )
    .await
    .unwrap();
    // The verbs are asked of RBAC, which needs no definition.
    let restore = json!({ "metadata": { "annotations": { "neo4j-okta.dev/restore": "1" } } });
    by(&cluster, ADMIN, "PATCH", &one, &restore).await.unwrap();

    let itself = format!("/api/v1/namespaces/{namespace}");
    by(&cluster, ADMIN, "DELETE", &itself, &json!({}))
        .await
        .unwrap();
    until_deleted(&cluster, &one).await;
    let free = json!({ "metadata": { "finalizers": null } });
    by(&cluster, ADMIN, "PATCH", &one, &free).await.unwrap();
    gone(&cluster, &itself).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definition_of_accounts_goes_with_all_of_them_while_the_policies_are_there() {
    let cluster = own().await;
    admin(&cluster).await;
    issuer(&cluster, "acme", json!({ "allow": [] })).await;
    knows(&cluster, "canary").await;
    let namespace = cluster.namespace("payments").await;
    // Its issuer comes later, so it is let in; and then allows nothing.
    let asks = account("late", &["reader"]);
    create(&cluster, &namespace, &asks, "").await.unwrap();
    issuer(&cluster, "late", json!({ "allow": [] })).await;
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/neo4jserviceaccounts.neo4j-okta.dev";
    by(&cluster, ADMIN, "DELETE", definition, &json!({}))
        .await
        .unwrap();
    let one = format!("{}/late", url(&asks, &namespace));
    until_deleted(&cluster, &one).await;
    let free = json!({ "metadata": { "finalizers": null } });
    by(&cluster, ADMIN, "PATCH", &one, &free).await.unwrap();
    gone(&cluster, definition).await;
}
