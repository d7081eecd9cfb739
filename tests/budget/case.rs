//! One simulated case: who is there at first, who comes, what happens in
//! between, and the figures that it is judged by.

use std::sync::Once;
use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use neo4j_okta_operator::okta::budget::Bucket;
use okta_emulator::Limits;

use crate::account::{Account, at};
use crate::org::Weather;
use crate::random::Random;
use crate::simulation::Simulation;

pub(crate) const SECOND: u64 = 1_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;

/// What a case begins with.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) weather: Weather,
    /// Accounts that live already, refreshed once in about 37 minutes.
    pub(crate) existing: usize,
    /// Accounts that are created at once, half of them in one namespace and the
    /// others in fifty.
    pub(crate) new: usize,
    pub(crate) issuers: usize,
    /// When accounts are suspended and deleted: each time one that lives and one
    /// that waits.
    pub(crate) suspended_at: Option<u64>,
    /// It does not end before.
    pub(crate) at_least: u64,
}

impl Case {
    pub(crate) fn new(name: &'static str, limits: Limits, existing: usize, new: usize) -> Self {
        Self {
            name,
            weather: Weather::fair(limits),
            existing,
            new,
            issuers: 1,
            suspended_at: None,
            at_least: 0,
        }
    }

    /// Runs until every new account has its token and the last wish is granted.
    pub(crate) fn run(&self) -> Simulation {
        let mut random = Random::new(7);
        let mut sim = Simulation::new(self.weather.clone(), self.issuers, 11);
        for index in 0..self.existing {
            let age = i64::try_from(random.between(0, 34 * 60)).unwrap();
            let issued_at = at(0).checked_sub(SignedDuration::from_secs(age)).unwrap();
            let namespace = format!("old-{}", index % 20);
            sim.add(Account::existing(index, &namespace, issued_at));
        }
        // The large namespace comes first, so that the small ones would stand
        // behind it.
        for i in 0..self.new {
            let index = self.existing + i;
            let (namespace, from) = if i < self.new / 2 {
                ("large".to_owned(), 0)
            } else {
                (format!("small-{}", i % 50), 15 * SECOND)
            };
            let when = from + random.between(0, 15 * SECOND);
            sim.create(Account::new(index, &namespace), when);
        }
        if let Some(when) = self.suspended_at {
            sim.suspend(0, when);
            // The last to come of the large namespace, and surely waiting.
            sim.suspend(self.existing + self.new / 2 - 1, when);
            sim.delete(1, when);
            sim.delete(self.existing + self.new / 2 - 2, when);
        }
        sim.run_until(|sim| {
            sim.now >= self.at_least && sim.accounts.iter().all(Account::is_at_rest)
        });
        let figures = Figures::of(self, &sim);
        figures.print(self);
        sim
    }
}

/// What a case came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) minutes: u64,
    /// Per cent of the share that was used while accounts waited.
    pub(crate) used: u32,
    /// Refused with 429, for the rate.
    pub(crate) refused: u32,
    /// Refused with 429, for being one too many at a time.
    pub(crate) crowded: u32,
    pub(crate) refreshes: usize,
    /// How much later than planned the latest refresh was.
    pub(crate) latest: Duration,
    pub(crate) expired: usize,
    /// By how many per cent the time that was foreseen was wrong at worst.
    pub(crate) misjudged: u32,
}

impl Figures {
    pub(crate) fn of(case: &Case, sim: &Simulation) -> Self {
        let finished = sim.accounts.iter().filter_map(|a| a.registered_at).max();
        let finished = finished.unwrap_or(sim.now);
        let limit = u64::from(case.weather.limits.apps);
        let minutes: Vec<u32> = sim
            .org
            .used
            .iter()
            .filter(|((bucket, _), _)| *bucket == Bucket::Apps.as_str())
            .map(|(_, used)| *used)
            .collect();
        // The first and the last minute are not whole.
        let whole = minutes
            .get(1..minutes.len().saturating_sub(1))
            .unwrap_or(&[]);
        let used: u64 = whole.iter().map(|used| u64::from(*used)).sum();
        let share = (limit / 2 * whole.len() as u64).max(1);
        let misjudged = sim
            .probes
            .iter()
            .filter(|p| p.waiting > 0 && p.at + 5 * MINUTE < finished)
            .map(|p| {
                let left = finished - p.at;
                let foreseen = p.clears_in.as_millis() as u64;
                (left.abs_diff(foreseen) * 100 / left) as u32
            })
            .max();
        Self {
            minutes: finished.div_ceil(MINUTE),
            used: (used * 100 / share) as u32,
            refused: sim.org.refused,
            crowded: sim.org.crowded,
            refreshes: sim.refreshes.len(),
            latest: Duration::from_millis(sim.refreshes.iter().copied().max().unwrap_or(0)),
            expired: sim.expired,
            misjudged: misjudged.unwrap_or(0),
        }
    }

    /// A line of the one table.
    fn print(&self, case: &Case) {
        static HEAD: Once = Once::new();
        HEAD.call_once(|| {
            println!(
                "| Case | New | There | Minutes | Share used | 429 rate | 429 concurrency | Refreshes | Latest | Expired | Foreseen within |\n|---|---|---|---|---|---|---|---|---|---|---|"
            );
        });
        let creates = |figure: String| match case.new {
            0 => String::new(),
            _ => figure,
        };
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {:.1} s | {} | {} |",
            case.name,
            case.new,
            case.existing,
            creates(self.minutes.to_string()),
            creates(format!("{} %", self.used)),
            self.refused,
            self.crowded,
            self.refreshes,
            self.latest.as_secs_f64(),
            self.expired,
            creates(format!("{} %", self.misjudged)),
        );
    }
}
