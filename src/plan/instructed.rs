//! What others did to an account's app at Okta: an instruction, not drift. The
//! account stops, says who did it as far as that is known, and resumes by the
//! restore annotation, or by itself where the issuer says `Repair`. Pure.
//!
//! A group that somebody takes out of the profile is put back once; taken out
//! again within a day, that is an instruction too.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::app::AppView;
use super::desired::Desired;
use super::memory::App;
use super::observed::Observed;
use super::register::stage_anew;
use super::schedule;
use super::secret_meta::{ANNOTATION_GROUPS_REPAIRED_AT, Slot};
use super::step::{Next, Purpose, Retry, Step, Which};
use super::{blocked, settling};
use crate::api::conditions::Reason;
use crate::api::{OnExternalDisable, names as n};

/// Taking a group out twice within this time is meant.
const DISPUTE: Duration = Duration::from_secs(24 * 3600);

pub(super) fn instructed(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    let staged_create = o
        .content()
        .and_then(|c| c.staged.as_ref())
        .is_some_and(|s| s.purpose == Purpose::Create);
    if staged_create {
        return None;
    }
    let app_id = o.memory.registered.as_ref()?.app_id.clone();
    match &o.memory.app {
        App::Unknown if halted(o) => Some(Next::Do(Step::ReadApp { app_id })),
        App::Unknown => None,
        App::Present(view) if !d.owns(view.marker.as_ref()) => Some(blocked(
            Reason::NotOurs,
            format!(
                "app {app_id}, which the status names, does not carry this account's marker and is left alone; if it is this account's, somebody removed neo4j_okta_operator from its profile"
            ),
            Retry::Backoff,
        )),
        App::Present(view) if view.active => groups(d, o, view, now),
        App::Present(view) => {
            let ours = view.marker.as_ref().is_some_and(|m| m.stopped);
            if ours || resumes(d, o) {
                return Some(Next::Do(Step::ActivateApp { app_id }));
            }
            let deed = format!("app {app_id} was deactivated at Okta");
            Some(stopped(d, o, Reason::DisabledInOkta, &deed, "to resume"))
        }
        App::Absent => Some(deleted(d, o, &format!("app {app_id}"), now)),
    }
}

/// `app` is not at Okta any more, and it was not us.
pub(super) fn deleted(d: &Desired, o: &Observed, app: &str, now: Timestamp) -> Next {
    if o.settling(now) {
        return settling(now, "the app is not there yet");
    }
    if resumes(d, o) {
        // Without a person's word it has to be certain.
        let certain = restore_pending(d, o) || o.surely_absent(now);
        return if certain {
            stage_anew(d, o, Purpose::Create)
        } else {
            settling(now, "the app is not to be seen")
        };
    }
    // With a client that Okta does not know it takes no change of a policy.
    if let Some(registered) = &o.memory.registered
        && d.issuer.allow_list
        && !o.memory.left
    {
        return Next::Do(Step::Leave {
            client_id: registered.client_id.clone(),
            dead: true,
        });
    }
    let deed = format!("{app} was deleted at Okta");
    stopped(d, o, Reason::DeletedInOkta, &deed, "to register a new one")
}

/// The account stands still by somebody's instruction, as the status says.
fn halted(o: &Observed) -> bool {
    [
        Reason::DisabledInOkta,
        Reason::DeletedInOkta,
        Reason::DisputedInOkta,
    ]
    .into_iter()
    .any(|reason| o.stands_for(reason))
}

/// Groups that others took out of the profile twice within a day.
fn groups(d: &Desired, o: &Observed, view: &AppView, now: Timestamp) -> Option<Next> {
    let taken = taken_by_others(d, o, view, now);
    let repaired = match &o.credentials {
        Slot::Ours(meta) => meta.instant(ANNOTATION_GROUPS_REPAIRED_AT),
        Slot::Absent | Slot::Foreign | Slot::Predecessor => None,
    };
    let recently = repaired.is_some_and(|at| now < schedule::after(at, DISPUTE));
    if taken.is_empty() || resumes(d, o) || !(recently || o.stands_for(Reason::DisputedInOkta)) {
        return None;
    }
    let deed = format!(
        "{} was taken out of the groups of app {} at Okta twice within a day",
        taken.join(", "),
        view.id
    );
    Some(stopped(
        d,
        o,
        Reason::DisputedInOkta,
        &deed,
        "to put it back",
    ))
}

/// Groups that are missing in the app although it was seen as it shall be now:
/// otherwise it is our own change that is still to be made.
pub(super) fn taken_by_others(
    d: &Desired,
    o: &Observed,
    view: &AppView,
    now: Timestamp,
) -> Vec<String> {
    let was_right = o.memory.confirmed.as_deref() == Some(&d.app().revision())
        || o.stands_for(Reason::DisputedInOkta);
    let by_us = view.marker.as_ref().is_some_and(|m| m.stopped) || o.settling(now);
    if !was_right || by_us {
        return Vec::new();
    }
    d.groups.difference(&view.groups).cloned().collect()
}

/// Notes that groups were put back, so that the next time is known to be the
/// second.
pub(super) fn regrouped(_d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let ours = matches!(o.credentials, Slot::Ours(_));
    (o.memory.regrouped && ours).then(|| mark(ANNOTATION_GROUPS_REPAIRED_AT, Some(at.to_string())))
}

fn mark(key: &str, value: Option<String>) -> Next {
    Next::Do(Step::Mark {
        which: Which::Credentials,
        labels: BTreeMap::new(),
        annotations: BTreeMap::from([(key.to_owned(), value)]),
    })
}

/// The token goes first. The words stay as they are for as long as the matter
/// does: after a restart it is not known any more who did it.
fn stopped(d: &Desired, o: &Observed, reason: Reason, deed: &str, to: &str) -> Next {
    if matches!(o.token, Slot::Ours(_)) {
        return Next::Do(Step::Withdraw);
    }
    let said = o.ready.as_ref().filter(|(_, message)| {
        o.stands_for(reason) && message.starts_with(deed) && o.memory.noticed.is_none()
    });
    let message = said.map_or_else(
        || {
            let by = o.memory.noticed.as_ref();
            let by = by.map_or_else(String::new, |n| format!(" by {}", n.actor));
            format!(
                "{deed}{by}, and so no token is issued; {to}: kubectl annotate n4jsa {} -n {} {}=$(date +%s) --overwrite",
                d.account.name,
                d.account.namespace,
                n::ANNOTATION_RESTORE
            )
        },
        |(_, message)| message.clone(),
    );
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

/// Records that a restore was answered, so that the same value does not undo
/// the next instruction.
pub(super) fn restored(d: &Desired, o: &Observed, _now: Timestamp) -> Option<Next> {
    if !restore_pending(d, o) {
        return None;
    }
    let app_id = o.memory.registered.as_ref()?.app_id.clone();
    if o.memory.app == App::Unknown {
        return Some(Next::Do(Step::ReadApp { app_id }));
    }
    Some(mark(n::ANNOTATION_RESTORE, d.restore.clone()))
}
