//! `kubectl neo4jsa`: what people do with accounts, from their own machine and with
//! their own rights. Commands fetch (I/O), and pure functions make text of what was
//! found. Needs a kubeconfig. Refuses to print a token or a client credential, and
//! to change anything but what was named.

mod act;
mod acts;
mod cli;
mod failure;
mod render;
mod session;
mod status;
mod style;
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
    let outcome = async {
        let session = Session::open(&cli.cluster).await?;
        run(&session, &cli.command).await
    };
    match outcome.await {
        Ok(code) => code,
        Err(Failure::Unread) => 0,
        Err(Failure::Told(words)) => {
            eprintln!("error: {words}");
            1
        }
    }
}

async fn run(session: &Session, command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Status(arguments) => status::run(session, arguments).await,
        Command::Renew(arguments) => acts::run(session, Act::Renew, arguments).await,
        Command::Rotate(arguments) => acts::run(session, Act::Rotate, arguments).await,
        Command::Suspend(arguments) => acts::run(session, Act::Suspend, arguments).await,
        Command::Resume(arguments) => acts::run(session, Act::Resume, arguments).await,
        Command::Restore(arguments) => acts::run(session, Act::Restore, arguments).await,
        Command::Abandon(arguments) => acts::run(session, Act::Abandon, arguments).await,
    }
}
