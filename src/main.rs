//! The operator's process: command line, sign of life, graceful stop.

use std::process::ExitCode;

use futures::FutureExt;
use neo4j_okta_operator::admin::Admin;
use neo4j_okta_operator::cli::{self, Command, Run};
use neo4j_okta_operator::clock::Clock;
use neo4j_okta_operator::controller::{Fence, Operator, Settings};
use neo4j_okta_operator::metrics::Metrics;
use neo4j_okta_operator::{api, telemetry};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err((text, 0)) => {
            println!("{}", text.trim_end());
            return ExitCode::SUCCESS;
        }
        Err((text, code)) => {
            eprintln!("{text}");
            return ExitCode::from(code);
        }
    };
    match cli.command {
        Command::Crds => {
            print!(
                "{}",
                api::crds_yaml()
                    .into_iter()
                    .map(|(_, text)| text)
                    .collect::<Vec<_>>()
                    .join("---\n")
            );
            ExitCode::SUCCESS
        }
        Command::Run(settings) => run(&settings),
    }
}

fn run(arguments: &Run) -> ExitCode {
    telemetry::init(arguments.log_format, &arguments.log);
    // One provider of cryptography for everything that speaks TLS.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a crypto provider is installed already");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(operate(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn operate(arguments: &Run) -> Result<(), String> {
    let admin = Admin::bind(arguments.admin_address)
        .await
        .map_err(|e| format!("--admin-address {}: {e}", arguments.admin_address))?;
    let config = kube::Config::infer()
        .await
        .map_err(|e| format!("no cluster: neither in one, nor does KUBECONFIG name one ({e})"))?;
    let client =
        kube::Client::try_from(config).map_err(|e| format!("no client for the cluster: {e}"))?;
    let metrics = Metrics::new(!arguments.no_account_metrics);
    metrics.set_leader(true);
    let settings = Settings {
        namespace: arguments.operator_namespace.clone(),
        instance: std::env::var("HOSTNAME").unwrap_or_else(|_| "neo4j-okta-operator".to_owned()),
        clock: Clock::system(),
        fence: Fence::open(),
        okta_timeout: neo4j_okta_operator::okta::TIMEOUT,
        metrics: metrics.clone(),
        after_step: None,
    };
    let shutdown = terminated().shared();
    let operator = Operator::new(client, settings, shutdown.clone())
        .await
        .map_err(|e| format!("the cluster does not answer: {e}"))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = arguments.operator_namespace,
        "started"
    );
    let serving = admin.serve(operator.readiness(), metrics, shutdown);
    let (served, ()) = tokio::join!(serving, operator.run());
    tracing::info!("stopped");
    served.map_err(|e| format!("the admin port failed: {e}"))
}

/// SIGTERM from the kubelet, or Ctrl-C from a person.
async fn terminated() {
    let mut term = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(term) => term,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be awaited");
            std::future::pending::<()>().await;
            return;
        }
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping; what is under way is finished");
}
