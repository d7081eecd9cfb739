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
