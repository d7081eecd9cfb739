//! The three durations of a lease, and which of them fit together. Pure.

use std::time::Duration;

/// No replica is told a longer lease, so none waits longer for one.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);
const SHORTEST_RETRY: Duration = Duration::from_millis(100);

/// How long things last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Others take over when they have watched a lease unchanged for this long.
    pub lease: Duration,
    /// A leader that could not renew for this long stops.
    pub deadline: Duration,
    /// How often the lease is renewed, or looked at.
    pub retry: Duration,
}

impl Timing {
    /// What is wrong with these durations, naming the flags.
    ///
    /// # Errors
    /// When two could lead at once, or nobody for long.
    pub fn check(&self, okta_timeout: Duration) -> Result<(), String> {
        let Self {
            lease,
            deadline,
            retry,
        } = *self;
        if retry < SHORTEST_RETRY {
            return Err(format!(
                "--retry-period must be at least {SHORTEST_RETRY:?}"
            ));
        }
        if deadline < retry * 3 {
            return Err(format!(
                "--renew-deadline ({deadline:?}) must be at least three times --retry-period ({retry:?}): one lost renewal must not end the leadership"
            ));
        }
        if lease <= deadline + okta_timeout {
            return Err(format!(
                "--lease-duration ({lease:?}) must be longer than --renew-deadline and --okta-timeout together ({deadline:?} + {okta_timeout:?}): the last request of a leader has to end before another may begin"
            ));
        }
        if lease > LONGEST {
            return Err(format!(
                "--lease-duration ({lease:?}) must be at most {LONGEST:?}: nobody works for so long after a crash"
            ));
        }
        Ok(())
    }

    /// A request about the lease that takes longer is given up and repeated.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        self.deadline / 3
    }
}
