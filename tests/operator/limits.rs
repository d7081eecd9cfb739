//! Okta's rate limits: more accounts than fit into a minute.

use std::time::Duration;

use okta_emulator::Limits;
use serde_json::json;

use crate::harness::{World, condition, until};

/// The share of a free org's apps bucket is ten a minute.
const ACCOUNTS: usize = 14;

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_wait_for_their_turn_are_neither_refused_nor_searched_for() {
    let world = World::new().await;
    world.okta.set_limits(Limits::integrator());
    for i in 0..ACCOUNTS {
        world.account(&format!("etl-{i}"), json!({})).await;
    }
    until("ready", async || {
        world.pass(Duration::from_secs(5));
        let mut waiting = Vec::new();
        for i in 0..ACCOUNTS {
            let account = world.accounts().get(&format!("etl-{i}")).await.unwrap();
            let ready = condition(&account, "Ready");
            if ready.as_ref().is_none_or(|(status, _)| status != "True") {
                waiting.push(ready);
            }
        }
        if waiting.is_empty() {
            Ok(())
        } else {
            Err(waiting)
        }
    })
    .await;
    let refused = world
        .okta
        .requests()
        .into_iter()
        .filter(|r| r.status == 429);
    assert_eq!(refused.count(), 0);
    let searches = world.okta.count("GET", "/oauth2/v1/clients/{clientId}");
    assert_eq!(searches, 0, "nothing was in doubt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_okta_lost_far_back_in_a_list_shuts_out_new_accounts_for_some_minutes_only() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let admin = world.okta.admin();
    let servers = admin.authorization_servers();
    let server = servers.iter().find(|s| s["name"] == "neo4j").unwrap()["id"].clone();
    let server = server.as_str().unwrap();
    let mut policy = admin.policies(server)[0].clone();
    let mut last = String::new();
    for i in 0..40 {
        let client_id = format!("zz.{i:03}.client");
        let app = admin.create_app(&json!({
            "name": "oidc_client", "label": format!("x{i}"), "signOnMode": "OPENID_CONNECT",
            "credentials": { "oauthClient": { "client_id": client_id, "token_endpoint_auth_method": "client_secret_basic" } },
            "settings": { "oauthClient": { "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"] } },
        }));
        last = app["id"].as_str().unwrap().to_owned();
        let listed = policy["conditions"]["clients"]["include"].as_array_mut();
        listed.unwrap().push(json!(client_id));
    }
    let id = policy["id"].as_str().unwrap().to_owned();
    let target = format!("/api/v1/authorizationServers/{server}/policies/{id}");
    admin.call("PUT", &target, Some(&policy)).unwrap();
    admin.delete_app(&last);
    world.okta.set_limits(Limits::integrator());
    world.account("new", json!({})).await;
    // Twelve lookups a minute are our share; each is made once.
    for _ in 0..8 {
        world.pass(Duration::from_secs(61));
        world.quiet().await;
    }
    world.ready("new").await;
    let lookups = world.okta.count("GET", "/oauth2/v1/clients/{clientId}");
    assert!(lookups <= 43, "{lookups}");
    let listed = admin.policies(server)[0]["conditions"]["clients"]["include"].clone();
    let listed = listed.as_array().unwrap();
    assert!(!listed.contains(&json!("zz.039.client")) && listed.contains(&json!("zz.038.client")));
}
