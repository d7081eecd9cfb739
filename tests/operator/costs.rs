//! What an account's life costs at Okta: requests by rate-limit bucket, as
//! `docs/okta/calls.md` says. Leaves out what an issuer costs for all of its
//! accounts together: the authorization server and the System Log.

use std::time::Duration;

use serde_json::json;

use crate::harness::{World, until};

/// A little more than the time between two polls of the log.
const POLL: Duration = Duration::from_secs(65);
const HOUR: Duration = Duration::from_secs(3700);

/// Requests in the buckets `apps`, `app`, `clients` and `token`.
type Cost = [usize; 4];

/// What was spent since the last time, once all is quiet.
async fn spent(world: &World, what: &str) -> Cost {
    world.quiet().await;
    let mut cost = [0; 4];
    let mut others = 0;
    for request in world.okta.requests() {
        match request.route.as_str() {
            "/api/v1/apps/{appId}" => cost[1] += 1,
            "/oauth2/v1/clients/{clientId}" => cost[2] += 1,
            "/oauth2/{authServerId}/v1/token" => cost[3] += 1,
            route if route.starts_with("/api/v1/apps") => cost[0] += 1,
            route if route.starts_with("/api/v1/authorizationServers") => others += 1,
            _ => {}
        }
    }
    world.okta.clear_requests();
    let [apps, app, clients, token] = cost;
    println!("| {what} | {apps} | {app} | {clients} | {token} | {others} |");
    cost
}

async fn changed(world: &World, secret: &str, from: &impl PartialEq<String>, key: &str) {
    until("replaced", async || {
        let now = world.data(secret).await.remove(key).unwrap_or_default();
        if *from == now { Err(now.len()) } else { Ok(()) }
    })
    .await;
}

/// Rotates the credentials of `etl`.
async fn rotate(world: &World, key: &str, word: &str) {
    let before = world.data("etl-okta-credentials").await[key].clone();
    world.annotate("etl", "neo4j-okta.dev/rotate", word).await;
    changed(world, "etl-okta-credentials", &before, key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_accounts_life_costs_at_okta_is_as_documented() {
    let world = World::new().await;
    world.account("first", json!({})).await;
    world.ready("first").await;
    // Behind the first look for orphans, the next of which is a day later.
    world.pass(Duration::from_secs(700));
    spent(&world, "(before)").await;

    let rotation = json!({ "interval": "24h", "overlap": "0s" });
    let etl = |change| {
        let mut spec = json!({ "rotation": rotation });
        crate::harness::merge(&mut spec, &change);
        spec
    };
    world.account("etl", etl(json!({}))).await;
    let app = world.ready("etl").await.status.unwrap().app_id.unwrap();
    assert_eq!(spent(&world, "a new account").await, [1, 0, 0, 1]);

    world.account("first", json!({ "suspended": true })).await;
    world.has("first", "Ready", "False", "Suspended").await;
    assert_eq!(spent(&world, "a suspension").await, [1, 2, 0, 0]);
    world.account("first", json!({ "suspended": false })).await;
    world.ready("first").await;
    // It waits until it is listed again, and is not refused.
    assert_eq!(spent(&world, "resuming").await, [1, 2, 0, 1]);
    world.delete("first").await;
    world.gone("first").await;
    assert_eq!(spent(&world, "a deletion").await, [1, 2, 0, 0]);

    let token = world.token("etl").await;
    world.pass(HOUR);
    changed(&world, "etl-neo4j-token", &token, "token").await;
    assert_eq!(spent(&world, "a refresh").await, [0, 0, 0, 1]);

    let wider = etl(json!({ "groups": ["neo4j_reader", "neo4j_writer"] }));
    let token = world.token("etl").await;
    world.account("etl", wider).await;
    changed(&world, "etl-neo4j-token", &token, "token").await;
    assert_eq!(spent(&world, "other groups").await, [0, 2, 0, 1]);

    world.pass(POLL);
    spent(&world, "(before)").await;
    let mut theirs = world.okta.admin().app(&app).unwrap();
    theirs["label"] = json!("renamed by hand");
    world.okta.admin().replace_app(&app, &theirs);
    world.pass(POLL);
    until("renamed back", async || {
        match &world.okta.admin().app(&app).unwrap()["label"] {
            label if *label == "renamed by hand" => Err(label.clone()),
            _ => Ok(()),
        }
    })
    .await;
    assert_eq!(spent(&world, "drift, repaired").await, [0, 2, 0, 0]);

    rotate(&world, "client_secret", "1").await;
    assert_eq!(
        spent(&world, "a rotation of the secret").await,
        [4, 0, 0, 1]
    );

    let keyed =
        json!({ "groups": ["neo4j_reader", "neo4j_writer"], "authentication": "PrivateKeyJwt" });
    world.pass(POLL);
    world.account("etl", etl(keyed)).await;
    changed(
        &world,
        "etl-okta-credentials",
        &String::new(),
        "private_key",
    )
    .await;
    assert_eq!(spent(&world, "from secret to key").await, [0, 3, 0, 2]);
    world.pass(HOUR);
    spent(&world, "(a refresh)").await;
    rotate(&world, "private_key", "2").await;
    assert_eq!(spent(&world, "a rotation of the key").await, [4, 0, 0, 1]);

    world.okta.admin().deactivate_app(&app);
    world.pass(POLL);
    world.has("etl", "Ready", "False", "DisabledInOkta").await;
    assert_eq!(spent(&world, "disabled by an admin").await, [0, 1, 0, 0]);
    world.annotate("etl", "neo4j-okta.dev/restore", "1").await;
    world.ready("etl").await;
    assert_eq!(spent(&world, "restored").await, [1, 1, 0, 1]);

    world.pass(POLL);
    let groups = json!({ "groups": ["neo4j_reader", "neo4j_writer"] });
    world.account("etl", etl(groups)).await;
    let none = String::new();
    changed(&world, "etl-okta-credentials", &none, "client_secret").await;
    assert_eq!(spent(&world, "from key to secret").await, [1, 3, 0, 2]);
}
