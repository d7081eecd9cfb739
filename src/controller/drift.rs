//! Follows Okta's System Log, one cursor per org whoever asks, and tells the
//! accounts and issuers that somebody changed what is theirs. Where the log goes
//! on stands in a ConfigMap beside the operator, written only when events that
//! concern us were read and looked into. Decides nothing about them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::channel::mpsc;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::context::Context;
use crate::api::{Neo4jServiceAccount, names as n};
use crate::okta::budget::Turn;
use crate::okta::{Class, Cursor, Org, PAGE};
use crate::plan::drift::{self, Change, OVERLAP, POLL, Recent, Subject};
use crate::plan::lane::Lane;
use crate::plan::memory::Noticed;
use crate::plan::schedule;
use crate::sync::lock;

/// The ConfigMap with the cursors, beside the operator.
pub(super) const CURSORS: &str = "neo4j-okta-operator-log-cursors";
/// Pages that are read in one go; the rest comes a minute later.
const PAGES: usize = 10;
/// How soon to ask again whether the log may be read.
const REFUSED: std::time::Duration = std::time::Duration::from_secs(600);

/// What is known of the logs, by org.
#[derive(Debug, Default)]
pub(super) struct Logs {
    followed: Mutex<HashMap<String, Followed>>,
    /// Which accounts have to be looked at, until a reconcile has done so.
    noticed: Mutex<HashMap<String, Noticed>>,
    counter: AtomicU64,
    wake: Mutex<Option<mpsc::UnboundedSender<Arc<Neo4jServiceAccount>>>>,
}

#[derive(Clone, Debug)]
struct Followed {
    next_poll: Timestamp,
    /// `None` before the ConfigMap was read.
    cursor: Option<Cursor>,
    /// Events were read since the cursor was kept.
    dirty: bool,
    seen: Recent,
    readable: Option<bool>,
    /// How often something of an authorization server was changed by others.
    server_changes: u64,
}

impl Logs {
    /// The accounts to look at, as they come.
    pub(super) fn woken(&self) -> mpsc::UnboundedReceiver<Arc<Neo4jServiceAccount>> {
        let (sender, receiver) = mpsc::unbounded();
        *lock(&self.wake) = Some(sender);
        receiver
    }

    /// What the log said of an account that nobody has looked into yet.
    pub(super) fn noticed(&self, uid: &str) -> Option<Noticed> {
        lock(&self.noticed).get(uid).cloned()
    }

    /// A reconcile took this in.
    pub(super) fn looked_into(&self, uid: &str, taken: Option<&Noticed>) {
        let mut noticed = lock(&self.noticed);
        if noticed.get(uid) == taken {
            noticed.remove(uid);
        }
    }

    fn notice(&self, account: Arc<Neo4jServiceAccount>, change: &Change) {
        let uid = account.uid().unwrap_or_default();
        tracing::info!(
            account = %crate::plan::desired::account_ref(&account), actor = change.actor,
            okta_request = change.request_id.as_deref().unwrap_or("-"),
            "somebody changed the app at Okta"
        );
        let mut noticed = lock(&self.noticed);
        let known = noticed.get(&uid).is_some_and(|n| n.credentials);
        let number = self.counter.fetch_add(1, Ordering::Relaxed) + 1;
        let now = Noticed {
            number,
            actor: change.actor.clone(),
            credentials: known || change.subject == Subject::Credentials,
        };
        noticed.insert(uid, now);
        drop(noticed);
        if let Some(wake) = lock(&self.wake).as_ref() {
            let _ = wake.unbounded_send(account);
        }
    }
}

/// Where an org's log stands after a poll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Whether it can be read; `None` before the first answer.
    pub(super) readable: Option<bool>,
    /// Grows when somebody changed something of an authorization server: each
    /// issuer of the org looks then, not only the one that asked.
    pub(super) server_changes: u64,
    /// When to poll again.
    pub(super) next_poll: Timestamp,
}

/// Reads what is new in the org's log, once a minute whoever asks.
pub(super) async fn follow(org: &Org, ctx: &Context) -> Standing {
    let now = ctx.now();
    let host = org.host();
    let mut followed = {
        let mut all = lock(&ctx.logs.followed);
        let entry = all.entry(host.clone()).or_insert_with(|| Followed {
            next_poll: Timestamp::MIN,
            cursor: None,
            dirty: false,
            seen: Recent::default(),
            readable: None,
            server_changes: 0,
        });
        // Further off than that only when the clock was ahead and was set right.
        let waits = now < entry.next_poll && entry.next_poll <= schedule::after(now, REFUSED);
        if waits || ctx.settings.fence.pass().is_err() {
            return Standing {
                readable: entry.readable,
                server_changes: entry.server_changes,
                next_poll: entry.next_poll.max(now),
            };
        }
        // Nobody else asks while this one is under way.
        entry.next_poll = schedule::after(now, POLL);
        entry.clone()
    };
    let read = followed.server_changes;
    poll(org, &host, &mut followed, ctx).await;
    if followed.server_changes != read {
        ctx.issuers.nudge();
    }
    let standing = Standing {
        readable: followed.readable,
        server_changes: followed.server_changes,
        next_poll: followed.next_poll,
    };
    lock(&ctx.logs.followed).insert(host, followed);
    standing
}

async fn poll(org: &Org, host: &str, followed: &mut Followed, ctx: &Context) {
    let now = ctx.now();
    followed.next_poll = schedule::after(now, POLL);
    let begin = || {
        let back = SignedDuration::try_from(OVERLAP).unwrap_or_default();
        Cursor::Since(now.checked_sub(back).unwrap_or(now))
    };
    let mut cursor = match followed.cursor.clone() {
        Some(cursor) => cursor,
        None => kept(org, host, ctx).await.unwrap_or_else(begin),
    };
    keep(host, followed, ctx).await;
    let mut read = false;
    let turn = Turn::of_operator(Lane::Drift, format!("log/{host}"));
    for _ in 0..PAGES {
        let page = match org.read_log(&cursor, drift::FILTER, &turn).await {
            Ok(page) => page,
            Err(error) => {
                match &error.class {
                    Class::Forbidden => {
                        followed.readable = Some(false);
                        followed.next_poll = schedule::after(now, REFUSED);
                    }
                    // The link is too old, or not Okta's any more: from the overlap on.
                    Class::Rejected { .. } | Class::NotFound => cursor = begin(),
                    _ => {}
                }
                tracing::debug!(host, %error, "the System Log could not be read");
                break;
            }
        };
        followed.readable = Some(true);
        read = true;
        followed.dirty |= !page.events.is_empty();
        let changes = drift::foreign(&page.events, &mut followed.seen, &org.own_requests());
        if changes.iter().any(|c| c.subject == Subject::Server) {
            followed.server_changes += 1;
        }
        tell(&changes, ctx);
        let full = page.events.len() >= PAGE;
        // Without a link the same page is read again, and its events are known.
        let Some(next) = page.next else { break };
        cursor = next;
        if !full {
            break;
        }
    }
    followed.cursor = Some(cursor);
    ctx.settings.metrics.log_read(host, read, now);
}

/// Tells the accounts that are concerned; one pass over them for a page.
fn tell(changes: &[Change], ctx: &Context) {
    let mut of: HashMap<&str, &Change> = HashMap::new();
    for change in changes.iter().filter(|c| c.subject != Subject::Server) {
        // What took an app away says more than what followed from it.
        for target in &change.targets {
            let earlier = of.entry(target).or_insert(change);
            if earlier.subject == Subject::Credentials {
                *earlier = change;
            }
        }
    }
    if of.is_empty() {
        return;
    }
    let of = |id: Option<&String>| id.and_then(|id| of.get(id.as_str()).copied());
    for account in ctx.stores.accounts.state() {
        let change = account
            .status
            .as_ref()
            .and_then(|s| of(s.app_id.as_ref()).or_else(|| of(s.client_id.as_ref())));
        if let Some(change) = change {
            ctx.logs.notice(account, change);
        }
    }
}

fn config_maps(ctx: &Context) -> Api<ConfigMap> {
    Api::namespaced(ctx.client.clone(), &ctx.settings.namespace)
}

/// A key of the ConfigMap: a host, with a port where there is one.
fn key(host: &str) -> String {
    host.replace([':', '[', ']'], "_")
}

/// Where the log goes on, as an earlier process noted it.
async fn kept(org: &Org, host: &str, ctx: &Context) -> Option<Cursor> {
    let found = config_maps(ctx).get_opt(CURSORS).await;
    let data = found
        .inspect_err(|error| tracing::warn!(%error, "the cursors could not be read"))
        .ok()??
        .data?;
    org.cursor(data.get(&key(host))?)
}

/// Notes the cursor once all that came before it was looked into: a crash then
/// reads again what nobody took care of.
async fn keep(host: &str, followed: &mut Followed, ctx: &Context) {
    let Some(Cursor::Next(url)) = &followed.cursor else {
        return;
    };
    if !followed.dirty || !lock(&ctx.logs.noticed).is_empty() || ctx.settings.fence.pass().is_err()
    {
        return;
    }
    let data = BTreeMap::from([(key(host), url.to_string())]);
    let patch = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": CURSORS, "labels": { n::LABEL_MANAGED_BY: n::OPERATOR } },
        "data": data,
    });
    // One field manager per org, so that one's cursor does not remove another's.
    let params = PatchParams::apply(&format!("{}-{}", n::OPERATOR, key(host))).force();
    match config_maps(ctx)
        .patch(CURSORS, &params, &Patch::Apply(&patch))
        .await
    {
        Ok(_) => followed.dirty = false,
        Err(error) => tracing::warn!(%error, "the cursor could not be kept"),
    }
}
