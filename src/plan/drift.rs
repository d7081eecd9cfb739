//! Drift: what Okta's System Log says that others did, and when an app is looked
//! at without a word from there. Pure.
//!
//! One cursor per org tells which accounts to check, so that ten thousand cost
//! what ten do; a slow sweep stands behind it, because a log can have gaps.
//! Events are hints: what is then done is decided from the app itself.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::schedule;

/// How often the log is asked.
pub const POLL: Duration = Duration::from_secs(60);
/// How far back to begin when it is not known where to go on.
pub const OVERLAP: Duration = Duration::from_secs(900);
/// Events that are remembered against being taken twice, and requests of our own
/// against being taken for somebody else's.
const REMEMBERED: usize = 4096;

/// The events that can concern us (Okta, "Event types"): apps, their secrets and
/// keys, authorization servers with scopes and claims, policies and rules.
pub const FILTER: &str = "eventType sw \"application.lifecycle.\" or eventType sw \"app.oauth2.credentials.lifecycle.\" or eventType sw \"oauth2.\" or eventType sw \"policy.\"";

/// What an event says that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An app.
    App,
    /// Secrets or keys of an app.
    Credentials,
    /// Something of an authorization server.
    Server,
}

/// A change that the log tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The event.
    pub uuid: String,
    /// What was changed.
    pub subject: Subject,
    /// Ids of what was changed: of an app, its id or its client id.
    pub targets: BTreeSet<String>,
    /// Who did it, in words.
    pub actor: String,
    /// The request that did it.
    pub request_id: Option<String>,
}

impl Change {
    /// Reads an event (System Log API, `LogEvent`). `None` when it concerns
    /// nothing of ours, tells of a failure, or lacks what is needed.
    #[must_use]
    pub fn read(event: &Value) -> Option<Self> {
        if event["outcome"]["result"] == "FAILURE" {
            return None;
        }
        let kind = event["eventType"].as_str()?;
        let subject = match kind {
            _ if kind.starts_with("application.lifecycle.") => Subject::App,
            // One more takes nothing from ours. A restart reads again what the process
            // before it created, and must not ask for tokens because of that.
            "app.oauth2.credentials.lifecycle.deactivate"
            | "app.oauth2.credentials.lifecycle.delete" => Subject::Credentials,
            _ if kind.starts_with("oauth2.") || kind.starts_with("policy.") => Subject::Server,
            _ => return None,
        };
        let targets = event["target"].as_array().into_iter().flatten();
        Some(Self {
            uuid: event["uuid"].as_str()?.to_owned(),
            subject,
            targets: targets
                .filter_map(|target| target["id"].as_str())
                .map(str::to_owned)
                .collect(),
            actor: actor(&event["actor"]),
            request_id: event["transaction"]["id"].as_str().map(str::to_owned),
        })
    }
}

/// Name and address of whoever did it, as far as the log has them.
fn actor(actor: &Value) -> String {
    let text = |key: &str| actor[key].as_str().filter(|text| !text.is_empty());
    let words = match (text("displayName"), text("alternateId")) {
        (Some(name), Some(id)) if name != id => format!("{name} ({id})"),
        (Some(name), _) => name.to_owned(),
        (None, Some(id)) => id.to_owned(),
        (None, None) => text("id").unwrap_or("somebody").to_owned(),
    };
    words
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}

/// The last so many of something, to know one again.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    order: VecDeque<String>,
    known: BTreeSet<String>,
}

impl Recent {
    /// Notes one; `false` when it was known already.
    pub fn note(&mut self, one: String) -> bool {
        if !self.known.insert(one.clone()) {
            return false;
        }
        self.order.push_back(one);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// Whether it is known.
    #[must_use]
    pub fn has(&self, one: &str) -> bool {
        self.known.contains(one)
    }
}

/// What others changed, out of a page of the log: each event once, and without
/// what requests of our own did.
#[must_use]
pub fn foreign(page: &[Value], seen: &mut Recent, own: &Recent) -> Vec<Change> {
    let changes = page.iter().filter_map(Change::read);
    changes
        .filter(|change| seen.note(change.uuid.clone()))
        .filter(|change| !change.request_id.as_ref().is_some_and(|id| own.has(id)))
        .collect()
}

/// How long one round of the sweep takes. With the log it is a safety net of at
/// most six apps a minute; without it, it is all there is: one app a second at
/// most. In steps of two, so that it does not move with every account.
#[must_use]
pub fn sweep(accounts: usize, log_readable: bool) -> Duration {
    let (shortest, each) = if log_readable {
        (Duration::from_secs(24 * 3600), Duration::from_secs(10))
    } else {
        (Duration::from_secs(3600), Duration::from_secs(1))
    };
    let needed = each.saturating_mul(u32::try_from(accounts).unwrap_or(u32::MAX));
    let mut period = shortest;
    while period < needed {
        period = period.saturating_mul(2);
    }
    period
}

/// When the sweep comes to an account that nobody looked at yet: spread evenly,
/// the same place in the round each time.
#[must_use]
pub fn first_check(now: Timestamp, uid: &str, sweep: Duration) -> Timestamp {
    schedule::after(now, sweep.mul_f64(schedule::fraction(uid)))
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
