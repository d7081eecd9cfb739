//! `kubectl neo4jsa`: what people do with accounts, from their own machine and with
//! their own rights. Commands fetch (I/O), and pure functions make text of what was
//! found. Needs a kubeconfig. Refuses to print a token or a client credential, and
//! to change anything but what was named.

mod act;
mod acts;
mod arguments;
mod checks;
mod cli;
mod complete;
mod config;
mod doctor;
mod failure;
mod inspect;
mod orphans;
mod pace;
mod render;
mod session;
mod status;
mod style;
mod token;
mod verify;
mod view;

#[cfg(test)]
mod snapshots;

pub use cli::{Cli, EX_USAGE, command, parse};

use act::Act;
use cli::Command;
use failure::Failure;
use session::Session;

/// Carries out a command and returns the exit code.
pub async fn main(cli: Cli) -> u8 {
    match run(&cli).await {
        Ok(code) => code,
        Err(Failure::Unread) => 0,
        Err(Failure::Told(words)) => {
            eprintln!("error: {words}");
            1
        }
    }
}

async fn run(cli: &Cli) -> Result<u8, Failure> {
    let session = || Session::open(&cli.cluster);
    let act = async |act, arguments| acts::run(&session().await?, act, arguments).await;
    match &cli.command {
        Command::Status(arguments) => status::run(&session().await?, arguments).await,
        Command::Renew(arguments) => act(Act::Renew, arguments).await,
        Command::Rotate(arguments) => act(Act::Rotate, arguments).await,
        Command::Suspend(arguments) => act(Act::Suspend, arguments).await,
        Command::Resume(arguments) => act(Act::Resume, arguments).await,
        Command::Restore(arguments) => act(Act::Restore, arguments).await,
        Command::Abandon(arguments) => act(Act::Abandon, arguments).await,
        Command::Inspect(arguments) => inspect::run(&session().await?, arguments).await,
        Command::Verify(arguments) => verify::run(&session().await?, arguments).await,
        Command::Config(arguments) => config::run(&session().await?, arguments).await,
        Command::Doctor(arguments) => doctor::run(&session().await?, arguments).await,
        Command::Orphans(arguments) => orphans::run(&session().await?, arguments).await,
        Command::Completion => session::out(complete::SCRIPT).map(|()| 0),
        Command::Complete(arguments) => complete::run(&arguments.words).await,
    }
}
