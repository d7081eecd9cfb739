//! The operator's process: command line, sign of life, turns with other
//! replicas, graceful stop.

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use axum::http::header::{HeaderValue, USER_AGENT};
use futures::FutureExt;
use kube::client::ClientBuilder;
use neo4j_okta_operator::admin::Admin;
use neo4j_okta_operator::api::names as n;
use neo4j_okta_operator::cli::{self, Command, Run};
use neo4j_okta_operator::clock::Clock;
use neo4j_okta_operator::controller::{Fence, Operator, Readiness, Settings};
use neo4j_okta_operator::leader::{Election, Ended};
use neo4j_okta_operator::metrics::Metrics;
use neo4j_okta_operator::telemetry::filter::{self, FilterFile};
use neo4j_okta_operator::telemetry::otlp::Traces;
use neo4j_okta_operator::telemetry::{self, environment};
use neo4j_okta_operator::{api, bootstrap, cluster};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tower::limit::ConcurrencyLimitLayer;

/// The last traces are lost rather than waited for any longer.
const FLUSH: Duration = Duration::from_secs(3);
/// At the API server. Each has a connection, with buffers, that stays for minutes;
/// what a thousand accounts want at once is not served sooner on a thousand.
const REQUESTS_AT_ONCE: usize = 64;

/// With that of musl a refresh takes a third more CPU time, and with those that are
/// faster the operator takes a third more memory: docs/benchmarks.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

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
    // One provider of cryptography for everything that speaks TLS. There is none
    // yet, or else one that somebody chose.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // One thread: several would spend a third of their time on waiting for each other,
    // and Okta's limits are reached with a hundredth of what one can do.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let traces = tell(arguments, runtime.handle());
    let outcome = runtime.block_on(operate(arguments));
    if let Some(traces) = traces {
        // They are sent by the runtime, so it has to go on meanwhile.
        let flush = runtime.spawn_blocking(move || traces.flush(FLUSH));
        let _ = runtime.block_on(flush);
    }
    // What is under way was finished or has to end: nothing is waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(Ended::Released) => ExitCode::SUCCESS,
        Ok(Ended::Lost) => ExitCode::from(cli::EX_LEASE_LOST),
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Starts logs, and traces if the environment asks for them.
fn tell(arguments: &Run, runtime: &Handle) -> Option<Traces> {
    let wanted = environment::wanted(|name| std::env::var(name).ok());
    let traces = wanted.and_then(|wanted| {
        let start = |wanted| Traces::start(&wanted, &instance(), runtime);
        wanted.map(start).transpose()
    });
    // Checked with the command line, so it parses.
    let filter = filter::parse(&arguments.log).unwrap_or_default();
    let sink = traces.as_ref().ok().and_then(Option::as_ref);
    let switch = telemetry::start(arguments.log_format, filter, sink);
    telemetry::panics::log();
    if let Some(path) = &arguments.log_filter_file {
        runtime.spawn(FilterFile::new(path, switch, &arguments.log).follow());
    }
    traces.unwrap_or_else(|why| {
        tracing::error!(
            why,
            "no traces: the environment asks for what cannot be done"
        );
        None
    })
}

/// Which replica this is.
fn instance() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| n::OPERATOR.to_owned())
}

async fn operate(arguments: &Run) -> Result<Ended, String> {
    let admin = Admin::bind(arguments.admin_address)
        .await
        .map_err(|e| format!("--admin-address {}: {e}", arguments.admin_address))?;
    let instance = instance();
    let mut config = cluster::config().await?;
    // The API server's audit log then tells the replicas apart.
    let agent = format!("{}/{} ({instance})", n::OPERATOR, env!("CARGO_PKG_VERSION"));
    if let Ok(agent) = HeaderValue::from_str(&agent) {
        config.headers.push((USER_AGENT, agent));
    }
    let metrics = Metrics::new(!arguments.no_account_metrics);
    let settings = Settings {
        namespace: arguments.operator_namespace.clone(),
        watch_namespaces: arguments.watch_namespaces.iter().cloned().collect(),
        instance,
        clock: Clock::system(),
        fence: Fence::open(),
        okta_timeout: arguments.okta_timeout,
        metrics: metrics.clone(),
        after_step: None,
    };
    let shutdown = terminated().shared();
    let (ready, readiness) = watch::channel(false);
    let serving = admin.serve(Readiness::told_by(readiness), metrics, shutdown.clone());
    let working = async {
        if arguments.leader_elect {
            take_turns(config, settings, arguments, &ready, shutdown).await
        } else {
            settings.metrics.set_leader(true);
            work(client(config)?, settings, arguments, &ready, shutdown).await?;
            Ok(Ended::Released)
        }
    };
    let mut serving = pin!(serving);
    let mut working = pin!(working);
    tokio::select! {
        ended = &mut working => ended,
        served = &mut serving => {
            let ended = working.await?;
            served.map_err(|e| format!("the admin port failed: {e}"))?;
            Ok(ended)
        }
    }
}

fn client(config: kube::Config) -> Result<kube::Client, String> {
    let builder = ClientBuilder::try_from(config);
    let builder = builder.map_err(|e| format!("no client for the cluster: {e}"))?;
    let limit = ConcurrencyLimitLayer::new(REQUESTS_AT_ONCE);
    Ok(builder.with_layer(&limit).build())
}

/// Works while it holds the lease. A replica that stands by watches the lease
/// and nothing else: full caches would spare it some seconds after a wait that
/// is longer, and cost the API server a set of watches for each replica. It is
/// ready all the same, because it can take over.
async fn take_turns(
    config: kube::Config,
    settings: Settings,
    arguments: &Run,
    ready: &watch::Sender<bool>,
    shutdown: impl Future<Output = ()> + Clone + Send + Unpin + 'static,
) -> Result<Ended, String> {
    // A client of its own, which repeats nothing by itself: no traffic of the
    // operator's stands in the way of a renewal.
    let mut own = config.clone();
    own.default_retry = false;
    let (own, client) = (client(own)?, client(config)?);
    let mut election = Election::new(
        own,
        &settings.namespace,
        &settings.instance,
        arguments.timing(),
        settings.clock.clone(),
        settings.metrics.clone(),
    );
    let mut stands_by = election.stands_by();
    let acquired = {
        let told = async {
            let _ = stands_by.wait_for(|read| *read).await;
            ready.send_replace(true);
            std::future::pending().await
        };
        tokio::select! {
            acquired = election.acquire(shutdown.clone()) => acquired,
            () = told => false,
        }
    };
    if !acquired {
        tracing::info!("stopped");
        return Ok(Ended::Released);
    }
    ready.send_replace(false);
    let settings = Settings {
        fence: election.fence(),
        ..settings
    };
    let (resign, resigned) = oneshot::channel::<()>();
    let resigned = async move { drop(resigned.await) }.boxed();
    // A task of its own: work that keeps this one busy does not delay it.
    let mut holding = tokio::spawn(election.hold(resigned));
    tokio::select! {
        biased;
        // Here what is under way is dropped.
        ended = &mut holding => Ok(ended.unwrap_or(Ended::Lost)),
        worked = work(client, settings, arguments, ready, shutdown) => {
            drop(resign);
            let ended = holding.await.unwrap_or(Ended::Lost);
            worked.map(|()| ended)
        }
    }
}

/// Runs the operator until shutdown; what is under way is finished.
async fn work(
    client: kube::Client,
    settings: Settings,
    arguments: &Run,
    ready: &watch::Sender<bool>,
    shutdown: impl Future<Output = ()> + Clone + Send + 'static,
) -> Result<(), String> {
    let namespace = settings.namespace.clone();
    let guarded = settings.fence.client(client.clone());
    let issuer = async {
        match &arguments.issuer_config_map {
            Some(name) => bootstrap::run(guarded, &arguments.operator_namespace, name).await,
            None => std::future::pending().await,
        }
    };
    let operator = Operator::new(client, settings, shutdown)
        .await
        .map_err(|e| format!("the cluster does not answer: {e}"))?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespace, "started");
    let mut filled = operator.readiness();
    let told = async {
        while let Some(filled) = filled.changed().await {
            ready.send_replace(filled);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = operator.run() => {}
        () = told => {}
        () = issuer => {}
    }
    tracing::info!("stopped");
    Ok(())
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
