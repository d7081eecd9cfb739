//! What each command of the plugin takes beside the flags for the cluster: types
//! alone. Parsed fully before anything connects.

use std::time::Duration;

use clap::{Args, ValueEnum};

/// Which accounts to show, and how.
#[derive(Args, Clone, Debug)]
pub struct Status {
    /// Names of accounts; all of the namespace without any.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// In all namespaces.
    #[arg(short = 'A', long, conflicts_with = "names")]
    pub all_namespaces: bool,
    /// Only accounts with these labels, such as `team=data,env!=dev`.
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "names")]
    pub selector: Option<String>,
    /// Then show each change, until interrupted.
    #[arg(short, long)]
    pub watch: bool,
    /// How to show them.
    #[arg(short, long, value_enum, default_value_t = TableOutput::Table)]
    pub output: TableOutput,
}

/// One account, and how long to wait for what was asked.
#[derive(Args, Clone, Debug)]
pub struct Act {
    /// Name of the account.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Wait until it is done; with `--wait=false` ask and return.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub wait: bool,
    /// How long to wait, such as `90s`.
    #[arg(long, default_value = "1m", value_parser = duration)]
    pub timeout: Duration,
}

/// One account, and how to show what was found.
#[derive(Args, Clone, Debug)]
pub struct One {
    /// Name of the account.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How to show it.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Where the operator keeps what is its own.
#[derive(Args, Clone, Debug)]
pub struct OperatorFlags {
    /// The operator's namespace.
    #[arg(
        long,
        env = "OPERATOR_NAMESPACE",
        default_value = "neo4j-okta-system",
        value_name = "NAME"
    )]
    pub operator_namespace: String,
}

/// Which settings to print.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Names of issuers; all of them without any.
    #[arg(value_name = "ISSUER")]
    pub issuers: Vec<String>,
    /// What reads the settings.
    #[arg(short, long, value_enum, default_value_t = Form::Conf)]
    pub format: Form,
}

/// What reads Neo4j's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// neo4j.conf.
    Conf,
    /// The environment of Neo4j's Docker image.
    Env,
    /// Values of the chart neo4j/neo4j.
    Helm,
    /// Cypher that creates the roles that are missing.
    Cypher,
    /// The fields of Aura's console.
    Aura,
}

/// Which issuer to check, and how far to go.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// Name of the issuer.
    #[arg(value_name = "ISSUER", default_value = "default")]
    pub issuer: String,
    /// Also register an app at Okta, ask for a token as it would, and delete it; where
    /// the issuer lists its clients, ask with an account's credentials as well.
    #[arg(long)]
    pub mint: bool,
    /// The operator.
    #[command(flatten)]
    pub operator: OperatorFlags,
    /// How long to wait, all in all, where Okta's rate limit is used up.
    #[arg(long, default_value = "2m", value_parser = duration)]
    pub timeout: Duration,
    /// How to show what was found.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// What to do about orphans.
#[derive(Args, Clone, Debug)]
pub struct Orphans {
    /// Have the operator delete them at Okta, if there are just so many. May need
    /// the verb delete-orphans on the issuer.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub delete: Option<u32>,
    /// An issuer of the org that has them.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub issuer: String,
    /// The operator.
    #[command(flatten)]
    pub operator: OperatorFlags,
    /// How long to wait until the operator has answered.
    #[arg(long, default_value = "1m", value_parser = duration)]
    pub timeout: Duration,
    /// How to show them.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// What was typed so far.
#[derive(Args, Clone, Debug)]
pub struct Complete {
    /// The words, the last one unfinished.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// Forms of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableOutput {
    /// A table, or one account in detail.
    Table,
    /// A table with more columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Forms of anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

fn duration(text: &str) -> Result<Duration, String> {
    crate::plan::desired::duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "not a duration such as 90s or 1m30s".to_owned())
}
