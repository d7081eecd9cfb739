//! One bucket's current window: what Okta allows, what we sent, what others
//! left. Pure.
//!
//! A request counts in the window in which it reaches Okta, and only its answer
//! tells which that was. So whatever is under way when a window ends counts in
//! the next one as well: too few is better than a 429.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::told::Told;
use crate::api::RateLimit;
use crate::plan::lane::Lane;
use crate::plan::schedule::{after, until};

/// How long Okta's windows are.
pub(super) const LENGTH: Duration = Duration::from_secs(60);
/// Ends that are further apart than this belong to different windows.
const APART: Duration = Duration::from_secs(30);
/// What Okta said about when windows end is trusted for so long.
const TRUSTED: Duration = Duration::from_secs(600);
/// In the last moments of a window nothing is held back: whoever is urgent then
/// waits no longer than this.
const OPEN_END: Duration = Duration::from_secs(5);

/// What came of [`Window::roll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rolled {
    /// It is the same window.
    No,
    /// It is a later one.
    On,
    /// The clock was ahead and was set right: no instant holds any more.
    Back,
}

/// How long a request may be on its way to Okta.
const ON_THE_WAY: Duration = Duration::from_millis(500);
/// What others send is taken for evenly spread over no less than this: a burst
/// of theirs does not go on.
const TREND: Duration = Duration::from_secs(15);
/// A guess about others holds no longer than this: without an answer now and
/// then nothing better would be learnt.
const GUESS: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(super) struct Window {
    pub(super) limit: u32,
    pub(super) ends: Timestamp,
    /// Nothing is sent before.
    pub(super) closed_until: Timestamp,
    /// What we sent in it.
    used: u32,
    /// What we sent and have no answer to.
    under_way: u32,
    /// What Okta says is left, less what we sent since.
    left: Option<u32>,
    /// What others have sent in this window, when Okta told last.
    others: u32,
    /// The most that others sent in one of the last windows that were told of.
    habit: Option<u32>,
    told_at: Option<Timestamp>,
}

impl Window {
    pub(super) fn new(limit: u32, now: Timestamp) -> Self {
        Self {
            limit,
            ends: after(now, LENGTH),
            closed_until: Timestamp::MIN,
            used: 0,
            under_way: 0,
            left: None,
            others: 0,
            habit: None,
            told_at: None,
        }
    }

    /// Whether Okta has told the limit.
    pub(super) fn is_known(&self) -> bool {
        self.told_at.is_some()
    }

    /// Our part of it.
    pub(super) fn ours(&self, share: RateLimit) -> u32 {
        percent(self.limit, share.share_percent).max(1)
    }

    /// What is left.
    pub(super) fn remaining(&self) -> u32 {
        self.left.unwrap_or(self.limit)
    }

    /// Goes on to the window of `now`.
    pub(super) fn roll(&mut self, now: Timestamp) -> Rolled {
        if self.ends > after(now, LENGTH * 3) {
            self.closed_until = Timestamp::MIN;
            self.told_at = None;
            self.begin(after(now, LENGTH));
            return Rolled::Back;
        }
        if now < self.ends {
            return Rolled::No;
        }
        let passed = until(self.ends, now).as_secs() / LENGTH.as_secs();
        let length = Duration::from_secs((passed + 1) * LENGTH.as_secs());
        self.begin(after(self.ends, length));
        Rolled::On
    }

    fn begin(&mut self, ends: Timestamp) {
        self.ends = ends;
        self.used = self.under_way;
        if self.left.take().is_some() {
            // Slowly forgotten, because a quiet window is no promise.
            let faded = self.habit.map_or(0, |habit| habit - habit.div_ceil(8));
            self.habit = Some(faded.max(self.others));
        }
        self.others = 0;
    }

    /// Learns from an answer while its request still counts as under way.
    pub(super) fn learn(&mut self, told: &Told, now: Timestamp) {
        let (Some(limit), Some(remaining), Some(ends)) =
            (told.limit, told.remaining, told.resets_at(now))
        else {
            return;
        };
        if told.is_of_concurrency() || ends > after(now, LENGTH * 2) {
            return;
        }
        self.limit = limit;
        let trusted = self.told_at.is_some_and(|at| now < after(at, TRUSTED));
        if trusted && after(ends, APART) < self.ends {
            // It was counted in a window that is over.
            return;
        }
        if trusted && ends > after(self.ends, APART) {
            self.begin(ends);
        } else if !trusted || ends < self.ends {
            self.ends = ends;
        }
        self.told_at = Some(now);
        let sent = limit.saturating_sub(remaining);
        self.others = sent.saturating_sub(self.used).max(self.others);
        self.left = Some(self.left.map_or(remaining, |left| left.min(remaining)));
    }

    /// One request is sent.
    pub(super) fn send(&mut self) {
        self.used += 1;
        self.under_way += 1;
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    /// It was answered, or never will be.
    pub(super) fn returned(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// What of our part is left in this window.
    pub(super) fn free(&self, share: RateLimit, now: Timestamp) -> u32 {
        let left = self
            .left
            .map_or(u32::MAX, |left| left.saturating_sub(self.eaten(now)));
        self.ours(share).saturating_sub(self.used).min(left)
    }

    /// What others will have sent since Okta told last, if they go on as they
    /// did, until a request that is sent now has arrived.
    fn eaten(&self, now: Timestamp) -> u32 {
        let Some(told_at) = self.told_at.filter(|_| self.others > 0) else {
            return 0;
        };
        let gone = LENGTH.saturating_sub(until(told_at, self.ends));
        let since = until(told_at, now).min(GUESS) + ON_THE_WAY;
        let rate = f64::from(self.others) / gone.max(TREND).as_secs_f64();
        let guess = (rate * since.as_secs_f64()).ceil() as u32;
        // Who has sent what they usually send will hardly send as much again.
        let rest = self
            .habit
            .map(|habit| habit.saturating_sub(self.others).max(habit.div_ceil(4)));
        guess.min(rest.unwrap_or(guess))
    }

    /// What is held back from `lane` at `now`: less and less as the window goes
    /// by, so that an idle reserve is not lost.
    pub(super) fn held_back(&self, share: RateLimit, lane: Lane, now: Timestamp) -> u32 {
        if lane.may_use_reserve() {
            return 0;
        }
        let left = until(now, self.ends).saturating_sub(OPEN_END);
        let reserve = f64::from(self.reserve(share));
        (reserve * left.div_duration_f64(LENGTH))
            .min(reserve)
            .ceil() as u32
    }

    /// From when on no more than `free` is held back from `lane`.
    pub(super) fn opens(
        &self,
        share: RateLimit,
        lane: Lane,
        free: u32,
        now: Timestamp,
    ) -> Timestamp {
        let reserve = self.reserve(share);
        if lane.may_use_reserve() || reserve <= free {
            return now;
        }
        let ahead = LENGTH.mul_f64(f64::from(free) / f64::from(reserve)) + OPEN_END;
        after(now, until(now, self.ends).saturating_sub(ahead))
    }

    fn reserve(&self, share: RateLimit) -> u32 {
        percent(self.ours(share), share.reserve_for_refresh_percent)
    }
}

/// `part` per cent of `whole`, whatever an answer's header says.
pub(super) fn percent(whole: u32, part: u8) -> u32 {
    u32::try_from(u64::from(whole) * u64::from(part) / 100).unwrap_or(u32::MAX)
}
