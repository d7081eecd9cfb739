//! The caches of our Secrets, metadata only: one watch of the whole cluster, or
//! one for each namespace that the operator may look into. The same watch feeds
//! the cache and wakes the accounts.
//!
//! kube's own cache keeps objects as they come, in which maps of strings weigh
//! several times what they say; this one keeps them packed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use futures::stream::{BoxStream, SelectAll, select_all};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

use super::watches::{self, config};
use crate::api::names as n;
use crate::plan::packed::{Packed, number};
use crate::plan::secret_meta::read;
use crate::sync::lock;

type Meta = PartialObjectMeta<Secret>;

/// Every change of a Secret that one of the watches sees.
pub(super) type Touched = SelectAll<BoxStream<'static, Result<Meta, watcher::Error>>>;

/// What the watches have seen.
#[derive(Clone)]
pub(super) struct Secrets(Arc<[Watched]>);

struct Watched {
    /// `None` is the whole cluster.
    namespace: Option<String>,
    cache: Mutex<Cache>,
    /// Everything was seen once.
    filled: watch::Sender<bool>,
}

impl Secrets {
    /// Starts to watch `namespaces`, or the whole cluster if there are none.
    pub(super) fn watch(client: &Client, namespaces: &BTreeSet<String>) -> (Self, Touched) {
        let scopes: Vec<Option<String>> = if namespaces.is_empty() {
            vec![None]
        } else {
            namespaces.iter().cloned().map(Some).collect()
        };
        let watched = scopes.into_iter().map(|namespace| Watched {
            namespace,
            cache: Mutex::default(),
            filled: watch::Sender::new(false),
        });
        let secrets = Self(watched.collect());
        let streams = (0..secrets.0.len()).map(|index| {
            let all = secrets.clone();
            let api = match &secrets.0[index].namespace {
                None => Api::<Meta>::all(client.clone()),
                Some(namespace) => Api::namespaced(client.clone(), namespace),
            };
            let ours = config().labels(&format!("{}={}", n::LABEL_MANAGED_BY, n::OPERATOR));
            watches::watch(api, ours)
                .inspect_ok(move |event| all.0[index].take(event))
                .touched_objects()
                .boxed()
        });
        let touched = select_all(streams);
        (secrets, touched)
    }

    /// Waits until each watch has seen everything once.
    pub(super) async fn wait_until_ready(&self) {
        for watched in self.0.iter() {
            // The sender is in self.
            let _ = watched.filled.subscribe().wait_for(|filled| *filled).await;
        }
    }

    /// The Secret of that name, as its watch last saw it.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Packed>> {
        let cache = lock(&self.of(namespace)?.cache);
        cache.known.get(&key(namespace, name)).cloned()
    }

    /// Whether the watch of the namespace has come past a version: then what is
    /// not in the cache does not exist.
    pub(super) fn has_seen(&self, namespace: &str, version: u64) -> bool {
        self.of(namespace)
            .is_some_and(|watched| lock(&watched.cache).seen >= version)
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

impl Watched {
    fn take(&self, event: &Event<Meta>) {
        lock(&self.cache).take(event);
        if matches!(event, Event::InitDone) {
            self.filled.send_replace(true);
        }
    }
}

type Known = HashMap<Box<str>, Arc<Packed>>;

/// What one watch has told.
#[derive(Debug, Default)]
struct Cache {
    known: Known,
    /// The newest resourceVersion that it has delivered.
    seen: u64,
    /// What a list that is under way has brought; until it ends, the former
    /// holds.
    listed: Known,
}

impl Cache {
    fn take(&mut self, event: &Event<Meta>) {
        match event {
            Event::Init => self.listed = Known::new(),
            Event::InitApply(secret) => {
                let key = key_of(secret);
                // A list repeats what is known: it need not be there twice.
                let same = self
                    .known
                    .get(&key)
                    .filter(|known| known.version() > 0 && known.version() == version_of(secret));
                let packed = same.cloned().unwrap_or_else(|| pack(secret));
                self.listed.insert(key, packed);
            }
            Event::InitDone => {
                self.known = std::mem::take(&mut self.listed);
                let newest = self.known.values().map(|known| known.version()).max();
                self.seen = self.seen.max(newest.unwrap_or(0));
            }
            Event::Apply(secret) => {
                self.known.insert(key_of(secret), pack(secret));
                self.seen = self.seen.max(version_of(secret));
            }
            Event::Delete(secret) => {
                self.known.remove(&key_of(secret));
                self.seen = self.seen.max(version_of(secret));
            }
        }
    }
}

fn pack(secret: &Meta) -> Arc<Packed> {
    Arc::new(Packed::of(&read(&secret.metadata)))
}

fn version_of(secret: &Meta) -> u64 {
    number(
        secret
            .metadata
            .resource_version
            .as_deref()
            .unwrap_or_default(),
    )
}

fn key_of(secret: &Meta) -> Box<str> {
    key(&secret.namespace().unwrap_or_default(), &secret.name_any())
}

/// Neither part can hold a slash.
fn key(namespace: &str, name: &str) -> Box<str> {
    format!("{namespace}/{name}").into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(name: &str, version: u64) -> Meta {
        let metadata =
            json!({ "namespace": "n", "name": name, "resourceVersion": version.to_string() });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn version(cache: &Cache, name: &str) -> Option<u64> {
        cache
            .known
            .get(&key("n", name))
            .map(|known| known.version())
    }

    #[test]
    fn a_list_counts_when_it_is_whole() {
        let mut cache = Cache::default();
        for event in [
            Event::Init,
            Event::InitApply(secret("a", 1)),
            Event::InitApply(secret("b", 2)),
            Event::InitDone,
        ] {
            cache.take(&event);
        }
        assert_eq!(
            (version(&cache, "a"), version(&cache, "b"), cache.seen),
            (Some(1), Some(2), 2)
        );
        cache.take(&Event::Apply(secret("c", 3)));

        let kept = cache.known[&key("n", "a")].clone();
        cache.take(&Event::Init);
        cache.take(&Event::InitApply(secret("a", 1)));
        cache.take(&Event::InitApply(secret("d", 9)));
        // What is missing so far may still come, and what came is not all.
        assert_eq!(
            (version(&cache, "c"), version(&cache, "d"), cache.seen),
            (Some(3), None, 3)
        );
        // A list that breaks off begins anew.
        cache.take(&Event::Init);
        cache.take(&Event::InitApply(secret("a", 1)));
        cache.take(&Event::InitDone);
        assert_eq!(
            (version(&cache, "c"), version(&cache, "d"), cache.seen),
            (None, None, 3)
        );
        assert!(Arc::ptr_eq(&kept, &cache.known[&key("n", "a")]));
    }

    #[test]
    fn a_deletion_is_seen_at_its_version() {
        let mut cache = Cache::default();
        cache.take(&Event::Apply(secret("a", 1)));
        cache.take(&Event::Apply(secret("a", 4)));
        assert_eq!(version(&cache, "a"), Some(4));
        cache.take(&Event::Delete(secret("a", 7)));
        assert_eq!((version(&cache, "a"), cache.seen), (None, 7));
    }
}
