//! When an account's connections at Neo4j are to end. Pure.
//!
//! That they are is noted before anything else of the same plan is done, so that no
//! crash in between leaves them open. It is noted once; the rounds at the servers
//! are `neo4j::sessions`'.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::desired::{Desired, Wish};
use super::observed::Observed;
use super::schedule::{SETTLING, after};
use super::secret_meta::Slot;
use super::step::{Next, Step};
use crate::neo4j::sessions::{Cause, Ending};

/// A token's lifetime when nobody says it: the longest that Okta issues.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The note that has to come before `next`.
pub(super) fn before(d: &Desired, o: &Observed, next: &Next, now: Timestamp) -> Option<Next> {
    let serves = d.issuer.end_sessions.as_ref()?;
    let own = serves.namespace == d.account.namespace && serves.name == d.account.name;
    let cause = cause(d, o, next)?;
    let noted = match o.memory.ending {
        Some(Cause::Stopped) => true,
        Some(Cause::GroupLost) => cause == Cause::GroupLost,
        None => false,
    };
    if own || noted {
        return None;
    }
    let facts = o.token_facts();
    let of_token = facts.as_ref().map(|f| f.client_id.clone());
    let users: BTreeSet<String> = o.known_client_id().into_iter().chain(of_token).collect();
    if users.is_empty() {
        return None;
    }
    let life = facts.as_ref().map(|f| f.life);
    let lifetime = d.issuer.lifetime.or_else(|| {
        let span = life?.expires_at.duration_since(life?.issued_at);
        Some(span.unsigned_abs())
    });
    // Whoever has the credentials may have got a token just now.
    let last = after(after(now, lifetime.unwrap_or(LONGEST)), SETTLING);
    let ending = Ending {
        issuer: d.issuer.name.clone(),
        users,
        namespace: d.account.namespace.clone(),
        name: d.account.name.clone(),
        uid: d.account.uid.clone(),
        since: now,
        until: life.map_or(last, |life| last.max(life.expires_at)),
        cause,
    };
    Some(Next::Do(Step::EndSessions(Box::new(ending))))
}

fn cause(d: &Desired, o: &Observed, next: &Next) -> Option<Cause> {
    let live = d.wish == Wish::Live;
    let stops = !live
        && matches!(
            next,
            Next::Do(Step::DeactivateApp { .. } | Step::DeleteApp { .. } | Step::Abandon { .. })
        );
    let withdraws = *next == Next::Do(Step::Withdraw);
    // Its app may be out of reach for long.
    let goes = matches!(d.wish, Wish::Deleted { .. }) && matches!(o.token, Slot::Ours(_));
    let lost = o.memory.lost_group_since.is_some();
    if goes || stops || withdraws && !(live && lost) {
        return Some(Cause::Stopped);
    }
    (live && lost).then_some(Cause::GroupLost)
}
