//! Ends, at every server of an issuer's Neo4j, the connections of accounts that
//! were stopped or lost a group, until their last token has expired. Whose and when
//! is `plan::ending`'s and `neo4j::sessions`' to say.
//!
//! It needs an account of the operator's own that is an administrator there. It
//! depends neither on Okta nor on the account's object, which may be gone, and keeps
//! its notes in a ConfigMap. It refuses to end what is not a noted user's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::watch;

use super::context::Context;
use super::step::StepError;
use super::{administrator, notes};
use crate::api::OktaIssuer;
use crate::neo4j::sessions::{Asked, Due, Ending, Found, GAP, Known, PROBE};
use crate::plan::facts::ends_sessions;
use crate::plan::schedule::{after, until};
use crate::sync::lock;

/// The ConfigMap with the notes, beside the operator.
const NOTES: &str = "neo4j-okta-operator-ended-sessions";
/// Whose sessions end, and what is known of the servers.
#[derive(Debug)]
pub(super) struct Sessions {
    endings: Mutex<BTreeMap<String, Known>>,
    issuers: Mutex<HashMap<String, Asked>>,
    /// Turns when there is a new note.
    noted: watch::Sender<u64>,
}

/// One round at one server.
pub(super) struct Round {
    /// The Query API's URL.
    pub(super) url: String,
    /// Whose sessions end.
    pub(super) users: BTreeSet<String>,
}

/// How a round went.
pub(super) struct Done {
    pub(super) url: String,
    /// How many sessions of each user were ended.
    pub(super) ended: BTreeMap<String, usize>,
    /// There are more of them.
    pub(super) more: bool,
    pub(super) found: Found,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            endings: Mutex::default(),
            issuers: Mutex::default(),
            noted: watch::Sender::new(0),
        }
    }
}

impl Sessions {
    /// Notes whose sessions end, for good before in memory.
    pub(super) async fn note(&self, ctx: &Context, ending: &Ending) -> Result<(), StepError> {
        let text = serde_json::to_string(ending).map_err(|e| StepError::Broken(e.to_string()))?;
        notes::put(ctx, NOTES, &ending.uid, Some(&text)).await?;
        tracing::info!(account = %ending.account(), users = ?ending.users, cause = ?ending.cause, until = %ending.until, "its sessions at Neo4j end");
        lock(&self.endings).insert(ending.uid.clone(), Known::new(ending.clone()));
        self.noted.send_modify(|n| *n += 1);
        Ok(())
    }

    /// What the last round at this issuer's servers found.
    pub(super) fn found(&self, issuer: &str) -> Option<Found> {
        lock(&self.issuers).get(issuer).map(|a| a.found.clone())
    }
}

/// Works until the operator stops.
pub(super) async fn run(ctx: &Context, stop: impl Future<Output = ()>) {
    let work = async {
        ctx.filled().await;
        recall(ctx).await;
        let mut noted = ctx.sessions.noted.subscribe();
        let mut changes = ctx.issuers.changes();
        let mut jumps = pin!(ctx.settings.clock.jumps());
        loop {
            let next = rounds(ctx).await;
            let pause = until(ctx.now(), next).max(Duration::from_millis(100));
            tokio::select! {
                _ = noted.changed() => {}
                _ = changes.changed() => {}
                _ = jumps.next() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = work => {}
    }
}

/// What an earlier process noted.
async fn recall(ctx: &Context) {
    let noted = loop {
        match notes::all(ctx, NOTES).await {
            Ok(noted) => break noted,
            Err(error) => {
                tracing::warn!(%error, "whose sessions end could not be read");
                tokio::time::sleep(GAP).await;
            }
        }
    };
    let mut endings = lock(&ctx.sessions.endings);
    for (uid, text) in noted {
        match serde_json::from_str::<Ending>(&text) {
            // What was noted since is newer.
            Ok(ending) => {
                endings.entry(uid).or_insert_with(|| Known::new(ending));
            }
            Err(error) => tracing::warn!(uid, %error, "a note about sessions cannot be read"),
        }
    }
}

/// All rounds that are due. Returns when the next one is.
async fn rounds(ctx: &Context) -> Timestamp {
    if ctx.settings.fence.pass().is_err() {
        return after(ctx.now(), GAP);
    }
    forget_what_is_over(ctx).await;
    let issuers = ctx.stores.issuers.state();
    let next = join_all(issuers.iter().map(|issuer| at_issuer(ctx, issuer))).await;
    let names: BTreeSet<String> = issuers.iter().map(|issuer| issuer.name_any()).collect();
    lock(&ctx.sessions.issuers).retain(|name, _| names.contains(name));
    let over = lock(&ctx.sessions.endings)
        .values()
        .map(|known| known.ending.until)
        .min();
    let longest = after(ctx.now(), PROBE);
    next.into_iter()
        .chain(over)
        .min()
        .unwrap_or(longest)
        .min(longest)
}

async fn forget_what_is_over(ctx: &Context) {
    let now = ctx.now();
    let all: Vec<Ending> = lock(&ctx.sessions.endings)
        .values()
        .map(|known| known.ending.clone())
        .collect();
    for ending in all {
        let account = ObjectRef::new(&ending.name).within(&ending.namespace);
        let account = ctx.stores.accounts.get(&account);
        let issuer = ctx.stores.issuers.get(&ObjectRef::new(&ending.issuer));
        let unwanted = issuer.is_some_and(|issuer| !issuer.spec.neo4j.end_sessions);
        if !unwanted && !ending.is_over(account.as_deref(), now) {
            continue;
        }
        match notes::put(ctx, NOTES, &ending.uid, None).await {
            Ok(()) => {
                let mut endings = lock(&ctx.sessions.endings);
                // Another note may have come meanwhile.
                if endings.get(&ending.uid).is_some_and(|k| k.ending == ending) {
                    endings.remove(&ending.uid);
                }
            }
            Err(error) => tracing::debug!(%error, "a note about sessions stays"),
        }
    }
}

/// The rounds that are due at one issuer's servers.
async fn at_issuer(ctx: &Context, issuer: &Arc<OktaIssuer>) -> Timestamp {
    let name = issuer.name_any();
    let Some(administrator) = ends_sessions(&issuer.spec.neo4j, &ctx.settings.namespace) else {
        lock(&ctx.sessions.issuers).remove(&name);
        return Timestamp::MAX;
    };
    let (now, generation) = (ctx.now(), issuer.metadata.generation);
    let urls = &issuer.spec.neo4j.query_api_urls;
    let due = Due::new(&name, lock(&ctx.sessions.endings).values(), urls, now);
    let before = lock(&ctx.sessions.issuers).get(&name).cloned();
    let before = before.filter(|asked| asked.generation == generation);
    let next = due.next_round(before.as_ref(), now);
    if now < next {
        return next;
    }
    let rounds = urls.iter().map(|url| Round {
        url: url.clone(),
        users: due.users(url),
    });
    let all = administrator::rounds(ctx, issuer, &administrator, rounds.collect()).await;
    let mut found = Ok(());
    for done in all {
        if let Err(why) = &done.found {
            tracing::warn!(
                issuer = name,
                server = done.url,
                reason = why.0.as_str(),
                "sessions cannot be ended there: {}",
                why.1
            );
            found = found.and(done.found.clone());
        } else if !done.more {
            let mut endings = lock(&ctx.sessions.endings);
            due.done(&done.url, endings.values_mut(), now);
        }
    }
    let asked = due.asked(before.as_ref(), generation, found, now);
    let news = before.is_none_or(|before| before.found != asked.found);
    lock(&ctx.sessions.issuers).insert(name, asked);
    if news {
        ctx.issuers.nudge();
    }
    // What is due then is reckoned anew.
    now
}
