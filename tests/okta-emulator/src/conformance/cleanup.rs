//! What a run made, and its removal at the end, however the end came. Removes
//! what it noted and what bears the run's prefix: the answer to a create may
//! have been lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Method;
use serde_json::Value;

use super::statement::Stop;
use super::wire::Wire;

/// Tries for each thing: Okta has answered 500 to a delete that was in order.
const TRIES: u32 = 3;

/// What was made, and what must not be shown. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    apps: BTreeSet<String>,
    servers: BTreeSet<String>,
    secrets: Vec<String>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Ledger {
    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn app(&self, id: &str) {
        self.notes().apps.insert(id.to_owned());
    }

    pub(super) fn server(&self, id: &str) {
        self.notes().servers.insert(id.to_owned());
    }

    /// Never to be printed.
    pub(super) fn hide(&self, secret: &str) {
        self.notes().secrets.push(secret.to_owned());
    }

    /// `text` without secrets, should Okta have quoted one.
    pub(super) fn redacted(&self, text: &str) -> String {
        let notes = self.notes();
        let hidden = notes.secrets.iter().filter(|secret| !secret.is_empty());
        hidden.fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
}

/// Removes everything; says what is left when something is.
pub(super) async fn clean(
    wire: &mut Wire,
    ledger: &Ledger,
    prefix: &str,
) -> Result<String, String> {
    let (mut apps, mut servers) = {
        let notes = ledger.notes();
        (notes.apps.clone(), notes.servers.clone())
    };
    let mut left = Vec::new();
    for (path, name, ids) in [
        ("/api/v1/apps", "label", &mut apps),
        ("/api/v1/authorizationServers", "name", &mut servers),
    ] {
        match named(wire, path, name, prefix).await {
            Ok(found) => ids.extend(found),
            Err(Stop(why)) => left.push(format!("whatever {path} shows for {prefix} ({why})")),
        }
    }
    for (root, ids) in [
        ("/api/v1/apps", &apps),
        ("/api/v1/authorizationServers", &servers),
    ] {
        for id in ids {
            let path = format!("{root}/{id}");
            if let Err(Stop(why)) = remove(wire, &path).await {
                left.push(format!("{path} ({why})"));
            }
        }
    }
    if left.is_empty() {
        let (apps, servers) = (apps.len(), servers.len());
        Ok(format!(
            "removed what was made: {apps} apps, {servers} authorization servers"
        ))
    } else {
        Err(format!("LEFT BEHIND, remove by hand: {}", left.join(", ")))
    }
}

/// Ids of the things whose name begins with the prefix. A run makes fewer than
/// one page of them.
async fn named(wire: &mut Wire, path: &str, name: &str, prefix: &str) -> Result<Vec<String>, Stop> {
    let path = format!("{path}?limit=200&q={prefix}");
    let reply = wire.api(Method::GET, &path, None).await?;
    match reply.status {
        200 => {}
        // Who may not list them could not make one either.
        403 => return Ok(Vec::new()),
        _ => return Err(Stop(reply.brief())),
    }
    let ours = |item: &&Value| {
        item[name]
            .as_str()
            .is_some_and(|name| name.starts_with(prefix))
    };
    let items = reply.body.as_array().into_iter().flatten().filter(ours);
    Ok(items
        .filter_map(|item| item["id"].as_str().map(str::to_owned))
        .collect())
}

async fn remove(wire: &mut Wire, path: &str) -> Result<(), Stop> {
    let mut last = String::new();
    for _ in 0..TRIES {
        // Most are deleted already; a look is cheaper than a deactivation.
        let there = wire.api(Method::GET, path, None).await?;
        if there.status == 404 || there.body["status"] == "DELETED" {
            return Ok(());
        }
        let deactivate = format!("{path}/lifecycle/deactivate");
        wire.api(Method::POST, &deactivate, None).await?;
        let reply = wire.api(Method::DELETE, path, None).await?;
        if matches!(reply.status, 204 | 404) {
            return Ok(());
        }
        last = reply.brief();
    }
    Err(Stop(last))
}
