//! The emulator as a program: flags or environment in, the URL out on the first
//! line, and then it serves until it is told to end. And a command beside it,
//! `conformance`, which holds what the project believes about Okta against an org.

mod conformance;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use okta_emulator::{Config, Emulator, Limits, TlsFiles};

/// An Okta org in memory.
#[derive(Parser)]
#[command(
    version,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true
)]
struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
    /// Address and port; port 0 picks a free one.
    #[arg(long, env = "OKTA_EMULATOR_LISTEN", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The SSWS token of the org; better given by the environment.
    #[arg(
        long,
        env = "OKTA_EMULATOR_API_TOKEN",
        hide_env_values = true,
        required = true
    )]
    api_token: Option<String>,
    /// Certificate chain (PEM) for HTTPS.
    #[arg(long, env = "OKTA_EMULATOR_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) for HTTPS.
    #[arg(long, env = "OKTA_EMULATOR_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The URL that callers use, when it is not the address listened on.
    #[arg(long, env = "OKTA_EMULATOR_PUBLIC_URL")]
    public_url: Option<String>,
    /// Rate limits: generous, integrator or one-app.
    #[arg(long, env = "OKTA_EMULATOR_LIMITS", default_value = "generous", value_parser = ["generous", "integrator", "one-app"])]
    limits: String,
}

#[derive(Subcommand)]
enum Command {
    Conformance(conformance::Flags),
}

pub(crate) const WRONG_USAGE: u8 = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) if error.use_stderr() => {
            let text = error.to_string();
            let first: Vec<&str> = text
                .lines()
                .take_while(|line| !line.is_empty())
                .map(str::trim)
                .collect();
            eprintln!("{}", first.join(" "));
            return ExitCode::from(WRONG_USAGE);
        }
        Err(help) => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
    };
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("error: a TLS provider is already installed");
        return ExitCode::FAILURE;
    }
    if let Some(Command::Conformance(flags)) = flags.command {
        return conformance::run(flags).await;
    }
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut end = signal(SignalKind::terminate())?;
    let tls = flags
        .tls_cert
        .zip(flags.tls_key)
        .map(|(cert, key)| TlsFiles { cert, key });
    let limits = match flags.limits.as_str() {
        "integrator" => Limits::integrator(),
        "one-app" => Limits::one_app(),
        _ => Limits::default(),
    };
    let config = Config {
        listen: flags.listen,
        api_token: flags.api_token.unwrap_or_default(),
        tls,
        public_url: flags.public_url,
        limits,
        ..Config::default()
    };
    let emulator = Emulator::start(config).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", emulator.url())?;
    out.flush()?;
    tokio::select! {
        _ = end.recv() => Ok(()),
        result = tokio::signal::ctrl_c() => result,
    }
}
