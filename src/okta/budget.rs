//! The operator's share of one org's rate limits. Pure: told the time, asked
//! for permits, taught by Okta's headers. Nobody waits here: a caller gets a
//! permit or an instant of its own to come back at, so that ten thousand
//! waiting accounts do not wake together.
//!
//! Okta counts per bucket in windows of about a minute (`X-Rate-Limit-*`).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::api::RateLimit;
use crate::plan::lane::Lane;
use crate::plan::schedule::after;

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
    /// The namespace; each gets its part of a window.
    pub namespace: String,
}

const WINDOW: Duration = Duration::from_secs(60);
/// A caller that does not come back within this time has lost its slot.
const LOST: Duration = Duration::from_secs(120);

/// In this many of the next windows a slot may be taken from somebody else;
/// later ones are for whoever comes first.
const CONTESTED: i64 = 8;

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
    /// Callers that wait for their slot.
    pub waiting: usize,
}

#[derive(Debug)]
struct State {
    limit: u32,
    /// What Okta says is left in this window, less what we sent since.
    remaining: Option<u32>,
    used: u32,
    window_end: Timestamp,
    closed_until: Timestamp,
    waiting: HashMap<String, Slot>,
    /// Slots taken in future windows, by the window's number from now.
    windows: BTreeMap<i64, Vec<String>>,
}

#[derive(Clone, Debug)]
struct Slot {
    at: Timestamp,
    window: i64,
    lane: Lane,
    namespace: String,
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

    /// A permit for one request now.
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
        state.roll(now);
        let cap = state.cap(share, turn.lane);
        let mine = state.waiting.get(&turn.key).cloned();
        if let Some(slot) = mine.as_ref().filter(|slot| slot.at > now) {
            return Err(slot.at);
        }
        let free = state.free(cap);
        // Those whose slot has come and who are about to ask keep their place.
        let ahead = if mine.is_some() {
            0
        } else {
            state.due(turn.lane, now)
        };
        if now >= state.closed_until && free > ahead {
            state.release(&turn.key);
            state.used += 1;
            state.remaining = state.remaining.map(|r| r.saturating_sub(1));
            return Ok(());
        }
        state.release(&turn.key);
        Err(state.assign(turn, cap, now))
    }

    /// Learns from the headers of an answer.
    pub fn learn(
        &mut self,
        bucket: Bucket,
        limit: u32,
        remaining: u32,
        reset: Timestamp,
        now: Timestamp,
    ) {
        let state = self.state(bucket, now);
        state.roll(now);
        // A limit of 0 belongs to a concurrency refusal and says nothing here.
        if limit == 0 {
            return;
        }
        state.limit = limit;
        if reset > now && reset <= after(now, WINDOW * 2) {
            if state.window_end != reset && state.remaining.is_none() {
                state.window_end = reset;
            }
            state.remaining = Some(
                state
                    .remaining
                    .map_or(remaining, |known| known.min(remaining)),
            );
        }
    }

    /// Okta refused with 429: nothing more before `until`.
    pub fn close(&mut self, bucket: Bucket, until: Timestamp, now: Timestamp) {
        let state = self.state(bucket, now);
        state.closed_until = state.closed_until.max(until);
    }

    /// Somebody will not come back.
    pub fn forget(&mut self, key: &str) {
        for state in self.buckets.values_mut() {
            state.release(key);
        }
    }

    /// Requests a minute of our share.
    #[must_use]
    pub fn share_of(&self, bucket: Bucket) -> u32 {
        let limit = self
            .buckets
            .get(&bucket)
            .map_or(bucket.initial(), |state| state.limit);
        percent(limit, self.share.share_percent)
    }

    /// What metrics show.
    #[must_use]
    pub fn level(&self, bucket: Bucket) -> Option<Level> {
        let state = self.buckets.get(&bucket)?;
        Some(Level {
            limit: state.limit,
            remaining: state.remaining.unwrap_or(state.limit),
            waiting: state.waiting.len(),
        })
    }

    fn state(&mut self, bucket: Bucket, now: Timestamp) -> &mut State {
        self.buckets.entry(bucket).or_insert_with(|| State {
            limit: bucket.initial(),
            remaining: None,
            used: 0,
            window_end: after(now, WINDOW),
            closed_until: Timestamp::MIN,
            waiting: HashMap::new(),
            windows: BTreeMap::new(),
        })
    }
}

impl State {
    fn roll(&mut self, now: Timestamp) {
        if self.window_end > after(now, WINDOW * 3) {
            // The clock was ahead and was set right: no instant of ours holds.
            self.closed_until = Timestamp::MIN;
            self.waiting.clear();
            self.windows.clear();
        } else if now < self.window_end {
            return;
        }
        self.window_end = after(now, WINDOW);
        self.used = 0;
        self.remaining = None;
        let lost: Vec<String> = self
            .windows
            .range(..number(now))
            .flat_map(|(_, keys)| keys.iter())
            .filter(|key| {
                self.waiting
                    .get(*key)
                    .is_some_and(|slot| after(slot.at, LOST) < now)
            })
            .cloned()
            .collect();
        for key in lost {
            self.release(&key);
        }
    }

    /// Requests that a lane may have in one window.
    fn cap(&self, share: RateLimit, lane: Lane) -> u32 {
        let ours = percent(self.limit, share.share_percent).max(1);
        let reserve = percent(ours, share.reserve_for_refresh_percent);
        if lane.may_use_reserve() {
            ours
        } else {
            ours.saturating_sub(reserve).max(1)
        }
    }

    /// How many of `cap` are left in this window; others may have eaten theirs.
    fn free(&self, cap: u32) -> usize {
        let ours = cap.saturating_sub(self.used);
        self.remaining.map_or(ours, |left| ours.min(left)) as usize
    }

    /// Callers of the same or a more urgent lane whose slot has come.
    fn due(&self, lane: Lane, now: Timestamp) -> usize {
        self.windows
            .range(..=number(now))
            .flat_map(|(_, keys)| keys)
            .filter_map(|key| self.waiting.get(key))
            .filter(|slot| slot.at <= now && slot.lane <= lane)
            .count()
    }

    fn release(&mut self, key: &str) {
        if let Some(slot) = self.waiting.remove(key)
            && let Some(keys) = self.windows.get_mut(&slot.window)
        {
            keys.retain(|k| k != key);
            if keys.is_empty() {
                self.windows.remove(&slot.window);
            }
        }
    }

    /// A slot in the first window with room, or in the place of a caller that is
    /// less urgent or whose namespace holds more of that window.
    fn assign(&mut self, turn: &Turn, cap: u32, now: Timestamp) -> Timestamp {
        let first = number(self.window_end.max(self.closed_until));
        for window in first..first + CONTESTED {
            let taken = self.windows.get(&window).map_or(0, Vec::len);
            if taken < cap as usize {
                return self.put(turn, window, taken, cap, now);
            }
            if let Some(victim) = self.victim(turn, window) {
                let slot = self.waiting.get(&victim).cloned();
                self.release(&victim);
                let at = self.put(turn, window, taken - 1, cap, now);
                if let Some(slot) = slot {
                    let moved = Turn {
                        lane: slot.lane,
                        key: victim,
                        namespace: slot.namespace,
                    };
                    self.assign_behind(&moved, window + 1, cap, now);
                }
                return at;
            }
        }
        self.assign_behind(turn, first + CONTESTED, cap, now)
    }

    fn assign_behind(&mut self, turn: &Turn, from: i64, cap: u32, now: Timestamp) -> Timestamp {
        let mut window = from;
        while self.windows.get(&window).map_or(0, Vec::len) >= cap as usize {
            window += 1;
        }
        let taken = self.windows.get(&window).map_or(0, Vec::len);
        self.put(turn, window, taken, cap, now)
    }

    fn put(
        &mut self,
        turn: &Turn,
        window: i64,
        position: usize,
        cap: u32,
        now: Timestamp,
    ) -> Timestamp {
        // Spread over the window, so that they do not all wake at its start.
        let share = WINDOW.mul_f64(position as f64 / f64::from(cap.max(1)));
        let start = start(window)
            .max(now)
            .max(self.window_end)
            .max(self.closed_until);
        let at = after(
            start,
            share.min(WINDOW - Duration::from_secs(1)) + Duration::from_millis(50),
        );
        let slot = Slot {
            at,
            window,
            lane: turn.lane,
            namespace: turn.namespace.clone(),
        };
        self.waiting.insert(turn.key.clone(), slot);
        self.windows
            .entry(window)
            .or_default()
            .push(turn.key.clone());
        at
    }

    /// Whose place in `window` the caller may take.
    fn victim(&self, turn: &Turn, window: i64) -> Option<String> {
        let keys = self.windows.get(&window)?;
        let slots = || {
            keys.iter()
                .filter_map(|key| Some((key, self.waiting.get(key)?)))
        };
        if let Some((key, _)) = slots()
            .filter(|(_, s)| s.lane > turn.lane)
            .max_by_key(|(_, s)| s.lane)
        {
            return Some(key.clone());
        }
        let mut held: HashMap<&str, usize> = HashMap::new();
        for (_, slot) in slots().filter(|(_, s)| s.lane == turn.lane) {
            *held.entry(&slot.namespace).or_default() += 1;
        }
        let mine = held.get(turn.namespace.as_str()).copied().unwrap_or(0);
        let (heaviest, most) = held
            .into_iter()
            .max_by_key(|(name, count)| (*count, *name))?;
        (most > mine + 1).then_some(())?;
        slots()
            .filter(|(_, s)| s.lane == turn.lane && s.namespace == heaviest)
            .max_by_key(|(_, s)| s.at)
            .map(|(key, _)| key.clone())
    }
}

/// `part` per cent of `whole`, whatever an answer's header says.
fn percent(whole: u32, part: u8) -> u32 {
    u32::try_from(u64::from(whole) * u64::from(part) / 100).unwrap_or(u32::MAX)
}

/// Windows are numbered by minutes since the epoch.
fn number(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

fn start(window: i64) -> Timestamp {
    Timestamp::from_second(window.saturating_mul(60)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
