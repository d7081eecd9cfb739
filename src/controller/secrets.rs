//! The caches of our Secrets, metadata only: one watch of the whole cluster, or
//! one for each namespace that the operator may look into. The same watch feeds
//! the cache and wakes the accounts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::stream::{SelectAll, select_all};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt};

use super::config;
use crate::api::names as n;
use crate::plan::secret_meta;

type Meta = PartialObjectMeta<Secret>;

/// Every change of a Secret that one of the watches sees.
pub(super) type Touched =
    SelectAll<futures::stream::BoxStream<'static, Result<Meta, watcher::Error>>>;

/// What the watches have seen.
#[derive(Clone)]
pub(super) struct Secrets(Arc<[Watched]>);

struct Watched {
    /// `None` is the whole cluster.
    namespace: Option<String>,
    store: Store<Meta>,
    /// The newest resourceVersion that this watch has delivered.
    seen: AtomicU64,
}

impl Secrets {
    /// Starts to watch `namespaces`, or the whole cluster if there are none.
    pub(super) fn watch(client: &Client, namespaces: &BTreeSet<String>) -> (Self, Touched) {
        let scopes: Vec<Option<String>> = if namespaces.is_empty() {
            vec![None]
        } else {
            namespaces.iter().cloned().map(Some).collect()
        };
        let (watched, writers): (Vec<_>, Vec<_>) = scopes
            .into_iter()
            .map(|namespace| {
                let (store, writer) = reflector::store::<Meta>();
                let seen = AtomicU64::new(0);
                let watched = Watched {
                    namespace,
                    store,
                    seen,
                };
                (watched, writer)
            })
            .unzip();
        let secrets = Self(watched.into());
        let streams = writers.into_iter().enumerate().map(|(index, writer)| {
            let all = secrets.clone();
            let api = match &secrets.0[index].namespace {
                None => Api::<Meta>::all(client.clone()),
                Some(namespace) => Api::namespaced(client.clone(), namespace),
            };
            let ours = config().labels(&format!("{}={}", n::LABEL_MANAGED_BY, n::OPERATOR));
            watcher(api, ours)
                .default_backoff()
                .modify(secret_meta::prune)
                .reflect(writer)
                .touched_objects()
                .inspect_ok(move |secret| {
                    if let Some(version) = secret.resource_version().and_then(|v| v.parse().ok()) {
                        all.0[index].seen.fetch_max(version, Ordering::Relaxed);
                    }
                })
                .boxed()
        });
        let touched = select_all(streams);
        (secrets, touched)
    }

    /// Waits until each watch has seen everything once. For one task alone: kube
    /// wakes only the one that asked last.
    pub(super) async fn wait_until_ready(&self) {
        for watched in self.0.iter() {
            // Fails only when the writer is gone: then the operator is stopping.
            let _ = watched.store.wait_until_ready().await;
        }
    }

    /// The Secret of that name, as its watch last saw it.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Meta>> {
        let watched = self.of(namespace)?;
        watched.store.get(&ObjectRef::new(name).within(namespace))
    }

    /// Whether the watch of the namespace has come past a version: then what is
    /// not in the cache does not exist.
    pub(super) fn has_seen(&self, namespace: &str, version: u64) -> bool {
        self.of(namespace)
            .is_some_and(|watched| watched.seen.load(Ordering::Relaxed) >= version)
    }

    fn of(&self, namespace: &str) -> Option<&Watched> {
        self.0.iter().find(|watched| {
            watched
                .namespace
                .as_deref()
                .is_none_or(|own| own == namespace)
        })
    }
}
