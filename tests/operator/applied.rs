//! The operator forgets what `kubectl apply` notes on an account, and leaves it there.

use kube::api::{Patch, PatchParams};
use neo4j_okta_operator::api::names::KUBECTL_LAST_APPLIED;
use serde_json::json;

use crate::harness::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_kubectl_apply_notes_on_an_account_stays_there() {
    let world = World::new().await;
    let noted = json!({ "metadata": { "annotations": { KUBECTL_LAST_APPLIED: "{}" } } });
    world.account("etl", json!({})).await;
    let (params, noted) = (PatchParams::default(), Patch::Merge(noted));
    let accounts = world.accounts();
    accounts.patch("etl", &params, &noted).await.unwrap();
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
