//! Ended sessions: who is logged in with a token that was taken back.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use neo4j_okta_operator::api::Neo4jServiceAccount;
use neo4j_okta_operator::clock::Clock;
use serde_json::json;
use testbed::OPERATOR_NAMESPACE;
use testbed::neo4j::{Neo4j, available};

use crate::bolt::Bolt;
use crate::harness::{World, apply, until};
use crate::server::{neo4j, world};

/// A world whose operator ends sessions, and the server.
async fn ending() -> (World, Neo4j) {
    let map = json!({ "groupToRole": { "neo4j_reader": ["reader"], "neo4j_etl": ["publisher"], "neo4j_sessions": ["admin"] } });
    let world = world(json!({ "neo4j": map })).await;
    let neo4j = neo4j(&world).await;
    let change = json!({
        "verify": "EveryRefresh", "endSessions": true, "endSessionsAs": "sessions",
        "queryApiUrls": [neo4j.http()],
    });
    let mut all = map;
    crate::harness::merge(&mut all, &change);
    world.issuer(json!({ "neo4j": all })).await;
    (world, neo4j)
}

impl World {
    /// The account as which the operator ends sessions; no entry allows it.
    async fn administrator(&self, groups: &[&str]) {
        let api: Api<Neo4jServiceAccount> =
            Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        let account = json!({
            "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
            "metadata": { "name": "sessions", "namespace": OPERATOR_NAMESPACE },
            "spec": { "groups": groups },
        });
        apply(&api, "sessions", &account).await;
        until("its token has the groups", async || {
            let account = api.get("sessions").await.unwrap();
            match account.status.and_then(|s| s.token) {
                Some(token) if token.groups == groups => Ok(()),
                other => Err(other),
            }
        })
        .await;
    }

    /// Waits until no session is to be ended any more.
    async fn no_note(&self) {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        until("no note", async || {
            let map = api.get(crate::helpers::ENDED_SESSIONS).await.unwrap();
            let data = map.data.unwrap_or_default();
            if data.is_empty() { Ok(()) } else { Err(data) }
        })
        .await;
    }

    async fn suspend(&self, name: &str, suspended: bool) {
        let patch = json!({ "spec": { "suspended": suspended } });
        self.accounts()
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_logged_in_is_logged_out_when_the_account_is_stopped() {
    if !available() {
        return;
    }
    let (world, neo4j) = ending().await;
    world
        .issuer_has("SessionsEndable", "False", "AdministratorNotReady")
        .await;
    world.administrator(&["neo4j_reader"]).await;
    world
        .issuer_has("SessionsEndable", "False", "NotAdministrator")
        .await;
    world.administrator(&["neo4j_sessions"]).await;
    world.pass(Duration::from_secs(31));
    world
        .issuer_has("SessionsEndable", "True", "AdministratorAccepted")
        .await;

    for name in ["etl", "bystander"] {
        world.account(name, json!({})).await;
        world.ready(name).await;
    }
    let token = world.token("etl").await;
    let mut etl = Bolt::log_in(&neo4j.bolt(), &token).await.expect("let in");
    let others = world.token("bystander").await;
    let mut bystander = Bolt::log_in(&neo4j.bolt(), &others).await.expect("let in");
    let watch = Clock::system().stopwatch();
    world.suspend("etl", true).await;
    etl.closed().await;
    println!(
        "from the change of the account to the closed connection: {:?}",
        watch.elapsed()
    );
    world.has("etl", "Ready", "False", "Suspended").await;

    // The token is as good as ever until it expires: that is what docs say.
    let mut again = Bolt::log_in(&neo4j.bolt(), &token).await.expect("let in");
    world.pass(Duration::from_secs(16));
    again.closed().await;
    assert!(bystander.lives().await, "somebody else's was closed");

    // Another operator goes on where this one stopped.
    let mut world = world;
    world.stop_operators().await;
    let mut again = Bolt::log_in(&neo4j.bolt(), &token).await.expect("let in");
    world.start_operator().await;
    again.closed().await;

    // Who is resumed stays logged in.
    world.pass(Duration::from_secs(61));
    world.suspend("etl", false).await;
    world.ready("etl").await;
    let token = world.token("etl").await;
    world.no_note().await;
    let mut etl = Bolt::log_in(&neo4j.bolt(), &token).await.expect("let in");
    world.pass(Duration::from_secs(16));
    world.quiet().await;
    assert!(etl.lives().await);

    // Deleted, and there is nobody any more to speak of it.
    let mut etl = Bolt::log_in(&neo4j.bolt(), &token).await.expect("let in");
    world.delete("etl").await;
    etl.closed().await;
    world.gone("etl").await;
    let mut again = Bolt::log_in(&neo4j.bolt(), &token).await.expect("let in");
    world.pass(Duration::from_secs(16));
    again.closed().await;
    world.pass(Duration::from_secs(3700));
    world.no_note().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_fewer_groups_logs_in_anew() {
    if !available() {
        return;
    }
    let (world, neo4j) = ending().await;
    world.administrator(&["neo4j_sessions"]).await;
    let groups = json!({ "groups": ["neo4j_reader", "neo4j_etl"] });
    world.account("etl", groups).await;
    world.ready("etl").await;
    world.pass(Duration::from_secs(31));
    world
        .issuer_has("SessionsEndable", "True", "AdministratorAccepted")
        .await;
    let before = world.token("etl").await;
    let mut etl = Bolt::log_in(&neo4j.bolt(), &before).await.expect("let in");
    world.pass(Duration::from_secs(61));
    world
        .account("etl", json!({ "groups": ["neo4j_reader"] }))
        .await;
    etl.closed().await;
    let token = until("a token without the group", async || {
        let token = world.token("etl").await;
        if token == before { Err(()) } else { Ok(token) }
    })
    .await;
    // Whoever came back with the former one meanwhile is met again.
    let mut late = Bolt::log_in(&neo4j.bolt(), &before).await.expect("let in");
    world.pass(Duration::from_secs(16));
    late.closed().await;
    // A round ends what the account does with its new token, too; drivers try again.
    until("forbidden", async || {
        let write = neo4j.query(&token, "CREATE (:Order)").await;
        match write.error() {
            Some(crate::server::FORBIDDEN) => Ok(()),
            Some("Neo.ClientError.Transaction.Terminated") => Err(()),
            other => panic!("{other:?}: {write:?}"),
        }
    })
    .await;
}
