//! A discrete-event simulation of the operator and its org: the real planner,
//! the real budget and the real decision when an account is looked at again, on
//! a clock that jumps from one event to the next. Deterministic from its seed.
//! It leaves out Kubernetes, whose answers take no time here.

#[path = "requests.rs"]
mod requests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use neo4j_okta_operator::api::RateLimit;
use neo4j_okta_operator::api::conditions::Reason;
use neo4j_okta_operator::okta::budget::{Bucket, Budget, Turn};
use neo4j_okta_operator::plan::again::{self, again};
use neo4j_okta_operator::plan::step::{Effect, Next, Step};
use neo4j_okta_operator::plan::{self, Wish};

use crate::account::{Account, at};
use crate::issuer::Issuer;
use crate::org::{Fate, Org, Others, Weather};

/// As the operator's own bound of requests under way.
const CONCURRENT: usize = 12;
/// The operator's own sign-in at Okta.
const OPERATOR: &str = "operator";
/// A request without an answer is given up after this long.
const NO_ANSWER: u64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Create(usize),
    Suspend(usize),
    Delete(usize),
    Account(usize),
    Issuer(usize),
    Arrive(u64, u64),
    Answer(u64),
    Foreign(Bucket),
    Probe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Account(usize),
    Issuer(usize),
}

/// A request that has its permit.
#[derive(Debug)]
struct Call {
    caller: Caller,
    bucket: Bucket,
    turn: Turn,
    step: Option<Step>,
    principal: String,
    sent_at: Timestamp,
    fate: Fate,
}

/// What was foreseen at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) at: u64,
    pub(crate) waiting: usize,
    pub(crate) clears_in: Duration,
}

#[derive(Debug)]
pub(crate) struct Simulation {
    pub(crate) accounts: Vec<Account>,
    pub(crate) org: Org,
    pub(crate) now: u64,
    pub(crate) probes: Vec<Probe>,
    /// How much later than planned each refresh was published.
    pub(crate) refreshes: Vec<u64>,
    /// Tokens that had expired before the next was there.
    pub(crate) expired: usize,
    pub(crate) reconciles: usize,
    budget: Budget,
    issuers: Vec<Issuer>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    count: u64,
    calls: HashMap<u64, Call>,
    under_way: usize,
    held: VecDeque<u64>,
}

impl Simulation {
    pub(crate) fn new(weather: Weather, issuers: usize, seed: u64) -> Self {
        let mut new = Self {
            accounts: Vec::new(),
            org: Org::new(weather, seed),
            now: 0,
            probes: Vec::new(),
            refreshes: Vec::new(),
            expired: 0,
            reconciles: 0,
            budget: Budget::new(RateLimit::default()),
            issuers: (0..issuers).map(Issuer::new).collect(),
            events: BinaryHeap::new(),
            count: 0,
            calls: HashMap::new(),
            under_way: 0,
            held: VecDeque::new(),
        };
        if new.org.weather.others != Others::Nothing {
            new.schedule(0, Event::Foreign(Bucket::Apps));
            new.schedule(0, Event::Foreign(Bucket::Token));
        }
        new.schedule(60_000, Event::Probe);
        new
    }

    /// An account that exists already.
    pub(crate) fn add(&mut self, account: Account) {
        let index = self.accounts.len();
        let issuer = index % self.issuers.len();
        self.issuers[issuer].list(index);
        self.accounts.push(account);
        self.schedule(0, Event::Create(index));
    }

    /// An account that is created at `when`.
    pub(crate) fn create(&mut self, account: Account, when: u64) {
        let index = self.accounts.len();
        self.accounts.push(account);
        self.schedule(when, Event::Create(index));
    }

    pub(crate) fn suspend(&mut self, index: usize, when: u64) {
        self.schedule(when, Event::Suspend(index));
    }

    pub(crate) fn delete(&mut self, index: usize, when: u64) {
        self.schedule(when, Event::Delete(index));
    }

    /// Runs until `done` says so, looked at with every probe.
    pub(crate) fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        while let Some(Reverse((when, _, event))) = self.events.pop() {
            self.now = when;
            assert!(when < 24 * 3_600_000, "no end after a day");
            let probe = event == Event::Probe;
            self.handle(event);
            if probe && done(self) {
                return;
            }
        }
    }

    fn schedule(&mut self, when: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((when, self.count, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Create(index) => self.nudge(index),
            Event::Suspend(index) => {
                self.accounts[index].desired.wish = Wish::Suspended;
                self.accounts[index].desired.generation += 1;
                self.nudge(index);
            }
            Event::Delete(index) => {
                self.accounts[index].desired.wish = Wish::Deleted { abandon: false };
                self.nudge(index);
            }
            Event::Account(index) => {
                if self.accounts[index].timer == Some(self.now) {
                    self.nudge(index);
                }
            }
            Event::Issuer(index) => {
                if self.issuers[index].timer == Some(self.now) {
                    self.issuers[index].timer = None;
                    self.look(index);
                }
            }
            Event::Arrive(id, back) => self.arrive(id, back),
            Event::Answer(id) => self.answer(id),
            Event::Foreign(bucket) => {
                let next = self.org.foreign(bucket, self.now);
                self.schedule(next, Event::Foreign(bucket));
            }
            Event::Probe => {
                if let Some(level) = self.budget.level(Bucket::Apps, at(self.now)) {
                    self.probes.push(Probe {
                        at: self.now,
                        waiting: level.waiting,
                        clears_in: level.clears_in,
                    });
                }
                self.schedule(self.now + 60_000, Event::Probe);
            }
        }
    }

    /// Something about the account changed, or its time has come.
    fn nudge(&mut self, index: usize) {
        let account = &mut self.accounts[index];
        if account.busy {
            account.nudged = true;
            return;
        }
        account.timer = None;
        account.observed.memory.begin(at(self.now));
        self.reconciles += 1;
        self.go_on(index);
    }

    /// Steps, until one needs an answer from Okta.
    fn go_on(&mut self, index: usize) {
        let now = at(self.now);
        for _ in 0..32 {
            let account = &mut self.accounts[index];
            let step = match plan::next(&account.desired, &account.observed, now) {
                Next::Do(step) => step,
                Next::Settled { wake } => {
                    account.observed.memory.begin(Timestamp::MAX);
                    account.observed.ready = None;
                    account.observed.observed_generation = account.desired.generation;
                    return self.end(index, again::End::Settled(wake));
                }
                Next::Blocked(blocked) => {
                    account.observed.ready =
                        Some((blocked.reason.as_str().to_owned(), blocked.message.clone()));
                    account.observed.observed_generation = account.desired.generation;
                    if blocked.reason == Reason::Suspended {
                        account.stopped_at.get_or_insert(self.now);
                    }
                    return self.end(index, again::End::Blocked(blocked.retry));
                }
            };
            if let Some(bucket) = Account::bucket(&step) {
                let turn = Turn::of(&account.desired, &account.observed, now);
                if let Err(until) = self.budget.reserve(bucket, &turn, now) {
                    return self.end(index, again::End::PutOff(until));
                }
                self.accounts[index].busy = true;
                return self.send(Caller::Account(index), bucket, turn, Some(step));
            }
            let effect = self.locally(index, &step);
            self.absorb(index, &step, effect);
            if step == Step::RemoveFinalizer {
                self.accounts[index].gone_at = Some(self.now);
                self.budget
                    .forget(&self.accounts[index].desired.account.uid);
                return;
            }
        }
        panic!("a plan without an end: {:?}", self.accounts[index]);
    }

    fn locally(&mut self, index: usize, step: &Step) -> Effect {
        let issuer = index % self.issuers.len();
        match step {
            Step::Admit { .. } => {
                let listed = self.issuers[issuer].ask(index);
                if !listed {
                    self.nudge_issuer(issuer, 100);
                }
                Effect::Admission(listed)
            }
            Step::Leave { .. } => {
                self.issuers[issuer].leave(index);
                Effect::Left
            }
            Step::Publish => {
                self.published(index);
                self.accounts[index].carry_out(step, at(self.now))
            }
            _ => self.accounts[index].carry_out(step, at(self.now)),
        }
    }

    fn published(&mut self, index: usize) {
        let now = self.now;
        let account = &mut self.accounts[index];
        let Some(facts) = account.observed.token_facts() else {
            account.registered_at.get_or_insert(now);
            return;
        };
        let late = at(now).duration_since(facts.life.refresh_at);
        self.refreshes
            .push(u64::try_from(late.as_millis()).unwrap_or(0));
        self.expired += usize::from(at(now) >= facts.life.expires_at);
    }

    fn absorb(&mut self, index: usize, step: &Step, effect: Effect) {
        let account = &mut self.accounts[index];
        account.observed = account
            .observed
            .clone()
            .absorb(&account.desired, effect, at(self.now));
        account.holds(step);
    }

    /// The reconcile is over.
    fn end(&mut self, index: usize, end: again::End) {
        let account = &mut self.accounts[index];
        account.busy = false;
        let next = again(
            end,
            account.failures,
            &account.desired.account.uid,
            &account.observed,
            at(self.now),
        );
        account.failures = next.failures;
        if std::mem::take(&mut account.nudged) {
            return self.nudge(index);
        }
        // Timers of the runtime have whole milliseconds and come late, not early.
        let pause = next.at.duration_since(at(self.now)).as_millis() + 1;
        let when = self.now + u64::try_from(pause).unwrap();
        account.timer = Some(when);
        self.schedule(when, Event::Account(index));
    }
}
