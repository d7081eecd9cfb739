//! The reconcile of an issuer: sign in, look at the authorization server, let
//! `plan::issuer` say what is missing, carry that out, and hand the facts to the
//! accounts. The only writer of access policies.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::context::Context;
use super::report;
use super::runtime::{Admissions, Runtime};
use super::signin::{self, Prepared};
use crate::api::{OktaIssuer, names as n};
use crate::okta::Class;
use crate::plan::facts;
use crate::plan::issuer::Identity;
use crate::plan::issuer_status::{Findings, next_status};
use crate::plan::schedule::{self, until};

/// How often an issuer in order is looked at as a whole.
const LOOK: Duration = Duration::from_secs(600);
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
    let outcome = tokio::time::timeout(TIMEOUT, inner(&object, &ctx)).await.unwrap_or(Err(Error::Timeout));
    ctx.settings.metrics.reconciled("issuer", if outcome.is_ok() { "ok" } else { "error" }, watch.elapsed());
    outcome
}

/// After an error without a status.
pub(super) fn error_policy(object: Arc<OktaIssuer>, error: &Error, ctx: Arc<Context>) -> Action {
    let uid = object.uid().unwrap_or_default();
    let failures = ctx.backoff.failed(&uid);
    tracing::warn!(issuer = object.name_any(), %error, failures, "reconcile failed");
    let now = ctx.now();
    Action::requeue(until(now, schedule::retry_at(now, failures, &uid, None)))
}

async fn inner(object: &OktaIssuer, ctx: &Context) -> Result<Action, Error> {
    ctx.filled().await;
    let name = object.name_any();
    let accounts = ctx.stores.accounts.state_filter(|a| a.spec.issuer_ref.name == name).len();
    if !in_use(object, ctx, accounts).await? {
        ctx.issuers.remove(&name);
        return Ok(Action::await_change());
    }
    let now = ctx.now();
    let before = ctx.issuers.get(&name).filter(|r| Some(r.uid.as_str()) == object.uid().as_deref());
    let prepared = signin::prepare(object, before.as_ref(), ctx).await; // I/O
    let Prepared { org, problem: signin_problem } = prepared;
    let admissions = before.as_ref().map_or_else(|| Arc::new(Admissions::default()), |r| r.admissions.clone());
    let created = object.status.as_ref().and_then(|s| s.created.clone()).unwrap_or_default();

    let identity = Identity { name: &name, installation: &ctx.installation };
    let mut findings = match signin_problem {
        Some((reason, message)) => Findings::signed_out(reason, message, created),
        None => super::server::look(object, &org, identity, &admissions, created, ctx).await, // I/O
    };
    findings.skew = org.skew();
    findings.accounts = accounts;
    org.report_levels();

    let known = before.as_ref().and_then(|r| r.facts.clone());
    let facts = facts::facts(object, &ctx.installation, &findings, known);
    let failed = findings.failure.clone();
    let status = next_status(object, &findings, now);
    let problem = status.problem();
    ctx.issuers.put(&name, Runtime {
        uid: object.uid().unwrap_or_default(),
        spec: Arc::new(object.spec.clone()),
        org,
        facts,
        problem: problem.clone(),
        admissions: admissions.clone(),
    });
    write_status(object, status, ctx).await?;
    let uid = object.uid().unwrap_or_default();
    let wake = match (failed, problem) {
        (Some(Class::RateLimited { until, .. }), _) => until,
        (_, Some(_)) => schedule::retry_at(now, ctx.backoff.failed(&uid), &uid, None),
        (_, None) => {
            ctx.backoff.reset(&uid);
            schedule::after(now, if admissions.is_waiting() { Duration::from_secs(1) } else { LOOK })
        }
    };
    Ok(Action::requeue(until(now, wake)))
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
        let params = PatchParams { field_manager: Some(n::OPERATOR.to_owned()), ..PatchParams::default() };
        match api.patch_metadata(&object.name_any(), &params, &Patch::Merge(&patch)).await {
            Ok(_) => {}
            // Changed or gone meanwhile: the watch brings us back.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(wanted || !deleting)
}

async fn write_status(object: &OktaIssuer, status: crate::api::OktaIssuerStatus, ctx: &Context) -> Result<(), Error> {
    if object.status.as_ref() == Some(&status) || ctx.settings.fence.pass().is_err() {
        return Ok(());
    }
    let ready = |s: Option<&crate::api::OktaIssuerStatus>| {
        s.and_then(|s| s.conditions.iter().find(|c| c.type_ == crate::api::conditions::READY)).map(|c| (c.status.clone(), c.reason.clone()))
    };
    let turned = ready(object.status.as_ref()) != ready(Some(&status));
    let api: Api<OktaIssuer> = Api::all(ctx.client.clone());
    let mut next = object.clone();
    next.status = Some(status.clone());
    let params = PostParams { field_manager: Some(n::OPERATOR.to_owned()), ..PostParams::default() };
    match api.replace_status(&object.name_any(), &params, &next).await {
        Ok(_) => {}
        // Changed or gone meanwhile: the watch brings us back, and what was
        // created is found again by its marker.
        Err(kube::Error::Api(refused)) if refused.is_conflict() || refused.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    if turned && let Some((good, reason, message)) = status.headline() {
        tracing::info!(issuer = object.name_any(), ready = good, reason = reason.as_str(), message, "issuer turned");
        report::issuer(ctx, object, good, reason, message).await;
    }
    Ok(())
}
