//! Looks once a day at what else in an org concerns the apps of this operator:
//! other authorization servers, and what the org does with new apps. Reads alone,
//! behind everything else, twenty requests at a time. `plan::surroundings` judges.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::context::Context;
use crate::api::OktaIssuer;
use crate::okta::budget::Turn;
use crate::okta::{self, Class, Error, Org};
use crate::plan::lane::Lane;
use crate::plan::schedule;
use crate::plan::surroundings::{self, CALLS, PAUSE, ROUND, Surroundings};
use crate::sync::lock;

/// What is known of each org, by host.
#[derive(Debug, Default)]
pub(super) struct Rounds(Mutex<HashMap<String, Round>>);

#[derive(Clone, Debug)]
struct Round {
    next: Timestamp,
    part: Part,
}

/// A round that is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// Servers that were looked at.
    seen: BTreeSet<String>,
    /// What was found.
    pub(crate) found: Surroundings,
}

/// Looks if it is time, whichever issuer of the org asks. Returns when it is time
/// again.
pub(super) async fn look(object: &OktaIssuer, org: &Org, ctx: &Context) -> Timestamp {
    let now = ctx.now();
    let host = org.host();
    let mut round = {
        let mut rounds = lock(&ctx.surroundings.0);
        let round = rounds.entry(host.clone()).or_insert_with(|| Round {
            next: surroundings::first(now, registered(object, ctx)),
            part: Part::default(),
        });
        // Further off only when the clock was ahead and was set right.
        if now < round.next && round.next <= schedule::after(now, ROUND) {
            return round.next;
        }
        // Nobody else asks while this one is under way.
        round.next = schedule::after(now, PAUSE);
        round.clone()
    };
    round.next = match part(org, &mut round.part).await {
        Ok(true) => {
            round.part.seen.clear();
            schedule::after(now, ROUND)
        }
        Ok(false) => schedule::after(now, PAUSE),
        Err(error) => {
            tracing::debug!(host, %error, "the look at the org did not come to its end");
            match error.class {
                Class::RateLimited { until, .. } => until.max(schedule::after(now, PAUSE)),
                _ => schedule::after(now, PAUSE),
            }
        }
    };
    let next = round.next;
    lock(&ctx.surroundings.0).insert(host, round);
    next
}

/// One part of a round; whether it was the last.
pub(crate) async fn part(org: &Org, round: &mut Part) -> Result<bool, Error> {
    let turn = Turn::of_operator(Lane::Drift, format!("surroundings/{}", org.host()));
    round.found.new_clients_are_admins = match org.new_clients_are_admins(&turn).await {
        Ok(is) => is,
        // Whoever may not know it says nothing about it.
        Err(error) if matches!(error.class, Class::Forbidden | Class::NotFound) => false,
        Err(error) => return Err(error),
    };
    let servers = surroundings::active(&org.list_servers(&turn).await?);
    round.found.keep(&servers);
    let mut calls = 2;
    for server in servers {
        if round.seen.contains(&server.id) {
            continue;
        }
        if calls >= CALLS {
            return Ok(false);
        }
        let policies = org
            .list_parts(&server.id, okta::Part::Policies, &turn)
            .await?;
        calls += 1;
        let mut admits = false;
        for policy in surroundings::for_any_client(&policies) {
            let rules = org.list_rules(&server.id, &policy, &turn).await?;
            calls += 1;
            admits = surroundings::issues(&rules);
            if admits || calls >= CALLS {
                break;
            }
        }
        round.found.note(&server, admits);
        round.seen.insert(server.id);
    }
    Ok(true)
}

/// What the last look at the org of this host found.
pub(super) fn found(host: &str, ctx: &Context) -> Surroundings {
    let rounds = lock(&ctx.surroundings.0);
    rounds
        .get(host)
        .map_or_else(Surroundings::default, |round| round.part.found.clone())
}

/// Whether an app was registered for the issuer already.
fn registered(object: &OktaIssuer, ctx: &Context) -> bool {
    let name = object.name_any();
    let has = |account: &crate::api::Neo4jServiceAccount| {
        let status = account.status.as_ref();
        account.spec.issuer_ref.name == name && status.is_some_and(|s| s.app_id.is_some())
    };
    !ctx.stores.accounts.state_filter(has).is_empty()
}
