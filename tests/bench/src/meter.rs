//! Measures one scenario: what was asked of the API server and of Okta between
//! two moments, and what the program took.
//!
//! It needs an audit log and an emulator that nobody else reads meanwhile, and
//! empties both at the start. It refuses to count the benchmark's own requests.

use std::time::{Duration, Instant};

use anyhow::Result;
use okta_emulator::{Emulator, Request};
use testbed::{AuditEvent, ControlPlane, OPERATOR_NAMESPACE};

use crate::clock;
use crate::figures::{Counts, Measured};
use crate::process::Process;

/// An audit event comes a moment after its answer.
const AUDIT_DELAY: Duration = Duration::from_millis(500);

/// Under way.
pub(crate) struct Meter<'a> {
    cluster: &'a ControlPlane,
    okta: &'a Emulator,
    who: fn(&AuditEvent) -> bool,
    process: Process,
    cpu: Duration,
    start: Instant,
}

impl<'a> Meter<'a> {
    /// Counts requests of `who`, and what `process` takes, from now on.
    pub(crate) async fn start(
        cluster: &'a ControlPlane,
        okta: &'a Emulator,
        who: fn(&AuditEvent) -> bool,
        process: Process,
    ) -> Result<Self> {
        tokio::time::sleep(AUDIT_DELAY).await;
        cluster.forget_audit()?;
        okta.clear_requests();
        process.reset_peak()?;
        Ok(Self {
            cluster,
            okta,
            who,
            process,
            cpu: process.cpu()?,
            start: clock::now(),
        })
    }

    /// Another process goes on, and what it took so far belongs to this.
    pub(crate) fn restarted(&mut self, process: Process) {
        self.process = process;
        self.cpu = Duration::ZERO;
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// What it was; `title` says it in words.
    pub(crate) async fn stop(
        self,
        scenario: &str,
        title: &str,
        operations: usize,
    ) -> Result<Measured> {
        let seconds = self.start.elapsed().as_secs_f64();
        let cpu = self.process.cpu()?.saturating_sub(self.cpu);
        let memory = self.process.memory()?;
        tokio::time::sleep(AUDIT_DELAY).await;
        let events: Vec<AuditEvent> = self.cluster.audit().into_iter().filter(self.who).collect();
        let requests = self.okta.requests();
        Ok(Measured {
            scenario: scenario.to_owned(),
            title: title.to_owned(),
            seconds,
            operations: operations as u64,
            cpu_seconds: cpu.as_secs_f64(),
            resident_kib: memory.resident,
            peak_kib: memory.peak,
            kubernetes: counted(events.iter().filter(|e| !is_lease(e)).map(asked)),
            lease: events.iter().filter(|event| is_lease(event)).count() as u64,
            okta: counted(requests.iter().map(routed)),
            okta_status: counted(requests.iter().map(|request| request.status.to_string())),
            ..Measured::default()
        })
    }
}

fn is_lease(event: &AuditEvent) -> bool {
    event.resource == "leases"
}

fn asked(event: &AuditEvent) -> String {
    let AuditEvent { verb, resource, .. } = event;
    match &event.subresource {
        Some(sub) => format!("{verb} {resource}/{sub}"),
        // How it signs in, as against what it looks after.
        None if event.namespace.as_deref() == Some(OPERATOR_NAMESPACE) => {
            format!("{verb} {resource} of its own")
        }
        // Such as `/version`.
        None if resource.is_empty() => format!("{verb} {}", event.uri),
        None => format!("{verb} {resource}"),
    }
}

fn routed(request: &Request) -> String {
    format!("{} {}", request.method, request.route)
}

fn counted(names: impl Iterator<Item = String>) -> Counts {
    names.fold(Counts::new(), |mut counts, name| {
        *counts.entry(name).or_default() += 1;
        counts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_verb_and_what_they_were_for() {
        let event = |verb: &str, resource: &str, subresource: Option<&str>| AuditEvent {
            user: String::new(),
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.map(str::to_owned),
            namespace: None,
            name: None,
            code: 200,
            uri: "/version".to_owned(),
            user_agent: String::new(),
        };
        let events = [
            event("update", "secrets", None),
            event("update", "secrets", None),
            event("update", "things", Some("status")),
            event("get", "", None),
            event("patch", "leases", None),
        ];
        let counts = counted(events.iter().filter(|e| !is_lease(e)).map(asked));
        let expected = [
            ("get /version", 1),
            ("update secrets", 2),
            ("update things/status", 1),
        ];
        let shown: Vec<(&str, u64)> = counts.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        assert_eq!(shown, expected);
    }
}
