//! Who may lead: decided from what was read of the lease, what came of our own
//! writes to it, and our own clocks. Pure: no I/O, no clock.
//!
//! Two rules keep two replicas from leading at once. A leader counts from the
//! moment at which it *began* its last good renewal, and counts the most that
//! may have passed. Everybody else counts from the moment at which they had
//! *finished* reading a version of the lease, and only what has surely passed,
//! for the whole lease; what the lease says about times is never believed, as it
//! was written by another clock. Each write replaces exactly the version that it
//! was decided on.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::elapsed::Elapsed;
use super::timing::{LONGEST, Timing};

/// Holder of a lease that was put in the place of a deleted one.
pub const UNKNOWN: &str = "unknown";

/// What matters of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; empty when nobody does.
    pub holder: String,
    /// Its `resourceVersion`.
    pub version: String,
    /// For how long its holder was told to hold it.
    pub lease: Duration,
    /// How often it changed hands.
    pub transitions: i32,
    /// Since when its holder has it, by the holder's clock. For people.
    pub acquired_at: Option<Timestamp>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Read the lease.
    Read,
    /// Take it, or renew it.
    Write(Claim),
    /// Put a lease of [`UNKNOWN`] where one was deleted, so that there is a
    /// version to be watched: whoever leads may not know yet.
    Restore,
    /// Nothing for so long.
    Wait(Duration),
    /// Have no more effects, ever.
    StandDown(Loss),
}

/// A lease to be written in our name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The version that it replaces; none when there is to be none yet.
    pub over: Option<String>,
    /// How often it will have changed hands.
    pub transitions: i32,
    /// Kept while the holder stays the same; none means now.
    pub acquired_at: Option<Timestamp>,
}

/// Why this replica leads no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It could not renew in time.
    Expired,
    /// Somebody else holds the lease, or nobody.
    Taken(String),
}

/// What the lease looks like, as far as we know.
#[derive(Clone, Debug, PartialEq, Eq)]
enum View {
    /// Not read yet, or a write of ours may have changed it.
    Unknown,
    Absent,
    Present(Record),
}

/// One replica and what it knows.
#[derive(Clone, Debug)]
pub struct Candidate {
    identity: String,
    timing: Timing,
    view: View,
    /// The version read last, and since when we know it.
    watched: Option<(String, Duration)>,
    /// A lease was seen, so one that is missing was deleted under somebody.
    existed: bool,
    /// When the last good renewal began, while we lead.
    held: Option<Duration>,
    not_before: Duration,
}

impl Candidate {
    /// A replica that knows nothing yet. No two may have the same identity, not
    /// even one after the other.
    #[must_use]
    pub fn new(identity: String, timing: Timing) -> Self {
        Self {
            identity,
            timing,
            view: View::Unknown,
            watched: None,
            existed: false,
            held: None,
            not_before: Duration::ZERO,
        }
    }

    /// Our name in the lease.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The durations we go by.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Until when we lead, by the most that may have passed.
    #[must_use]
    pub fn leads_until(&self) -> Option<Duration> {
        self.held.map(|began| began + self.timing.deadline)
    }

    /// What to do now.
    #[must_use]
    pub fn next(&self, now: Elapsed) -> Act {
        if let Some(until) = self.leads_until() {
            if now.at_most >= until {
                return Act::StandDown(Loss::Expired);
            }
            if let View::Present(record) = &self.view
                && record.holder != self.identity
            {
                return Act::StandDown(Loss::Taken(record.holder.clone()));
            }
        }
        if now.at_least < self.not_before {
            return Act::Wait(self.not_before - now.at_least);
        }
        match &self.view {
            View::Absent if self.existed && self.held.is_none() => Act::Restore,
            View::Absent => Act::Write(Claim {
                over: None,
                transitions: 0,
                acquired_at: None,
            }),
            View::Present(record) if record.holder == self.identity => Act::Write(Claim {
                over: Some(record.version.clone()),
                transitions: record.transitions,
                acquired_at: record.acquired_at,
            }),
            View::Present(record)
                if record.holder.is_empty() || self.expired(record.lease, now) =>
            {
                Act::Write(Claim {
                    over: Some(record.version.clone()),
                    transitions: record.transitions.saturating_add(1),
                    acquired_at: None,
                })
            }
            View::Unknown | View::Present(_) => Act::Read,
        }
    }

    /// Whether what was read last has stood unchanged for as long as its holder
    /// was told, and as we are told.
    fn expired(&self, told: Duration, now: Elapsed) -> bool {
        let wait = self.timing.lease.max(told.min(LONGEST));
        self.watched
            .as_ref()
            .is_some_and(|(_, since)| now.at_least.saturating_sub(*since) > wait)
    }

    /// The lease was read; the answer is here `now`.
    pub fn read(&mut self, found: Option<Record>, now: Elapsed) {
        let version = found.as_ref().map(|record| &record.version);
        if self.watched.as_ref().map(|(last, _)| last) != version {
            self.watched = version.map(|version| (version.clone(), now.at_least));
        }
        self.existed |= found.is_some();
        self.view = found.map_or(View::Absent, View::Present);
        self.not_before = now.at_least;
        if matches!(self.next(now), Act::Read) {
            self.not_before = now.at_least + self.timing.retry;
        }
    }

    /// Our claim was written, as `record`. It was begun at `began`; the answer is
    /// here `now`.
    pub fn wrote(&mut self, record: Record, began: Elapsed, now: Elapsed) {
        self.watched = Some((record.version.clone(), now.at_least));
        self.existed = true;
        self.view = View::Present(record);
        self.not_before = began.at_least + self.timing.retry;
        let late = |since: Duration| now.at_most >= since + self.timing.deadline;
        match self.held {
            // Between the deadline and this answer nothing was allowed, and what
            // was under way has been dropped: there is no way back.
            Some(since) if late(since) => {}
            _ if late(began.at_most) => self.not_before = now.at_least,
            _ => self.held = Some(began.at_most),
        }
    }

    /// The version was not the newest any more.
    pub fn refused(&mut self, now: Elapsed) {
        self.view = View::Unknown;
        self.not_before = now.at_least;
    }

    /// No answer, or none that says anything. What was written may have arrived.
    pub fn failed(&mut self, now: Elapsed) {
        self.view = View::Unknown;
        self.not_before = now.at_least + self.timing.retry;
    }

    /// Gives the leadership up, and names the version to be replaced by a lease
    /// of nobody; none when that is not known, and the lease expires by itself.
    pub fn resign(&mut self) -> Option<String> {
        self.held.take()?;
        match std::mem::replace(&mut self.view, View::Unknown) {
            View::Present(record) if record.holder == self.identity => Some(record.version),
            View::Unknown | View::Absent | View::Present(_) => None,
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
