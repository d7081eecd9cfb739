//! Every token comes due and is replaced: what one refresh costs, and how late the
//! latest of them is.
//!
//! It needs accounts with tokens. The issuer's `tokenLifetime` is shortened, all
//! tokens are renewed once so that they have it, and then the operator is left to
//! its plan, in real time. Where that takes too long, all are asked to renew at
//! once instead; the title says so, and there is no plan to be late against.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::patience;
use crate::cli::Scale;
use crate::clock;
use crate::figures::Measured;
use crate::observer::Key;
use crate::world::{World, issuers};

/// The measurement begins so long before the first refresh.
const BEFORE: Duration = Duration::from_secs(5);

pub(super) async fn run(world: &mut World, scale: &Scale) -> Result<Measured> {
    world.quiet().await?;
    match scale.lifetime_minutes {
        Some(minutes) => planned(world, minutes).await,
        None => asked(world).await,
    }
}

async fn planned(world: &mut World, minutes: u64) -> Result<Measured> {
    shorten(world, minutes).await?;
    renew(world, "shorter").await?;
    let first = world
        .observer
        .next_refresh()
        .context("no refresh is planned")?;
    let wait = Duration::try_from(first.duration_since(clock::wall())).unwrap_or_default();
    tokio::time::sleep(wait.saturating_sub(BEFORE)).await;

    let accounts = world.accounts.len();
    let meter = world.meter().await?;
    let since = clock::now();
    let patience = patience(accounts) + Duration::from_secs(minutes * 60);
    clock::until("all are refreshed", patience, async || {
        Ok(changed(world, since) >= accounts)
    })
    .await?;
    let mut late = world.observer.late_since(since);
    late.sort_unstable_by(f64::total_cmp);
    let title = format!("refresh of each as planned, tokenLifetime {minutes}m");
    let mut measured = meter.stop("refresh", &title, accounts).await?;
    let refreshes = measured.token_requests();
    // With a short life the first may be due again before the last was.
    measured.operations = refreshes;
    if let (Some(median), Some(latest)) = (late.get(late.len() / 2), late.last()) {
        measured
            .figures
            .insert("late at the median, s".to_owned(), *median);
        measured
            .figures
            .insert("late at most, s".to_owned(), *latest);
    }
    Ok(measured)
}

async fn asked(world: &mut World) -> Result<Measured> {
    let accounts = world.accounts.len();
    let meter = world.meter().await?;
    renew(world, "asked").await?;
    let seconds = meter.elapsed().as_secs_f64();
    world.operator.process().quiet().await?;
    let title = "refresh of all at once (annotation renew)";
    let measured = meter.stop("refresh", title, accounts).await?;
    let operations = measured.token_requests();
    Ok(Measured {
        seconds,
        operations,
        ..measured
    })
}

/// All accounts get another token, at once.
async fn renew(world: &World, word: &str) -> Result<()> {
    let since = clock::now();
    let accounts = world.accounts.len();
    let renew = json!({ "metadata": { "annotations": { "neo4j-okta.dev/renew": word } } });
    world.change(&renew).await?;
    clock::until("all are renewed", patience(accounts), async || {
        Ok(changed(world, since) >= accounts)
    })
    .await
}

/// How many of the accounts have another token than at `since`. Newcomers have
/// tokens of the former lifetime, and nobody asks them to renew those.
fn changed(world: &World, since: Instant) -> usize {
    let asked = |key: &Key| key.0.starts_with("bench-");
    let observer = &world.observer;
    observer.count(|key, seen| asked(key) && seen.last > since)
}

/// Tokens from now on live so long.
async fn shorten(world: &World, minutes: u64) -> Result<()> {
    let change =
        json!({ "spec": { "authorizationServer": { "tokenLifetime": format!("{minutes}m") } } });
    let issuers = issuers(&world.client);
    issuers
        .patch("default", &PatchParams::default(), &Patch::Merge(&change))
        .await?;
    let admin = world.okta.admin();
    let known = Duration::from_secs(60);
    clock::until("Okta knows the lifetime", known, async || {
        let servers = admin.authorization_servers();
        let ids = |list: &[Value]| -> Vec<String> {
            list.iter()
                .filter_map(|one| one["id"].as_str().map(str::to_owned))
                .collect()
        };
        let mut rules = Vec::new();
        for server in ids(&servers) {
            for policy in ids(&admin.policies(&server)) {
                rules.extend(admin.rules(&server, &policy));
            }
        }
        let lifetime =
            |rule: &Value| rule["actions"]["token"]["accessTokenLifetimeMinutes"] == minutes;
        Ok(!rules.is_empty() && rules.iter().all(lifetime))
    })
    .await
}
