//! What every reconcile needs, and what the operator remembers of each account.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::watch;

use super::backoff::Backoff;
use super::drift::Logs;
use super::events::Events;
use super::lines::Lines;
use super::neo4j_steps::Servers;
use super::orphans::Rounds;
use super::runtime::{Issuers, Runtime};
use super::secrets::Secrets;
use super::server::Looks;
use super::sessions::Sessions;
use super::surroundings;
use super::vault::Credentials;
use crate::api::{Neo4jServiceAccount, OktaIssuer};
use crate::clock::Clock;
use crate::fence::Fence;
use crate::metrics::Metrics;
use crate::okta::limits::Orgs;
use crate::plan::allow::Census;
use crate::plan::identity::AccountRef;
use crate::plan::memory::Memory;
use crate::plan::packed::Packed;
use crate::plan::step::Step;
use crate::sync::lock;

/// Called after each step of an account, before the next is planned. Tests end
/// or freeze the operator there.
pub type AfterStep = Arc<dyn Fn(&AccountRef, &Step) -> BoxFuture<'static, ()> + Send + Sync>;

/// What the operator is told at start.
#[derive(Clone)]
pub struct Settings {
    /// Where the operator's own Secrets are.
    pub namespace: String,
    /// The only namespaces whose accounts are served; none means all.
    pub watch_namespaces: BTreeSet<String>,
    /// Name of this instance, for events and for Okta's System Log.
    pub instance: String,
    /// The time.
    pub clock: Clock,
    /// Whether effects are allowed.
    pub fence: Fence,
    /// A request to Okta ends after this, one way or another.
    pub okta_timeout: Duration,
    /// Counters.
    pub metrics: Metrics,
    /// Observes each step.
    pub after_step: Option<AfterStep>,
}

impl Settings {
    /// Whether accounts of this namespace are served.
    pub(super) fn serves(&self, namespace: &str) -> bool {
        self.watch_namespaces.is_empty() || self.watch_namespaces.contains(namespace)
    }

    /// The namespaces whose Secrets are watched, the operator's own among them
    /// for credentials that are kept private; none means all.
    pub(super) fn watched(&self) -> BTreeSet<String> {
        let mut all = self.watch_namespaces.clone();
        if !all.is_empty() {
            all.insert(self.namespace.clone());
        }
        all
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("namespace", &self.namespace)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

/// The caches that watches keep.
#[derive(Clone)]
pub(super) struct Stores {
    pub(super) accounts: Store<Neo4jServiceAccount>,
    pub(super) issuers: Store<OktaIssuer>,
    pub(super) secrets: Secrets,
    pub(super) namespaces: Store<PartialObjectMeta<Namespace>>,
}

impl Stores {
    /// Waits until each has seen everything once. For one task alone: kube wakes
    /// only the one that asked last.
    pub(super) async fn ready(&self) {
        // Fails only when the writer is gone: then the operator is stopping.
        let _ = tokio::join!(
            self.accounts.wait_until_ready(),
            self.issuers.wait_until_ready(),
            self.secrets.wait_until_ready(),
            self.namespaces.wait_until_ready(),
        );
    }
}

/// Everything that reconciles share.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) settings: Settings,
    pub(super) installation: String,
    pub(super) stores: Stores,
    filled: watch::Receiver<bool>,
    pub(super) issuers: Issuers,
    pub(super) lines: Lines,
    /// Rate limits, one set per org.
    pub(super) orgs: Orgs,
    pub(super) events: Events,
    pub(super) backoff: Backoff,
    pub(super) issuer_backoff: Backoff,
    pub(super) population: Population,
    pub(super) logs: Logs,
    pub(super) orphans: Rounds,
    pub(super) surroundings: surroundings::Rounds,
    pub(super) looks: Looks,
    /// Neo4j's servers.
    pub(super) servers: Servers,
    pub(super) sessions: Sessions,
    /// In boxes: a table has more places than it has entries.
    memories: Mutex<HashMap<String, Box<Remembered>>>,
    /// The last census of each issuer, good for a few seconds.
    pub(super) censuses: Mutex<HashMap<String, (Timestamp, Census)>>,
}

/// What is remembered of one account. Losing it costs calls only.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    pub(super) memory: Memory,
    pub(super) vault: Credentials,
    /// As we last wrote it, until the cache has caught up.
    pub(super) object: Option<Arc<Neo4jServiceAccount>>,
    pub(super) credentials: Option<Arc<Packed>>,
    pub(super) token: Option<Arc<Packed>>,
    /// SHA-256 of the token that we published last.
    pub(super) token_digest: Option<Vec<u8>>,
    /// uid of a token Secret that we deleted.
    pub(super) withdrawn: Option<String>,
    /// Nothing is tried before this instant unless something changed.
    pub(super) pause: Option<Pause>,
}

/// A pause after a failure, ended early when what was planned on changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) until: Timestamp,
    pub(super) seen: u64,
}

impl Context {
    pub(super) fn new(
        client: Client,
        settings: Settings,
        installation: String,
        stores: Stores,
        filled: watch::Receiver<bool>,
        events: Events,
    ) -> Self {
        Self {
            client,
            settings,
            installation,
            stores,
            filled,
            issuers: Issuers::default(),
            lines: Lines::default(),
            orgs: Orgs::default(),
            events,
            backoff: Backoff::default(),
            issuer_backoff: Backoff::default(),
            population: Population::default(),
            logs: Logs::default(),
            orphans: Rounds::default(),
            surroundings: surroundings::Rounds::default(),
            looks: Looks::default(),
            servers: Servers::default(),
            sessions: Sessions::default(),
            memories: Mutex::default(),
            censuses: Mutex::default(),
        }
    }

    /// An issuer in operation. One that nobody referred to goes without a
    /// reconcile of its own, and serves nobody any more.
    pub(super) fn issuer(&self, name: &str) -> Option<Arc<Runtime>> {
        let object = self.stores.issuers.get(&ObjectRef::new(name))?;
        let uid = object.metadata.uid.as_deref();
        self.issuers
            .get(name)
            .filter(|runtime| Some(runtime.uid.as_str()) == uid)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    /// Waits until the caches are filled: planning on less would take what
    /// exists for missing.
    pub(super) async fn filled(&self) {
        self.once_filled().await;
    }

    /// Whether they are filled, and the operator is not stopping.
    pub(super) fn is_filled(&self) -> bool {
        *self.filled.borrow()
    }

    /// Turns when they are filled.
    pub(super) fn once_filled(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut filled = self.filled.clone();
        async move {
            // Fails only when the sender is gone: then the operator is stopping.
            let _ = filled.wait_for(|filled| *filled).await;
        }
    }

    /// Takes what is remembered; one reconcile per account runs at a time.
    pub(super) fn remembered(&self, uid: &str) -> Remembered {
        let memories = lock(&self.memories);
        memories
            .get(uid)
            .map(|known| known.as_ref().clone())
            .unwrap_or_default()
    }

    pub(super) fn remember(&self, uid: &str, what: Remembered) {
        lock(&self.memories).insert(uid.to_owned(), Box::new(what));
    }

    /// Changes what is remembered, if anything is.
    pub(super) fn amend(&self, uid: &str, change: impl FnOnce(&mut Remembered)) {
        if let Some(remembered) = lock(&self.memories).get_mut(uid) {
            change(remembered);
        }
    }

    /// The clock jumped: instants that were noted before hold no more.
    pub(super) fn forget_instants(&self) {
        for remembered in lock(&self.memories).values_mut() {
            remembered.pause = None;
            remembered.memory.forget_instants();
        }
    }

    /// The account is gone.
    pub(super) fn forget(&self, account: &AccountRef) {
        lock(&self.memories).remove(&account.uid);
        self.lines.forget(&account.uid);
        self.backoff.reset(&account.uid);
        self.population.remove(account);
        self.settings.metrics.forget_account(account);
        self.settings
            .metrics
            .objects("account", self.stores.accounts.len());
    }
}

/// The accounts of each namespace and issuer in the order of their age, for
/// `maxAccounts`.
#[derive(Debug, Default)]
pub(super) struct Population(Mutex<HashMap<Home, BTreeSet<(i64, String)>>>);

/// Namespace and issuer.
type Home = (String, String);

impl Population {
    pub(super) fn add(&self, object: &Neo4jServiceAccount, account: &AccountRef) -> usize {
        let created = object
            .metadata
            .creation_timestamp
            .as_ref()
            .map_or(0, |t| t.0.as_second());
        let key = (
            account.namespace.clone(),
            object.spec.issuer_ref.name.clone(),
        );
        let entry = (created, account.uid.clone());
        let mut map = lock(&self.0);
        let accounts = map.entry(key).or_default();
        accounts.insert(entry.clone());
        // No limit is above 10000, so counting further tells nothing.
        accounts.range(..entry).take(10_000).count()
    }

    fn remove(&self, account: &AccountRef) {
        let mut map = lock(&self.0);
        for ((namespace, _), accounts) in map.iter_mut() {
            if *namespace == account.namespace {
                accounts.retain(|(_, uid)| *uid != account.uid);
            }
        }
    }
}
