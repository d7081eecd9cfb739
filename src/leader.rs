//! Leader election: carries out what `decide` says on a Lease of the API
//! server, and keeps the fence that every effect passes.
//!
//! It needs to get, create and update one Lease in the operator's namespace. It
//! refuses to come back: who lost the lease has to end, so that nothing of what
//! it knew and had begun lives on.

pub mod decide;
mod elapsed;
mod lease;
#[cfg(test)]
mod model;
mod tenure;
mod timing;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};

pub use elapsed::Elapsed;
pub use timing::Timing;

use crate::api::names as n;
use crate::clock::Clock;
use crate::fence::Fence;
use crate::metrics::Metrics;
use decide::{Act, Candidate, Claim, Loss};
use tenure::Tenure;

/// Name of the Lease.
pub const LEASE: &str = n::OPERATOR;
/// No sleep is longer, because timers do not see a suspension or a jump.
const TICK: Duration = Duration::from_secs(1);

/// How a leadership ended.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Ended {
    /// Given up in order.
    Released,
    /// Lost; what is under way must be dropped.
    Lost,
}

/// One replica in the election.
#[derive(Debug)]
pub struct Election {
    leases: Api<Lease>,
    candidate: Candidate,
    /// As it was read or written last.
    object: Option<Lease>,
    tenure: Arc<Tenure>,
    clock: Clock,
    metrics: Metrics,
    /// Told once, until something else is wrong.
    trouble: Option<String>,
    seen: tokio::sync::watch::Sender<bool>,
}

impl Election {
    /// A replica that has not looked yet. `instance` is for people; what makes
    /// the identity in the lease its own is drawn here, so that a restarted
    /// process is another one.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        instance: &str,
        timing: Timing,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        let identity = format!("{instance}_{}", crate::okta::jose::random_text(9).as_str());
        metrics.set_leader(false);
        Self {
            leases: Api::namespaced(client, namespace),
            candidate: Candidate::new(identity, timing),
            object: None,
            tenure: Arc::new(Tenure::new(clock.clone())),
            clock,
            metrics,
            trouble: None,
            seen: tokio::sync::watch::Sender::new(false),
        }
    }

    /// Open while this replica leads.
    #[must_use]
    pub fn fence(&self) -> Fence {
        let tenure = self.tenure.clone();
        Fence::new(move || tenure.is_open())
    }

    /// Turns true when the lease has been read: from then on this replica can
    /// take over.
    #[must_use]
    pub fn stands_by(&self) -> tokio::sync::watch::Receiver<bool> {
        self.seen.subscribe()
    }

    /// Waits until this replica leads; `false` when `stop` came first.
    pub async fn acquire(&mut self, mut stop: impl Future<Output = ()> + Unpin) -> bool {
        let identity = self.candidate.identity();
        tracing::info!(identity, lease = LEASE, "standing by for the lease");
        while self.candidate.leads_until().is_none() {
            // Who does not lead has nothing to lose.
            if self.turn(&mut stop).await.is_err() {
                return false;
            }
        }
        self.metrics.set_leader(true);
        let identity = self.candidate.identity();
        tracing::info!(identity, lease = LEASE, "acquired the lease");
        true
    }

    /// Keeps the lease until it is lost, or until `stop` asks to release it: by
    /// then nothing may be under way any more.
    pub async fn hold(mut self, mut stop: impl Future<Output = ()> + Unpin) -> Ended {
        let end = loop {
            if let Err(end) = self.turn(&mut stop).await {
                break end;
            }
        };
        // First of all: what follows lets others begin.
        self.tenure.end();
        self.metrics.set_leader(false);
        let identity = self.candidate.identity();
        match end {
            Turn::Asked => self.release().await,
            Turn::Lost(Loss::Expired) => {
                tracing::error!(identity, "lost the lease: it was not renewed in time");
                Ended::Lost
            }
            Turn::Lost(Loss::Taken(holder)) => {
                tracing::error!(identity, holder, "lost the lease: it has another holder");
                Ended::Lost
            }
        }
    }

    /// Does one thing. A request is not broken off when `stop` comes: what it
    /// did has to be known.
    async fn turn(&mut self, stop: &mut (impl Future<Output = ()> + Unpin)) -> Result<(), Turn> {
        match self.candidate.next(self.tenure.now()) {
            Act::Wait(time) => tokio::select! {
                () = tokio::time::sleep(time.min(TICK)) => Ok(()),
                () = stop => Err(Turn::Asked),
            },
            Act::Read => {
                self.read().await;
                Ok(())
            }
            Act::Write(claim) => {
                self.write(&claim).await;
                Ok(())
            }
            Act::Restore => {
                self.restore().await;
                Ok(())
            }
            Act::StandDown(loss) => Err(Turn::Lost(loss)),
        }
    }

    async fn read(&mut self) {
        let request = self.leases.get_opt(LEASE);
        match bounded(self.time_limit(), request).await {
            Ok(found) => {
                self.trouble = None;
                self.found(found);
            }
            Err(error) => self.failed("read", &error),
        }
    }

    async fn write(&mut self, claim: &Claim) {
        let (before, now) = (self.object.as_ref(), self.clock.now());
        let lease = lease::claimed(LEASE, before, claim, &self.candidate, now);
        let params = PostParams::default();
        let limit = self.time_limit();
        let began = self.tenure.now();
        let answer = if claim.over.is_some() {
            bounded(limit, self.leases.replace(LEASE, &params, &lease)).await
        } else {
            bounded(limit, self.leases.create(&params, &lease)).await
        };
        match answer {
            Ok(lease) => {
                self.trouble = None;
                let record = lease::record(&lease);
                self.object = Some(lease);
                self.candidate.wrote(record, began, self.tenure.now());
                if let Some(end) = self.candidate.leads_until() {
                    self.tenure.extend(end);
                }
            }
            Err(Trouble::Kube(kube::Error::Api(status))) if status.is_conflict() => {
                self.candidate.refused(self.tenure.now());
            }
            Err(Trouble::Kube(kube::Error::Api(status)))
                if status.is_not_found() && claim.over.is_some() =>
            {
                self.found(None);
            }
            Err(error) => self.failed("write", &error),
        }
    }

    async fn restore(&mut self) {
        let lease = lease::restored(LEASE, &self.candidate, self.clock.now());
        let params = PostParams::default();
        match bounded(self.time_limit(), self.leases.create(&params, &lease)).await {
            Ok(lease) => {
                tracing::warn!(lease = LEASE, "restored the lease, which was deleted");
                self.found(Some(lease));
            }
            Err(Trouble::Kube(kube::Error::Api(status))) if status.is_conflict() => {
                self.candidate.refused(self.tenure.now());
            }
            Err(error) => self.failed("restore", &error),
        }
    }

    fn found(&mut self, lease: Option<Lease>) {
        let record = lease.as_ref().map(lease::record);
        self.object = lease;
        self.candidate.read(record, self.tenure.now());
        self.seen.send_replace(true);
    }

    fn failed(&mut self, what: &str, error: &Trouble) {
        self.candidate.failed(self.tenure.now());
        let text = error.to_string();
        if self.trouble.as_ref() != Some(&text) {
            let namespace = self.leases.namespace();
            tracing::warn!(
                lease = LEASE,
                namespace,
                error = text,
                "could not {what} the lease"
            );
            self.trouble = Some(text);
        }
    }

    /// A request about the lease never outlasts the leadership.
    fn time_limit(&self) -> Duration {
        let limit = self.candidate.timing().request_timeout();
        let now = self.tenure.now().at_most;
        let left = self
            .candidate
            .leads_until()
            .map(|end| end.saturating_sub(now));
        limit.min(left.unwrap_or(limit))
    }

    /// Lets a successor begin at once instead of after the lease.
    async fn release(mut self) -> Ended {
        let identity = self.candidate.identity().to_owned();
        let limit = self.candidate.timing().request_timeout();
        if let (Some(version), Some(object)) = (self.candidate.resign(), &self.object) {
            let lease = lease::released(object, &version, self.clock.now());
            let params = PostParams::default();
            match bounded(limit, self.leases.replace(LEASE, &params, &lease)).await {
                Ok(_) => tracing::info!(identity, lease = LEASE, "released the lease"),
                Err(error) => {
                    tracing::warn!(identity, %error, "the lease is not released and expires by itself");
                }
            }
        } else {
            tracing::warn!(identity, "the lease is not released and expires by itself");
        }
        Ended::Released
    }
}

/// Why the leadership does not go on.
enum Turn {
    Asked,
    Lost(Loss),
}

/// What can go wrong with one request.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("{0}")]
    Kube(#[from] kube::Error),
}

async fn bounded<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::Timeout(limit)),
    }
}
