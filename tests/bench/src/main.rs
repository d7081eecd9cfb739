//! `cargo bench-cluster`: what the operator costs, on real parts.
//!
//! A real etcd, API server and controller manager, the released operator as its own
//! process, and the Okta emulator instead of Okta, all on this machine and on
//! loopback. It says what was counted and how long it took, and keeps that in
//! `docs/benchmarks/`.

mod cli;
mod clock;
mod figures;
mod machine;
mod meter;
mod observer;
mod operator;
mod picture;
mod process;
mod results;
mod scenarios;
mod screen;
mod side_by_side;
mod table;
mod world;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::Options;
use figures::Measured;
use machine::Machine;
use results::{Results, Run};

fn main() -> ExitCode {
    let options = Options::parse();
    // Whoever was first has chosen the provider, and any will do.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(&options)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen::say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    if !options.without_operator {
        let binary = match &options.operator {
            Some(binary) => binary.clone(),
            None => {
                screen::say("building the operator");
                operator::build().await?
            }
        };
        for scale in options.scales() {
            screen::say(&format!("{} accounts", scale.accounts));
            let version = env!("CARGO_PKG_VERSION");
            let program = format!("neo4j-okta-operator {version} {}", options.build);
            let report = Report {
                options,
                program: program.trim_end(),
                flags: &operator::FLAGS,
                remark: "",
                accounts: scale.accounts,
            };
            scenarios::play(&binary, &scale, &options.scenarios(), &report).await?;
        }
    }
    if options.side_by_side {
        let binary = side_by_side::build().await?;
        for scale in options.scales() {
            for flags in [side_by_side::DEFAULTS, side_by_side::FASTER] {
                if flags == side_by_side::DEFAULTS && !scale.suits_one_worker() {
                    continue;
                }
                let program = side_by_side::PROGRAM;
                screen::say(&format!("{program}, {} objects, {flags:?}", scale.accounts));
                let report = Report {
                    options,
                    program,
                    flags,
                    remark: side_by_side::REMARK,
                    accounts: scale.accounts,
                };
                side_by_side::play(binary.clone(), flags, &scale, &report).await?;
            }
        }
    }
    Ok(())
}

/// Whom the scenarios of a run tell what they measured.
struct Report<'a> {
    options: &'a Options,
    program: &'a str,
    flags: &'a [&'a str],
    remark: &'a str,
    accounts: usize,
}

impl Report<'_> {
    /// Keeps what was measured so far where results are kept, whatever it says: a
    /// scenario that fails later costs no other its result.
    fn so_far(&self, kubernetes: &str, scenarios: &[Measured]) -> Result<()> {
        if let Some(last) = scenarios.last() {
            screen::measured(last);
        }
        if self.options.quick {
            return Ok(());
        }
        let mut results = Results::read(&self.options.output)?;
        results.add(
            self.run(kubernetes, scenarios),
            !self.options.only.is_empty(),
        );
        results.write(&self.options.output)
    }

    /// Prints the run; refuses to go on after one that is wrong.
    fn whole(&self, kubernetes: &str, scenarios: &[Measured]) -> Result<()> {
        println!("{}", table::section(&self.run(kubernetes, scenarios)));
        let all = scenarios.iter().flat_map(|one| &one.wrong);
        let wrong: Vec<String> = all.cloned().collect();
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok(())
    }

    fn run(&self, kubernetes: &str, scenarios: &[Measured]) -> Run {
        Run {
            program: self.program.to_owned(),
            flags: self.flags.join(" "),
            remark: self.remark.to_owned(),
            accounts: self.accounts,
            machine: Machine::this(kubernetes),
            scenarios: scenarios.to_vec(),
        }
    }
}
