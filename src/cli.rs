//! The command line, parsed fully before anything connects. What is wrong with
//! it ends the program with one line and exit code 64 (EX_USAGE).

use std::net::SocketAddr;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand, ValueEnum};

/// Exit code for a wrong command line (sysexits.h).
pub const EX_USAGE: u8 = 64;

/// Gives every workload its own machine identity for Neo4j, through Okta.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "neo4j-okta-operator",
    version,
    about,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the operator against the cluster that it is in, or else the one that
    /// KUBECONFIG names.
    Run(Run),
    /// Print the CustomResourceDefinitions.
    Crds,
}

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Run {
    /// Namespace of the operator's own Secrets (the issuers' sign-in).
    #[arg(long, env = "OPERATOR_NAMESPACE", default_value = "neo4j-okta-system", value_parser = namespace)]
    pub operator_namespace: String,

    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "ADMIN_ADDRESS", default_value = "0.0.0.0:8080")]
    pub admin_address: SocketAddr,

    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,

    /// Which log lines are written, such as `info` or
    /// `info,neo4j_okta_operator=debug`.
    #[arg(long, env = "LOG", default_value = "info", value_parser = filter)]
    pub log: String,

    /// Leave out the two gauges that name each account.
    #[arg(long, env = "NO_ACCOUNT_METRICS")]
    pub no_account_metrics: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

fn namespace(text: &str) -> Result<String, String> {
    let valid = !text.is_empty()
        && text.len() <= 63
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if valid {
        Ok(text.to_owned())
    } else {
        Err("not the name of a namespace".to_owned())
    }
}

fn filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("not a log filter".to_owned()),
    }
}

/// Parses, or says in one line what is wrong.
///
/// # Errors
/// The text to print and the exit code: 0 for help and version.
pub fn parse<I, T>(arguments: I) -> Result<Cli, (String, u8)>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => (error.to_string(), 0),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => (
            "error: a command is needed: run or crds (see --help)".to_owned(),
            EX_USAGE,
        ),
        _ => {
            let text = error.to_string();
            let line: Vec<&str> = text
                .lines()
                .take_while(|l| !l.trim().is_empty())
                .map(str::trim)
                .collect();
            (line.join(" "), EX_USAGE)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let cases: [(&[&str], &str); 6] = [
            (&["run", "--admin-address", "nonsense"], "--admin-address"),
            (&["run", "--log-format", "xml"], "--log-format"),
            (
                &["run", "--operator-namespace", "Nope!"],
                "--operator-namespace",
            ),
            (&["run", "--frobnicate"], "--frobnicate"),
            (&["walk"], "walk"),
            (&[], "run or crds"),
        ];
        for (arguments, word) in cases {
            let (text, code) =
                parse(["neo4j-okta-operator"].iter().chain(arguments)).expect_err("wrong");
            assert_eq!(code, EX_USAGE, "{arguments:?}");
            assert!(text.contains(word) && !text.trim().contains('\n'), "{text}");
        }
    }

    #[test]
    fn help_is_no_error() {
        assert_eq!(
            parse(["neo4j-okta-operator", "--help"])
                .expect_err("help")
                .1,
            0
        );
    }
}
