//! The System Log: what happened, by whom, and `GET /api/v1/logs` to poll it.
//! It keeps the newest hundred thousand events and never a secret.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::call::{Call, Outcome, Principal};
use crate::clock::{iso, parse_iso};
use crate::filter::Filter;
use crate::ids;
use crate::org::Org;
use crate::page;
use crate::refusal::Refusal;

const KEPT: usize = 100_000;

/// Who did it.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
}

impl Actor {
    pub(crate) fn of(call: &Call) -> Self {
        let (id, kind, name) = match &call.principal {
            Principal::Admin => ("admin", "User", "admin"),
            Principal::ApiToken => ("00uapitokenowner0000", "User", "API Token Owner"),
            Principal::Client { client_id, label } => {
                (client_id.as_str(), "PublicClientApp", label.as_str())
            }
            Principal::Anonymous => ("unknown", "User", "unknown"),
        };
        Self {
            id: id.to_owned(),
            kind,
            name: name.to_owned(),
        }
    }
}

/// What it was done to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    id: String,
    kind: &'static str,
    name: String,
}

impl Target {
    pub(crate) fn new(id: &str, kind: &'static str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            name: name.to_owned(),
        }
    }
}

#[derive(Debug)]
struct Event {
    sequence: u64,
    at: u64,
    uuid: String,
    kind: String,
    failure: Option<String>,
    actor: Actor,
    targets: Vec<Target>,
    request_id: String,
    transaction: String,
    ip: String,
    agent: String,
}

/// The events, oldest first.
#[derive(Debug, Default)]
pub(crate) struct SystemLog {
    events: VecDeque<Event>,
    sequence: u64,
    /// Transactions have ids of their own, not those of requests.
    pub(crate) own_transactions: bool,
}

impl SystemLog {
    /// An event of the caller's own, gone well.
    pub(crate) fn done(&mut self, call: &Call, kind: &str, targets: Vec<Target>) {
        self.by(call, &Actor::of(call), kind, Ok(()), targets);
    }

    /// Any event.
    pub(crate) fn by(
        &mut self,
        call: &Call,
        actor: &Actor,
        kind: &str,
        outcome: Result<(), &str>,
        targets: Vec<Target>,
    ) {
        self.sequence += 1;
        if self.events.len() >= KEPT {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            sequence: self.sequence,
            at: call.now,
            uuid: ids::uuid(),
            kind: kind.to_owned(),
            failure: outcome.err().map(str::to_owned),
            actor: actor.clone(),
            targets,
            transaction: if self.own_transactions {
                format!("t{}", call.request_id)
            } else {
                call.request_id.clone()
            },
            request_id: call.request_id.clone(),
            ip: call.ip.clone(),
            agent: call.header("user-agent").unwrap_or("").to_owned(),
        });
    }

    /// Everything, rendered.
    pub(crate) fn all(&self) -> Vec<Value> {
        self.events.iter().map(Event::render).collect()
    }
}

impl Event {
    fn result(&self) -> &'static str {
        if self.failure.is_some() {
            "FAILURE"
        } else {
            "SUCCESS"
        }
    }

    fn render(&self) -> Value {
        let mut outcome = json!({ "result": self.result() });
        if let Some(reason) = &self.failure {
            outcome["reason"] = json!(reason.chars().take(255).collect::<String>());
        }
        let targets: Vec<Value> = self
            .targets
            .iter()
            .map(|target| json!({ "id": target.id, "type": target.kind, "alternateId": target.id, "displayName": target.name }))
            .collect();
        json!({
            "uuid": self.uuid,
            "published": iso(self.at),
            "eventType": self.kind,
            "version": "0",
            "severity": if self.failure.is_some() { "WARN" } else { "INFO" },
            "legacyEventType": self.kind,
            "displayMessage": self.kind,
            "actor": { "id": self.actor.id, "type": self.actor.kind, "alternateId": self.actor.id, "displayName": self.actor.name },
            "client": { "ipAddress": self.ip, "zone": "null", "device": "Unknown", "userAgent": { "rawUserAgent": self.agent, "os": "Unknown", "browser": "UNKNOWN" } },
            "outcome": outcome,
            "target": targets,
            "transaction": { "type": "WEB", "id": self.transaction, "detail": {} },
            "debugContext": { "debugData": { "requestId": self.request_id } },
        })
    }

    fn field(&self, field: &str) -> Vec<String> {
        let one = |text: &str| vec![text.to_owned()];
        match field {
            "eventType" => one(&self.kind),
            "uuid" => one(&self.uuid),
            "actor.id" | "actor.alternateId" => one(&self.actor.id),
            "actor.type" => one(self.actor.kind),
            "actor.displayName" => one(&self.actor.name),
            "outcome.result" => one(self.result()),
            "outcome.reason" => self.failure.iter().cloned().collect(),
            "transaction.id" => one(&self.transaction),
            "target.id" => self
                .targets
                .iter()
                .map(|target| target.id.clone())
                .collect(),
            "target.type" => self
                .targets
                .iter()
                .map(|target| target.kind.to_owned())
                .collect(),
            _ => Vec::new(),
        }
    }
}

const FIELDS: [&str; 11] = [
    "eventType",
    "uuid",
    "actor.id",
    "actor.alternateId",
    "actor.type",
    "actor.displayName",
    "outcome.result",
    "outcome.reason",
    "transaction.id",
    "target.id",
    "target.type",
];

/// GET /api/v1/logs
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let limit = page::limit(call, 100, 1000)?;
    let filter = call.query("filter").map(Filter::parse).transpose()?;
    if let Some(filter) = &filter {
        filter.only(&FIELDS)?;
    }
    let date = |name: &'static str| match call.query(name) {
        None => Ok(None),
        Some(text) => parse_iso(text)
            .map(Some)
            .ok_or_else(|| Refusal::invalid(name, &format!("{name}: Invalid date"))),
    };
    let (since, until) = (date("since")?, date("until")?);
    let after = page::after(call)?;
    if after.is_some() && call.query("since").is_some() {
        return Err(Refusal::invalid(
            "after",
            "after: Cannot be used together with since",
        ));
    }
    let cursor: Option<u64> = match &after {
        None => None,
        Some(text) => Some(
            text.parse()
                .map_err(|_| Refusal::invalid("after", "after: The cursor is not valid"))?,
        ),
    };
    let descending = match call.query("sortOrder") {
        None | Some("ASCENDING") => false,
        Some("DESCENDING") => true,
        Some(_) => {
            return Err(Refusal::invalid(
                "sortOrder",
                "sortOrder: Invalid sort order",
            ));
        }
    };
    let since = match (since, cursor) {
        (Some(since), _) => since,
        (None, Some(_)) => 0,
        (None, None) => call.now.saturating_sub(7 * 86_400_000),
    };
    let wanted = |event: &&Event| {
        event.at >= since
            && until.is_none_or(|until| event.at < until)
            && cursor.is_none_or(|cursor| {
                if descending {
                    event.sequence < cursor
                } else {
                    event.sequence > cursor
                }
            })
            && filter
                .as_ref()
                .is_none_or(|filter| filter.matches(&|field| event.field(field)))
    };
    let events = &org.log.events;
    let found: Vec<&Event> = if descending {
        events.iter().rev().filter(wanted).take(limit).collect()
    } else {
        events.iter().filter(wanted).take(limit).collect()
    };
    let polling = until.is_none() && !descending;
    let full = found.len() == limit;
    let next = match found.last() {
        Some(last) if full => Some(last.sequence),
        // Everything was looked at: the next poll starts behind it.
        _ if polling => Some(org.log.sequence),
        _ => None,
    };
    let next = next.map(|sequence| sequence.to_string());
    let rendered = found.iter().map(|event| event.render()).collect();
    Ok(page::answer(&org.url, call, rendered, next.as_deref()))
}
