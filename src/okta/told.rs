//! What the rate-limit headers of one answer say. Pure. Okta's times are on
//! Okta's clock; the answer's own Date tells the difference to ours.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::plan::schedule::after;

/// How long to stay away after a concurrency refusal, whose Reset is a guess.
const CONCURRENCY_PAUSE: Duration = Duration::from_secs(2);
/// No window is this long; a Reset further off is a mistake.
const LONGEST: i64 = 600;

/// `X-Rate-Limit-*` and `Date`, as far as they could be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Requests a window.
    pub limit: Option<u32>,
    /// Those that are left in this one, for all of the org.
    pub remaining: Option<u32>,
    /// When the next one begins: epoch seconds on Okta's clock.
    pub reset: Option<i64>,
    /// When the answer was made, on Okta's clock.
    pub date: Option<Timestamp>,
}

impl Told {
    /// A limit of 0 belongs to a refusal of one request too many at a time
    /// (Okta, "Concurrency rate limits") and says nothing about the window.
    #[must_use]
    pub fn is_of_concurrency(&self) -> bool {
        self.limit == Some(0)
    }

    /// When the window ends, on our clock: never too early, because both of
    /// Okta's times are cut to whole seconds.
    #[must_use]
    pub fn resets_at(&self, now: Timestamp) -> Option<Timestamp> {
        let base = self.date.unwrap_or(now).as_second();
        let pause = self.reset?.saturating_sub(base).clamp(0, LONGEST);
        Some(after(
            now,
            Duration::from_secs(pause.unsigned_abs().saturating_add(1)),
        ))
    }

    /// When to come back after a 429 with these headers.
    #[must_use]
    pub fn come_back(&self, now: Timestamp) -> Timestamp {
        let pause = after(now, CONCURRENCY_PAUSE);
        if self.is_of_concurrency() {
            return pause;
        }
        self.resets_at(now).unwrap_or(pause)
    }
}
