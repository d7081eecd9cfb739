//! Puts together what caches and memory know of an account. Reads nothing from
//! the API server: what the planner needs beyond this it asks for by a step.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::context::{Context, Remembered};
use super::runtime::Runtime;
use crate::api::{Neo4jServiceAccount, OktaIssuerSpec};
use crate::plan::allow::{Census, Denied, Namespace, decide, keeps_what_it_has};
use crate::plan::desired::{Desired, IssuerFacts, SecretSpec, account_ref};
use crate::plan::facts::ends_sessions;
use crate::plan::identity::AccountRef;
use crate::plan::observed::Observed;
use crate::plan::packed::{Packed, number};
use crate::plan::schedule;
use crate::plan::secret_meta::{Slot, classify, classify_private};
use crate::sync::lock;

/// How long a census is good for.
const CENSUS: std::time::Duration = std::time::Duration::from_secs(5);

/// How new an object is, see [`number`].
fn version(object: &Neo4jServiceAccount) -> u64 {
    number(
        object
            .metadata
            .resource_version
            .as_deref()
            .unwrap_or_default(),
    )
}

/// The account as the cache has it, or as we last wrote it if that is newer.
pub(super) fn newest(
    cached: Arc<Neo4jServiceAccount>,
    remembered: &Remembered,
) -> Arc<Neo4jServiceAccount> {
    match &remembered.object {
        Some(own) if version(own) > version(&cached) => own.clone(),
        _ => cached,
    }
}

/// A Secret as the cache has it, or as we last wrote it if that is newer.
fn slot(
    ctx: &Context,
    account: &AccountRef,
    spec: &SecretSpec,
    own: Option<&Packed>,
    withdrawn: Option<&str>,
) -> Slot {
    let (namespace, secrets) = (&spec.namespace, &ctx.stores.secrets);
    let cached = secrets.get(namespace, &spec.name);
    // Written by us, and the watch has not seen it yet.
    let newest = match (own, &cached) {
        (Some(own), Some(cached)) if own.version() > cached.version() => Some(own),
        (Some(own), None) if !secrets.has_seen(namespace, own.version()) => Some(own),
        (_, cached) => cached.as_deref(),
    };
    let Some(packed) = newest else {
        return Slot::Absent;
    };
    let Some(meta) = packed.meta() else {
        return Slot::Foreign;
    };
    let meta = Some(meta).filter(|meta| withdrawn != Some(meta.uid.as_str()));
    if *namespace == account.namespace {
        classify(meta, &account.uid)
    } else {
        classify_private(meta, &account.uid)
    }
}

/// What is to be remembered of a Secret of ours: the same piece of memory that
/// the cache has, or that was remembered before, if it is the same version.
pub(super) fn kept(
    ctx: &Context,
    spec: &SecretSpec,
    slot: &Slot,
    before: Option<Arc<Packed>>,
) -> Option<Arc<Packed>> {
    let Slot::Ours(meta) = slot else {
        return None;
    };
    let version = number(&meta.version);
    let cached = ctx.stores.secrets.get(&spec.namespace, &spec.name);
    let same = |known: &Arc<Packed>| version > 0 && known.version() == version;
    let known = cached.filter(same).or(before.filter(same));
    Some(known.unwrap_or_else(|| Arc::new(Packed::of(meta))))
}

/// Nothing is done with the account, perhaps for long: what the caches have by now is
/// not kept twice meanwhile.
pub(super) fn share(ctx: &Context, object: &Arc<Neo4jServiceAccount>, desired: &Desired) {
    ctx.amend(&desired.account.uid, |remembered| {
        remembered.object = Some(object.clone());
        let (credentials, token) = (&mut remembered.credentials, &mut remembered.token);
        for (spec, own) in [(&desired.credentials, credentials), (&desired.token, token)] {
            if let Some(own) = own
                && let Some(cached) = ctx.stores.secrets.get(&spec.namespace, &spec.name)
                && cached.version() == own.version()
            {
                *own = cached;
            }
        }
    });
}

/// What the account wants, given what its issuer has found out.
pub(super) fn desired(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    runtime: &Runtime,
    facts: &IssuerFacts,
) -> Desired {
    let account = account_ref(object);
    let position = ctx.population.add(object, &account);
    let mut permission = permission(ctx, object, &facts.name, &runtime.spec, position);
    if permission.is_err() {
        let token = object.status.as_ref().and_then(|s| s.token.as_ref());
        let published = token.map(|t| t.groups.as_slice());
        let census = census(ctx, &facts.name, &runtime.spec);
        let confirmed = runtime.look.confirmed;
        if keeps_what_it_has(published, &object.spec.groups, census, confirmed) {
            permission = Ok(());
            ctx.issuers.nudge();
        }
    }
    let desired = Desired::new(object, facts.clone(), permission);
    if ctx.settings.serves(&account.namespace) || ends_them(ctx, object, &runtime.spec) {
        desired
    } else {
        desired.not_watched()
    }
}

/// The operator's own, named by the issuer itself as the one that ends sessions.
fn ends_them(ctx: &Context, object: &Neo4jServiceAccount, spec: &OktaIssuerSpec) -> bool {
    let namespace = object.namespace().unwrap_or_default();
    let own = ends_sessions(&spec.neo4j, &ctx.settings.namespace);
    own.is_some_and(|own| own.namespace == namespace && own.name == object.name_any())
}

fn permission(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    issuer: &str,
    spec: &OktaIssuerSpec,
    position: usize,
) -> Result<(), Denied> {
    if ends_them(ctx, object, spec) {
        return Ok(());
    }
    let name = object.namespace().unwrap_or_default();
    let namespace = ctx.stores.namespaces.get(&ObjectRef::new(&name));
    let labels = namespace
        .as_ref()
        .map(|n| n.labels().clone())
        .unwrap_or_default();
    let namespace = Namespace {
        name: &name,
        labels: &labels,
    };
    decide(issuer, spec, &namespace, &object.spec.groups, position)
}

/// How many accounts of the issuer lost their permission, at most a few seconds
/// old: counting all of them for each of them would take too long.
pub(super) fn census(ctx: &Context, issuer: &str, spec: &OktaIssuerSpec) -> Census {
    let now = ctx.now();
    let known = lock(&ctx.censuses).get(issuer).copied();
    if let Some((at, census)) = known
        && now < schedule::after(at, CENSUS)
    {
        return census;
    }
    let mut census = Census::default();
    let holding = |a: &Neo4jServiceAccount| a.status.as_ref().is_some_and(|s| s.token.is_some());
    for account in ctx
        .stores
        .accounts
        .state_filter(|a| a.spec.issuer_ref.name == issuer && holding(a))
    {
        census.holding += 1;
        if permission(ctx, &account, issuer, spec, 0).is_err() {
            census.denied += 1;
        }
    }
    lock(&ctx.censuses).insert(issuer.to_owned(), (now, census));
    census
}

/// What is known of the account.
pub(super) fn observed(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    desired: &Desired,
    remembered: &Remembered,
) -> Observed {
    let account = &desired.account;
    let credentials = slot(
        ctx,
        account,
        &desired.credentials,
        remembered.credentials.as_deref(),
        None,
    );
    let token = slot(
        ctx,
        account,
        &desired.token,
        remembered.token.as_deref(),
        remembered.withdrawn.as_deref(),
    );
    let mut memory = remembered.memory.clone();
    memory.holds_live = remembered.vault.live.is_some();
    if let Some(noticed) = ctx.logs.noticed(&account.uid) {
        memory.notice(&noticed, ctx.now());
    }
    Observed::new(object, desired, credentials, token, memory, ctx.now())
}

/// A fingerprint of everything that a plan depends on and that others change: a
/// pause after a failure ends early when it differs. `sign_in` says what the
/// operator's own sign-in was made from.
pub(super) fn fingerprint(sign_in: &str, desired: &Desired, observed: &Observed) -> u64 {
    let mut hasher = DefaultHasher::new();
    sign_in.hash(&mut hasher);
    let content = |slot: &Slot| match slot {
        Slot::Ours(meta) => format!("{:?}{:?}", meta.touched, meta.deleting),
        other => format!("{other:?}"),
    };
    format!("{desired:?}").hash(&mut hasher);
    content(&observed.credentials).hash(&mut hasher);
    content(&observed.token).hash(&mut hasher);
    let noticed = observed.memory.noticed.as_ref();
    noticed.map(|n| n.number).hash(&mut hasher);
    hasher.finish()
}
