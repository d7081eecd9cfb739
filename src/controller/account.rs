//! The reconcile of an account, a table of contents: observe → plan → carry out
//! → status. Every decision is in `plan`.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use tracing::Instrument;

use super::context::{Context, Pause, Remembered};
use super::lines::LOOK_AGAIN;
use super::observe::{self, newest};
use super::report;
use super::runtime::Runtime;
use super::status::{Error, TIMEOUT, write_status};
use super::step::{Run, StepError};
use crate::api::conditions::Reason;
use crate::api::{Neo4jServiceAccount, names as n};
use crate::okta::Class;
use crate::plan::again::{self, STALE, again};
use crate::plan::desired::{Desired, account_ref};
use crate::plan::lane::{Lane, lane};
use crate::plan::observed::Observed;
use crate::plan::schedule::{self, until};
use crate::plan::status::{Outcome, next_status, ran_out};
use crate::plan::step::{Blocked, Next, Place, Step};
use crate::plan::{self, Wish};
use crate::telemetry::spans;

/// No plan is longer; one that is has a flaw, and waiting is safer than going on.
const MAX_STEPS: usize = 32;

/// Outcomes that are failures to whoever looks at traces. To wait for a slot
/// within the rate limit is none.
const FAILURES: [&str; 10] = [
    "transient",
    "rate_limited",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "rejected",
    "kubernetes",
    "broken",
    "timeout",
];

/// Reconciles one account.
pub(super) async fn reconcile(
    object: Arc<Neo4jServiceAccount>,
    ctx: Arc<Context>,
) -> Result<Action, Error> {
    let watch = ctx.settings.clock.stopwatch();
    let span = spans::account(&object);
    let outcome = inner(object, &ctx).instrument(span.clone()).await;
    let label = match &outcome {
        Ok((_, label)) => label,
        Err(Error::Timeout) => "timeout",
        Err(Error::Status(_)) => "status",
    };
    spans::ended(&span, label, FAILURES.contains(&label));
    ctx.settings
        .metrics
        .reconciled("account", label, watch.elapsed());
    ctx.settings
        .metrics
        .in_backoff("account", ctx.backoff.len());
    outcome.map(|(action, _)| action)
}

/// After an error without a status.
#[allow(clippy::needless_pass_by_value, reason = "the signature is kube's")]
pub(super) fn error_policy(
    object: Arc<Neo4jServiceAccount>,
    error: &Error,
    ctx: Arc<Context>,
) -> Action {
    let uid = object.uid().unwrap_or_default();
    let failures = ctx.backoff.failed(&uid);
    let now = ctx.now();
    tracing::warn!(account = %account_ref(&object), %error, failures, "reconcile failed");
    Action::requeue(until(now, schedule::retry_at(now, failures, &uid, None)))
}

async fn inner(
    object: Arc<Neo4jServiceAccount>,
    ctx: &Context,
) -> Result<(Action, &'static str), Error> {
    if !ctx.is_filled() {
        // All are looked at when they are.
        return Ok((Action::await_change(), "not_ready"));
    }
    let look = Box::pin(look(object, ctx));
    let looked = tokio::time::timeout(TIMEOUT, look).await;
    looked.unwrap_or(Err(Error::Timeout))
}

async fn look(
    object: Arc<Neo4jServiceAccount>,
    ctx: &Context,
) -> Result<(Action, &'static str), Error> {
    let account = account_ref(&object);
    let mut remembered = ctx.remembered(&account.uid);
    let object = newest(object, &remembered);
    remembered.object = Some(object.clone());
    if object.metadata.deletion_timestamp.is_some()
        && !object
            .finalizers()
            .iter()
            .any(|f| f == n::FINALIZER_ACCOUNT)
    {
        ctx.forget(&account);
        return Ok((Action::await_change(), "gone"));
    }
    let runtime = ctx.issuer(&object.spec.issuer_ref.name);
    // Nothing new is registered with an issuer that is out of order; whoever has
    // an app goes on.
    let registered = object
        .status
        .as_ref()
        .is_some_and(|s| s.client_id.is_some());
    let usable = runtime.as_ref().filter(|r| registered || !r.refuted);
    let Some((runtime, facts)) = usable.and_then(|r| Some((r, r.facts.clone()?))) else {
        let Some(_place) = ctx.lines.enter("", Lane::Drift, &object) else {
            return Ok((Action::requeue(LOOK_AGAIN), "waiting"));
        };
        return without_issuer(&object, runtime.as_deref(), remembered, ctx).await;
    };

    let desired = observe::desired(ctx, &object, runtime, &facts); // pure, on caches
    let mut observed = observe::observed(ctx, &object, &desired, &remembered); // caches
    let sign_in = runtime.org.origin();
    let seen = || observe::fingerprint(sign_in, &desired, &observed);
    if let Some(pause) = remembered
        .pause
        .filter(|p| p.until > ctx.now() && p.seen == seen())
    {
        observe::share(ctx, &object, &desired);
        return Ok((Action::requeue(until(ctx.now(), pause.until)), "paused"));
    }
    let lane = lane(&desired, &observed, ctx.now());
    let mut place = ctx.lines.enter(&desired.issuer.name, lane, &object);
    if place.is_none() {
        // Behind an Okta that hangs a token may run out, and nobody else would say so.
        if let Some(outcome) = ran_out(object.status.as_ref(), &observed, ctx.now())
            && let Some(_place) = ctx.lines.enter("", Lane::Drift, &object)
        {
            let end = End::InLine(outcome);
            return finish(ctx, &object, &desired, observed, remembered, end, sign_in).await;
        }
        observe::share(ctx, &object, &desired);
        return Ok((Action::requeue(LOOK_AGAIN), "waiting"));
    }

    let mut run = Run {
        ctx,
        runtime,
        desired: &desired,
        remembered: &mut remembered,
        token: None,
        app: None,
    };
    let mut end = End::Unfinished;
    for _ in 0..MAX_STEPS {
        let step = match plan::next(&desired, &observed, ctx.now()) {
            Next::Do(step) => step,
            Next::Settled { wake } => {
                end = End::Settled(wake);
                break;
            }
            Next::Blocked(blocked) => {
                end = End::Blocked(blocked);
                break;
            }
        };
        if step.place() == Place::Neo4j {
            // Who waits for a server of Neo4j's keeps nobody from Okta.
            drop(place.take());
        }
        if let Some(note) = plan::notable(&desired, &observed, &step) {
            report::notable(ctx, &object, note).await;
        }
        let span = spans::act(&step);
        let act = run.carry_out(&step, &observed).instrument(span.clone());
        match act.await {
            Ok(effect) => {
                tracing::debug!(account = %desired.account, step = step.name(), "done");
                observed = observed.absorb(&desired, effect, ctx.now());
                if let Some(after_step) = &ctx.settings.after_step {
                    after_step(&desired.account, &step).await;
                }
            }
            Err(error) => {
                spans::failed(&span, error.class());
                if error.is_in_doubt() {
                    observed = observed.absorb_failure(&step);
                }
                end = End::Failed(step, error);
                break;
            }
        }
    }
    finish(ctx, &object, &desired, observed, remembered, end, sign_in).await
}

/// How the loop ended.
enum End {
    Settled(Timestamp),
    Blocked(Blocked),
    Failed(Step, StepError),
    Unfinished,
    /// It did not begin.
    InLine(Outcome),
}

impl End {
    /// What it means for the next look.
    fn kind(&self, now: Timestamp) -> again::End {
        match self {
            Self::InLine(_) => again::End::PutOff(schedule::after(now, LOOK_AGAIN)),
            Self::Settled(wake) => again::End::Settled(*wake),
            Self::Blocked(blocked) => again::End::Blocked(blocked.retry),
            Self::Failed(_, StepError::Stale | StepError::Fenced(_)) | Self::Unfinished => {
                again::End::OutOfDate
            }
            Self::Failed(_, StepError::Okta(error)) => match error.class {
                Class::RateLimited { until, .. } => again::End::PutOff(until),
                _ => again::End::Failed,
            },
            Self::Failed(..) => again::End::Failed,
        }
    }
}

/// Status, events, memory, and when to look again.
async fn finish(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    desired: &Desired,
    observed: Observed,
    mut remembered: Remembered,
    end: End,
    sign_in: &str,
) -> Result<(Action, &'static str), Error> {
    let now = ctx.now();
    let uid = &desired.account.uid;
    if matches!(desired.wish, Wish::Deleted { .. }) && !observed.finalizer {
        report::deleted(ctx, desired, &observed, object).await;
        if let Some(app_id) = plan::left_behind(desired, &observed) {
            report::left_behind(ctx, object, &app_id, "abandoned").await;
        }
        if let Some(runtime) = ctx.issuers.get(&desired.issuer.name) {
            runtime.org.forget(uid);
        }
        ctx.forget(&desired.account);
        ctx.issuers.nudge();
        return Ok((Action::await_change(), "deleted"));
    }
    let again = again(
        end.kind(now),
        ctx.backoff.failures(uid),
        uid,
        &observed,
        now,
    );
    ctx.backoff.set(uid, again.failures);
    let (outcome, label) = match end {
        End::Settled(_) => (Outcome::Settled, "settled"),
        End::Blocked(blocked) => (Outcome::Blocked(blocked), "blocked"),
        End::InLine(outcome) => (outcome, "waiting"),
        End::Failed(_, StepError::Stale | StepError::Fenced(_)) | End::Unfinished => {
            // Nothing to say: what is known is out of date.
            remember(ctx, desired, &observed, remembered, Known::OutOfDate);
            return Ok((Action::requeue(until(now, again.at)), "stale"));
        }
        End::Failed(step, error) => {
            if let StepError::Okta(refused) = &error
                && matches!(refused.class, Class::Unauthorized | Class::Forbidden)
            {
                ctx.issuers.doubt(&desired.issuer.name);
            }
            tracing::warn!(account = %desired.account, step = step.name(), class = error.class(), %error, "step failed");
            (
                Outcome::Failed {
                    reason: error.reason(),
                    message: error.message(),
                },
                error.class(),
            )
        }
    };
    let settled = outcome == Outcome::Settled;
    let known = if settled { Known::Settled } else { Known::Open };
    let wake = again.at;
    let status = next_status(object.status.as_ref(), desired, &observed, &outcome, now);
    let current = remembered.object.clone();
    let current = current.as_deref().unwrap_or(object);
    let first_token =
        object.status.as_ref().is_none_or(|s| s.token.is_none()) && status.token.is_some();
    if current.status.as_ref() != Some(&status) {
        match write_status(ctx, current, &status).await {
            Ok(written) => remembered.object = Some(Arc::new(written)),
            Err(kube::Error::Api(refused)) if refused.is_conflict() || refused.is_not_found() => {
                remember(ctx, desired, &observed, remembered, known);
                return Ok((Action::requeue(STALE), "stale"));
            }
            Err(error) => {
                remember(ctx, desired, &observed, remembered, known);
                return Err(Error::Status(Box::new(error)));
            }
        }
        report::transition(ctx, object, &status, &outcome).await;
    }
    if first_token && let Some(created) = &object.metadata.creation_timestamp {
        ctx.settings.metrics.first_token(until(created.0, now));
    }
    report::gauges(ctx, &desired.account, &status);
    // Whoever is in line is called, which is no change.
    remembered.pause = (!settled && label != "waiting").then(|| Pause {
        until: wake,
        seen: observe::fingerprint(sign_in, desired, &observed),
    });
    remember(ctx, desired, &observed, remembered, known);
    Ok((Action::requeue(until(now, wake)), label))
}

/// What a reconcile leaves behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing is open: looks at Okta may be forgotten.
    Settled,
    /// It goes on from here.
    Open,
    /// The Secrets are not as we thought: the caches know better.
    OutOfDate,
}

fn remember(
    ctx: &Context,
    desired: &Desired,
    observed: &Observed,
    mut remembered: Remembered,
    known: Known,
) {
    let object = remembered.object.as_ref();
    let uid = object.and_then(|o| o.uid()).unwrap_or_default();
    remembered.memory = observed.memory.clone();
    let noticed = observed.memory.noticed.as_ref();
    ctx.logs.looked_into(&uid, noticed);
    let (credentials, token) = (remembered.credentials.take(), remembered.token.take());
    if known != Known::OutOfDate {
        let kept = |spec, slot, before| observe::kept(ctx, spec, slot, before);
        remembered.credentials = kept(&desired.credentials, &observed.credentials, credentials);
        remembered.token = kept(&desired.token, &observed.token, token);
    }
    if known == Known::Settled {
        remembered.memory.begin(Timestamp::MAX);
    }
    ctx.remember(&uid, remembered);
}

/// The issuer is missing, or has never been in order since the operator runs.
async fn without_issuer(
    object: &Arc<Neo4jServiceAccount>,
    runtime: Option<&Runtime>,
    remembered: Remembered,
    ctx: &Context,
) -> Result<(Action, &'static str), Error> {
    let now = ctx.now();
    let name = object.spec.issuer_ref.name.as_str();
    let known = ctx.stores.issuers.get(&ObjectRef::new(name)).is_some();
    let (reason, message) = match runtime.and_then(|r| r.problem.clone()) {
        Some((reason, message)) => (
            Reason::IssuerNotReady,
            format!(
                "OktaIssuer {name} is not ready ({}): {message}",
                reason.as_str()
            ),
        ),
        None if known => (
            Reason::IssuerNotReady,
            format!("OktaIssuer {name} is being looked at"),
        ),
        None => (
            Reason::IssuerNotFound,
            format!(
                "spec.issuerRef.name: there is no OktaIssuer {name}; create it, or create this account anew with another issuer"
            ),
        ),
    };
    super::stranded::handle(ctx, object, remembered, reason, message, now).await
}
