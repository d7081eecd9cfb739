//! An account that shall live, in order: what others did to its app, a refresh
//! that is due, the app's id, credentials, the app's description, the token,
//! rotation, tidying. Pure.

use k8s_openapi::jiff::Timestamp;

use super::desired::{Desired, SecretSpec};
use super::memory::App;
use super::observed::Observed;
use super::register;
use super::schedule::{self, SAFETY_NET};
use super::secret_meta::{Meta, Slot};
use super::step::{Next, Step, Which};
use super::{conflict, instructed, rotation, token, unnamed, verification};

pub(super) fn next(d: &Desired, o: &Observed, now: Timestamp) -> Next {
    if let Some(next) = conflict(d, o) {
        return next;
    }
    if !o.finalizer {
        return Next::Do(Step::AddFinalizer);
    }
    let stages = [
        instructed::instructed,
        token::refresh_if_due,
        unnamed::found,
        register::credentials,
        described,
        token::token,
        instructed::restored,
        instructed::regrouped,
        rotation::retired,
        rotation::rotate,
        tidy,
        checked,
    ];
    let next = stages
        .iter()
        .find_map(|stage| stage(d, o, now))
        .unwrap_or_else(|| settled(d, o, now));
    if next == Next::Do(Step::Publish) {
        return next;
    }
    withdraw_lost_group(o, now).unwrap_or_else(|| match next {
        Next::Do(_) => next,
        // Whatever else holds the account up.
        Next::Settled { .. } | Next::Blocked(_) => verification::verify(d, o, now).unwrap_or(next),
    })
}

/// Nothing to do until the refresh, or until the safety net.
fn settled(d: &Desired, o: &Observed, now: Timestamp) -> Next {
    let refresh = o.token_facts().map(|t| t.life.refresh_at);
    let check = o.memory.check_at.filter(|at| *at > now);
    let verify = verification::due(d, o, now);
    let wake = [refresh, rotation::wake(d, o), check, verify];
    let wake = wake.into_iter().flatten().min();
    let net = schedule::after(now, SAFETY_NET);
    Next::Settled {
        wake: wake.map_or(net, |wake| wake.min(net)),
    }
}

/// Label, groups, marker and settings at Okta are as the account says.
pub(super) fn described(d: &Desired, o: &Observed, _now: Timestamp) -> Option<Next> {
    let app_id = o.memory.registered.as_ref()?.app_id.clone();
    if let App::Present(view) = &o.memory.app {
        return (!view.is(&d.app())).then_some(Next::Do(Step::UpdateApp { app_id }));
    }
    (o.memory.confirmed.as_deref() != Some(&d.app().revision()))
        .then_some(Next::Do(Step::ReadApp { app_id }))
}

/// Labels and annotations that the user asked for stand on both Secrets.
fn tidy(d: &Desired, o: &Observed, _now: Timestamp) -> Option<Next> {
    for (which, slot, spec) in [
        (Which::Credentials, &o.credentials, &d.credentials),
        (Which::Token, &o.token, &d.token),
    ] {
        if let Slot::Ours(meta) = slot
            && !dressed(meta, spec)
        {
            let annotations = spec
                .annotations
                .iter()
                .map(|(k, v)| (k.clone(), Some(v.clone())))
                .collect();
            return Some(Next::Do(Step::Mark {
                which,
                labels: spec.labels.clone(),
                annotations,
            }));
        }
    }
    None
}

/// A look at the app, when the System Log tells of a change or the sweep comes to
/// it. What is known from a write of our own within the last minute is newer.
fn checked(_d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    o.check_due(now).then(|| token::look(o)).flatten()
}

fn dressed(meta: &Meta, spec: &SecretSpec) -> bool {
    spec.labels
        .iter()
        .all(|(k, v)| meta.labels.get(k) == Some(v))
        && spec
            .annotations
            .iter()
            .all(|(k, v)| meta.annotations.get(k) == Some(v))
}

/// A published token must not keep a group that the spec lost for more than
/// five minutes, even if Okta gives no new one.
fn withdraw_lost_group(o: &Observed, now: Timestamp) -> Option<Next> {
    let since = o.memory.lost_group_since?;
    let deadline = schedule::after(since, schedule::LOST_GROUP_GRACE);
    (now >= deadline && matches!(o.token, Slot::Ours(_))).then_some(Next::Do(Step::Withdraw))
}

/// The next instant at which something must happen to the token that is out,
/// whatever else is blocked or failing: its refresh, its expiry, its withdrawal.
#[must_use]
pub fn horizon(o: &Observed, now: Timestamp) -> Option<Timestamp> {
    let life = o.token_facts().map(|t| t.life);
    let lost = o
        .memory
        .lost_group_since
        .map(|since| schedule::after(since, schedule::LOST_GROUP_GRACE));
    let verify = o.memory.verification.due;
    let token = [life.map(|l| l.refresh_at), life.map(|l| l.expires_at)];
    [lost, verify]
        .into_iter()
        .chain(token)
        .flatten()
        .filter(|at| *at > now)
        .min()
}
