//! Whose connections end at Neo4j, how often one looks for them, and which of a
//! server's connections are theirs. Pure. Only a user's exact name counts, and one
//! that is also a native user's is spared.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Neo4jServiceAccount;
use crate::api::conditions::Reason;
use crate::plan::identity::AccountRef;
use crate::plan::schedule::{after, until};

/// Rounds at one issuer's servers are at least so far apart: twelve a minute.
pub const GAP: Duration = Duration::from_secs(5);
/// Connections that one round ends at one server; the next takes the rest.
pub const MOST: usize = 200;
/// A stopped account's connections are looked for this often.
const STOPPED: Duration = Duration::from_secs(15);

/// Whether the account may end sessions is looked at this often while nothing is
/// to be ended …
pub const PROBE: Duration = Duration::from_secs(600);
/// … and while it may not.
const PROBE_AGAIN: Duration = Duration::from_secs(30);

/// Whether sessions can be ended at an issuer's servers, else why not.
pub type Found = Result<(), (Reason, String)>;

/// Why connections end.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Cause {
    /// The account is suspended, deleted, disabled or no longer permitted.
    Stopped,
    /// The account goes on with fewer groups.
    GroupLost,
}

/// An account whose connections end until its last token has expired.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// The `OktaIssuer`.
    pub issuer: String,
    /// The users at Neo4j: its client ids. There are two after a new registration,
    /// until the first token of that is out.
    pub users: BTreeSet<String>,
    /// Namespace of the account.
    pub namespace: String,
    /// Name of the account.
    pub name: String,
    /// uid of the account.
    pub uid: String,
    /// Since when.
    pub since: Timestamp,
    /// When its last token has expired.
    pub until: Timestamp,
    /// Why.
    pub cause: Cause,
}

impl Ending {
    /// Whose connections they are.
    #[must_use]
    pub fn account(&self) -> AccountRef {
        AccountRef {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
        }
    }

    /// When the next round is due after the one at `last`. An account that goes on
    /// logs in anew, and those connections end as well: the rounds double.
    #[must_use]
    pub fn next(&self, last: Option<Timestamp>) -> Timestamp {
        let Some(last) = last else {
            return self.since;
        };
        let pause = match self.cause {
            Cause::Stopped => STOPPED,
            Cause::GroupLost => until(self.since, last).max(STOPPED),
        };
        after(last, pause)
    }

    /// Whether nothing is to be ended any more: the last token has expired, or
    /// the account was resumed and got another one. `account` is the one of that
    /// name in the cluster.
    #[must_use]
    pub fn is_over(&self, account: Option<&Neo4jServiceAccount>, now: Timestamp) -> bool {
        let resumed = account.is_some_and(|account| {
            let token = account.status.as_ref().and_then(|s| s.token.as_ref());
            account.metadata.uid.as_deref() == Some(self.uid.as_str())
                && account.metadata.deletion_timestamp.is_none()
                && token.is_some_and(|token| token.issued_at.0 > self.since)
        });
        now >= self.until || self.cause == Cause::Stopped && resumed
    }
}

/// An ending and how far it has come.
#[derive(Clone, Debug)]
pub struct Known {
    /// Whose connections end.
    pub ending: Ending,
    /// When each server was last rid of them.
    last: HashMap<String, Timestamp>,
}

impl Known {
    /// No server was asked yet.
    #[must_use]
    pub fn new(ending: Ending) -> Self {
        Self {
            ending,
            last: HashMap::new(),
        }
    }
}

/// The last round at an issuer's servers.
#[derive(Clone, Debug)]
pub struct Asked {
    at: Timestamp,
    /// The last one that was to end anything.
    worked: Option<Timestamp>,
    /// Of the issuer.
    pub generation: Option<i64>,
    /// How it went.
    pub found: Found,
}

/// Whose connections are due to be ended at each server of an issuer.
#[derive(Debug)]
pub struct Due {
    users: HashMap<String, BTreeSet<String>>,
    /// When the next ones are.
    next: Timestamp,
}

impl Due {
    /// What is due at `now` at the servers `urls`.
    #[must_use]
    pub fn new<'a>(
        issuer: &str,
        endings: impl Iterator<Item = &'a Known>,
        urls: &[String],
        now: Timestamp,
    ) -> Self {
        let mut due = Self {
            users: HashMap::new(),
            next: Timestamp::MAX,
        };
        for known in endings.filter(|known| known.ending.issuer == issuer) {
            for url in urls {
                match known.ending.next(known.last.get(url).copied()) {
                    at if at <= now => {
                        let users = due.users.entry(url.clone()).or_default();
                        users.extend(known.ending.users.iter().cloned());
                    }
                    at => due.next = due.next.min(at),
                }
            }
        }
        due
    }

    /// Whose connections end at this server.
    #[must_use]
    pub fn users(&self, url: &str) -> BTreeSet<String> {
        self.users.get(url).cloned().unwrap_or_default()
    }

    /// When the next round is to be made: at once for what is due, but no more than
    /// twelve a minute, and now and then to see that it could be.
    #[must_use]
    pub fn next_round(&self, before: Option<&Asked>, now: Timestamp) -> Timestamp {
        // One in the future was made before the clock was set right.
        let before = before.filter(|asked| asked.at <= now);
        let probe = before.map_or(now, |asked| {
            let pause = match &asked.found {
                Ok(()) => PROBE,
                // No server is asked to find that out.
                Err((Reason::AdministratorNotReady, _)) => GAP,
                Err(_) => PROBE_AGAIN,
            };
            after(asked.at, pause)
        });
        let worked = before.and_then(|asked| asked.worked);
        let open = worked.map_or(now, |at| after(at, GAP));
        let next = if self.users.is_empty() {
            self.next
        } else {
            now
        };
        next.max(open).min(probe)
    }

    /// This server is rid of them.
    pub fn done<'a>(
        &self,
        url: &str,
        endings: impl Iterator<Item = &'a mut Known>,
        now: Timestamp,
    ) {
        let Some(users) = self.users.get(url) else {
            return;
        };
        for known in endings.filter(|known| known.ending.users.is_subset(users)) {
            known.last.insert(url.to_owned(), now);
        }
    }

    /// The round was made.
    #[must_use]
    pub fn asked(
        &self,
        before: Option<&Asked>,
        generation: Option<i64>,
        found: Found,
        now: Timestamp,
    ) -> Asked {
        let worked = if self.users.is_empty() {
            before.and_then(|asked| asked.worked)
        } else {
            Some(now)
        };
        Asked {
            at: now,
            worked,
            generation,
            found,
        }
    }
}

/// Names in the first column.
#[must_use]
pub fn names(rows: &[Vec<Value>]) -> BTreeSet<String> {
    let first = rows.iter().filter_map(|row| row.first()?.as_str());
    first.map(str::to_owned).collect()
}

/// The ids of the connections of `users`, from the rows of `dbms.listConnections`
/// with `connectionId` and `username`.
#[must_use]
pub fn connections(rows: &[Vec<Value>], users: &BTreeSet<String>) -> Vec<String> {
    let theirs = rows.iter().filter_map(|row| match row.as_slice() {
        [id, user] if users.contains(user.as_str()?) => id.as_str(),
        _ => None,
    });
    theirs.take(MOST).map(str::to_owned).collect()
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
