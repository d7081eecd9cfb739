//! All accounts are given other groups at once: each needs its app changed at Okta
//! and another token.
//!
//! It needs accounts with tokens. Time is from the request that changes an account
//! to the event that shows its token Secret with the new groups.

use anyhow::Result;
use serde_json::json;

use super::patience;
use crate::clock;
use crate::figures::{Latency, Measured};
use crate::world::World;

const GROUPS: &str = "neo4j_writer";

pub(super) async fn run(world: &mut World) -> Result<Measured> {
    world.quiet().await?;
    let accounts = world.accounts.len();
    let meter = world.meter().await?;
    let changed = world
        .change(&json!({ "spec": { "groups": [GROUPS] } }))
        .await?;
    clock::until("all have the new groups", patience(accounts), async || {
        Ok(world.observer.count(|_, seen| seen.groups == GROUPS) >= accounts)
    })
    .await?;
    let seconds = meter.elapsed().as_secs_f64();
    world.operator.process().quiet().await?;

    let took = changed
        .iter()
        .filter_map(|(account, at)| world.observer.took(&account.token(), *at));
    let latency = Latency::of(took.collect());
    let title = "other groups for all at once";
    let measured = meter.stop("groups", title, accounts).await?;
    Ok(Measured {
        seconds,
        latency,
        ..measured
    })
}
