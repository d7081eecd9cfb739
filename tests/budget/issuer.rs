//! The issuer's part: it looks at its authorization server, and writes who waits
//! into the access policies, in batches. As `controller::server` asks: every ten
//! minutes the server, scopes, claims, policies, and the rules of each policy, in
//! between the policies alone; then a GET and a PUT for each policy that changes,
//! a POST and its rule's POST for a new one.

use std::collections::BTreeSet;

use neo4j_okta_operator::okta::budget::Turn;
use neo4j_okta_operator::plan::lane::Lane;

/// `maxClientsPerPolicy`.
const SHARD: usize = 500;
/// How often everything is looked at.
const WHOLE: u64 = 600_000;

#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) turn: Turn,
    listed: BTreeSet<usize>,
    waiting: BTreeSet<usize>,
    /// Requests that are left of the look, and what it will have written.
    look: Option<(usize, Option<Vec<usize>>)>,
    /// When the next look has to be a whole one.
    whole_until: Option<u64>,
    /// This one is.
    whole: bool,
    /// Asked for while a look was under way.
    pub(crate) again: bool,
    pub(crate) timer: Option<u64>,
}

impl Issuer {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            turn: Turn::of_operator(Lane::New, format!("issuer-{index}")),
            listed: BTreeSet::new(),
            waiting: BTreeSet::new(),
            look: None,
            whole_until: None,
            whole: false,
            again: false,
            timer: None,
        }
    }

    pub(crate) fn list(&mut self, account: usize) {
        self.listed.insert(account);
    }

    pub(crate) fn leave(&mut self, account: usize) {
        self.listed.remove(&account);
        self.waiting.remove(&account);
    }

    /// Whether the policy lists the account; if not, it waits from now on.
    pub(crate) fn ask(&mut self, account: usize) -> bool {
        let listed = self.listed.contains(&account);
        if !listed {
            self.waiting.insert(account);
        }
        listed
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.look.is_some()
    }

    /// Begins a look; the requests are asked for one by one.
    pub(crate) fn begin(&mut self, now: u64) {
        let shards = self.listed.len().div_ceil(SHARD);
        let partial = self.whole_until.is_some_and(|until| now < until);
        if !partial {
            self.whole_until = Some(now + WHOLE);
        }
        self.whole = !partial;
        self.look = Some((if partial { 1 } else { 4 + shards }, None));
    }

    /// A request was put off: the look is over.
    pub(crate) fn give_up(&mut self) {
        self.look = None;
        if self.whole {
            self.whole_until = None;
        }
    }

    /// A request was answered. True when the look is over.
    pub(crate) fn answered(&mut self) -> bool {
        let Some((left, batch)) = &mut self.look else {
            return true;
        };
        *left -= 1;
        if *left > 0 {
            return false;
        }
        if batch.is_none() && !self.waiting.is_empty() {
            let full = self.listed.len().div_ceil(SHARD);
            let after = (self.listed.len() + self.waiting.len()).div_ceil(SHARD);
            let changed = usize::from(!self.listed.len().is_multiple_of(SHARD));
            *left = 2 * (changed + after - full);
            *batch = Some(self.waiting.iter().copied().collect());
            return false;
        }
        for account in batch.take().into_iter().flatten() {
            if self.waiting.remove(&account) {
                self.listed.insert(account);
            }
        }
        self.look = None;
        true
    }
}
