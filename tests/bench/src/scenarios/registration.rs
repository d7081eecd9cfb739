//! N accounts are created at once, with nothing in Okta's way: how long until the
//! last has its token, and what one of them costs.
//!
//! It needs a world without accounts. Time is from the request that creates an
//! account to the event that shows its token Secret to a watcher.

use anyhow::{Result, ensure};

use super::patience;
use crate::cli::Scale;
use crate::clock;
use crate::figures::{Latency, Measured};
use crate::world::World;

pub(super) async fn run(world: &mut World, scale: &Scale) -> Result<Measured> {
    ensure!(world.accounts.is_empty(), "there are accounts already");
    world.accounts = world.plan("bench", scale.accounts).await?;
    world.quiet().await?;
    let meter = world.meter().await?;

    let created = world.create(&world.accounts, "default").await?;
    clock::until("a token for each", patience(scale.accounts), async || {
        Ok(world.observer.len() >= scale.accounts)
    })
    .await?;
    let seconds = meter.elapsed().as_secs_f64();
    // What follows the last token belongs to it: its status.
    world.operator.process().quiet().await?;

    let took = created.iter().filter_map(|(account, at)| {
        let seen = world.observer.get(&account.token())?;
        seen.first.checked_duration_since(*at)
    });
    let latency = Latency::of(took.collect());
    let title = "registration of all at once";
    let measured = meter.stop("registration", title, scale.accounts).await?;
    Ok(Measured {
        seconds,
        latency,
        ..measured
    })
}
