//! The operator's share of one org's rate limits. Pure: told the time, asked
//! for permits, taught by Okta's headers. Nobody waits here: a caller gets a
//! permit or an instant of its own to come back at, so that ten thousand
//! waiting accounts do not wake together.
//!
//! Okta counts per bucket in windows of about a minute (`X-Rate-Limit-*`);
//! `window` counts along, `queue` says whose
//! turn it is.

use std::collections::HashMap;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::queue::{Place, Queue};
pub use super::told::Told;
use super::window::{self, Rolled, Window, percent};
use crate::api::RateLimit;
use crate::plan::desired::Desired;
use crate::plan::lane::{Lane, lane};
use crate::plan::observed::Observed;
use crate::plan::schedule::{after, until};

/// The buckets that we draw on (Okta, "Rate limits", by route template).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// `/api/v1/apps` and everything below one app: creation, lists, secrets.
    Apps,
    /// `/api/v1/apps/{id}` itself.
    App,
    /// All else of the management API.
    Management,
    /// `/oauth2/v1/clients`.
    Clients,
    /// `/api/v1/logs`.
    Logs,
    /// The token endpoints of all custom authorization servers together.
    Token,
    /// The org authorization server's token endpoint.
    OrgToken,
}

impl Bucket {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Apps,
        Self::App,
        Self::Management,
        Self::Clients,
        Self::Logs,
        Self::Token,
        Self::OrgToken,
    ];

    /// A stable word for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apps => "apps",
            Self::App => "app",
            Self::Management => "management",
            Self::Clients => "clients",
            Self::Logs => "logs",
            Self::Token => "token",
            Self::OrgToken => "org_token",
        }
    }

    /// Requests a minute before Okta has told: those of a free org.
    const fn initial(self) -> u32 {
        match self {
            Self::Apps | Self::Logs => 20,
            Self::App | Self::Management => 100,
            Self::Clients => 25,
            Self::Token | Self::OrgToken => 300,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Turn {
    /// How urgent.
    pub lane: Lane,
    /// The account's uid (or any other name of the caller).
    pub key: String,
    /// Namespaces take turns.
    pub namespace: String,
    /// When the token that is out expires.
    pub expires_at: Option<Timestamp>,
}

impl Turn {
    /// The turn of an account's next request.
    #[must_use]
    pub fn of(desired: &Desired, observed: &Observed, now: Timestamp) -> Self {
        Self {
            lane: lane(desired, observed, now),
            key: desired.account.uid.clone(),
            namespace: desired.account.namespace.clone(),
            expires_at: observed.token_facts().map(|t| t.life.expires_at),
        }
    }

    /// The turn of something that belongs to no namespace.
    #[must_use]
    pub fn of_operator(lane: Lane, key: String) -> Self {
        Self {
            lane,
            key,
            namespace: String::new(),
            expires_at: None,
        }
    }

    /// What tokens that are due are ordered by.
    pub(super) fn expiry(&self) -> Option<Timestamp> {
        (self.lane == Lane::Expiring).then(|| self.expires_at.unwrap_or(Timestamp::MAX))
    }
}

/// Nobody is told to come back later than this: limits are raised, and who is
/// ahead may leave.
const HORIZON: Duration = Duration::from_secs(1200);
/// As above, while Okta has not told the limit.
const FIRST_HORIZON: Duration = Duration::from_secs(60);
/// Past the end of a window, so that it is over for whoever comes then.
const MARGIN: Duration = Duration::from_millis(50);

/// All buckets of one org.
#[derive(Debug)]
pub struct Budget {
    share: RateLimit,
    buckets: HashMap<Bucket, State>,
}

/// What metrics show of a bucket.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// Requests per window that Okta allows the org.
    pub limit: u32,
    /// Of those, how many Okta said are left.
    pub remaining: u32,
    /// Callers that wait for their turn.
    pub waiting: usize,
    /// How long until all of them have had it.
    pub clears_in: Duration,
    /// Whether Okta has told the limit; else it is that of a free org.
    pub told: bool,
}

#[derive(Debug)]
struct State {
    window: Window,
    queue: Queue,
}

impl Budget {
    /// A budget that takes `share` of each limit.
    #[must_use]
    pub fn new(share: RateLimit) -> Self {
        Self {
            share,
            buckets: HashMap::new(),
        }
    }

    /// Changes the share.
    pub fn set_share(&mut self, share: RateLimit) {
        self.share = share;
    }

    /// A permit for one request now. Whoever gets one says [`Self::returned`]
    /// afterwards, whatever came of it.
    ///
    /// # Errors
    /// The instant at which to come back.
    pub fn reserve(
        &mut self,
        bucket: Bucket,
        turn: &Turn,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let share = self.share;
        let state = self.state(bucket, now);
        let place = state.queue.place(turn);
        if state.may_go(place, turn.lane, share, now) {
            state.queue.remove(&turn.key);
            state.window.send();
            return Ok(());
        }
        let at = state.comes_back(place, turn.lane, share, now);
        state.queue.wait(turn, place, at);
        Err(at)
    }

    /// A request that had a permit is answered, or never will be.
    pub fn returned(&mut self, bucket: Bucket) {
        if let Some(state) = self.buckets.get_mut(&bucket) {
            state.window.returned();
        }
    }

    /// Learns from the headers of an answer, before its permit is returned.
    pub fn learn(&mut self, bucket: Bucket, told: &Told, now: Timestamp) {
        self.state(bucket, now).window.learn(told, now);
    }

    /// Okta refused with 429. The caller keeps its turn; the instant is its own
    /// to come back at.
    pub fn refused(
        &mut self,
        bucket: Bucket,
        turn: &Turn,
        told: &Told,
        now: Timestamp,
    ) -> Timestamp {
        let share = self.share;
        let state = self.state(bucket, now);
        let place = state.queue.front(turn);
        let pause = told.come_back(now);
        if told.is_of_concurrency() {
            // Of this one request: the rate of all others is as good as before.
            let at = after(now, until(now, pause).mul_f64(0.5 + place.spread()));
            state.queue.wait(turn, place, at);
            return at;
        }
        state.window.closed_until = pause.max(state.window.closed_until);
        let at = state.comes_back(place, turn.lane, share, now);
        state.queue.wait(turn, place, at);
        at
    }

    /// Somebody will not come back.
    pub fn forget(&mut self, key: &str) {
        for state in self.buckets.values_mut() {
            state.queue.remove(key);
        }
    }

    /// Requests a minute of our share.
    #[must_use]
    pub fn share_of(&self, bucket: Bucket) -> u32 {
        let limit = self
            .buckets
            .get(&bucket)
            .map_or(bucket.initial(), |state| state.window.limit);
        percent(limit, self.share.share_percent)
    }

    /// What metrics show.
    #[must_use]
    pub fn level(&mut self, bucket: Bucket, now: Timestamp) -> Option<Level> {
        let state = self.buckets.get_mut(&bucket)?;
        state.roll(now);
        let waiting = state.queue.len();
        let clears_in = match waiting {
            0 => Duration::ZERO,
            _ => until(
                now,
                state.turn_comes(waiting - 1, Lane::Drift, self.share, now),
            ),
        };
        Some(Level {
            limit: state.window.limit,
            remaining: state.window.remaining(),
            waiting,
            clears_in,
            told: state.window.is_known(),
        })
    }

    fn state(&mut self, bucket: Bucket, now: Timestamp) -> &mut State {
        let state = self.buckets.entry(bucket).or_insert_with(|| State {
            window: Window::new(bucket.initial(), now),
            queue: Queue::default(),
        });
        state.roll(now);
        state
    }
}

impl State {
    fn roll(&mut self, now: Timestamp) {
        match self.window.roll(now) {
            Rolled::No => {}
            Rolled::On => self.queue.drop_lost(now),
            Rolled::Back => self.queue.clear(),
        }
    }

    /// Whether this window has room for the caller beside those who were told to
    /// come in it and go first.
    fn may_go(&self, place: Place, lane: Lane, share: RateLimit, now: Timestamp) -> bool {
        let held_back = self.window.held_back(share, lane, now);
        let room = self.window.free(share, now).saturating_sub(held_back) as usize;
        now >= self.window.closed_until && room > self.queue.expected(place, self.window.ends, room)
    }

    /// When a caller that may not go now shall ask again.
    fn comes_back(&self, place: Place, lane: Lane, share: RateLimit, now: Timestamp) -> Timestamp {
        let horizon = if self.window.is_known() {
            HORIZON
        } else {
            FIRST_HORIZON
        };
        let windows = 2 + horizon.as_secs() / window::LENGTH.as_secs();
        let enough = self.window.ours(share) as usize * windows as usize;
        let at = self.turn_comes(self.queue.ahead(place, enough), lane, share, now);
        // Spread, as those beyond it may have come all at once.
        at.min(after(now, horizon.mul_f64(0.5 + 0.5 * place.spread())))
            .max(after(now, MARGIN))
    }

    /// The turn of a caller with so many before it.
    fn turn_comes(&self, ahead: usize, lane: Lane, share: RateLimit, now: Timestamp) -> Timestamp {
        let window = &self.window;
        let opens = now.max(window.closed_until);
        let mut ahead = ahead as f64;
        if opens < window.ends {
            let free = f64::from(window.free(share, now));
            if ahead < free {
                let step = until(opens, window.ends).div_f64(free);
                let left = (free - ahead) as u32 - 1;
                return after(opens, step.mul_f64(ahead)).max(window.opens(share, lane, left, now));
            }
            ahead -= free;
        }
        let step = window::LENGTH.div_f64(f64::from(window.ours(share)));
        after(opens.max(window.ends), MARGIN + step.mul_f64(ahead))
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
