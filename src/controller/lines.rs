//! How many accounts are worked on at once. What an account is in the middle of
//! takes memory, and Okta takes a dozen requests at a time: ten thousand that
//! begin together would get no further, and hold up whoever comes after them. So
//! each issuer's accounts stand in line, with places of its own for each
//! [`Lane`]: a revocation never stands behind registrations, nor a new account
//! behind the renewals of all others.
//!
//! Standing in line is no reconcile that is under way: it ends, and the account is
//! woken when there is a place. Whatever happens to it meanwhile is seen at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::mpsc;

use crate::api::Neo4jServiceAccount;
use crate::plan::lane::Lane;
use crate::sync::lock;

/// Places of a lane: enough to have a dozen requests under way at Okta while others
/// write their Secrets.
const PLACES: usize = 32;
/// Whoever was not woken for so long looks by itself.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The lines of all issuers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    issuers: Mutex<HashMap<String, BTreeMap<Lane, Line>>>,
    wake: Mutex<Option<mpsc::UnboundedSender<Arc<Neo4jServiceAccount>>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    issuer: String,
    lane: Lane,
}

impl Lines {
    /// The accounts whose turn has come, as it comes.
    pub(super) fn woken(&self) -> mpsc::UnboundedReceiver<Arc<Neo4jServiceAccount>> {
        let (sender, receiver) = mpsc::unbounded();
        *lock(&self.0.wake) = Some(sender);
        receiver
    }

    /// A place for the account; `None` when it has to wait, and is woken.
    pub(super) fn enter(
        &self,
        issuer: &str,
        lane: Lane,
        account: &Arc<Neo4jServiceAccount>,
    ) -> Option<Place> {
        let uid = account.metadata.uid.as_deref().unwrap_or_default();
        let mut issuers = lock(&self.0.issuers);
        let lanes = issuers.entry(issuer.to_owned()).or_default();
        for (other, line) in lanes.iter_mut() {
            if *other != lane {
                line.forget(uid);
            }
        }
        // A registration takes several looks: it is brought to its end before many
        // others begin, or none would have a token until almost all have one.
        let line = lanes.entry(lane);
        let line = line.or_insert_with(|| Line::new(lane == Lane::New));
        let entered = line.enter(uid, account);
        let called = line.call();
        drop(issuers);
        self.0.wake(called);
        entered.then(|| Place {
            shared: self.0.clone(),
            issuer: issuer.to_owned(),
            lane,
        })
    }

    /// The account is gone.
    pub(super) fn forget(&self, uid: &str) {
        let mut issuers = lock(&self.0.issuers);
        let lines = issuers.values_mut().flat_map(BTreeMap::values_mut);
        lines.for_each(|line| line.forget(uid));
    }
}

impl Shared {
    fn wake(&self, called: Vec<Arc<Neo4jServiceAccount>>) {
        if let Some(wake) = &*lock(&self.wake) {
            for account in called {
                // Fails only when the operator is stopping.
                let _ = wake.unbounded_send(account);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut issuers = lock(&self.shared.issuers);
        let lanes = issuers.get_mut(&self.issuer);
        let line = lanes.and_then(|lanes| lanes.get_mut(&self.lane));
        let called = line.map(Line::leave).unwrap_or_default();
        drop(issuers);
        self.shared.wake(called);
    }
}

/// One lane of an issuer.
#[derive(Debug)]
struct Line<T = Arc<Neo4jServiceAccount>> {
    free: usize,
    /// In the order of their arrival.
    waiting: BTreeMap<u64, T>,
    /// Of those that wait, of those that were called and did not come yet, and of
    /// those that go on before others begin.
    numbers: HashMap<String, u64>,
    arrivals: u64,
    /// Whoever had a place keeps its number until it comes in another lane.
    goes_on: bool,
}

impl<T: Clone> Line<T> {
    fn new(goes_on: bool) -> Self {
        Self {
            free: PLACES,
            waiting: BTreeMap::new(),
            numbers: HashMap::new(),
            arrivals: 0,
            goes_on,
        }
    }

    /// Whether there is a place; if not, it waits. Who comes for the first time does
    /// not overtake who waits.
    fn enter(&mut self, uid: &str, who: &T) -> bool {
        let known = self.numbers.get(uid).copied();
        let enters = self.free > 0 && (known.is_some() || self.waiting.is_empty());
        if enters && !self.goes_on {
            self.forget(uid);
        } else {
            let number = known.unwrap_or_else(|| {
                self.arrivals += 1;
                self.arrivals
            });
            self.numbers.insert(uid.to_owned(), number);
            if enters {
                self.waiting.remove(&number);
            } else {
                self.waiting.insert(number, who.clone());
            }
        }
        self.free -= usize::from(enters);
        enters
    }

    /// A place becomes free: who is called.
    fn leave(&mut self) -> Vec<T> {
        self.free += 1;
        let called = self.call();
        if self.free == PLACES && self.waiting.is_empty() {
            // Whoever was called and is no more.
            self.numbers = HashMap::new();
        }
        called
    }

    /// Calls as many as there are places. One that does not come costs the others
    /// nothing, and one that comes too late keeps its number.
    fn call(&mut self) -> Vec<T> {
        let mut called = Vec::new();
        while called.len() < self.free
            && let Some((_, who)) = self.waiting.pop_first()
        {
            called.push(who);
        }
        called
    }

    fn forget(&mut self, uid: &str) {
        if let Some(number) = self.numbers.remove(uid) {
            self.waiting.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line with all places taken.
    fn full(goes_on: bool) -> Line<&'static str> {
        Line {
            free: 0,
            ..Line::new(goes_on)
        }
    }

    #[test]
    fn nobody_overtakes_and_who_comes_late_keeps_its_number() {
        let mut line = full(false);
        assert!(!line.enter("a", &"a") && !line.enter("b", &"b") && !line.enter("c", &"c"));
        // Asking again is no new arrival.
        assert!(!line.enter("a", &"a"));
        assert_eq!(line.leave(), ["a"]);
        assert!(!line.enter("d", &"d"), "others wait");
        assert!(line.enter("a", &"a"));
        assert_eq!(line.leave(), ["b"]);
        // c looks by itself, and takes the place that b was called to.
        assert!(line.enter("c", &"c"));
        assert!(!line.enter("b", &"b"));
        assert_eq!(line.leave(), ["b"], "before d");
        assert!(line.enter("b", &"b"));
        assert_eq!(line.leave(), ["d"]);
    }

    #[test]
    fn one_that_is_gone_holds_up_nobody() {
        let mut line = full(false);
        assert!(!line.enter("a", &"a") && !line.enter("b", &"b") && !line.enter("c", &"c"));
        line.forget("b");
        assert_eq!(line.leave(), ["a"]);
        // a does not come; with the next place c is called, who takes either.
        assert_eq!(line.leave(), ["c"]);
        assert!(line.enter("c", &"c"));
        assert!(line.enter("d", &"d"), "a place is free, and nobody waits");
        // And somebody who has to wait although there is a place calls the first.
        let mut line = full(false);
        assert!(!line.enter("a", &"a") && !line.enter("b", &"b"));
        assert_eq!(line.leave(), ["a"]);
        assert!(!line.enter("c", &"c"));
        assert_eq!(line.call(), ["b"]);
    }

    #[test]
    fn what_was_begun_goes_on_before_others_begin() {
        for goes_on in [true, false] {
            let mut line = full(goes_on);
            assert!(!line.enter("a", &"a") && !line.enter("b", &"b") && !line.enter("c", &"c"));
            assert_eq!(line.leave(), ["a"]);
            assert!(line.enter("a", &"a"));
            // It looks again while others wait.
            assert!(!line.enter("a", &"a"));
            assert_eq!(line.leave(), [if goes_on { "a" } else { "b" }]);
        }
    }

    #[test]
    fn what_is_known_of_a_line_ends_with_it() {
        let mut line = full(false);
        assert!(!line.enter("a", &"a"));
        (0..PLACES).for_each(|_| drop(line.leave()));
        assert!(line.numbers.is_empty() && line.waiting.is_empty());
        assert!(line.enter("a", &"a"));
    }

    #[test]
    fn each_lane_of_each_issuer_has_places_of_its_own() {
        let lines = Lines::default();
        let mut woken = lines.woken();
        let account = |name: &str| {
            let spec =
                serde_json::json!({ "groups": ["neo4j_reader"], "issuerRef": { "name": "corp" } });
            let spec = serde_json::from_value(spec).unwrap();
            let mut account = Neo4jServiceAccount::new(name, spec);
            account.metadata.uid = Some(name.to_owned());
            Arc::new(account)
        };
        let taken: Vec<_> = (0..PLACES)
            .map(|n| lines.enter("corp", Lane::New, &account(&n.to_string())))
            .collect();
        assert!(taken.iter().all(Option::is_some));
        let late = account("late");
        assert!(lines.enter("corp", Lane::New, &late).is_none());
        assert!(lines.enter("other", Lane::New, &late).is_some());
        assert!(woken.try_recv().is_err(), "nobody is called");
        drop(taken);
        assert_eq!(
            woken.try_recv().unwrap().metadata.uid.as_deref(),
            Some("late")
        );
        // What was taken and left for another lane is no turn that is waited for.
        assert!(lines.enter("corp", Lane::Revocation, &late).is_some());
        let issuers = lock(&lines.0.issuers);
        assert!(issuers["corp"][&Lane::New].numbers.is_empty());
    }
}
