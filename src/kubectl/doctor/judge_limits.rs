//! Okta's limits, and what they mean: who waits for them and for how long, and the
//! outage of Okta that nobody notices. Pure. The arithmetic is the operator's own.

use super::super::checks::Check;
use super::super::render::human;
use super::found::{Accounts, Found, Limits};
use super::judge_server::lifetime;
use super::pages::Pages;
use crate::api::OktaIssuer;
use crate::okta::budget::Bucket;
use crate::plan::issuer::ServerView;
use crate::plan::schedule::{catch_up, promise};

/// What Okta told of its limits; each bucket in a line.
pub(super) fn limits(limits: &Limits, pages: &Pages) -> Vec<Check> {
    let told = limits.levels.iter().filter(|(_, level)| level.told);
    told.map(|(bucket, level)| {
        let ours = u64::from(level.limit) * u64::from(limits.share_percent) / 100;
        let name = name(*bucket);
        let text = format!(
            "{} a minute, {} left; ours is {} % of it, {ours}",
            level.limit, level.remaining, limits.share_percent
        );
        match level.remaining {
            0 => Check::warning(name, format!("{text}; others use all of it")).at(pages.limits()),
            _ => Check::passed(name, text),
        }
    })
    .collect()
}

const fn name(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Apps => "limit of apps",
        Bucket::App => "limit of app",
        Bucket::Management => "limit of management",
        Bucket::Clients => "limit of clients",
        Bucket::Logs => "limit of logs",
        Bucket::Token => "limit of token",
        Bucket::OrgToken => "limit of org_token",
    }
}

/// Who waits for Okta's limit on apps, and for how long.
pub(super) fn waiting(found: &Found, limits: &Limits, pages: &Pages) -> Check {
    const NAME: &str = "waiting";
    let accounts = match &found.accounts {
        Ok(accounts) => accounts,
        Err(why) => return Check::skipped(NAME, why),
    };
    let Accounts {
        new,
        leaving,
        of_org,
        ..
    } = accounts;
    let seconds = foreseen(new + leaving, limits.apps_per_minute);
    let who = format!(
        "{new} of the org's {of_org} accounts wait to be registered, {leaving} to be deleted"
    );
    match seconds {
        0 => Check::passed(NAME, format!("none of the org's {of_org} accounts")),
        ..=60 => Check::passed(NAME, format!("{who}; a minute at most")),
        _ => Check::warning(
            NAME,
            format!(
                "{who}; at {} requests a minute all have had their turn in about {}",
                limits.apps_per_minute,
                human(seconds)
            ),
        )
        .at(format!("spec.rateLimit.sharePercent; {}", pages.limits())),
    }
}

/// How long it takes until so many have had their turn, at one request each: a
/// registration and a deletion each take one from the bucket that decides.
fn foreseen(accounts: usize, per_minute: u32) -> i64 {
    let seconds = catch_up(accounts, per_minute);
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// The outage of Okta that nobody notices.
pub(super) fn outage(
    issuer: &OktaIssuer,
    found: &Found,
    view: &ServerView,
    limits: &Limits,
    pages: &Pages,
) -> Option<Check> {
    const NAME: &str = "outage";
    let lifetime = lifetime(issuer, view)?;
    let told = issuer.status.as_ref().and_then(|s| s.accounts);
    let accounts = match &found.accounts {
        Ok(accounts) => accounts.of_org,
        Err(_) => usize::try_from(told.unwrap_or_default()).unwrap_or_default(),
    };
    let known = limits
        .levels
        .iter()
        .any(|(b, level)| *b == Bucket::Token && level.told);
    let guess = match (known, &found.minted) {
        (true, _) => "",
        (false, None) => " (a free org's; --mint asks Okta)",
        (false, Some(_)) => " (a free org's, as Okta did not tell)",
    };
    let rate = format!(
        "{accounts} accounts and {} tokens a minute{guess}",
        limits.tokens_per_minute
    );
    Some(
        match promise(lifetime, catch_up(accounts, limits.tokens_per_minute)) {
            Some(longest) => Check::passed(
                NAME,
                format!(
                    "with {rate}, one of Okta of up to {} goes unnoticed",
                    human(i64::try_from(longest.as_secs()).unwrap_or(i64::MAX))
                ),
            ),
            None => Check::warning(
                NAME,
                format!("with {rate}, workloads notice each one of Okta"),
            )
            .at(format!(
                "spec.authorizationServer.tokenLifetime; {}",
                pages.limits()
            )),
        },
    )
}
