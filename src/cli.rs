//! The command line, parsed fully before anything connects. What is wrong with
//! it ends the program with one line and exit code 64 (EX_USAGE).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use crate::leader::Timing;
use crate::telemetry::filter::parse as parse_filter;

/// Exit code for a wrong command line (sysexits.h).
pub const EX_USAGE: u8 = 64;
/// Exit code of a replica that lost its lease: start it again (EX_TEMPFAIL).
pub const EX_LEASE_LOST: u8 = 75;

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
    Run(Box<Run>),
    /// Print the CustomResourceDefinitions.
    Crds,
}

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Run {
    /// Namespace of the operator's own Secrets (the issuers' sign-in).
    #[arg(long, env = "OPERATOR_NAMESPACE", default_value = "neo4j-okta-system", value_parser = namespace)]
    pub operator_namespace: String,

    /// A ConfigMap in that namespace whose key `issuer.yaml` is an OktaIssuer to
    /// apply, at the start and at each change. It is never deleted.
    #[arg(long, env = "ISSUER_CONFIG_MAP")]
    pub issuer_config_map: Option<String>,

    /// Serve only accounts of these namespaces, separated by commas; rights on
    /// Secrets are then needed in these and the operator's own. All if empty.
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',', value_parser = namespace)]
    pub watch_namespaces: Vec<String>,

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

    /// A file with such a filter, which then holds instead, as long as it is
    /// there; a change is seen within seconds.
    #[arg(long, env = "LOG_FILTER_FILE")]
    pub log_filter_file: Option<PathBuf>,

    /// Leave out the two gauges that name each account.
    #[arg(long, env = "NO_ACCOUNT_METRICS")]
    pub no_account_metrics: bool,

    /// Work only while holding the Lease, so that several replicas may run. With
    /// `false` never run two at once.
    #[arg(long, env = "LEADER_ELECT", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub leader_elect: bool,

    /// Another replica takes over when it has watched the Lease unchanged for
    /// this long.
    #[arg(long, env = "LEASE_DURATION", default_value = "90s", value_parser = duration)]
    pub lease_duration: Duration,

    /// A leader that could not renew the Lease for this long drops everything
    /// and ends with exit code 75.
    #[arg(long, env = "RENEW_DEADLINE", default_value = "25s", value_parser = duration)]
    pub renew_deadline: Duration,

    /// How often the Lease is renewed, or looked at.
    #[arg(long, env = "RETRY_PERIOD", default_value = "5s", value_parser = duration)]
    pub retry_period: Duration,

    /// A request to Okta that takes longer is given up.
    #[arg(long, env = "OKTA_TIMEOUT", default_value = "60s", value_parser = duration)]
    pub okta_timeout: Duration,
}

impl Run {
    /// The durations of the Lease.
    #[must_use]
    pub fn timing(&self) -> Timing {
        Timing {
            lease: self.lease_duration,
            deadline: self.renew_deadline,
            retry: self.retry_period,
        }
    }

    /// What no flag can be blamed for alone.
    fn check(&self) -> Result<(), String> {
        if self.leader_elect {
            self.timing().check(self.okta_timeout)?;
        }
        Ok(())
    }
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

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<kube::core::Duration>();
    match parsed.map(|d| (d.is_negative(), Duration::from(d))) {
        Ok((false, duration)) if !duration.is_zero() => Ok(duration),
        _ => Err("not a duration such as 90s or 1m30s".to_owned()),
    }
}

fn filter(text: &str) -> Result<String, String> {
    parse_filter(text).map(|_| text.to_owned())
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
    let cli = Cli::try_parse_from(arguments).map_err(|error| told(&error))?;
    if let Command::Run(run) = &cli.command {
        run.check()
            .map_err(|text| (format!("error: {text}"), EX_USAGE))?;
    }
    Ok(cli)
}

/// What clap says, in one line.
fn told(error: &clap::Error) -> (String, u8) {
    match error.kind() {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let cases: [(&[&str], &str); 8] = [
            (&["run", "--admin-address", "nonsense"], "--admin-address"),
            (&["run", "--log-format", "xml"], "--log-format"),
            (&["run", "--log", "debgu"], "--log"),
            (
                &["run", "--operator-namespace", "Nope!"],
                "--operator-namespace",
            ),
            (&["run", "--frobnicate"], "--frobnicate"),
            (&["run", "--lease-duration", "soon"], "--lease-duration"),
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
    fn durations_with_which_two_could_lead_at_once_or_nobody_for_long_are_refused() {
        let cases: [(&[&str], &[&str]); 6] = [
            (
                &["--lease-duration=85s"],
                &["--lease-duration", "--renew-deadline", "--okta-timeout"],
            ),
            (
                &["--okta-timeout=65s"],
                &["--lease-duration", "--okta-timeout"],
            ),
            (
                &["--renew-deadline=30s"],
                &["--lease-duration", "--renew-deadline"],
            ),
            (
                &["--retry-period=10s"],
                &["--renew-deadline", "--retry-period"],
            ),
            (&["--retry-period=1ms"], &["--retry-period"]),
            (&["--lease-duration=2h"], &["--lease-duration"]),
        ];
        for (arguments, words) in cases {
            let all = ["neo4j-okta-operator", "run"].iter().chain(arguments);
            let (text, code) = parse(all.clone()).expect_err("impossible");
            assert_eq!(code, EX_USAGE, "{arguments:?}");
            assert!(!text.contains('\n'), "{text}");
            for word in words {
                assert!(text.contains(word), "{word} in {text}");
            }
            assert!(
                parse(all.chain(&["--leader-elect=false"])).is_ok(),
                "without an election nothing has to fit"
            );
        }
        assert!(
            parse(["neo4j-okta-operator", "run"]).is_ok(),
            "the defaults fit"
        );
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
