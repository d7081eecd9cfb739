//! The command line, and what a run of some size does.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/benchmarks");

const MANY: usize = 2000;

/// Measures what the operator costs, on a real control plane and the Okta
/// emulator, on this machine.
///
/// It ends with an error only when something did not happen, or where a number has
/// to be exact: an idle operator writes nothing, a restart asks for no token and
/// reads no Secret. How long anything took is told and not judged.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench-cluster")]
pub(crate) struct Options {
    /// With how many accounts: a run for each.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
    pub(crate) accounts: Vec<usize>,

    /// 20 accounts and short windows, to see that everything works: the results
    /// are printed and not kept.
    #[arg(long, conflicts_with = "accounts")]
    pub(crate) quick: bool,

    /// These scenarios only, and what is known of the others stays; without accounts
    /// there is nothing to measure, so the registration is always one of them.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Scenario>,

    /// This program instead of a release build of this tree: another build, or a
    /// script that executes one under a profiler or with another allocator.
    #[arg(long, value_name = "FILE")]
    pub(crate) operator: Option<PathBuf>,

    /// Beside the flags, what the table calls that program.
    #[arg(long, requires = "operator", default_value = "")]
    pub(crate) build: String,

    /// External Secrets, too, with its chart's defaults and with more workers. It is
    /// built once, which takes about 4 minutes.
    #[arg(long)]
    pub(crate) side_by_side: bool,

    /// Not the operator: its results are there already.
    #[arg(long, requires = "side_by_side")]
    pub(crate) without_operator: bool,

    /// Where results are kept. Runs of other sizes that are there already stay.
    #[arg(long, default_value = RESULTS)]
    pub(crate) output: PathBuf,
}

/// In the order in which they are played.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
pub(crate) enum Scenario {
    Registration,
    Idle,
    Restart,
    Foreign,
    Groups,
    Newcomers,
    Refresh,
    Budget,
}

/// How large, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) accounts: usize,
    pub(crate) idle: Duration,
    pub(crate) foreign: usize,
    pub(crate) newcomers: usize,
    /// Of the tokens that are refreshed as planned; None asks for the refresh.
    pub(crate) lifetime_minutes: Option<u64>,
    /// Whole windows of Okta's limits; 0 for less than one.
    pub(crate) budget_minutes: u64,
}

impl Options {
    pub(crate) fn scales(&self) -> Vec<Scale> {
        if self.quick {
            return vec![Scale {
                accounts: 20,
                idle: Duration::from_secs(5),
                foreign: 20,
                newcomers: 5,
                lifetime_minutes: None,
                budget_minutes: 0,
            }];
        }
        self.accounts.iter().copied().map(Scale::of).collect()
    }

    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let all = Scenario::value_variants().iter().copied();
        let wanted = |scenario: &Scenario| {
            *scenario == Scenario::Registration
                || self.only.is_empty()
                || self.only.contains(scenario)
        };
        all.filter(wanted).collect()
    }
}

impl Scale {
    /// Whether so many are for one worker, too: it would take half an hour with
    /// 10 000, over and over.
    pub(crate) fn suits_one_worker(&self) -> bool {
        self.accounts <= MANY
    }

    fn of(accounts: usize) -> Self {
        Self {
            accounts,
            idle: Duration::from_secs(60),
            foreign: 300,
            newcomers: 20,
            // The shortest that there is, but for more than one machine can sign and
            // store in it.
            lifetime_minutes: Some(if accounts <= MANY { 5 } else { 10 }),
            budget_minutes: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_comes_before_whatever_is_asked_for() {
        let options = Options::parse_from(["x", "--only", "groups,idle", "--accounts", "7"]);
        let expected = [Scenario::Registration, Scenario::Idle, Scenario::Groups];
        assert_eq!(options.scenarios(), expected);
        assert_eq!(options.scales().len(), 1);
        assert!(Options::try_parse_from(["x", "--quick", "--accounts", "7"]).is_err());
    }
}
