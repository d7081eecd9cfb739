//! The planner: from what is desired and what is observed, the one next effect.
//!
//! Everything here is pure: no I/O, no clock, no randomness, no client. The
//! shell in `controller/` loops `next` → carry out → `absorb`; since each step
//! is one effect, a crash between any two of them resumes by itself.

mod absorb;
pub mod again;
pub mod allow;
pub mod app;
pub mod check;
mod condition_list;
mod delete;
pub mod desired;
pub mod drift;
pub mod effect;
mod ending;
pub mod facts;
#[cfg(fuzzing)]
pub mod fuzz;
pub mod identity;
mod instructed;
pub mod issuer;
pub mod issuer_news;
pub mod issuer_status;
pub mod lane;
mod live;
mod locate;
pub mod memory;
pub mod observed;
pub mod orphans;
pub mod packed;
pub mod policy;
pub mod policy_name;
pub mod precedence;
mod register;
pub mod rotation;
pub mod schedule;
pub mod secret_meta;
pub mod status;
pub mod step;
mod stop;
pub mod stranded;
pub mod surroundings;
mod token;
mod unnamed;
pub mod verification;

use k8s_openapi::jiff::Timestamp;

pub use delete::{released, without_issuer};
pub use desired::{Desired, Wish};
pub use live::horizon;
pub use observed::Observed;
pub use step::{Blocked, Effect, Next, Retry, Step};

use crate::api::conditions::Reason;
use secret_meta::Slot;

/// The one next effect for an account, or why there is none.
#[must_use]
pub fn next(desired: &Desired, observed: &Observed, now: Timestamp) -> Next {
    let next = by_wish(desired, observed, now);
    ending::before(desired, observed, &next, now).unwrap_or(next)
}

fn by_wish(desired: &Desired, observed: &Observed, now: Timestamp) -> Next {
    match &desired.wish {
        Wish::Deleted { abandon } => delete::next(desired, observed, *abandon, now),
        Wish::Live => live::next(desired, observed, now),
        Wish::Suspended => stop::next(
            desired,
            observed,
            Reason::Suspended,
            "spec.suspended is true; set it to false to resume".to_owned(),
            now,
        ),
        Wish::NotWatched => blocked(
            Reason::NamespaceNotWatched,
            format!(
                "the operator serves only the namespaces of its flag --watch-namespaces (chart value watchNamespaces), and {} is not among them; nothing is changed until it is",
                desired.account.namespace
            ),
            Retry::OnChange,
        ),
        Wish::NotAllowed(why) => stop::not_allowed(desired, observed, why, now),
    }
}

/// What people should hear of a step that is about to be carried out.
#[must_use]
pub fn notable(desired: &Desired, observed: &Observed, step: &Step) -> Option<(Reason, String)> {
    use memory::App;
    match (step, &observed.memory.app) {
        (Step::Stage(staged), App::Present(view)) if !desired.owns(view.marker.as_ref()) => Some((
            Reason::ClientIdTaken,
            format!(
                "Client id {} is taken at Okta by app {}, which is not this account's and is left alone; {} is tried instead",
                view.client_id, view.id, staged.client_id
            ),
        )),
        (Step::Abandon { app_id }, _) => Some((
            Reason::Abandoned,
            format!(
                "App {app_id} is left behind at Okta, as the annotation asked; remove it there"
            ),
        )),
        _ => None,
    }
}

/// The app that stays at Okta when an account is let go of as the abandon
/// annotation asks, if one is known.
#[must_use]
pub fn left_behind(desired: &Desired, observed: &Observed) -> Option<String> {
    let Wish::Deleted { abandon: true } = desired.wish else {
        return None;
    };
    observed
        .memory
        .registered
        .as_ref()
        .map(|r| r.app_id.clone())
}

fn blocked(reason: Reason, message: impl Into<String>, retry: Retry) -> Next {
    Next::Blocked(Blocked {
        reason,
        message: message.into(),
        retry,
    })
}

/// Okta may still be catching up with a write of ours: look again soon.
fn settling(now: Timestamp, what: &str) -> Next {
    blocked(
        Reason::Settling,
        format!("{what}; Okta may take up to a minute to show a change everywhere"),
        Retry::At(schedule::after(now, schedule::SETTLING_RETRY)),
    )
}

/// A Secret under our name that we must not write.
fn conflict(desired: &Desired, observed: &Observed) -> Option<Next> {
    for (slot, spec) in [
        (&observed.credentials, &desired.credentials),
        (&observed.token, &desired.token),
    ] {
        match slot {
            Slot::Foreign => {
                return Some(blocked(
                    Reason::SecretConflict,
                    format!(
                        "Secret {} exists and is not this account's; delete it, or create the account anew with another name in spec.credentialsSecret.name or spec.tokenSecret.name",
                        spec.name
                    ),
                    Retry::Backoff,
                ));
            }
            Slot::Predecessor => {
                return Some(blocked(
                    Reason::WaitingForGarbageCollection,
                    format!(
                        "Secret {} is of a deleted account of this name and about to be collected",
                        spec.name
                    ),
                    Retry::Backoff,
                ));
            }
            Slot::Ours(meta) if meta.deleting => {
                return Some(blocked(
                    Reason::WaitingForGarbageCollection,
                    format!(
                        "Secret {} is being deleted; something else holds it by a finalizer",
                        spec.name
                    ),
                    Retry::Backoff,
                ));
            }
            Slot::Absent | Slot::Ours(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
