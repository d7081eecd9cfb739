//! Issuers of one org draw on one budget, and a new sign-in does not forget what
//! was learnt of it.

use std::time::Duration;

use kube::api::DeleteParams;
use neo4j_okta_operator::api::OktaIssuer;
use okta_emulator::Limits;
use serde_json::json;

use crate::harness::{World, apply, until};

const ACCOUNTS: usize = 30;

/// A second issuer of the same org, on the same authorization server.
async fn second_issuer(world: &World, share: u8) {
    let first: OktaIssuer = world.issuers().get("default").await.unwrap();
    let mut spec = serde_json::to_value(first.spec).unwrap();
    spec["rateLimit"] = json!({ "sharePercent": share });
    let issuer = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "OktaIssuer",
        "metadata": { "name": "second" }, "spec": spec,
    });
    apply(&world.issuers(), "second", &issuer).await;
}

async fn ready(world: &World, issuer: &str) {
    until("ready", async || {
        let issuer = world.issuers().get(issuer).await.unwrap();
        let conditions = issuer.status.unwrap_or_default().conditions;
        let ready = conditions
            .iter()
            .any(|c| c.type_ == "Ready" && c.status == "True");
        if ready { Ok(()) } else { Err(conditions) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_issuers_of_one_org_together_stay_within_the_smaller_share() {
    let world = World::new().await;
    second_issuer(&world, 25).await;
    ready(&world, "default").await;
    ready(&world, "second").await;
    world.quiet().await;
    world.okta.set_limits(Limits {
        apps: 20,
        ..Limits::default()
    });
    world.okta.clear_requests();
    for n in 0..ACCOUNTS {
        let issuer = ["default", "second"][n % 2];
        world
            .account(&format!("a{n}"), json!({ "issuerRef": { "name": issuer } }))
            .await;
    }
    until("as many apps as the share allows", async || {
        match world.okta.count("POST", "/api/v1/apps") {
            n if n >= 3 => Ok(()),
            n => Err(n),
        }
    })
    .await;
    world.quiet().await;
    let asked = world.okta.requests();
    let apps = asked.iter().filter(|r| r.route.starts_with("/api/v1/apps"));
    // A quarter of 20 a minute, of which new accounts get seven tenths; a minute
    // may have turned under way.
    let apps = apps.count();
    assert!(apps <= 6, "{apps}");
    assert!(asked.iter().all(|r| r.status != 429));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_sign_in_does_not_forget_what_is_used_up() {
    let world = World::new().await;
    ready(&world, "default").await;
    world.quiet().await;
    world.okta.set_limits(Limits {
        apps: 20,
        ..Limits::default()
    });
    world.okta.clear_requests();
    for n in 0..ACCOUNTS {
        world.account(&format!("a{n}"), json!({})).await;
    }
    until("used up", async || {
        match world.okta.count("POST", "/api/v1/apps") {
            n if n >= 7 => Ok(()),
            n => Err(n),
        }
    })
    .await;
    for _ in 0..3 {
        world
            .sign_in_secret(&world.okta.admin().renew_api_token())
            .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    world.quiet().await;
    let asked = world.okta.requests();
    let apps = asked.iter().filter(|r| r.route.starts_with("/api/v1/apps"));
    let apps = apps.count();
    assert!(apps <= 14, "{apps}");
    assert!(asked.iter().all(|r| r.status != 429));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_was_deleted_serves_no_new_account() {
    let world = World::new().await;
    ready(&world, "default").await;
    world
        .issuers()
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    world.account("etl", json!({})).await;
    world.has("etl", "Ready", "False", "IssuerNotFound").await;
    assert!(world.okta.admin().apps().is_empty());
}
