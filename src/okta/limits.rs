//! What all connections to one org share, whoever made them: the budget of its
//! rate limits, the number of requests under way, and which requests were ours.
//! Okta counts per org, so two
//! issuers of one org draw on one budget, and what was learnt of it outlives a
//! change of the sign-in. An org is told by scheme, host and port: a custom
//! domain of the same org counts as another one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Semaphore;
use url::{Origin, Url};

use super::budget::Budget;
use crate::api::RateLimit;
use crate::plan::drift::Recent;
use crate::sync::lock;

/// Requests of ours that are under way at once; an Integrator org allows 35.
const CONCURRENT: usize = 12;

/// The limits of one org.
#[derive(Debug)]
pub struct Limits {
    pub(super) budget: Mutex<Budget>,
    pub(super) concurrent: Semaphore,
    /// Requests of ours that changed something, to know them in the System Log,
    /// which one issuer reads for all of the org.
    pub(super) own: Mutex<Recent>,
}

impl Limits {
    fn new(share: RateLimit) -> Self {
        Self {
            budget: Mutex::new(Budget::new(share)),
            concurrent: Semaphore::new(CONCURRENT),
            own: Mutex::default(),
        }
    }
}

/// The limits of all orgs that a connection is open to.
#[derive(Debug, Default)]
pub struct Orgs(Mutex<HashMap<Origin, Weak<Limits>>>);

impl Orgs {
    /// The limits of the org at `url`, of which we take `share` from now on.
    pub fn limits(&self, url: &Url, share: RateLimit) -> Arc<Limits> {
        let mut known = lock(&self.0);
        known.retain(|_, limits| limits.strong_count() > 0);
        let origin = url.origin();
        if let Some(limits) = known.get(&origin).and_then(Weak::upgrade) {
            lock(&limits.budget).set_share(share);
            return limits;
        }
        let limits = Arc::new(Limits::new(share));
        known.insert(origin, Arc::downgrade(&limits));
        limits
    }
}

/// The one share of all issuers of an org: nobody gets more than any of them
/// allows, and refreshes keep the most that any of them reserves.
#[must_use]
pub fn combined(shares: impl IntoIterator<Item = RateLimit>) -> RateLimit {
    shares
        .into_iter()
        .reduce(|a, b| RateLimit {
            share_percent: a.share_percent.min(b.share_percent),
            reserve_for_refresh_percent: a
                .reserve_for_refresh_percent
                .max(b.reserve_for_refresh_percent),
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(share_percent: u8, reserve_for_refresh_percent: u8) -> RateLimit {
        RateLimit {
            share_percent,
            reserve_for_refresh_percent,
        }
    }

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn an_org_has_one_budget_however_its_address_is_written() {
        let orgs = Orgs::default();
        let one = orgs.limits(&url("https://acme.okta.com"), share(50, 30));
        let same = orgs.limits(&url("https://ACME.okta.com:443/"), share(20, 30));
        let other = orgs.limits(&url("https://acme.oktapreview.com"), share(50, 30));
        assert!(Arc::ptr_eq(&one, &same));
        assert!(!Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn the_most_careful_of_the_issuers_wins() {
        assert_eq!(
            combined([share(50, 30), share(20, 0), share(80, 60)]),
            share(20, 60)
        );
        assert_eq!(combined([]), RateLimit::default());
    }
}
