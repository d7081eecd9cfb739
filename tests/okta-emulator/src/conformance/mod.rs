//! What this project believes about Okta, one executable statement each, and
//! the command that holds them against an org: the emulator in tests, a real one
//! wherever somebody has one. Uses nothing of the emulator. Whatever a run makes
//! bears its prefix and is removed at the end.

mod apps;
mod cleanup;
mod key;
mod observed;
mod pace;
mod replace;
mod report;
mod secrets;
mod servers;
mod session;
mod signin;
mod statement;
mod tokens;
mod wire;

use std::process::ExitCode;

use reqwest::Method;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use cleanup::{Ledger, clean};
use report::{Report, line};
use session::Session;
use statement::{Statement, Stop};
use wire::{Wire, is_loopback};

use crate::WRONG_USAGE;

/// Never on the command line, where others could read it.
const TOKEN: &str = "OKTA_API_TOKEN";

/// Holds what this project believes about Okta against an org.
///
/// The org's SSWS token is read from the environment variable OKTA_API_TOKEN;
/// its administrator may create apps and authorization servers. Everything that
/// a run makes bears a name of its own and is removed at the end. Exits with 0
/// when nothing differs, with 1 otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The org, such as https://integrator-1234567.okta.com.
    #[arg(long, required_unless_present = "list")]
    org: Option<Url>,
    /// Check these statements alone; may be given more than once.
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Print the statements and their sources, and ask nobody.
    #[arg(long)]
    list: bool,
}

fn statements() -> impl Iterator<Item = &'static Statement> {
    [
        apps::STATEMENTS,
        replace::STATEMENTS,
        secrets::STATEMENTS,
        servers::STATEMENTS,
        tokens::STATEMENTS,
        signin::STATEMENTS,
        observed::STATEMENTS,
    ]
    .into_iter()
    .flatten()
}

/// Runs the command.
pub(crate) async fn run(flags: Flags) -> ExitCode {
    if flags.list {
        for Statement {
            id, says, source, ..
        } in statements()
        {
            line(&format!("{id}\n    {says} [{source}]"));
        }
        return ExitCode::SUCCESS;
    }
    let wrong = |text: &str| {
        eprintln!("error: {text}");
        ExitCode::from(WRONG_USAGE)
    };
    let Some(org) = flags.org else {
        return wrong("--org is missing");
    };
    if org.scheme() != "https" && !is_loopback(&org) {
        return wrong("--org must be an https URL");
    }
    if let Some(id) = flags
        .only
        .iter()
        .find(|id| !statements().any(|s| s.id == **id))
    {
        return wrong(&format!("no statement is called {id}; --list shows them"));
    }
    let Some(token) = std::env::var(TOKEN).ok().filter(|token| !token.is_empty()) else {
        return wrong(&format!("set {TOKEN} to an SSWS token of the org"));
    };
    match hold(&org, token.trim(), &flags.only).await {
        Ok(code) => code,
        Err(Stop(why)) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn hold(org: &Url, token: &str, only: &[String]) -> Result<ExitCode, Stop> {
    let mut wire = Wire::new(org, token)?;
    let reply = wire.api(Method::GET, "/api/v1/apps?limit=1", None).await?;
    if reply.status != 200 {
        let brief = reply.brief();
        return Err(Stop(format!("the org does not take {TOKEN}: {brief}")));
    }
    let ledger = Ledger::default();
    ledger.hide(token);
    // Also in client ids: lower case, so that their case can be played with.
    let prefix = format!("okta-conformance-{}", key::random_hex(4));
    line(&format!("{org}, run {prefix}"));
    let mut session = Session::new(wire, ledger.clone(), prefix.clone());
    let mut report = Report::default();
    let checks = async {
        for statement in statements() {
            if only.is_empty() || only.iter().any(|id| id == statement.id) {
                let outcome = (statement.check)(&mut session).await;
                report.row(statement, outcome, &ledger);
            }
        }
    };
    let interrupted = tokio::select! {
        () = checks => false,
        () = told_to_end()? => true,
    };
    report.sum();
    // A new connection: the old one may have been stopped within a request.
    let removed = clean(&mut Wire::new(org, token)?, &ledger, &prefix).await;
    match &removed {
        Ok(text) => line(text),
        Err(text) => eprintln!("{text}"),
    }
    if interrupted {
        eprintln!("error: interrupted");
    }
    Ok(if report.differs() || interrupted || removed.is_err() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Ctrl-C or a termination. While what was made is being removed, neither ends
/// the program.
fn told_to_end() -> Result<impl Future<Output = ()>, Stop> {
    let listen = |kind| signal(kind).map_err(|e| Stop(format!("no signals: {e}")));
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
