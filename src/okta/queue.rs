//! Who waits for a bucket, in the order in which they shall be served. Pure.
//!
//! Lanes go strictly one after the other. Tokens that are due go earliest
//! expiry first; in all other lanes namespaces take turns (start-time fair
//! queueing: a caller's round is fixed when it comes, so a namespace with ten
//! thousand callers holds up none with one).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::budget::Turn;
use crate::plan::lane::Lane;
use crate::plan::schedule::after;

/// A caller that does not come back within this time has lost its place.
const LOST: Duration = Duration::from_secs(120);

/// A place in the queue: lane, then round or expiry, then who came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    lane: Lane,
    rank: i64,
    arrival: u64,
}

impl Place {
    /// Spreads callers evenly over `0.0..1.0` in the order of their arrival
    /// (multiples of the golden ratio).
    pub(super) fn spread(&self) -> f64 {
        (self.arrival as f64 * 0.618_033_988_749_895).fract()
    }
}

#[derive(Debug)]
struct Waiting {
    place: Place,
    /// When it was told to come back.
    at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: HashMap<String, Waiting>,
    order: BTreeMap<Place, String>,
    /// By the instant of coming back.
    due: BTreeSet<(Timestamp, Place)>,
    /// The last round that a namespace had a caller in, while its lane waits.
    last: HashMap<(Lane, String), i64>,
    arrivals: u64,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The caller's place: the one it has, or a new one if there is none or its
    /// matter has become another.
    pub(super) fn place(&mut self, turn: &Turn) -> Place {
        let expiry = turn.expiry().map(Timestamp::as_second);
        if let Some(known) = self.waiting.get(&turn.key)
            && known.place.lane == turn.lane
            && expiry.is_none_or(|expiry| expiry == known.place.rank)
        {
            return known.place;
        }
        self.arrivals += 1;
        Place {
            lane: turn.lane,
            rank: expiry.unwrap_or_else(|| self.next_round(turn)),
            arrival: self.arrivals,
        }
    }

    /// A place before all others of the lane, for a caller that had its turn and
    /// was refused through no fault of its own.
    pub(super) fn front(&mut self, turn: &Turn) -> Place {
        self.arrivals += 1;
        Place {
            lane: turn.lane,
            rank: i64::MIN,
            arrival: self.arrivals,
        }
    }

    fn next_round(&self, turn: &Turn) -> i64 {
        let Some(serving) = self.serving(turn.lane) else {
            return 0;
        };
        self.last
            .get(&(turn.lane, turn.namespace.clone()))
            .map_or(serving, |last| serving.max(last + 1))
    }

    /// The round that is being served in a lane; `None` when nobody waits there.
    fn serving(&self, lane: Lane) -> Option<i64> {
        let first = Place {
            lane,
            rank: i64::MIN,
            arrival: 0,
        };
        let (place, _) = self.order.range(first..).next()?;
        (place.lane == lane).then_some(place.rank.max(0))
    }

    /// How many wait before this place; counted up to `enough`.
    pub(super) fn ahead(&self, place: Place, enough: usize) -> usize {
        // From both ends at once: most callers are near one of them.
        let mut before = self.order.range(..place);
        let mut behind = self.order.range(place..);
        for steps in 0..enough {
            if before.next().is_none() {
                return steps;
            }
            if behind.next().is_none() {
                return self.order.len() - steps;
            }
        }
        enough
    }

    /// How many were told to come before `end` and go before this place;
    /// counted up to `enough`.
    pub(super) fn expected(&self, place: Place, end: Timestamp, enough: usize) -> usize {
        self.due
            .iter()
            .take_while(|(at, _)| *at < end)
            .filter(|(_, other)| *other < place)
            .take(enough)
            .count()
    }

    /// The caller waits and comes back at `at`.
    pub(super) fn wait(&mut self, turn: &Turn, place: Place, at: Timestamp) {
        self.remove(&turn.key);
        if turn.expiry().is_none() {
            let last = self.last.entry((turn.lane, turn.namespace.clone()));
            let last = last.or_insert(place.rank);
            *last = place.rank.max(*last);
        }
        self.order.insert(place, turn.key.clone());
        self.due.insert((at, place));
        self.waiting.insert(turn.key.clone(), Waiting { place, at });
    }

    /// The caller waits no more.
    pub(super) fn remove(&mut self, key: &str) {
        let Some(Waiting { place, at }) = self.waiting.remove(key) else {
            return;
        };
        self.order.remove(&place);
        self.due.remove(&(at, place));
        if self.serving(place.lane).is_none() {
            self.last.retain(|(lane, _), _| *lane != place.lane);
        }
    }

    /// Drops who did not come back.
    pub(super) fn drop_lost(&mut self, now: Timestamp) {
        let lost: Vec<String> = self
            .due
            .iter()
            .take_while(|(at, _)| after(*at, LOST) < now)
            .filter_map(|(_, place)| self.order.get(place).cloned())
            .collect();
        for key in lost {
            self.remove(&key);
        }
    }
}
