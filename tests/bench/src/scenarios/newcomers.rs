//! Accounts are created one after the other while all others have their tokens
//! renewed: how long a new one waits behind them.
//!
//! It needs accounts with tokens. All are asked to renew at once (by the annotation
//! `neo4j-okta.dev/renew`), which is more than their planned refreshes, spread over
//! a tenth of a lifetime, would ever ask.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::patience;
use crate::cli::Scale;
use crate::clock;
use crate::figures::{Latency, Measured};
use crate::world::{Account, World};

const LOOK: Duration = Duration::from_millis(5);

pub(super) async fn run(world: &mut World, scale: &Scale) -> Result<Measured> {
    world.quiet().await?;
    let others = world.accounts.len();
    let newcomers = world.plan("newcomer", scale.newcomers).await?;
    let meter = world.meter().await?;
    let since = clock::now();
    let renew = json!({ "metadata": { "annotations": { "neo4j-okta.dev/renew": "newcomers" } } });
    let renewed = || {
        let changed = |seen: &crate::observer::Seen| seen.versions > 1 && seen.last > since;
        world.observer.count(|_, seen| changed(seen))
    };
    let arrive = async {
        let mut took = Vec::new();
        for newcomer in &newcomers {
            took.push(arrival(world, newcomer).await?);
        }
        anyhow::Ok((took, renewed()))
    };
    let (asked, arrived) = tokio::join!(world.change(&renew), arrive);
    asked?;
    let (took, meanwhile) = arrived?;
    clock::until("all are renewed", patience(others), async || {
        Ok(renewed() >= others)
    })
    .await?;
    let seconds = meter.elapsed().as_secs_f64();
    world.operator.process().quiet().await?;

    let title = format!("{} new accounts while all others renew", newcomers.len());
    let mut measured = meter
        .stop("newcomers", &title, others + newcomers.len())
        .await?;
    measured.seconds = seconds;
    measured.latency = Latency::of(took);
    let renewed = "renewed before the last newcomer";
    measured
        .figures
        .insert(renewed.to_owned(), meanwhile as f64);
    Ok(measured)
}

async fn arrival(world: &World, newcomer: &Account) -> Result<Duration> {
    let created = world
        .create(std::slice::from_ref(newcomer), "default")
        .await?;
    let at: Instant = created.first().map_or_else(clock::now, |(_, at)| *at);
    let key = newcomer.token();
    loop {
        if let Some(seen) = world.observer.get(&key) {
            return Ok(seen.first.duration_since(at));
        }
        anyhow::ensure!(at.elapsed() < patience(0), "no token for a newcomer");
        tokio::time::sleep(LOOK).await;
    }
}
