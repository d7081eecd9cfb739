//! The simulated org: the emulator's buckets on a clock of its own, an answer's
//! delay, an outage, one request too many at a time, and others who use the same
//! limits. Nothing is sent.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use neo4j_okta_operator::okta::budget::{Bucket, Told};
use okta_emulator::Limits;
use okta_emulator::limits::{Bucket as Counted, Windows};

use crate::random::Random;

/// Other users of the same limits, by how many per cent of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    Nothing,
    /// At even pace.
    Steady(u32),
    /// As it happens, so that it is more in some minutes and less in others.
    Random(u32),
    /// All at one moment of each minute.
    Bursts(u32),
}

/// What the org is like.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) limits: Limits,
    /// What others use of the apps and token buckets.
    pub(crate) others: Others,
    /// Share of our requests that are one too many at a time.
    pub(crate) concurrency: f64,
    /// From and to, in milliseconds.
    pub(crate) outage: Option<(u64, u64)>,
}

impl Weather {
    pub(crate) fn fair(limits: Limits) -> Self {
        Self {
            limits,
            others: Others::Nothing,
            concurrency: 0.0,
            outage: None,
        }
    }
}

/// Okta's clock is ahead by this much, so that its windows are not ours.
const SKEW: u64 = 17_300;

#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) weather: Weather,
    windows: Windows,
    random: Random,
    /// Requests of ours that were let in, by minute of Okta's clock.
    pub(crate) used: BTreeMap<(&'static str, u64), u32>,
    /// Our requests that were refused with 429: for the rate, and for being one
    /// too many at a time.
    pub(crate) refused: u32,
    pub(crate) crowded: u32,
}

/// What became of a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Accepted(Told),
    Refused(Told),
    Lost,
}

impl Org {
    pub(crate) fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            windows: Windows::default(),
            random: Random::new(seed),
            used: BTreeMap::new(),
            refused: 0,
            crowded: 0,
        }
    }

    /// How long a request is on its way there, and back with the work.
    pub(crate) fn delays(&mut self, bucket: Bucket) -> (u64, u64) {
        let there = self.random.between(15, 90);
        let work = match bucket {
            Bucket::Token | Bucket::OrgToken => self.random.between(60, 260),
            _ => self.random.between(180, 900),
        };
        // Okta is slow now and then.
        let slow = self.random.chance(0.01);
        (there, if slow { work * 20 } else { work })
    }

    /// A request of ours arrives.
    pub(crate) fn arrive(&mut self, bucket: Bucket, principal: &str, now: u64) -> Fate {
        let okta = now + SKEW;
        if self
            .weather
            .outage
            .is_some_and(|(from, to)| (from..to).contains(&now))
        {
            return Fate::Lost;
        }
        let date = Timestamp::from_second(i64::try_from(okta / 1000).unwrap()).unwrap();
        if self.random.chance(self.weather.concurrency) {
            self.crowded += 1;
            return Fate::Refused(Told {
                limit: Some(0),
                remaining: Some(0),
                reset: Some(date.as_second() + 2),
                date: Some(date),
            });
        }
        let verdict = self
            .windows
            .take(
                &self.weather.limits,
                counted(bucket),
                principal,
                okta,
                false,
            )
            .unwrap();
        let told = Told {
            limit: Some(verdict.limit),
            remaining: Some(verdict.remaining),
            reset: Some(i64::try_from(verdict.reset).unwrap()),
            date: Some(date),
        };
        if verdict.exceeded {
            self.refused += 1;
            return Fate::Refused(told);
        }
        *self
            .used
            .entry((bucket.as_str(), okta / 60_000))
            .or_default() += 1;
        Fate::Accepted(told)
    }

    /// Somebody else's requests of this moment; returns when they come again.
    pub(crate) fn foreign(&mut self, bucket: Bucket, now: u64) -> u64 {
        let limit = match bucket {
            Bucket::Apps => self.weather.limits.apps,
            _ => self.weather.limits.token,
        };
        let (percent, at_once) = match self.weather.others {
            Others::Nothing => return u64::MAX,
            Others::Steady(percent) | Others::Random(percent) => (percent, 1),
            Others::Bursts(percent) => (percent, limit * percent / 100),
        };
        for _ in 0..at_once {
            // Several, as one alone may have half of a bucket only.
            let who = format!("foreign-{}", self.random.between(0, 3));
            let _ = self.windows.take(
                &self.weather.limits,
                counted(bucket),
                &who,
                now + SKEW,
                false,
            );
        }
        let pace = 60_000.0 / f64::from(limit * percent / 100);
        match self.weather.others {
            Others::Random(_) => now + self.random.gap(pace),
            Others::Bursts(_) => {
                let minute = (now + SKEW) / 60_000 + 1;
                minute * 60_000 - SKEW + self.random.between(0, 60_000)
            }
            Others::Nothing | Others::Steady(_) => now + pace as u64,
        }
    }
}

const fn counted(bucket: Bucket) -> Counted {
    match bucket {
        Bucket::Apps => Counted::Apps,
        Bucket::App => Counted::App,
        Bucket::Management => Counted::Other,
        Bucket::Clients => Counted::Clients,
        Bucket::Logs => Counted::Logs,
        Bucket::Token => Counted::Token,
        Bucket::OrgToken => Counted::OrgToken,
    }
}
