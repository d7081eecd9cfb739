//! The plugin's command line, with kubectl's own flags for the cluster. Parsed
//! fully before anything connects. `docs/reference/cli.md` is made from it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand};

pub(super) use super::arguments::{
    Act, Complete, Config, Doctor, Form, One, Orphans, Output, Status, TableOutput,
};

/// Exit code for a wrong command line (sysexits.h).
pub const EX_USAGE: u8 = 64;

const AFTER: &str = "\
Exit codes:
  0   done, or what was looked at is in order
  1   not done: refused, not found, not in time, or no answer
  2   looked, and found something wrong (verify, doctor)
  64  the command line is wrong";

/// Looks after the machine identities of Neo4j that neo4j-okta-operator keeps:
/// shows them, renews, rotates, stops and restores them, and finds what is wrong.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "kubectl-neo4jsa",
    bin_name = "kubectl neo4jsa",
    version,
    about,
    disable_help_subcommand = true,
    after_help = AFTER
)]
pub struct Cli {
    /// Which cluster, and in whose name.
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// kubectl's flags for the cluster.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterFlags {
    /// The kubeconfig file to use.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig to use.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster")]
    pub context: Option<String>,
    /// The cluster of the kubeconfig to use.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster")]
    pub cluster: Option<String>,
    /// The user of the kubeconfig to use.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster")]
    pub user: Option<String>,
    /// The namespace to work in; else that of the context.
    #[arg(
        short,
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Cluster"
    )]
    pub namespace: Option<String>,
    /// Act as this user.
    #[arg(
        long = "as",
        global = true,
        value_name = "USER",
        help_heading = "Cluster"
    )]
    pub impersonate: Option<String>,
    /// Act as a member of this group, together with --as; may be repeated.
    #[arg(
        long = "as-group",
        global = true,
        value_name = "GROUP",
        help_heading = "Cluster"
    )]
    pub impersonate_groups: Vec<String>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show accounts: the life of each token, its credentials, and what is wrong
    ///
    /// With one name the account is shown in detail, its conditions in words. Of
    /// one that waits for Okta's rate limit it is foreseen when its turn comes, such
    /// as ~12m under REFRESH, from how fast those before it had theirs.
    #[command(
        visible_alias = "get",
        after_help = "Examples:
  kubectl neo4jsa status
  kubectl neo4jsa status etl -n payments
  kubectl neo4jsa status -A -l team=data -o wide
  kubectl neo4jsa status -A -w
  kubectl neo4jsa status -A -o json"
    )]
    Status(Status),
    /// Get a new token at once
    ///
    /// Three at once, then one a minute. The former token stays valid until it
    /// expires.
    #[command(after_help = "Examples:
  kubectl neo4jsa renew etl -n payments")]
    Renew(Act),
    /// Replace the client credentials, without a moment in which none work
    ///
    /// Once an hour at most. The former credentials work until the overlap has
    /// passed (spec.rotation.overlap; else the lifetime of a token).
    #[command(after_help = "Examples:
  kubectl neo4jsa rotate etl -n payments")]
    Rotate(Act),
    /// Stop an account: its app is deactivated and its token Secret removed
    ///
    /// Sets spec.suspended. Where a GitOps tool applies the account, set it there.
    /// Neo4j honours the last token until that expires.
    #[command(after_help = "Examples:
  kubectl neo4jsa suspend etl -n payments")]
    Suspend(Act),
    /// Let a suspended account go on
    #[command(after_help = "Examples:
  kubectl neo4jsa resume etl -n payments")]
    Resume(Act),
    /// Let an account go on whose app somebody disabled or deleted at Okta
    ///
    /// May need the verb restore on the OktaIssuer. Find out first who did it, and
    /// why: status tells as far as Okta's log does.
    #[command(after_help = "Examples:
  kubectl neo4jsa restore etl -n payments")]
    Restore(Act),
    /// Let go of the app of an account that is being deleted and cannot go
    ///
    /// May need the verb abandon on the OktaIssuer. The app may stay at Okta,
    /// active: its ids are printed, to deactivate and delete it there.
    #[command(after_help = "Examples:
  kubectl neo4jsa abandon etl -n payments")]
    Abandon(Act),
    /// Show the claims of an account's token, never the token
    #[command(after_help = "Examples:
  kubectl neo4jsa inspect etl -n payments
  kubectl neo4jsa inspect etl -n payments -o json")]
    Inspect(One),
    /// Check an account's token as Neo4j does: signature, issuer, audience, expiry
    ///
    /// Fetches the public keys from the authorization server, and logs in at the
    /// servers that the issuer names in spec.neo4j.queryApiUrls. The token goes
    /// nowhere else.
    #[command(after_help = "Examples:
  kubectl neo4jsa verify etl -n payments")]
    Verify(One),
    /// List the apps that are left at Okta without an account, or have them deleted
    #[command(after_help = "Examples:
  kubectl neo4jsa orphans
  kubectl neo4jsa orphans --issuer default --delete 3")]
    Orphans(Orphans),
    /// Print the settings with which Neo4j trusts the tokens of issuers
    ///
    /// Of all issuers, or of those that are named, side by side. Nothing is
    /// changed: put them where Neo4j reads its settings.
    #[command(after_help = "Examples:
  kubectl neo4jsa config
  kubectl neo4jsa config default --format helm > values.yaml
  kubectl neo4jsa config default partner --format env
  kubectl neo4jsa config --format cypher | cypher-shell -d system")]
    Config(Config),
    /// Check an issuer from end to end, in its own name at Okta
    ///
    /// Signs in as the operator does, with the Secret that the issuer names, and
    /// tells what is missing and where that is put right. Reads alone, unless
    /// --mint says otherwise.
    #[command(after_help = "Examples:
  kubectl neo4jsa doctor
  kubectl neo4jsa doctor partner --mint
  kubectl neo4jsa doctor default -o json

Needs get on the OktaIssuer, and get on secrets in the operator's namespace. With
list on accounts in all namespaces it also looks at an account's token and counts
those that wait; with get on the namespace kube-system it knows whose policies are
whose; with get on leases in the operator's namespace it sees which replica leads.

It exits with 2 when something must be put right, with 1 when you lack a right
without which there is nothing to look at, and with 0 otherwise, whatever is worth
a look.")]
    Doctor(Doctor),
    /// Print the script that lets kubectl complete this plugin's words
    #[command(after_help = "Examples:
  kubectl neo4jsa completion > ~/.local/bin/kubectl_complete-neo4jsa
  chmod +x ~/.local/bin/kubectl_complete-neo4jsa

kubectl runs that file, which must be on PATH, in each shell whose completion of
kubectl itself is set up. A link of that name to kubectl-neo4jsa does as well.")]
    Completion,
    /// What completes the words that were typed so far.
    #[command(name = "__complete", hide = true)]
    Complete(Complete),
}

/// Parses the command line.
///
/// # Errors
/// What is wrong with it, or the help that was asked for.
pub fn parse<I, T>(arguments: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    Cli::try_parse_from(as_called(arguments.into_iter().map(Into::into).collect()))
}

/// kubectl asks a plugin for completions by a program of this name, which may be a
/// link to this one.
const COMPLETES: &str = "kubectl_complete-neo4jsa";

/// The words as if this program had been called by its own name.
fn as_called(mut words: Vec<OsString>) -> Vec<OsString> {
    let called = words.first().map(Path::new).and_then(Path::file_stem);
    if called.is_some_and(|name| name == COMPLETES) {
        words.splice(1..1, ["__complete".into(), "--".into()]);
    }
    words
}

/// The command line as a value, for its reference and for completion.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// The field manager of what the plugin writes.
pub(super) const MANAGER: &str = "kubectl-neo4jsa";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_by_the_name_that_kubectl_asks_for_completes() {
        let words = ["/opt/bin/kubectl_complete-neo4jsa", "renew", "-n", ""];
        let cli = parse(words).unwrap();
        assert!(matches!(&cli.command, Command::Complete(c) if c.words == words[1..]));
        // Even words that look like flags of its own are only passed on.
        let cli = parse(["kubectl_complete-neo4jsa", "--help"]).unwrap();
        assert!(matches!(&cli.command, Command::Complete(c) if c.words == ["--help"]));
        let cli = parse(["kubectl-neo4jsa", "renew", "etl"]).unwrap();
        assert!(matches!(cli.command, Command::Renew(_)));
    }
}
