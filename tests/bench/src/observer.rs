//! Sees when a Secret with a token appears and changes, as a workload would: by a
//! watch of metadata.
//!
//! It needs rights to watch Secrets, and a label that tells them. Its instants
//! include the way from the API server to here. It never sees a token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::task::JoinHandle;

use crate::clock;

const REFRESH_AT: &str = "neo4j-okta.dev/refresh-at";
const GROUPS: &str = "neo4j-okta.dev/groups";

/// Namespace and name.
pub(crate) type Key = (String, String);

/// What was seen of one Secret.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) first: Instant,
    pub(crate) last: Instant,
    /// How many versions.
    pub(crate) versions: usize,
    pub(crate) groups: String,
    /// By how many seconds the last version came after the instant that the one
    /// before it had announced.
    pub(crate) late: Option<f64>,
    version: String,
    refresh_at: Option<String>,
}

type Known = Arc<Mutex<HashMap<Key, Seen>>>;

/// Watches until it is dropped.
pub(crate) struct Observer {
    known: Known,
    task: JoinHandle<()>,
}

impl Observer {
    /// Watches Secrets with the label `selector` whose name ends with `suffix`.
    pub(crate) fn start(client: Client, selector: &str, suffix: &'static str) -> Self {
        let known = Known::default();
        let secrets: Api<PartialObjectMeta<Secret>> = Api::all(client);
        let config = watcher::Config::default().labels(selector);
        let stream = watcher(secrets, config).default_backoff().applied_objects();
        let into = Arc::clone(&known);
        let task = tokio::spawn(async move {
            let mut stream = stream.into_stream().boxed();
            while let Some(event) = stream.next().await {
                // Its own backoff mends an error; what matters is the next event.
                if let Ok(secret) = event
                    && secret.name_any().ends_with(suffix)
                {
                    note(&into, &secret);
                }
            }
        });
        Self { known, task }
    }

    /// How many there are of which `wanted` holds.
    pub(crate) fn count(&self, wanted: impl Fn(&Key, &Seen) -> bool) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|(key, seen)| wanted(key, seen)).count()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count(|_, _| true)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Seen> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).cloned()
    }

    /// Of each that changed after `since`: by how many seconds it was late.
    pub(crate) fn late_since(&self, since: Instant) -> Vec<f64> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = known.values().filter(|seen| seen.last > since);
        changed.filter_map(|seen| seen.late).collect()
    }

    /// When the first of them is to be refreshed.
    pub(crate) fn next_refresh(&self) -> Option<Timestamp> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let planned = known.values().filter_map(|seen| seen.refresh_at.as_deref());
        planned.filter_map(|planned| planned.parse().ok()).min()
    }

    /// How long after `from` the Secret of `key` was last changed.
    pub(crate) fn took(&self, key: &Key, from: Instant) -> Option<Duration> {
        self.get(key)
            .and_then(|seen| seen.last.checked_duration_since(from))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(known: &Known, secret: &PartialObjectMeta<Secret>) {
    let key = (secret.namespace().unwrap_or_default(), secret.name_any());
    let version = secret.resource_version().unwrap_or_default();
    let annotation = |name: &str| secret.annotations().get(name).cloned();
    let now = clock::now();
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let before = known.get(&key);
    // A watch that begins again tells everything again.
    if before.is_some_and(|seen| seen.version == version) {
        return;
    }
    let planned = before.and_then(|seen| seen.refresh_at.as_deref());
    let seen = Seen {
        first: before.map_or(now, |seen| seen.first),
        last: now,
        versions: before.map_or(0, |seen| seen.versions) + 1,
        groups: annotation(GROUPS).unwrap_or_default(),
        late: planned.and_then(clock::late),
        version,
        refresh_at: annotation(REFRESH_AT),
    };
    known.insert(key, seen);
}
