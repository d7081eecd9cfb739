//! What goes wrong in a round, decided by the seed: per request the n-th time
//! that this object is asked for, per watch event the n-th of this object, per
//! call to Okta the n-th of this route. Each round has only some kinds, and its
//! own share of them, because kinds together hide what one alone shows.
//!
//! It refuses what the real things never do: a watch that goes on after it lost
//! an event or changes the order of its events, and a read by name that is old.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use okta_emulator::FaultKind;

use crate::dice::Dice;
use crate::lives::Doom;

/// What befalls a request to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kube {
    Fine,
    /// It comes so many milliseconds later.
    Late(u64),
    /// The connection breaks before it is carried out.
    LostBefore,
    /// It is carried out, and the connection breaks before the answer.
    LostAfter,
    /// This status, and no effect.
    Refused(u16),
    /// It is carried out, and this is answered: etcd was too slow.
    DoneAndRefused(u16),
    /// It is carried out, and half of the answer arrives.
    Torn,
    /// A list from the cache of an API server that lags behind.
    Stale,
}

/// What befalls an event of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Fine,
    /// It comes so many milliseconds later, and all that follow it too.
    Late(u64),
    /// Nothing comes any more, and so many milliseconds later the watch ends.
    Stalled(u64),
    /// It comes twice.
    Twice,
    /// The watch ends before it.
    Ended,
    /// The connection breaks in the middle of it.
    Torn,
    /// The watch ends with 410: what it would go on from is too old.
    Expired,
    /// It is left out if the next event is of the same object.
    Merged,
}

const KUBE: [Kube; 15] = [
    Kube::Late(20),
    Kube::Late(150),
    Kube::LostBefore,
    Kube::LostAfter,
    Kube::LostAfter,
    Kube::Refused(409),
    Kube::Refused(410),
    Kube::Refused(429),
    Kube::Refused(500),
    Kube::Refused(503),
    Kube::DoneAndRefused(500),
    Kube::DoneAndRefused(504),
    Kube::Torn,
    Kube::Stale,
    Kube::Stale,
];
const EVENTS: [Event; 8] = [
    Event::Late(60),
    Event::Late(400),
    Event::Stalled(700),
    Event::Twice,
    Event::Ended,
    Event::Torn,
    Event::Expired,
    Event::Merged,
];

fn okta() -> Vec<FaultKind> {
    let status = |status| FaultKind::Status {
        status,
        error_code: None,
    };
    vec![
        FaultKind::Latency(30),
        FaultKind::Latency(300),
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        status(429),
        status(500),
        status(503),
        FaultKind::Malformed,
        FaultKind::Truncated,
    ]
}

/// The weather of one round.
pub(crate) struct Weather {
    seed: u64,
    /// In a thousand: requests, events, calls to Okta.
    shares: [u64; 3],
    kube: Vec<Kube>,
    events: Vec<Event>,
    okta: Vec<FaultKind>,
    /// How long Okta takes to show a change, in its own milliseconds.
    pub(crate) lag: u64,
    calm: AtomicBool,
    /// Of the operator that lives: its calls to Okta count too.
    doom: Mutex<Option<Doom>>,
    asked: Mutex<HashMap<String, u64>>,
    tally: Mutex<BTreeMap<String, u64>>,
}

impl Weather {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "climate", 0);
        let mut shares = || dice.pick(&[0, 60, 200, 400]);
        let shares = [shares(), shares(), shares()];
        Self {
            seed,
            shares,
            kube: some(&mut dice, KUBE.to_vec()),
            events: some(&mut dice, EVENTS.to_vec()),
            okta: some(&mut dice, okta()),
            lag: dice.pick(&[0, 0, 2_000, 20_000]),
            calm: AtomicBool::new(false),
            doom: Mutex::default(),
            asked: Mutex::default(),
            tally: Mutex::default(),
        }
    }

    /// Nothing goes wrong.
    pub(crate) fn calm() -> Self {
        let weather = Self::new(0);
        weather.calm_down();
        weather
    }

    /// Each watch ends with 410 before its first event.
    pub(crate) fn expiring() -> Self {
        Self {
            shares: [0, 1000, 0],
            events: vec![Event::Expired],
            ..Self::new(0)
        }
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// Chance for the next time that this is asked; `None` when all is well.
    fn bad(&self, question: &str, share: u64) -> Option<Dice> {
        if self.is_calm() {
            return None;
        }
        let mut asked = lock(&self.asked);
        let time = asked.entry(question.to_owned()).or_default();
        *time += 1;
        let mut dice = Dice::new(self.seed, question, *time);
        dice.per_mille(share).then_some(dice)
    }

    /// `question` is method and path, without names that nobody chose.
    pub(crate) fn kube(&self, question: &str, possible: impl Fn(Kube) -> bool) -> Kube {
        // There are few lists from a cache, and each can be old.
        let share = match self.shares[0] {
            share if possible(Kube::Stale) => share * 2,
            share => share,
        };
        let Some(mut dice) = self.bad(question, share) else {
            return Kube::Fine;
        };
        let kinds: Vec<Kube> = self.kube.iter().copied().filter(|k| possible(*k)).collect();
        if kinds.is_empty() {
            return Kube::Fine;
        }
        let kind = dice.pick(&kinds);
        self.count(&format!("kube {kind:?}"));
        kind
    }

    pub(crate) fn event(&self, question: &str) -> Event {
        let Some(mut dice) = self.bad(question, self.shares[1]) else {
            return Event::Fine;
        };
        let kind = dice.pick(&self.events);
        self.count(&format!("watch {kind:?}"));
        kind
    }

    pub(crate) fn okta(&self, method: &str, route: &str) -> Vec<FaultKind> {
        if lock(&self.doom).as_ref().is_some_and(Doom::strikes) {
            // It dies before the answer comes.
            return vec![FaultKind::CutAfter];
        }
        let Some(mut dice) = self.bad(&format!("okta {method} {route}"), self.shares[2]) else {
            return Vec::new();
        };
        let kind = dice.pick(&self.okta);
        self.count(&format!("okta {kind:?}"));
        vec![kind]
    }

    pub(crate) fn dooms(&self, doom: Option<Doom>) {
        *lock(&self.doom) = doom;
    }

    pub(crate) fn count(&self, what: &str) {
        *lock(&self.tally).entry(what.to_owned()).or_default() += 1;
    }

    /// What happened, and how often.
    pub(crate) fn tally(&self) -> BTreeMap<String, u64> {
        lock(&self.tally).clone()
    }
}

/// Some of these, at least one.
fn some<T: Clone>(dice: &mut Dice, all: Vec<T>) -> Vec<T> {
    let one = dice.pick(&all);
    let mut chosen: Vec<T> = all.into_iter().filter(|_| dice.per_mille(600)).collect();
    chosen.push(one);
    chosen
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
