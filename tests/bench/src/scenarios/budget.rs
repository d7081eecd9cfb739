//! More accounts are created at once than Okta's rate limit lets in: how much of
//! the operator's share is used, and whether Okta ever has to refuse.
//!
//! It needs nothing of the other accounts: an org of its own with the limits last
//! published for a One App org (100 requests a minute to `/api/v1/apps`), and an
//! issuer with the default share of 50 %. Use is counted over whole minutes, in
//! which accounts are waiting; a short run has none and tells none.

use std::time::Duration;

use anyhow::{Result, ensure};
use okta_emulator::{Config, Emulator, Limits, Request};

use crate::cli::Scale;
use crate::figures::Measured;
use crate::meter::Meter;
use crate::world::{World, issuer, of_operator};

const ISSUER: &str = "limited";
const MINUTE_MS: u64 = 60_000;
/// Enough to be waiting at the end of the longest window.
const AT_LEAST: usize = 300;

pub(super) async fn run(world: &mut World, scale: &Scale) -> Result<Measured> {
    let limits = Limits::one_app();
    let share = u64::from(limits.apps) / 2;
    let org = Emulator::start(Config {
        limits,
        ..Config::default()
    })
    .await?;
    issuer(&world.client, ISSUER, &org).await?;
    world.issuer_is_ready(ISSUER).await?;
    let count = if scale.budget_minutes > 0 {
        scale.accounts.max(AT_LEAST)
    } else {
        scale.accounts
    };
    let accounts = world.plan("limited", count).await?;
    world.quiet().await?;

    let process = world.operator.process();
    let meter = Meter::start(&world.cluster, &org, of_operator, process).await?;
    world.create(&accounts, ISSUER).await?;
    let from = org.clock().now_ms().div_ceil(MINUTE_MS) * MINUTE_MS;
    let until = from + scale.budget_minutes * MINUTE_MS;
    let wait = match scale.budget_minutes {
        0 => scale.idle * 2,
        _ => Duration::from_millis(until - org.clock().now_ms()),
    };
    tokio::time::sleep(wait).await;

    let mine = |namespace: &str| namespace.starts_with(ISSUER);
    let registered = world.observer.count(|key, _| mine(&key.0));
    let requests = org.requests();
    let title = format!("{count} at once, apps 100/min, share 50 %");
    let mut measured = meter.stop("budget", &title, registered).await?;
    let refused = measured.okta_status.get("429").copied().unwrap_or(0);
    measured
        .figures
        .insert("answers 429".to_owned(), refused as f64);
    measured
        .figures
        .insert("registered".to_owned(), registered as f64);
    if scale.budget_minutes > 0 {
        ensure!(registered < count, "nobody waited: use says nothing");
        let within = |request: &&Request| (from..until).contains(&request.at_ms);
        let used = requests
            .iter()
            .filter(within)
            .filter(|r| of_apps(r))
            .count();
        let may = share * scale.budget_minutes;
        let percent = used as f64 * 100.0 / may as f64;
        measured
            .figures
            .insert("use of the share, %".to_owned(), percent);
    }
    // The org goes; what follows would only see an outage.
    world.operator.running()?;
    Ok(measured)
}

/// Whether Okta counts it in the bucket `apps`.
fn of_apps(request: &Request) -> bool {
    request.route.starts_with("/api/v1/apps") && request.route != "/api/v1/apps/{appId}"
}
