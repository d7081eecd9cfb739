//! The right to have effects, as the fence sees it: it ends by itself, on our
//! own clocks, whether or not anybody runs who would notice. Needs the clock.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::elapsed::{Elapsed, Meter};
use crate::clock::Clock;
use crate::sync::lock;

/// Since when, until when, and on which clocks.
#[derive(Debug)]
pub(super) struct Tenure {
    clock: Clock,
    start: Instant,
    meter: Mutex<Meter>,
    until: Mutex<Until>,
}

#[derive(Debug, PartialEq, Eq)]
enum Until {
    NotYet,
    Then(Duration),
    /// Once over it does not begin again.
    Over,
}

impl Tenure {
    pub(super) fn new(clock: Clock) -> Self {
        let start = clock.stopwatch();
        let meter = Mutex::new(Meter::new(Duration::ZERO, clock.now()));
        Self {
            clock,
            start,
            meter,
            until: Mutex::new(Until::NotYet),
        }
    }

    /// Reads both clocks.
    pub(super) fn now(&self) -> Elapsed {
        let mut meter = lock(&self.meter);
        meter.read(self.start.elapsed(), self.clock.now())
    }

    pub(super) fn is_open(&self) -> bool {
        let now = self.now();
        let mut until = lock(&self.until);
        if matches!(*until, Until::Then(end) if now.at_most >= end) {
            *until = Until::Over;
        }
        matches!(*until, Until::Then(_))
    }

    /// Begins, or goes on until `end`.
    pub(super) fn extend(&self, end: Duration) {
        let mut until = lock(&self.until);
        if *until != Until::Over {
            *until = Until::Then(end);
        }
    }

    pub(super) fn end(&self) {
        *lock(&self.until) = Until::Over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_the_clock_is_set_ahead_and_does_not_begin_again() {
        let clock = Clock::system();
        let tenure = Tenure::new(clock.clone());
        assert!(!tenure.is_open(), "nothing was acquired yet");
        let hour = Duration::from_secs(3600);
        tenure.extend(tenure.now().at_most + hour);
        assert!(tenure.is_open());
        clock.turn_back(2 * hour);
        assert!(tenure.is_open(), "set back");
        clock.advance(hour);
        assert!(!tenure.is_open(), "ahead, though still before the start");
        clock.turn_back(hour);
        tenure.extend(tenure.now().at_most + hour);
        assert!(!tenure.is_open(), "there is no way back");
    }
}
