//! An account that shall live, in order: what others did to its app, a refresh
//! that is due, credentials, the app's description, the token, rotation, tidying.
//! Pure.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use super::desired::{Desired, SecretSpec};
use super::memory::App;
use super::observed::Observed;
use super::register::{self, stage_anew};
use super::schedule::{self, SAFETY_NET};
use super::secret_meta::{Meta, Slot};
use super::step::{Next, Purpose, Retry, Step, Which};
use super::{blocked, conflict, rotation, settling, token};
use crate::api::conditions::Reason;
use crate::api::{OnExternalDisable, names as n};

pub(super) fn next(d: &Desired, o: &Observed, now: Timestamp) -> Next {
    if let Some(next) = conflict(d, o) {
        return next;
    }
    if !o.finalizer {
        return Next::Do(Step::AddFinalizer);
    }
    let stages = [
        disabled,
        token::refresh_if_due,
        register::credentials,
        described,
        token::token,
        restored,
        rotation::retired,
        rotation::rotate,
        tidy,
    ];
    let next = stages
        .iter()
        .find_map(|stage| stage(d, o, now))
        .unwrap_or_else(|| settled(d, o, now));
    if next == Next::Do(Step::Publish) {
        return next;
    }
    withdraw_lost_group(o, now).unwrap_or(next)
}

/// Nothing to do until the refresh, or until the safety net.
fn settled(d: &Desired, o: &Observed, now: Timestamp) -> Next {
    let refresh = o.token_facts().map(|t| t.life.refresh_at);
    let wake = [refresh, rotation::wake(d, o)].into_iter().flatten().min();
    let net = schedule::after(now, SAFETY_NET);
    Next::Settled {
        wake: wake.map_or(net, |wake| wake.min(net)),
    }
}

/// What others did to the app is an instruction, not drift: it stops the
/// account until it is restored.
fn disabled(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    let halted = o.stands_for(Reason::DisabledInOkta) || o.stands_for(Reason::DeletedInOkta);
    let staged_create = o
        .content()
        .and_then(|c| c.staged.as_ref())
        .is_some_and(|s| s.purpose == Purpose::Create);
    if staged_create {
        return None;
    }
    let registered = o.memory.registered.as_ref()?;
    let app_id = registered.app_id.clone();
    match &o.memory.app {
        App::Unknown if halted => Some(Next::Do(Step::ReadApp { app_id })),
        App::Unknown => None,
        App::Present(view) if !d.owns(view.marker.as_ref()) => Some(blocked(
            Reason::NotOurs,
            format!(
                "app {app_id}, which the status names, does not carry this account's marker and is left alone; if it is this account's, somebody removed neo4j_okta_operator from its profile"
            ),
            Retry::Backoff,
        )),
        App::Present(view) if view.active => None,
        App::Present(view) => {
            let ours = view.marker.as_ref().is_some_and(|m| m.stopped);
            if ours || resumes(d, o) {
                return Some(Next::Do(Step::ActivateApp { app_id }));
            }
            Some(stopped(
                o,
                Reason::DisabledInOkta,
                format!(
                    "app {app_id} was deactivated at Okta, and so no token is issued; to resume: kubectl annotate n4jsa {} -n {} {}=$(date +%s) --overwrite",
                    d.account.name,
                    d.account.namespace,
                    n::ANNOTATION_RESTORE
                ),
            ))
        }
        App::Absent if o.settling(now) => Some(settling(now, "the app is not there yet")),
        App::Absent if resumes(d, o) => Some(stage_anew(d, o, Purpose::Create)),
        App::Absent => Some(stopped(
            o,
            Reason::DeletedInOkta,
            format!(
                "app {app_id} was deleted at Okta, and so no token is issued; to register a new one: kubectl annotate n4jsa {} -n {} {}=$(date +%s) --overwrite",
                d.account.name,
                d.account.namespace,
                n::ANNOTATION_RESTORE
            ),
        )),
    }
}

fn stopped(o: &Observed, reason: Reason, message: String) -> Next {
    if matches!(o.token, Slot::Ours(_)) {
        return Next::Do(Step::Withdraw);
    }
    blocked(reason, message, Retry::OnChange)
}

fn resumes(d: &Desired, o: &Observed) -> bool {
    restore_pending(d, o) || d.issuer.on_external_disable == OnExternalDisable::Repair
}

/// The restore annotation has a value that was not answered yet.
fn restore_pending(d: &Desired, o: &Observed) -> bool {
    let answered = match &o.credentials {
        Slot::Ours(meta) => meta.annotation(n::ANNOTATION_RESTORE),
        Slot::Absent | Slot::Foreign | Slot::Predecessor => None,
    };
    d.restore.is_some() && d.restore.as_deref() != answered
}

/// Label, groups, marker and settings at Okta are as the account says.
pub(super) fn described(d: &Desired, o: &Observed, _now: Timestamp) -> Option<Next> {
    let app_id = o.memory.registered.as_ref()?.app_id.clone();
    if let App::Present(view) = &o.memory.app {
        return (!view.is(&d.app())).then_some(Next::Do(Step::UpdateApp { app_id }));
    }
    let confirmed = o
        .memory
        .confirmed
        .clone()
        .or_else(|| o.token_facts()?.app_revision);
    (confirmed.as_deref() != Some(&d.app().revision()))
        .then_some(Next::Do(Step::ReadApp { app_id }))
}

/// Records that a restore was answered, so that the same value does not undo
/// the next instruction.
fn restored(d: &Desired, o: &Observed, _now: Timestamp) -> Option<Next> {
    if !restore_pending(d, o) {
        return None;
    }
    let app_id = o.memory.registered.as_ref()?.app_id.clone();
    if o.memory.app == App::Unknown {
        return Some(Next::Do(Step::ReadApp { app_id }));
    }
    Some(Next::Do(Step::Mark {
        which: Which::Credentials,
        labels: BTreeMap::new(),
        annotations: BTreeMap::from([(n::ANNOTATION_RESTORE.to_owned(), d.restore.clone())]),
    }))
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
    [lost, life.map(|l| l.refresh_at), life.map(|l| l.expires_at)]
        .into_iter()
        .flatten()
        .filter(|at| *at > now)
        .min()
}
