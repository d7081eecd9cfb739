//! What was measured, and the arithmetic on it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often each thing was asked, by method and what was asked for.
pub(crate) type Counts = BTreeMap<String, u64>;

/// One scenario of one run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Measured {
    /// A name that stays the same from run to run.
    pub(crate) scenario: String,
    /// In words.
    pub(crate) title: String,
    /// How long it took.
    pub(crate) seconds: f64,
    /// What the counts are to be divided by, such as 100 registrations; 0 where
    /// there is nothing to divide by.
    pub(crate) operations: u64,
    /// CPU time of the program that is measured.
    pub(crate) cpu_seconds: f64,
    /// Resident at the end.
    pub(crate) resident_kib: u64,
    /// At most resident meanwhile.
    pub(crate) peak_kib: u64,
    /// Its requests to the API server, without those for its Lease.
    pub(crate) kubernetes: Counts,
    /// Its requests for its Lease.
    pub(crate) lease: u64,
    /// Its requests to Okta.
    pub(crate) okta: Counts,
    /// Answers of Okta by status.
    pub(crate) okta_status: Counts,
    /// How long each operation took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Latency>,
    /// What only this scenario has.
    pub(crate) figures: BTreeMap<String, f64>,
    /// What has to be exact, and is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) wrong: Vec<String>,
}

/// Seconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Latency {
    /// None of nothing.
    pub(crate) fn of(mut durations: Vec<Duration>) -> Option<Self> {
        durations.sort_unstable();
        let at = |percent| percentile(&durations, percent).map(|d| d.as_secs_f64());
        Some(Self {
            p50: at(50)?,
            p99: at(99)?,
            max: at(100)?,
        })
    }
}

/// The nearest rank: the smallest of the sorted values that at least so many
/// percent of them do not exceed.
fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

impl Measured {
    /// Requests to the API server that changed something.
    pub(crate) fn writes(&self) -> u64 {
        sum(&self.kubernetes, |verb| !is_read(verb))
    }

    /// Requests to the API server that did not, watches aside: those appear when
    /// they end, minutes later.
    pub(crate) fn reads(&self) -> u64 {
        sum(&self.kubernetes, |verb| is_read(verb) && verb != "watch")
    }

    pub(crate) fn okta_calls(&self) -> u64 {
        self.okta.values().sum()
    }

    pub(crate) fn token_requests(&self) -> u64 {
        let tokens = self
            .okta
            .iter()
            .filter(|(what, _)| what.ends_with("/token"));
        tokens.map(|(_, count)| count).sum()
    }

    /// A count for each operation; None where there is nothing to divide by.
    pub(crate) fn each(&self, count: u64) -> Option<f64> {
        (self.operations > 0).then(|| count as f64 / self.operations as f64)
    }

    /// Milliseconds of CPU time for each operation.
    pub(crate) fn cpu_each(&self) -> Option<f64> {
        self.each(1).map(|share| self.cpu_seconds * 1000.0 * share)
    }
}

fn is_read(verb: &str) -> bool {
    matches!(verb, "get" | "list" | "watch")
}

fn sum(counts: &Counts, wanted: impl Fn(&str) -> bool) -> u64 {
    let verb = |what: &str| what.split(' ').next().unwrap_or_default().to_owned();
    let counted = counts.iter().filter(|(what, _)| wanted(&verb(what)));
    counted.map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), Some(50));
        assert_eq!(percentile(&hundred, 99), Some(99));
        assert_eq!(percentile(&hundred, 100), Some(100));
        assert_eq!(percentile(&[3], 50), Some(3));
        assert_eq!(percentile::<u64>(&[], 50), None);
        let of = Latency::of([3, 1, 2].map(Duration::from_secs).to_vec()).unwrap();
        assert_eq!((of.p50, of.p99, of.max), (2.0, 3.0, 3.0));
        assert_eq!(Latency::of(Vec::new()), None);
    }

    #[test]
    fn writes_reads_and_tokens_are_told_apart() {
        let counts =
            |list: &[(&str, u64)]| list.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        let measured = Measured {
            operations: 10,
            cpu_seconds: 0.05,
            kubernetes: counts(&[
                ("get secrets", 1),
                ("list namespaces", 2),
                ("watch secrets", 9),
                ("update secrets", 10),
                ("patch neo4jserviceaccounts/status", 10),
            ]),
            okta: counts(&[
                ("POST /oauth2/{authServerId}/v1/token", 10),
                ("POST /api/v1/apps", 5),
            ]),
            ..Measured::default()
        };
        assert_eq!((measured.reads(), measured.writes()), (3, 20));
        assert_eq!((measured.okta_calls(), measured.token_requests()), (15, 10));
        assert_eq!(measured.each(measured.writes()), Some(2.0));
        assert!((measured.cpu_each().unwrap() - 5.0).abs() < 1e-9);
        assert_eq!(Measured::default().each(3), None);
    }
}
