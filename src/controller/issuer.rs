//! The reconcile of an issuer: sign in, look at the authorization server, let
//! `plan::issuer` say what is missing, carry that out, and hand the facts to the
//! accounts. The only writer of access policies.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use serde_json::json;
use tracing::Instrument;

use super::context::Context;
use super::runtime::{Admissions, Known, Look, Runtime};
use super::server::Before;
use super::signin::{self, Prepared};
use super::{drift, neo4j_settings, observe, orphans, report, surroundings};
use crate::api::{CreatedObjects, OktaIssuer, names as n};
use crate::okta::Class;
use crate::plan::facts::{self, Home};
use crate::plan::issuer::Identity;
use crate::plan::issuer_status::{Findings, next_status};
use crate::plan::schedule::{self, until};
use crate::sync::lock;
use crate::telemetry::spans;

/// How often an issuer in order is looked at as a whole.
const LOOK: Duration = Duration::from_secs(600);
/// The count of accounts in the status moves this often at most.
const COUNT: Duration = Duration::from_secs(60);
/// Okta may be slow; twenty requests in a row are the most that one look takes.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Why a reconcile could not end in a status.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The API server refused or failed.
    #[error("{0}")]
    Kubernetes(#[source] Box<kube::Error>),
    /// It took too long.
    #[error("gave up after {} s", TIMEOUT.as_secs())]
    Timeout,
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

/// Reconciles one issuer.
pub(super) async fn reconcile(object: Arc<OktaIssuer>, ctx: Arc<Context>) -> Result<Action, Error> {
    let watch = ctx.settings.clock.stopwatch();
    let span = spans::issuer(&object);
    let outcome = tokio::time::timeout(TIMEOUT, inner(&object, &ctx))
        .instrument(span.clone())
        .await
        .unwrap_or(Err(Error::Timeout));
    let label = match &outcome {
        Ok(_) => "ok",
        Err(Error::Timeout) => "timeout",
        Err(Error::Kubernetes(_)) => "error",
    };
    spans::ended(&span, label, outcome.is_err());
    ctx.settings
        .metrics
        .reconciled("issuer", label, watch.elapsed());
    outcome
}

/// After an error without a status.
#[allow(clippy::needless_pass_by_value, reason = "the signature is kube's")]
pub(super) fn error_policy(object: Arc<OktaIssuer>, error: &Error, ctx: Arc<Context>) -> Action {
    let uid = object.uid().unwrap_or_default();
    let failures = ctx.issuer_backoff.failed(&uid);
    tracing::warn!(issuer = object.name_any(), %error, failures, "reconcile failed");
    let now = ctx.now();
    Action::requeue(until(now, schedule::retry_at(now, failures, &uid, None)))
}

async fn inner(object: &OktaIssuer, ctx: &Context) -> Result<Action, Error> {
    ctx.filled().await;
    let name = object.name_any();
    let accounts = ctx
        .stores
        .accounts
        .state_filter(|a| a.spec.issuer_ref.name == name)
        .len();
    if !in_use(object, ctx, accounts).await? {
        ctx.issuers.remove(&name);
        ctx.servers.forget(&name);
        ctx.settings.metrics.forget_issuer(&name);
        return Ok(Action::await_change());
    }
    let now = ctx.now();
    let uid = object.uid().unwrap_or_default();
    let before = ctx.issuers.get(&name).filter(|r| r.uid == uid);
    let Prepared {
        org,
        problem: signed_out,
    } = signin::prepare(object, before.as_deref(), ctx).await; // I/O
    let admissions = before
        .as_ref()
        .map_or_else(|| Arc::new(Admissions::default()), |r| r.admissions.clone());
    let generation = object.metadata.generation.unwrap_or_default();
    let confirmed = object
        .annotations()
        .get(n::ANNOTATION_CONFIRM_REMOVALS)
        .and_then(|v| v.parse().ok());
    let (waiting, leaving) = admissions.wishes();

    // What others did there, before what it led to is looked at.
    let (log, daily_next) = match &signed_out {
        None => {
            let log = drift::follow(&org, ctx).await; // I/O
            let orphans = orphans::look(object, &org, ctx).await; // I/O
            let around = surroundings::look(object, &org, ctx).await; // I/O
            (Some(log), orphans.min(around))
        }
        Some(_) => (None, Timestamp::MAX),
    };
    let last = before
        .as_ref()
        .filter(|r| Arc::ptr_eq(&r.org, &org))
        .map(|r| &r.look);
    let told_before = last.map_or(0, |l| l.server_changes);
    let server_changes = log.map_or(told_before, |log| log.server_changes);
    let server_changed = server_changes != told_before;
    let same = last.filter(|l| {
        waiting.is_empty()
            && l.leaving == leaving
            && l.generation == generation
            && l.confirmed == confirmed
            && !server_changed
            && now < l.until
            // Further off only when the clock was ahead and was set right.
            && l.until <= schedule::after(now, LOOK)
    });
    // Who comes and goes changes nothing about the server, and under a burst a
    // whole look would hold up everybody who waits to be listed.
    let known = last
        .filter(|l| {
            same.is_none()
                && !server_changed
                && l.generation == generation
                && l.confirmed == confirmed
        })
        .and_then(|l| l.known.clone())
        .filter(|k| now < k.until && k.until <= schedule::after(now, LOOK))
        .filter(|_| !admissions.take_doubt());
    let looked = same.is_none();
    let mut findings = match (same, signed_out.clone()) {
        (Some(look), _) => look.findings.clone(),
        (None, Some((reason, message))) => {
            Findings::signed_out(reason, message, created(object, before.as_deref()))
        }
        (None, None) => {
            let identity = Identity {
                name: &name,
                installation: &ctx.installation,
            };
            let seen = Before {
                created: created(object, before.as_deref()),
                confirmed,
                known: known.as_ref().map(|k| k.view.as_ref()),
            };
            super::server::look(object, &org, identity, &admissions, seen, ctx).await // I/O
        }
    };
    let counted_at = before
        .as_ref()
        .map_or(Timestamp::MIN, |r| r.look.counted_at);
    let count = !before
        .as_ref()
        .is_some_and(|r| now < schedule::after(counted_at, COUNT) && r.look.findings.accounts > 0);
    let told = before
        .as_ref()
        .map_or(accounts, |r| r.look.findings.accounts);
    findings.accounts = if count { accounts } else { told };
    findings.skew = org.skew();
    findings.orphans = orphans::found(&org.host(), ctx);
    findings.surroundings = surroundings::found(&org.host(), ctx);
    findings.log_readable = log.and_then(|log| log.readable);
    findings.lacks = org.lacks();
    findings.tokens_per_minute = org.tokens_per_minute();
    findings.sessions = ctx.sessions.found(&name);
    findings.accounts_of_org = signin::accounts_of_org(&object.spec, ctx);
    lock(&ctx.censuses).remove(&name);
    let census = observe::census(ctx, &name, &object.spec);
    findings.denied = census.holds_back(confirmed).then_some(census.denied);

    let facts = facts::facts(
        object,
        Home {
            installation: &ctx.installation,
            namespace: &ctx.settings.namespace,
        },
        &findings,
        before.as_ref().and_then(|r| r.facts.clone()),
    );
    let mut status = next_status(object, &findings, now);
    status.neo4j = neo4j_settings::keep(object, &status, looked, ctx).await; // I/O
    let problem = status.problem();
    report::issuer_gauges(ctx, &name, &org, &status);
    let until_then = match (same, &findings.failure, &problem) {
        (Some(look), ..) => look.until,
        (None, Some(Class::RateLimited { until, .. }), _) => *until,
        (None, _, Some(_)) => schedule::retry_at(now, ctx.issuer_backoff.failed(&uid), &uid, None),
        (None, _, None) => {
            ctx.issuer_backoff.reset(&uid);
            known
                .as_ref()
                .map_or(schedule::after(now, LOOK), |k| k.until)
        }
    };
    let known = match (same, findings.in_order(), &findings.failure) {
        (Some(look), ..) => look.known.clone(),
        (None, Some(view), _) => Some(Known {
            until: until_then,
            view: Arc::new(view.clone()),
        }),
        (None, None, Some(Class::RateLimited { .. })) => known,
        (None, None, _) => None,
    };
    let counted_at = if count && findings.accounts != told {
        now
    } else {
        counted_at
    };
    ctx.issuers.put(
        &name,
        Runtime {
            uid,
            spec: Arc::new(object.spec.clone()),
            org,
            signed_out,
            facts,
            refuted: findings.refuted(),
            problem,
            admissions: admissions.clone(),
            look: Look {
                findings: findings.clone(),
                at: same.map_or(now, |look| look.at),
                known,
                until: until_then,
                generation,
                confirmed,
                leaving: admissions.wishes().1,
                server_changes,
                counted_at,
            },
        },
    );
    write_status(object, status, ctx).await?;
    let recount = if findings.accounts == accounts {
        Timestamp::MAX
    } else {
        schedule::after(counted_at, COUNT)
    };
    let again = if looked && admissions.is_waiting() {
        schedule::after(now, Duration::from_secs(1))
    } else {
        Timestamp::MAX
    };
    let poll = log.map_or(Timestamp::MAX, |log| log.next_poll);
    let wake = [until_then, recount, again, poll, daily_next];
    let wake = wake.into_iter().min().unwrap_or(now);
    Ok(Action::requeue(until(now, wake)))
}

/// What we created: as this process knows it, else as the status says. The
/// cache may be behind our last write of the status.
fn created(object: &OktaIssuer, before: Option<&Runtime>) -> CreatedObjects {
    let known = before.map(|r| r.look.findings.created.clone());
    known
        .or_else(|| object.status.as_ref().and_then(|s| s.created.clone()))
        .unwrap_or_default()
}

/// Keeps the finalizer exactly while an account refers to the issuer. `false`
/// when the issuer is on its way out and nothing holds it.
async fn in_use(object: &OktaIssuer, ctx: &Context, accounts: usize) -> Result<bool, Error> {
    let held = object.finalizers().iter().any(|f| f == n::FINALIZER_ISSUER);
    let deleting = object.metadata.deletion_timestamp.is_some();
    let wanted = accounts > 0;
    if held != wanted && !(deleting && wanted) && ctx.settings.fence.pass().is_ok() {
        let mut finalizers = object.finalizers().to_vec();
        finalizers.retain(|f| f != n::FINALIZER_ISSUER);
        if wanted {
            finalizers.push(n::FINALIZER_ISSUER.to_owned());
        }
        let patch = json!({ "metadata": { "resourceVersion": object.resource_version(), "finalizers": finalizers } });
        let api: Api<OktaIssuer> = Api::all(ctx.client.clone());
        let params = PatchParams {
            field_manager: Some(n::OPERATOR.to_owned()),
            ..PatchParams::default()
        };
        match api
            .patch_metadata(&object.name_any(), &params, &Patch::Merge(&patch))
            .await
        {
            Ok(_) => {}
            // Changed or gone meanwhile: the watch brings us back.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(wanted || !deleting)
}

async fn write_status(
    object: &OktaIssuer,
    status: crate::api::OktaIssuerStatus,
    ctx: &Context,
) -> Result<(), Error> {
    if object.status.as_ref() == Some(&status) || ctx.settings.fence.pass().is_err() {
        return Ok(());
    }
    let api: Api<OktaIssuer> = Api::all(ctx.client.clone());
    let mut next = object.clone();
    next.status = Some(status.clone());
    let params = PostParams {
        field_manager: Some(n::OPERATOR.to_owned()),
        ..PostParams::default()
    };
    match api.replace_status(&object.name_any(), &params, &next).await {
        Ok(_) => {}
        // Changed or gone meanwhile: the watch brings us back, and what was
        // created is found again by its marker.
        Err(kube::Error::Api(refused)) if refused.is_conflict() || refused.is_not_found() => {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    for (condition, good, reason, message) in status.news(object.status.as_ref()) {
        tracing::info!(
            issuer = object.name_any(),
            condition,
            status = good,
            reason = reason.as_str(),
            message,
            "issuer turned"
        );
        report::issuer(ctx, object, good, reason, message).await;
    }
    Ok(())
}
