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
mod table;
mod world;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::Options;
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
    screen::say("building the operator");
    let binary = operator::build().await?;
    for scale in options.scales() {
        screen::say(&format!("{} accounts", scale.accounts));
        let (kubernetes, scenarios) =
            scenarios::play(&binary, &scale, &options.scenarios()).await?;
        let run = Run {
            program: format!("neo4j-okta-operator {}", env!("CARGO_PKG_VERSION")),
            flags: operator::FLAGS.join(" "),
            accounts: scale.accounts,
            machine: Machine::this(&kubernetes),
            scenarios,
            ..Run::default()
        };
        keep(options, run)?;
    }
    Ok(())
}

/// Prints a run, and keeps it where results are kept.
fn keep(options: &Options, run: Run) -> Result<()> {
    println!("{}", table::section(&run));
    if options.quick {
        return Ok(());
    }
    let mut results = Results::read(&options.output)?;
    results.add(run);
    results.write(&options.output)
}
