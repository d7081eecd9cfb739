//! An account that shall not live: suspended, or no longer permitted. Its token
//! goes at once, then its groups, then its app is deactivated. Pure.

use k8s_openapi::jiff::Timestamp;

use super::desired::Desired;
use super::locate::{Located, of_account};
use super::memory::App;
use super::observed::Observed;
use super::schedule::{self, PERMISSION_GRACE};
use super::secret_meta::Slot;
use super::step::{Next, Retry, Step};
use super::{blocked, conflict};
use crate::api::conditions::Reason;

/// A permission that is lost is left in place for a minute, against slips of
/// the pen; one that never was is refused at once.
pub(super) fn not_allowed(
    desired: &Desired,
    observed: &Observed,
    why: &str,
    now: Timestamp,
) -> Next {
    if matches!(observed.token, Slot::Ours(_)) {
        let since = observed.memory.denied_since.unwrap_or(now);
        let deadline = schedule::after(since, PERMISSION_GRACE);
        if now < deadline {
            return blocked(
                Reason::NotAllowed,
                format!("{why}; the app is deactivated a minute after the permission was lost"),
                Retry::At(deadline),
            );
        }
    }
    next(desired, observed, Reason::NotAllowed, why.to_owned(), now)
}

pub(super) fn next(
    desired: &Desired,
    observed: &Observed,
    reason: Reason,
    message: String,
    now: Timestamp,
) -> Next {
    let stands = |message: String| blocked(reason, message, Retry::OnChange);
    if matches!(observed.token, Slot::Ours(_)) {
        return Next::Do(Step::Withdraw);
    }
    let never = matches!(
        observed.credentials,
        Slot::Absent | Slot::Foreign | Slot::Predecessor
    ) && observed.memory.registered.is_none()
        && observed.client_id.is_none();
    if never {
        return conflict(desired, observed).unwrap_or_else(|| stands(message));
    }
    // After a restart the status is enough: nothing is asked again.
    let untouched = observed.memory.app == App::Unknown && observed.memory.confirmed.is_none();
    // Unless somebody may have let the app sign in again.
    if untouched
        && !observed.check_due(now)
        && observed.stands_for(reason)
        && observed.observed_generation == desired.generation
        && !matches!(&observed.credentials, Slot::Ours(meta) if meta.annotation(super::secret_meta::ANNOTATION_STAGED).is_some())
    {
        return stands(message);
    }
    let app_id = match of_account(desired, observed) {
        Located::Look(look) => return look,
        Located::Known(app_id) => app_id,
        Located::Nowhere => return stands(message),
        Located::Hidden => {
            return blocked(
                reason,
                "Okta has the client but shows no app for it; trying again",
                Retry::Backoff,
            );
        }
    };
    let view = match &observed.memory.app {
        App::Unknown
            if !observed.check_due(now)
                && observed.memory.confirmed == Some(desired.stopped_app().revision())
                && observed.stands_for(reason) =>
        {
            return stands(message);
        }
        App::Unknown => return Next::Do(Step::ReadApp { app_id }),
        App::Absent => return stands(message),
        App::Present(view) => view,
    };
    if !desired.owns(view.marker.as_ref()) {
        return blocked(
            Reason::NotOurs,
            format!("app {app_id} does not carry this account's marker and is left alone"),
            Retry::OnChange,
        );
    }
    if desired.issuer.allow_list && !observed.memory.left {
        return Next::Do(Step::Leave {
            client_id: view.client_id.clone(),
            dead: false,
        });
    }
    // An app that somebody else disabled stays theirs: writing our mark on it
    // would make resuming undo their instruction.
    let theirs = !view.active && !view.marker.as_ref().is_some_and(|m| m.stopped);
    if theirs {
        return stands(message);
    }
    if !view.is(&desired.app_spec()) {
        return Next::Do(Step::UpdateApp { app_id });
    }
    if view.active {
        return Next::Do(Step::DeactivateApp { app_id });
    }
    stands(message)
}
