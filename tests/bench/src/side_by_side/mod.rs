//! The same job bent to External Secrets, as its users do it: a `Webhook` generator
//! asks Okta's token endpoint, and an `ExternalSecret` keeps the answer in a Secret.
//!
//! It needs Go, which builds External Secrets from `tests/tools/external-secrets`.
//! It measures refreshing alone, for that is all that External Secrets does of this
//! job: clients are registered for it beforehand, nothing rotates, and no group is
//! changed or revoked.

mod objects;
mod program;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use okta_emulator::{Config, Emulator};
use testbed::{AuditEvent, ControlPlane};

use crate::Report;
use crate::cli::Scale;
use crate::clock;
use crate::figures::{Latency, Measured};
use crate::meter::Meter;
use crate::observer::Observer;
use crate::process::Process;
use objects::Objects;
use program::Program;
pub(crate) use program::{DEFAULTS, FASTER, PROGRAM, build};

/// What the tables say beside it.
pub(crate) const REMARK: &str = "It refreshes, and nothing else: clients are registered for it \
    beforehand, and it rotates and revokes nothing.";

const MANAGED: &str = "reconcile.external-secrets.io/managed=true";
/// For one refresh that ends before the next begins.
const LONG_INTERVAL_MINUTES: u64 = 30;

struct Side {
    // Ended before what it talks to.
    program: Program,
    observer: Observer,
    okta: Emulator,
    objects: Objects,
    cluster: ControlPlane,
    binary: PathBuf,
    flags: &'static [&'static str],
}

/// Plays what there is to play for it, with so many objects.
pub(crate) async fn play(
    binary: PathBuf,
    flags: &'static [&'static str],
    scale: &Scale,
    report: &Report<'_>,
) -> Result<()> {
    let mut side = Side::start(binary, flags, scale.accounts).await?;
    let kubernetes = side.objects.kubernetes().await?;
    let mut all = vec![side.first_tokens(scale.accounts).await?];
    report.so_far(&kubernetes, &all)?;
    all.push(side.restart().await?);
    report.so_far(&kubernetes, &all)?;
    all.push(side.refresh(scale).await?);
    report.so_far(&kubernetes, &all)?;
    side.program.stop().await?;
    report.whole(&kubernetes, &all)
}

impl Side {
    async fn start(
        binary: PathBuf,
        flags: &'static [&'static str],
        accounts: usize,
    ) -> Result<Self> {
        let cluster = ControlPlane::start().await?;
        let client = cluster.client();
        program::definitions(&cluster).await?;
        let okta = Emulator::start(Config::default()).await?;
        let objects = Objects::prepare(client.clone(), &okta, accounts).await?;
        let program = Program::start(&binary, flags, &cluster)?;
        program.process().quiet().await?;
        Ok(Self {
            observer: Observer::start(client, MANAGED, objects::TOKEN),
            program,
            okta,
            objects,
            cluster,
            binary,
            flags,
        })
    }

    async fn meter(&self) -> Result<Meter<'_>> {
        let process: Process = self.program.process();
        Meter::start(&self.cluster, &self.okta, of_program, process).await
    }

    /// From the creation of an `ExternalSecret` to its Secret.
    async fn first_tokens(&self, accounts: usize) -> Result<Measured> {
        let meter = self.meter().await?;
        let created = self.objects.external_secrets().await?;
        self.all(
            "a token for each",
            || self.observer.len() >= accounts,
            accounts,
        )
        .await?;
        let seconds = meter.elapsed().as_secs_f64();
        self.program.process().quiet().await?;
        let took = created.iter().filter_map(|(key, at)| {
            let seen = self.observer.get(key)?;
            seen.first.checked_duration_since(*at)
        });
        let latency = Latency::of(took.collect());
        let title = "first token of all at once, clients being registered";
        let measured = meter.stop("registration", title, accounts).await?;
        Ok(Measured {
            seconds,
            latency,
            ..measured
        })
    }

    async fn restart(&mut self) -> Result<Measured> {
        let process = self.program.process();
        let mut meter = Meter::start(&self.cluster, &self.okta, of_program, process).await?;
        self.program.stop().await?;
        self.program = Program::start(&self.binary, self.flags, &self.cluster)?;
        meter.restarted(self.program.process());
        let start = clock::now();
        self.program.process().quiet().await?;
        let seconds = start.elapsed().as_secs_f64();
        let accounts = self.objects.len();
        let measured = meter.stop(
            "restart",
            "restart with valid tokens, until quiet",
            accounts,
        );
        Ok(Measured {
            seconds,
            ..measured.await?
        })
    }

    /// As planned, after the interval was shortened, which by itself refreshes all.
    async fn refresh(&self, scale: &Scale) -> Result<Measured> {
        let accounts = self.objects.len();
        let interval = scale.lifetime_minutes.map(interval);
        if let Some(interval) = interval {
            self.shorten(accounts, interval).await?;
            self.program.process().quiet().await?;
        }
        let meter = self.meter().await?;
        if interval.is_some() {
            let since = clock::now();
            self.all(
                "all are refreshed",
                || self.changed(since) >= accounts,
                accounts,
            )
            .await?;
        } else {
            self.shorten(accounts, LONG_INTERVAL_MINUTES).await?;
            self.program.process().quiet().await?;
        }
        let title = interval.map_or_else(
            || "refresh of all at once (refreshInterval changed)".to_owned(),
            |interval| format!("refresh of each as planned, refreshInterval {interval}m"),
        );
        let measured = meter.stop("refresh", &title, accounts).await?;
        let operations = measured.token_requests();
        Ok(Measured {
            operations,
            ..measured
        })
    }

    async fn shorten(&self, accounts: usize, minutes: u64) -> Result<()> {
        let since = clock::now();
        self.objects.refresh_every(minutes).await?;
        self.all(
            "all are refreshed",
            || self.changed(since) >= accounts,
            accounts,
        )
        .await
    }

    fn changed(&self, since: Instant) -> usize {
        self.observer.count(|_, seen| seen.last > since)
    }

    async fn all(&self, what: &str, done: impl Fn() -> bool, accounts: usize) -> Result<()> {
        let each = Duration::from_millis(500) * u32::try_from(accounts).unwrap_or(u32::MAX);
        clock::until(what, Duration::from_secs(600) + each, async || Ok(done())).await
    }
}

/// Between two refreshes of one token, for what the operator does with tokens of that
/// life: it replaces them after about two thirds.
fn interval(lifetime_minutes: u64) -> u64 {
    lifetime_minutes * 2 / 3
}

/// It has the administrator's rights, as we have, and another name.
fn of_program(event: &AuditEvent) -> bool {
    event.user_agent.starts_with(program::NAME)
}
