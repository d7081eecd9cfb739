//! Nothing happens: the operator must not write, and costs next to nothing.
//!
//! It needs accounts whose tokens are fresh for longer than the scenario lasts. It
//! begins when the issuer has written how many accounts there are, which it does
//! once a minute. The Lease is renewed meanwhile, and counted apart.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::cli::Scale;
use crate::clock;
use crate::figures::Measured;
use crate::world::{World, issuers};

pub(super) async fn run(world: &mut World, scale: &Scale) -> Result<Measured> {
    let issuers = issuers(&world.client);
    let counted = Duration::from_secs(120);
    clock::until("the issuer counts its accounts", counted, async || {
        let issuer = issuers.get("default").await?;
        Ok(issuer.data["status"]["accounts"] == world.accounts.len())
    })
    .await?;
    world.quiet().await?;

    let meter = world.meter().await?;
    tokio::time::sleep(scale.idle).await;
    let title = format!("idle for {} s", scale.idle.as_secs());
    let measured = meter.stop("idle", &title, 0).await?;
    ensure!(
        measured.writes() == 0,
        "an idle operator wrote: {:?}",
        measured.kubernetes
    );
    Ok(measured)
}
