//! What is urgent overtakes what is plenty.

use kube::api::{Patch, PatchParams};
use neo4j_okta_operator::api::names::KUBECTL_LAST_APPLIED;
use okta_emulator::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::harness::{World, until};

/// More than are worked on at once, and no more than a namespace may have.
const MANY: usize = 90;
/// Slower than the API server shows a change to the operator, on any machine.
const SLOW_MS: u64 = 1500;

const CREATE: (&str, &str) = ("POST", "/api/v1/apps");

/// Changes the account `etl` as somebody would.
async fn merge(world: &World, change: &Value) {
    let (params, change) = (PatchParams::default(), Patch::Merge(change));
    let accounts = world.accounts();
    accounts.patch("etl", &params, &change).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_does_not_stand_behind_many_registrations() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;

    let slow = Fault::new(FaultKind::Latency(SLOW_MS));
    world.okta.inject(slow.on(CREATE.0, CREATE.1));
    for n in 0..MANY {
        world.account(&format!("new-{n}"), json!({})).await;
    }
    until("some are being created", async || {
        match world.okta.count(CREATE.0, CREATE.1) {
            0 => Err("none"),
            _ => Ok(()),
        }
    })
    .await;
    merge(&world, &json!({ "spec": { "suspended": true } })).await;
    world.has("etl", "Ready", "False", "Suspended").await;

    let asked = world.okta.requests();
    let suspended = asked
        .iter()
        .position(|r| r.route.ends_with("/lifecycle/deactivate"));
    let before = asked[..suspended.expect("it was deactivated")].iter();
    let created = before.filter(|r| (r.method.as_str(), r.route.as_str()) == CREATE);
    let created = created.count();
    assert!(created < MANY, "all of them went before it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kubectl_apply_notes_on_an_account_stays_there() {
    let world = World::new().await;
    let noted = json!({ "metadata": { "annotations": { KUBECTL_LAST_APPLIED: "{}" } } });
    world.account("etl", json!({})).await;
    merge(&world, &noted).await;
    world.ready("etl").await;
    world.annotate("etl", "neo4j-okta.dev/renew", "now").await;
    until("the renewal is told", async || {
        let account = world.accounts().get("etl").await.unwrap();
        let generation = account.metadata.generation;
        let told = account.status.as_ref().map(|s| s.observed_generation);
        if told == generation {
            Ok(())
        } else {
            Err(told)
        }
    })
    .await;
    world.quiet().await;
    let account = world.accounts().get("etl").await.unwrap();
    let annotations = account.metadata.annotations.unwrap_or_default();
    assert_eq!(
        annotations.get(KUBECTL_LAST_APPLIED).map(String::as_str),
        Some("{}")
    );
}
