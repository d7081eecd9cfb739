//! How urgent an account's next request to Okta is. Pure.

use k8s_openapi::jiff::Timestamp;

use super::desired::{Desired, Wish};
use super::observed::Observed;
use super::secret_meta::Slot;
use super::step::Purpose;

/// Who goes first, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Taking a right away.
    Revocation,
    /// A token that is about to expire.
    Expiring,
    /// A new account.
    New,
    /// A deletion.
    Deletion,
    /// New credentials for an account that has some.
    Rotation,
    /// Looking whether all is as it was.
    Drift,
}

impl Lane {
    /// Whether it may use what is held back for refreshes.
    #[must_use]
    pub const fn may_use_reserve(self) -> bool {
        matches!(self, Self::Revocation | Self::Expiring)
    }
}

/// The lane of an account's next request.
#[must_use]
pub fn lane(desired: &Desired, observed: &Observed, now: Timestamp) -> Lane {
    let rotating = observed
        .content()
        .and_then(|c| c.staged.as_ref())
        .is_some_and(|s| s.purpose != Purpose::Create);
    match desired.wish {
        Wish::Suspended | Wish::NotAllowed(_) => Lane::Revocation,
        Wish::Deleted { .. } => Lane::Deletion,
        Wish::Live if observed.memory.lost_group_since.is_some() => Lane::Revocation,
        Wish::Live if observed.refresh_due(now) => Lane::Expiring,
        // A workload without a token waits for it, whoever took it away.
        Wish::Live if matches!(observed.token, Slot::Absent) => Lane::New,
        Wish::Live if rotating => Lane::Rotation,
        Wish::Live | Wish::NotWatched => Lane::Drift,
    }
}
