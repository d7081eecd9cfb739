//! What is kept of all runs, as JSON: the newest of each program and size.
//!
//! It needs a folder. It refuses to overwrite a file that it cannot read.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::figures::Measured;
use crate::machine::Machine;
use crate::{picture, table};

/// All runs.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Results {
    pub(crate) runs: Vec<Run>,
}

/// One program with so many accounts.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    /// Name and version.
    pub(crate) program: String,
    /// What it was told.
    pub(crate) flags: String,
    /// What it cannot do of what the others do; empty for the operator.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) remark: String,
    pub(crate) accounts: usize,
    pub(crate) machine: Machine,
    pub(crate) scenarios: Vec<Measured>,
}

impl Run {
    pub(crate) fn scenario(&self, name: &str) -> Option<&Measured> {
        self.scenarios.iter().find(|one| one.scenario == name)
    }
}

impl Results {
    /// Those that are in `folder`; none if there is nothing.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("results.json");
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Takes the place of what the same program did with as many accounts; where
    /// `run` is only a `part`, that of the same scenarios.
    pub(crate) fn add(&mut self, mut run: Run, part: bool) {
        let same = |other: &Run| {
            (&other.program, &other.flags, other.accounts)
                == (&run.program, &run.flags, run.accounts)
        };
        let before = self
            .runs
            .iter()
            .position(same)
            .map(|at| self.runs.remove(at));
        if let Some(before) = before.filter(|_| part) {
            let mut scenarios = before.scenarios;
            for new in run.scenarios {
                match scenarios
                    .iter_mut()
                    .find(|one| one.scenario == new.scenario)
                {
                    Some(old) => *old = new,
                    None => scenarios.push(new),
                }
            }
            run.scenarios = scenarios;
        }
        self.runs.push(run);
        // Stable: programs stay in the order in which they came.
        self.runs.sort_by_key(|run| run.accounts);
    }

    /// Writes the results, the tables and the picture.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let json = ("results.json", serde_json::to_string_pretty(self)? + "\n");
        for (name, text) in [json].into_iter().chain(self.shown()?) {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// What people look at, by the names of the files.
    fn shown(&self) -> Result<[(&'static str, String); 2]> {
        let picture = picture::svg(self)?;
        Ok([("results.md", table::page(self)), ("results.svg", picture)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_and_the_picture_are_those_of_the_results() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/benchmarks");
        let results = Results::read(&folder).unwrap();
        if std::env::var_os("BLESS").is_some() {
            results.write(&folder).unwrap();
        }
        for (name, text) in results.shown().unwrap() {
            let kept = std::fs::read_to_string(folder.join(name)).unwrap();
            let same = kept == text;
            assert!(
                same,
                "docs/benchmarks/{name}: run BLESS=1 cargo test --package bench"
            );
        }
    }

    #[test]
    fn a_run_takes_the_place_of_the_one_before() {
        let run = |program: &str, accounts, machine: &str| Run {
            program: program.to_owned(),
            accounts,
            machine: Machine {
                kubernetes: machine.to_owned(),
                ..Machine::default()
            },
            ..Run::default()
        };
        let mut results = Results::default();
        for one in [run("a", 1000, ""), run("b", 100, ""), run("a", 100, "old")] {
            results.add(one, false);
        }
        results.add(run("a", 100, "new"), false);
        let expected = [run("b", 100, ""), run("a", 100, "new"), run("a", 1000, "")];
        assert_eq!(results.runs, expected);
    }

    #[test]
    fn a_part_of_a_run_takes_the_place_of_the_same_scenarios() {
        let run = |scenarios: &[(&str, u64)]| {
            let measured = |(scenario, operations): &(&str, u64)| Measured {
                scenario: (*scenario).to_owned(),
                operations: *operations,
                ..Measured::default()
            };
            Run {
                scenarios: scenarios.iter().map(measured).collect(),
                ..Run::default()
            }
        };
        let mut results = Results::default();
        results.add(
            run(&[("registration", 1), ("idle", 1), ("refresh", 1)]),
            false,
        );
        results.add(
            run(&[("registration", 2), ("refresh", 2), ("budget", 2)]),
            true,
        );
        let expected = [
            ("registration", 2),
            ("idle", 1),
            ("refresh", 2),
            ("budget", 2),
        ];
        assert_eq!(results.runs, [run(&expected)]);
        results.add(run(&[("idle", 3)]), false);
        assert_eq!(results.runs, [run(&[("idle", 3)])]);
    }
}
