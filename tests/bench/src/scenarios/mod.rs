//! The scenarios, one a file, in the order in which a run plays them: each finds
//! the world as the one before left it.

mod budget;
mod foreign;
mod groups;
mod idle;
mod newcomers;
mod refresh;
mod registration;
mod restart;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::Report;
use crate::cli::{Scale, Scenario};
use crate::figures::Measured;
use crate::world::World;

/// Plays those that are `wanted` with so many accounts.
pub(crate) async fn play(
    binary: &Path,
    scale: &Scale,
    wanted: &[Scenario],
    report: &Report<'_>,
) -> Result<()> {
    let mut world = World::start(binary).await?;
    let kubernetes = world.client.apiserver_version().await?.git_version;
    let mut all = Vec::new();
    for scenario in wanted {
        let measured = one(&mut world, scale, *scenario);
        let measured = measured.await.with_context(|| format!("{scenario:?}"))?;
        world.operator.running()?;
        all.push(measured);
        report.so_far(&kubernetes, &all)?;
    }
    world.operator.stop().await?;
    report.whole(&kubernetes, &all)
}

async fn one(world: &mut World, scale: &Scale, scenario: Scenario) -> Result<Measured> {
    match scenario {
        Scenario::Registration => registration::run(world, scale).await,
        Scenario::Idle => idle::run(world, scale).await,
        Scenario::Restart => restart::run(world).await,
        Scenario::Foreign => foreign::run(world, scale).await,
        Scenario::Groups => groups::run(world).await,
        Scenario::Newcomers => newcomers::run(world, scale).await,
        Scenario::Refresh => refresh::run(world, scale).await,
        Scenario::Budget => budget::run(world, scale).await,
    }
}

/// How long a slow machine may take with so many accounts: nothing is judged by
/// it, it only ends what would never end.
fn patience(accounts: usize) -> Duration {
    Duration::from_secs(180)
        + Duration::from_millis(500) * u32::try_from(accounts).unwrap_or(u32::MAX)
}
