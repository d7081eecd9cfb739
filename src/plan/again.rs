//! When an account is looked at again after a reconcile. Pure; the failures in a
//! row are counted by the caller.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::observed::Observed;
use super::schedule::{self, SAFETY_NET};
use super::step::Retry;

/// How soon to observe again what somebody else has just changed.
pub const STALE: Duration = Duration::from_millis(200);

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing to do before this instant.
    Settled(Timestamp),
    /// Nothing can be done.
    Blocked(Retry),
    /// A step was put off until this instant, by Okta or by our own budget.
    PutOff(Timestamp),
    /// A step failed.
    Failed,
    /// What was planned on has changed.
    OutOfDate,
}

/// The next look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// When.
    pub at: Timestamp,
    /// Failures in a row, this one included.
    pub failures: u32,
}

/// When to look again after `end`, with so many `failures` before it. Whatever
/// else holds an account up, it is looked at when its token is due.
#[must_use]
pub fn again(end: End, failures: u32, uid: &str, observed: &Observed, now: Timestamp) -> Again {
    let one_more = failures.saturating_add(1);
    let expires_at = observed.token_facts().map(|t| t.life.expires_at);
    let backoff = || schedule::retry_at(now, one_more, uid, expires_at);
    let (at, failures) = match end {
        End::Settled(wake) => (wake, 0),
        End::Blocked(Retry::At(at)) | End::PutOff(at) => (at, failures),
        End::Blocked(Retry::Backoff) | End::Failed => (backoff(), one_more),
        End::Blocked(Retry::OnChange) => (schedule::after(now, SAFETY_NET), 0),
        End::OutOfDate => {
            let pause = schedule::retry_at(now, one_more, uid, None);
            let at = pause.max(schedule::after(now, STALE));
            return Again {
                at,
                failures: one_more,
            };
        }
    };
    let horizon = super::horizon(observed, now).unwrap_or(Timestamp::MAX);
    Again {
        at: at.min(horizon).max(now),
        failures,
    }
}
