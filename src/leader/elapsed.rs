//! How much time has passed, as far as one machine can tell. Pure: it is told
//! what both clocks show.
//!
//! Linux' monotonic clock stands still while the machine is suspended, and the
//! wall clock can be set. So there are two answers: the monotonic clock for what
//! has surely passed, and the larger of the two, step by step, for what may have
//! passed. Whoever holds something asks for the latter and whoever waits for it
//! to expire for the former; then no error of a clock makes two holders. The one
//! that nobody can see with these clocks is a wall clock that is set back while
//! the machine is suspended, between two looks.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// Time since this process began to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elapsed {
    /// This much has surely passed.
    pub at_least: Duration,
    /// No more than this has passed.
    pub at_most: Duration,
}

/// Adds up what both clocks show from look to look. The sum, and not the two
/// ends alone: a clock that was set back would hide a later suspension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    monotonic: Duration,
    wall: Timestamp,
    elapsed: Elapsed,
}

impl Meter {
    /// Begins to count. `monotonic` has any origin.
    pub(super) fn new(monotonic: Duration, wall: Timestamp) -> Self {
        Self {
            monotonic,
            wall,
            elapsed: Elapsed::default(),
        }
    }

    /// What both clocks show now.
    pub(super) fn read(&mut self, monotonic: Duration, wall: Timestamp) -> Elapsed {
        let step = monotonic.saturating_sub(self.monotonic);
        let wall_step = Duration::try_from(wall.duration_since(self.wall)).unwrap_or_default();
        self.elapsed.at_least += step;
        self.elapsed.at_most += step.max(wall_step);
        (self.monotonic, self.wall) = (monotonic, wall);
        self.elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + n).expect("in range")
    }

    /// Seconds on the monotonic clock and the wall clock, and what has passed.
    fn passed(readings: &[(u64, i64)]) -> (u64, u64) {
        let mut meter = Meter::new(Duration::ZERO, second(0));
        let mut last = Elapsed::default();
        for (monotonic, wall) in readings {
            last = meter.read(Duration::from_secs(*monotonic), second(*wall));
        }
        (last.at_least.as_secs(), last.at_most.as_secs())
    }

    #[test]
    fn no_suspension_and_no_jump_hides_time_from_who_holds_or_adds_it_for_who_waits() {
        assert_eq!(passed(&[(5, 5), (10, 10)]), (10, 10), "clocks that agree");
        assert_eq!(
            passed(&[(5, 5), (6, 3606)]),
            (6, 3606),
            "suspended, or set ahead"
        );
        assert_eq!(passed(&[(5, 5), (10, -3590)]), (10, 10), "set back");
        assert_eq!(
            passed(&[(5, -3595), (6, -3295)]),
            (6, 305),
            "set back, then suspended for five minutes"
        );
        assert_eq!(
            passed(&[(5, 3605), (10, 10)]),
            (10, 3610),
            "set ahead, then set right"
        );
    }
}
