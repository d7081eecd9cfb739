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

use cli::{Options, Scale};
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
            let played = scenarios::play(&binary, &scale, &options.scenarios()).await?;
            let version = env!("CARGO_PKG_VERSION");
            let program = format!("neo4j-okta-operator {version} {}", options.build);
            let program = program.trim_end();
            keep(
                options,
                run_of(program, &operator::FLAGS, "", &scale, played),
            )?;
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
                let played = side_by_side::play(binary.clone(), flags, &scale).await?;
                let remark = side_by_side::REMARK;
                keep(options, run_of(program, flags, remark, &scale, played))?;
            }
        }
    }
    Ok(())
}

fn run_of(
    program: &str,
    flags: &[&str],
    remark: &str,
    scale: &Scale,
    (kubernetes, scenarios): (String, Vec<Measured>),
) -> Run {
    Run {
        program: program.to_owned(),
        flags: flags.join(" "),
        remark: remark.to_owned(),
        accounts: scale.accounts,
        machine: Machine::this(&kubernetes),
        scenarios,
    }
}

/// Prints a run, and keeps it where results are kept, whatever it says; refuses to
/// go on after one that is wrong.
fn keep(options: &Options, run: Run) -> Result<()> {
    println!("{}", table::section(&run));
    let all = run.scenarios.iter().flat_map(|one| &one.wrong);
    let wrong: Vec<String> = all.cloned().collect();
    if !options.quick {
        let mut results = Results::read(&options.output)?;
        results.add(run);
        results.write(&options.output)?;
    }
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}
