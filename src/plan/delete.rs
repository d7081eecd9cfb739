//! An account under deletion: its app goes, then its finalizer. Pure.
//!
//! Never runs the plan of the living, needs no valid spec, and never touches an
//! app without our marker, whatever the status says.

use super::blocked;
use super::desired::Desired;
use super::locate::{Located, of_account, successor};
use super::memory::App;
use super::observed::Observed;
use super::schedule;
use super::secret_meta::Slot;
use super::step::{Next, Purpose, Retry, Step};
use crate::api::OnDelete;
use crate::api::conditions::Reason;
use k8s_openapi::jiff::Timestamp;

pub(super) fn next(desired: &Desired, observed: &Observed, abandon: bool, now: Timestamp) -> Next {
    if !observed.finalizer {
        return Next::Settled {
            wake: Timestamp::MAX,
        };
    }
    let hidden = !abandon && may_be_hidden(observed, now);
    let app_id = match (&observed.memory.app, of_account(desired, observed)) {
        (_, Located::Nowhere) | (App::Absent, Located::Known(_)) if hidden => {
            return blocked(
                Reason::Deleting,
                "Okta does not show what was created a moment ago; trying again",
                Retry::At(schedule::after(now, schedule::SETTLING_RETRY)),
            );
        }
        (_, Located::Nowhere) => return let_go(desired, observed),
        (App::Absent, Located::Known(_)) if observed.memory.removed || abandon => {
            return let_go(desired, observed);
        }
        (App::Absent, Located::Known(_)) => match successor(desired, observed) {
            Located::Look(look) => return look,
            Located::Known(app_id) => app_id,
            Located::Nowhere | Located::Hidden => return let_go(desired, observed),
        },
        (_, Located::Known(app_id)) => app_id,
        (_, Located::Look(_) | Located::Hidden) if abandon => {
            return let_go(desired, observed);
        }
        (_, Located::Look(look)) => return look,
        (_, Located::Hidden) => {
            return blocked(
                Reason::Deleting,
                "Okta has the client but shows no app for it; trying again",
                Retry::Backoff,
            );
        }
    };
    if abandon {
        return Next::Do(Step::Abandon { app_id });
    }
    let view = match &observed.memory.app {
        App::Present(view) => view,
        App::Unknown | App::Absent => return Next::Do(Step::ReadApp { app_id }),
    };
    if !desired.owns(view.marker.as_ref()) {
        return let_go(desired, observed);
    }
    if desired.issuer.allow_list && !observed.memory.left {
        return Next::Do(Step::Leave {
            client_id: view.client_id.clone(),
            dead: false,
        });
    }
    match (view.active, desired.issuer.on_delete) {
        (true, _) => Next::Do(Step::DeactivateApp { app_id }),
        (false, OnDelete::Delete) => Next::Do(Step::DeleteApp { app_id }),
        (false, OnDelete::Deactivate) => let_go(desired, observed),
    }
}

/// Whether an app that is not to be seen may be there all the same: for a minute
/// after a write of ours Okta may not show it, and credentials that wait for their
/// app's creation may have been sent by a process that is no more.
fn may_be_hidden(observed: &Observed, now: Timestamp) -> bool {
    let staged = observed.content().and_then(|c| c.staged.as_ref());
    let sent = !observed.memory.fresh && staged.is_some_and(|s| s.purpose == Purpose::Create);
    !observed.memory.removed && (observed.settling(now) || sent && !observed.surely_absent(now))
}

/// Nothing is left at Okta: last go credentials that have no owner to go with.
fn let_go(desired: &Desired, observed: &Observed) -> Next {
    let kept = desired.keeps_private() && matches!(observed.credentials, Slot::Ours(_));
    Next::Do(if kept {
        Step::RemoveCredentials
    } else {
        Step::RemoveFinalizer
    })
}

/// An account whose issuer is gone: nothing can be done at Okta.
#[must_use]
pub fn without_issuer(
    observed_finalizer: bool,
    abandon: bool,
    issuer: &str,
    account: &str,
) -> Next {
    if !observed_finalizer {
        return Next::Settled {
            wake: Timestamp::MAX,
        };
    }
    if abandon {
        return Next::Do(Step::RemoveFinalizer);
    }
    blocked(
        Reason::OktaUnreachable,
        format!(
            "OktaIssuer {issuer} is missing or cannot sign in, so the app cannot be removed; repair it, or leave the app behind with: kubectl annotate n4jsa {account} {}=true",
            crate::api::names::ANNOTATION_ABANDON
        ),
        Retry::Backoff,
    )
}

/// Whether an account under deletion is let go of because its issuer has been
/// missing for a day, as long as this process has watched: what is left at Okta
/// is noted then, and a namespace does not hang for ever.
#[must_use]
pub fn released(gone_since: Option<Timestamp>, now: Timestamp) -> bool {
    gone_since.is_some_and(|since| super::schedule::after(since, ISSUER_GONE) <= now)
}

const ISSUER_GONE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
