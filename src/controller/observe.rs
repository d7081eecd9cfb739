//! Puts together what caches and memory know of an account. Reads nothing from
//! the API server: what the planner needs beyond this it asks for by a step.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::context::{Context, Remembered};
use super::runtime::Runtime;
use crate::api::Neo4jServiceAccount;
use crate::plan::allow::{Namespace, decide};
use crate::plan::desired::{Desired, IssuerFacts, account_ref};
use crate::plan::observed::Observed;
use crate::plan::secret_meta::{Slot, classify};

/// Orders resourceVersions; Kubernetes promises since 1.35 that they can be
/// compared as numbers. What cannot be read as one counts as oldest.
fn version(text: Option<&str>) -> u64 {
    text.and_then(|t| t.parse().ok()).unwrap_or(0)
}

/// The account as the cache has it, or as we last wrote it if that is newer.
pub(super) fn newest(
    cached: Arc<Neo4jServiceAccount>,
    remembered: &Remembered,
) -> Arc<Neo4jServiceAccount> {
    match &remembered.object {
        Some(own)
            if version(own.metadata.resource_version.as_deref())
                > version(cached.metadata.resource_version.as_deref()) =>
        {
            own.clone()
        }
        _ => cached,
    }
}

/// A Secret as the cache has it, or as we last wrote it if that is newer.
fn slot(
    ctx: &Context,
    uid: &str,
    namespace: &str,
    name: &str,
    own: Option<&Slot>,
    withdrawn: Option<&str>,
) -> Slot {
    let cached = ctx.secret(namespace, name);
    let cached =
        cached.filter(|secret| withdrawn.is_none() || secret.uid().as_deref() != withdrawn);
    match (
        own,
        classify(cached.as_ref().map(|secret| &secret.metadata), uid),
    ) {
        (Some(Slot::Ours(own)), Slot::Ours(cached))
            if version(Some(&own.version)) > version(Some(&cached.version)) =>
        {
            Slot::Ours(own.clone())
        }
        // Written by us, and the watch has not seen it yet.
        (Some(Slot::Ours(own)), Slot::Absent)
            if withdrawn != Some(own.uid.as_str()) && !seen(ctx, own.version.as_str()) =>
        {
            Slot::Ours(own.clone())
        }
        (_, cached) => cached,
    }
}

/// Whether the watch of Secrets has come past a version: then what is not in
/// the cache does not exist.
fn seen(ctx: &Context, own: &str) -> bool {
    ctx.secrets_seen.load(std::sync::atomic::Ordering::Relaxed) >= version(Some(own))
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
    let namespace = ctx
        .stores
        .namespaces
        .get(&ObjectRef::new(&account.namespace));
    let labels = namespace
        .as_ref()
        .map(|n| n.labels().clone())
        .unwrap_or_default();
    let namespace = Namespace {
        name: &account.namespace,
        labels: &labels,
    };
    let permission = decide(
        &facts.name,
        &runtime.spec,
        &namespace,
        &object.spec.groups,
        position,
    );
    Desired::new(object, facts.clone(), permission)
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
        &account.uid,
        &account.namespace,
        &desired.credentials.name,
        remembered.credentials.as_ref(),
        None,
    );
    let token = slot(
        ctx,
        &account.uid,
        &account.namespace,
        &desired.token.name,
        remembered.token.as_ref(),
        remembered.withdrawn.as_deref(),
    );
    let mut memory = remembered.memory.clone();
    memory.holds_live = remembered.vault.live.is_some();
    Observed::new(object, desired, credentials, token, memory, ctx.now())
}

/// A fingerprint of everything that a plan depends on and that others change: a
/// pause after a failure ends early when it differs.
pub(super) fn fingerprint(desired: &Desired, observed: &Observed) -> u64 {
    let mut hasher = DefaultHasher::new();
    let content = |slot: &Slot| match slot {
        Slot::Ours(meta) => format!("{:?}{:?}", meta.touched, meta.deleting),
        other => format!("{other:?}"),
    };
    format!("{desired:?}").hash(&mut hasher);
    content(&observed.credentials).hash(&mut hasher);
    content(&observed.token).hash(&mut hasher);
    hasher.finish()
}
