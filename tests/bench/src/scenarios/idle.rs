//! Nothing happens: the operator must not write, and costs next to nothing.
//!
//! It needs accounts whose tokens are fresh for longer than the scenario lasts. It
//! begins when what is done once a minute has been done after the registration: the
//! issuer has written how many accounts there are, and the operator has read in
//! Okta's System Log what it did itself, and kept how far it read. The Lease is
//! renewed meanwhile, and counted apart.

use std::time::Duration;

use anyhow::Result;

use crate::cli::Scale;
use crate::clock;
use crate::figures::Measured;
use crate::world::{World, issuers};

const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn run(world: &mut World, scale: &Scale) -> Result<Measured> {
    let issuers = issuers(&world.client);
    clock::until("the issuer counts its accounts", PATIENCE, async || {
        let issuer = issuers.get("default").await?;
        Ok(issuer.data["status"]["accounts"] == world.accounts.len())
    })
    .await?;
    // In a shorter time than a minute the log is not read again.
    if scale.idle >= MINUTE {
        let read = || world.okta.count("GET", "/api/v1/logs");
        let before = read();
        clock::until("the log is read", PATIENCE, async || Ok(read() > before)).await?;
    }
    world.quiet().await?;

    let meter = world.meter().await?;
    tokio::time::sleep(scale.idle).await;
    let title = format!("idle for {} s", scale.idle.as_secs());
    let mut measured = meter.stop("idle", &title, 0).await?;
    if measured.writes() > 0 {
        let wrote = format!("an idle operator wrote: {:?}", measured.kubernetes);
        measured.wrong.push(wrote);
    }
    Ok(measured)
}
