//! `cargo demo`: the life of one account, told in a terminal with real parts.
//!
//! A real etcd, API server and controller manager (or the reader's own cluster),
//! the operator as its own process, and the Okta emulator instead of Okta. What
//! is shown is what happened; nothing that is secret is ever printed.

mod acts;
mod cli;
mod cluster;
mod failure;
mod guest;
mod keep;
mod okta;
mod operator;
mod redact;
mod screen;
mod token;
mod watched;

use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use acts::Play;
use cli::Options;
use cluster::Cluster;
use failure::Failure;
use okta::Okta;
use operator::Operator;
use screen::{Screen, Stopwatch};

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = match cli::parse(std::env::args_os()) {
        Ok(options) => options,
        Err(code) => return code,
    };
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
    // Whoever was first has chosen the provider, and any will do.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _inside = runtime.enter();
    let interrupt = match Interrupt::heed() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            eprintln!("error: Ctrl-C cannot be heeded: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run(&options, interrupt))
}

async fn run(options: &Options, mut interrupt: Interrupt) -> ExitCode {
    let screen = Screen::new(options.no_color);
    let watch = Stopwatch::start();
    screen.opening(options.kubeconfig.is_none());

    // Nothing is created before this is there, so nothing has to be removed.
    let (cluster, okta) = tokio::select! {
        ready = prepare(options, &screen) => match ready {
            Ok(ready) => ready,
            Err(failure) => {
                screen.failed(&failure);
                return ExitCode::FAILURE;
            }
        },
        () = interrupt.came() => return ExitCode::from(INTERRUPTED),
    };

    let mut operator = None;
    let mut told = false;
    let ending = tokio::select! {
        ending = tell(options, &screen, &cluster, &okta, &mut operator, &mut told) => ending,
        () = interrupt.came() => Ok(()),
    };
    if let Err(failure) = &ending {
        screen.failed(failure);
        if let Some(operator) = &operator {
            screen.log(operator);
        }
    }
    let removed = tokio::select! {
        removed = cluster.clean(&screen) => removed,
        () = interrupt.came() => Err(Failure::new("interrupted before everything was removed")),
    };
    drop(operator);
    if let Err(failure) = &removed {
        screen.failed(failure);
    }
    match (ending, removed) {
        (Ok(()), Ok(())) if told => {
            screen.closing(&okta, &watch);
            ExitCode::SUCCESS
        }
        (Ok(()), Ok(())) => ExitCode::from(INTERRUPTED),
        (Err(_), _) | (_, Err(_)) => ExitCode::FAILURE,
    }
}

/// The places of the story: a cluster, and an Okta org.
async fn prepare(options: &Options, screen: &Screen) -> Result<(Cluster, Okta), Failure> {
    let cluster = match &options.kubeconfig {
        Some(kubeconfig) => Cluster::of_the_reader(kubeconfig, screen).await?,
        None => Cluster::own(screen).await?,
    };
    let okta = Okta::start(cluster.folder()).await?;
    Ok((cluster, okta))
}

/// The story, until it is `told`. With `--keep` it goes on, without an end of
/// its own.
async fn tell(
    options: &Options,
    screen: &Screen,
    cluster: &Cluster,
    okta: &Okta,
    slot: &mut Option<Operator>,
    told: &mut bool,
) -> Result<(), Failure> {
    let binary = operator::build(screen).await?;
    cluster.install(screen).await?;
    okta.sign_in_secret(cluster, screen).await?;
    let operator = slot.insert(Operator::start(&binary, cluster, screen)?);

    let mut play = Play::new(screen, cluster, okta, operator);
    play.prologue().await?;
    play.one_object().await?;
    play.what_stands().await?;
    play.claims().await?;
    play.renew().await?;
    play.groups().await?;
    play.not_allowed().await?;
    play.at_okta().await?;
    if options.keep {
        *told = true;
        return keep::until_the_end(&mut play).await;
    }
    play.deletion().await?;
    *told = true;
    Ok(())
}

/// Ctrl-C, or SIGTERM from whoever runs us. Heeded from the start, so that none
/// is lost between two waits.
struct Interrupt {
    ctrl_c: Signal,
    term: Signal,
}

impl Interrupt {
    fn heed() -> std::io::Result<Self> {
        Ok(Self {
            ctrl_c: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
        })
    }

    async fn came(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.term.recv() => {}
        }
    }
}
