//! The shell: watches, caches, and the two controllers. Everything interesting
//! is decided in `plan`; here it is observed and carried out.

mod account;
mod administrator;
mod backoff;
mod context;
mod drift;
mod events;
mod finalizer;
mod issuer;
mod kubernetes;
mod leftovers;
mod lines;
mod neo4j_settings;
mod neo4j_steps;
mod notes;
mod observe;
mod okta_steps;
mod orphans;
mod report;
mod runtime;
mod secret;
mod secrets;
mod server;
mod sessions;
mod signin;
mod status;
mod step;
mod stranded;
mod surroundings;
mod vault;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use futures::future::ready;
use futures::{FutureExt, Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Controller};
use kube::runtime::events::Reporter;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher;
use kube::runtime::{WatchStreamExt, predicates};
use kube::{Api, Client, Resource, ResourceExt};

pub use crate::fence::{Fence, Fenced};
pub use context::{AfterStep, Settings};
pub(crate) use leftovers::LEFTOVERS;
#[cfg(test)]
pub(crate) use leftovers::Leftover;
pub(crate) use server::{read_rules, read_server};
pub(crate) use signin::{host, secret_ref, sign_in};
pub(crate) use surroundings::{Part as SurroundingsRound, part as look_around};
pub(crate) use vault::{Held, live_credentials};

use context::{Context, Stores};
use events::Events;
use secrets::Secrets;
use watches::{EachByItself, config, watch};

use crate::api::{Neo4jServiceAccount, OktaIssuer, names as n};
use crate::clock::Jump;
use crate::metrics::Metrics;
use crate::plan::schedule::{self, GATHER};

/// Reconciles of accounts under way at once. `lines` lets far fewer of an issuer's do
/// anything; this bounds what kube keeps for those that it has begun.
const AT_ONCE: u16 = 4096;

/// Whether the operator can work.
#[derive(Clone, Debug)]
pub struct Readiness(tokio::sync::watch::Receiver<bool>);

impl Readiness {
    /// Readiness as the sender tells it.
    #[must_use]
    pub fn told_by(receiver: tokio::sync::watch::Receiver<bool>) -> Self {
        Self(receiver)
    }

    /// True once all caches have seen everything.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it turns; `None` when it cannot turn any more.
    pub async fn changed(&mut self) -> Option<bool> {
        self.0.changed().await.ok()?;
        Some(*self.0.borrow_and_update())
    }
}

/// The operator, ready to be run.
pub struct Operator {
    run: futures::future::BoxFuture<'static, ()>,
    readiness: Readiness,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator")
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}

impl Operator {
    /// Prepares the operator; reads which installation this is.
    ///
    /// # Errors
    /// When the `kube-system` namespace cannot be read.
    pub async fn new(
        client: Client,
        settings: Settings,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, kube::Error> {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let installation = namespaces
            .get("kube-system")
            .await?
            .uid()
            .unwrap_or_default();
        let client = settings.fence.client(client);
        let (ready_tx, ready_rx) = tokio::sync::watch::channel(false);
        Ok(Self {
            run: run(client, settings, installation, ready_tx, shutdown.shared()).boxed(),
            readiness: Readiness(ready_rx),
        })
    }

    /// Tells whether the caches are filled.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Runs until shutdown; what is under way is finished.
    pub async fn run(self) {
        self.run.await;
    }
}

async fn run(
    client: Client,
    settings: Settings,
    installation: String,
    ready_tx: tokio::sync::watch::Sender<bool>,
    shutdown: futures::future::Shared<impl Future<Output = ()> + Send + 'static>,
) {
    let (secrets, owned) = Secrets::watch(&client, &settings.watched());
    let (namespaces, namespaces_writer) = reflector::store::<PartialObjectMeta<Namespace>>();
    let (account_store, accounts_writer) = reflector::store::<Neo4jServiceAccount>();
    let (issuer_store, issuers_writer) = reflector::store::<OktaIssuer>();
    let applied = watch(Api::<Neo4jServiceAccount>::all(client.clone()), config())
        .modify(status::prune)
        .reflect(accounts_writer)
        .applied_objects();
    let accounts = Controller::for_stream(applied, account_store.clone());
    let applied = watch(Api::<OktaIssuer>::all(client.clone()), config())
        .reflect(issuers_writer)
        .applied_objects();
    let issuers = Controller::for_stream(applied, issuer_store.clone());
    let stores = Stores {
        accounts: account_store.clone(),
        issuers: issuer_store.clone(),
        secrets,
        namespaces,
    };
    let reporter = Reporter {
        controller: n::OPERATOR.to_owned(),
        instance: Some(settings.instance.clone()),
    };
    let events = Events::new(client.clone(), reporter);
    let metrics = settings.metrics.clone();
    let ctx = Arc::new(Context::new(
        client.clone(),
        settings.clone(),
        installation,
        stores.clone(),
        ready_tx.subscribe(),
        events,
    ));

    let labelled = watch(
        Api::<PartialObjectMeta<Namespace>>::all(client.clone()),
        config(),
    )
    .modify(|namespace| namespace.metadata.managed_fields = None)
    .reflect(namespaces_writer)
    .touched_objects()
    .predicate_filter(predicates::labels, Default::default());
    let jumped = ctx.clone();
    let jumps = settings.clock.jumps().map(move |jump| {
        tracing::warn!(?jump, "the clock jumped");
        if jump == Jump::Back {
            jumped.forget_instants();
        }
    });
    let filled_once = stream::once(ctx.once_filled());
    let look_again = stream::select(turns(ctx.issuers.changes(), || GATHER), jumps);
    let look_again = stream::select(look_again, filled_once);
    let account_run = accounts
        .with_config(
            controller::Config::default()
                .debounce(Duration::ZERO)
                .concurrency(AT_ONCE),
        )
        .trigger_backoff(EachByItself)
        .owns_stream(owned)
        .watches_stream(labelled, move |namespace| {
            in_namespace(&account_store, &namespace.name_any())
        })
        .watches_stream(
            stream::select(ctx.logs.woken(), ctx.lines.woken())
                .map(|a| Ok(Arc::unwrap_or_clone(a))),
            |account| [ObjectRef::from_obj(&account)],
        )
        .reconcile_all_on(look_again)
        .graceful_shutdown_on(shutdown.clone())
        .run(account::reconcile, account::error_policy, ctx.clone())
        .for_each(consume("account", metrics.clone()));

    let gathered = stores.accounts.clone();
    let own_secrets = watch(
        Api::<PartialObjectMeta<Secret>>::namespaced(client, &settings.namespace),
        config(),
    )
    .touched_objects();
    let issuer_run = issuers
        .trigger_backoff(EachByItself)
        .watches_stream(own_secrets, move |secret| {
            let name = secret.name_any();
            issuer_store
                .state_filter(|issuer| signin::refers_to(&issuer.spec, &name))
                .into_iter()
                .map(|issuer| ObjectRef::from_obj(issuer.as_ref()))
                .collect::<Vec<_>>()
        })
        .reconcile_all_on(stream::select(
            turns(ctx.issuers.nudges(), move || {
                schedule::gather(gathered.len())
            }),
            settings.clock.jumps().map(drop),
        ))
        .graceful_shutdown_on(shutdown.clone())
        .run(issuer::reconcile, issuer::error_policy, ctx.clone())
        .for_each(consume("issuer", metrics));

    let filled = async {
        stores.ready().await;
        for account in stores.accounts.state() {
            ctx.population
                .add(&account, &crate::plan::desired::account_ref(&account));
        }
        ctx.settings
            .metrics
            .objects("account", stores.accounts.len());
        ctx.settings.metrics.objects("issuer", stores.issuers.len());
        let _ = ready_tx.send(true);
        tracing::info!(
            accounts = stores.accounts.len(),
            issuers = stores.issuers.len(),
            "caches are filled"
        );
        shutdown.clone().await;
        let _ = ready_tx.send(false);
    };
    let sessions = sessions::run(&ctx, shutdown.clone());
    tokio::join!(account_run, issuer_run, sessions, filled);
}

/// Turns of a counter as a stream; what follows within `rest` belongs to the same.
fn turns(
    receiver: tokio::sync::watch::Receiver<u64>,
    rest: impl Fn() -> Duration + Send + 'static,
) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold((receiver, rest), |(mut receiver, rest)| async move {
        receiver.changed().await.ok()?;
        tokio::time::sleep(rest()).await;
        receiver.borrow_and_update();
        Some(((), (receiver, rest)))
    })
}

fn in_namespace(
    store: &reflector::Store<Neo4jServiceAccount>,
    namespace: &str,
) -> Vec<ObjectRef<Neo4jServiceAccount>> {
    store
        .state_filter(|account| account.namespace().as_deref() == Some(namespace))
        .into_iter()
        .map(|account| ObjectRef::from_obj(account.as_ref()))
        .collect()
}

type Reconciled<K, E> =
    Result<(ObjectRef<K>, controller::Action), controller::Error<E, watcher::Error>>;

/// The one place where a controller's stream ends up.
fn consume<K, E>(
    kind: &'static str,
    metrics: Metrics,
) -> impl FnMut(Reconciled<K, E>) -> futures::future::Ready<()>
where
    K: Resource<DynamicType = ()>,
    E: std::error::Error + 'static,
{
    move |outcome| {
        match outcome {
            // Failures of a reconcile are told by the error policy.
            Ok(_)
            | Err(controller::Error::ObjectNotFound(_) | controller::Error::ReconcilerFailed(..)) =>
                {}
            Err(error) => {
                metrics.watch_error(kind);
                tracing::warn!(kind, %error, "a watch failed");
            }
        }
        ready(())
    }
}
