//! Where outcomes become events, gauges and log lines. Best effort: an event
//! that cannot be written never stops anything.

use kube::Resource;
use kube::runtime::events::{Event, EventType};

use super::context::Context;
use super::leftovers::{self, Leftover};
use crate::api::conditions::{NEO4J_VERIFIED, READY, Reason, TOKEN_FRESH};
use crate::api::{Neo4jServiceAccount, Neo4jServiceAccountStatus, OktaIssuerStatus};
use crate::okta::Org;
use crate::plan::desired::Desired;
use crate::plan::identity::AccountRef;
use crate::plan::memory::App;
use crate::plan::observed::Observed;
use crate::plan::status::{Outcome, stops};

async fn publish<K: Resource<DynamicType = ()>>(
    ctx: &Context,
    object: &K,
    type_: EventType,
    reason: Reason,
    note: String,
) {
    let event = Event {
        type_,
        reason: reason.as_str().to_owned(),
        note: Some(note.chars().take(1000).collect()),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    if let Err(error) = ctx.events.publish(&event, &object.object_ref(&())).await {
        tracing::debug!(%error, "an event could not be written");
    }
}

fn reason_of<'a>(
    status: Option<&'a Neo4jServiceAccountStatus>,
    type_: &str,
) -> Option<(&'a str, &'a str)> {
    let condition = status?.conditions.iter().find(|c| c.type_ == type_)?;
    Some((condition.status.as_str(), condition.reason.as_str()))
}

/// Waiting is no news.
const fn is_news(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::Settling
            | Reason::RateLimited
            | Reason::WaitingForAdmission
            | Reason::Progressing
            | Reason::WaitingForGarbageCollection
    )
}

/// An event when something turned.
pub(super) async fn transition(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    status: &Neo4jServiceAccountStatus,
    outcome: &Outcome,
) {
    let turned =
        |type_: &str| reason_of(object.status.as_ref(), type_) != reason_of(Some(status), type_);
    match outcome {
        Outcome::Settled => {
            let groups = |s: Option<&Neo4jServiceAccountStatus>| {
                s.and_then(|s| s.token.as_ref()).map(|t| t.groups.clone())
            };
            if turned(READY) || turned(TOKEN_FRESH) {
                publish(
                    ctx,
                    object,
                    EventType::Normal,
                    Reason::TokenIssued,
                    "The token in the Secret is valid".to_owned(),
                )
                .await;
            } else if groups(object.status.as_ref()) != groups(Some(status)) {
                publish(
                    ctx,
                    object,
                    EventType::Normal,
                    Reason::TokenIssued,
                    "The groups changed, and the token with them".to_owned(),
                )
                .await;
            }
        }
        Outcome::Blocked(blocked)
            if is_news(blocked.reason) && (turned(READY) || turned(TOKEN_FRESH)) =>
        {
            publish(
                ctx,
                object,
                EventType::Warning,
                blocked.reason,
                blocked.message.clone(),
            )
            .await;
        }
        Outcome::Failed { reason, message }
            if is_news(*reason) && (turned(READY) || turned(TOKEN_FRESH)) =>
        {
            publish(ctx, object, EventType::Warning, *reason, message.clone()).await;
        }
        Outcome::Blocked(_) | Outcome::Failed { .. } => {}
    }
    if turned(NEO4J_VERIFIED) {
        verified(ctx, object, status).await;
    }
    if turned(READY)
        && let Some((ready, reason)) = reason_of(Some(status), READY)
    {
        tracing::info!(account = %crate::plan::desired::account_ref(object), ready, reason, "readiness turned");
    }
}

/// Neo4j says something else of the token than before.
async fn verified(ctx: &Context, object: &Neo4jServiceAccount, status: &Neo4jServiceAccountStatus) {
    let mut conditions = status.conditions.iter();
    let Some(condition) = conditions.find(|c| c.type_ == NEO4J_VERIFIED) else {
        return;
    };
    let mut reasons = Reason::ALL.iter();
    let reason = reasons.find(|r| r.as_str() == condition.reason).copied();
    // A stopped account is told of as such.
    let Some(reason) = reason.filter(|r| !stops(*r) && *r != Reason::NotVerified) else {
        return;
    };
    let type_ = if condition.status == "True" {
        EventType::Normal
    } else {
        EventType::Warning
    };
    publish(ctx, object, type_, reason, condition.message.clone()).await;
}

/// An account lost its issuer.
pub(super) async fn stranded(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    status: &Neo4jServiceAccountStatus,
    reason: Reason,
    message: &str,
) {
    let turned = [READY, TOKEN_FRESH]
        .iter()
        .any(|type_| reason_of(object.status.as_ref(), type_) != reason_of(Some(status), type_));
    if turned {
        publish(ctx, object, EventType::Warning, reason, message.to_owned()).await;
    }
}

/// A step that people should hear of.
pub(super) async fn notable(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    (reason, note): (Reason, String),
) {
    publish(ctx, object, EventType::Warning, reason, note).await;
}

/// The finalizer is gone, and with it, or not, the app.
pub(super) async fn deleted(
    ctx: &Context,
    desired: &Desired,
    observed: &Observed,
    object: &Neo4jServiceAccount,
) {
    let app = observed
        .memory
        .registered
        .as_ref()
        .map_or("-", |r| r.app_id.as_str());
    let left_alone =
        matches!(&observed.memory.app, App::Present(view) if !desired.owns(view.marker.as_ref()));
    if left_alone {
        let note = format!(
            "App {app}, which the status named, does not carry this account's marker and was left alone"
        );
        publish(ctx, object, EventType::Warning, Reason::NotOurs, note).await;
    }
    tracing::info!(account = %desired.account, app, left_alone, "let go of the account");
}

/// An app stays at Okta that no account speaks of any more: noted beside the
/// operator, and told on the issuer if there is one.
pub(super) async fn left_behind(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    app_id: &str,
    why: &'static str,
) {
    let status = object.status.clone().unwrap_or_default();
    let account = crate::plan::desired::account_ref(object);
    let name = &object.spec.issuer_ref.name;
    let leftover = Leftover {
        org_url: status.org_url.unwrap_or_default(),
        client_id: status.client_id,
        account: account.to_string(),
        why,
        since: ctx.now(),
    };
    leftovers::note(ctx, app_id, &leftover).await;
    let known = ctx
        .stores
        .issuers
        .get(&kube::runtime::reflector::ObjectRef::new(name));
    if let Some(known) = known {
        let note = format!(
            "App {app_id} of account {account} was left behind at Okta; it is noted in the ConfigMap {}",
            leftovers::LEFTOVERS
        );
        publish(
            ctx,
            known.as_ref(),
            EventType::Warning,
            Reason::Abandoned,
            note,
        )
        .await;
    }
}

/// What metrics show of an account.
pub(super) fn gauges(ctx: &Context, account: &AccountRef, status: &Neo4jServiceAccountStatus) {
    let (metrics, stores) = (&ctx.settings.metrics, &ctx.stores);
    metrics.account(account, status);
    metrics.objects("account", stores.accounts.len());
}

/// An event on an issuer.
pub(super) async fn issuer(
    ctx: &Context,
    object: &crate::api::OktaIssuer,
    good: bool,
    reason: Reason,
    message: String,
) {
    let type_ = if good {
        EventType::Normal
    } else {
        EventType::Warning
    };
    publish(ctx, object, type_, reason, message).await;
}

/// What metrics show of an issuer and its org.
pub(super) fn issuer_gauges(ctx: &Context, name: &str, org: &Org, status: &OktaIssuerStatus) {
    let metrics = &ctx.settings.metrics;
    metrics.issuer(name, status);
    metrics.objects("issuer", ctx.stores.issuers.len());
    metrics.skew(&org.host(), org.skew().as_secs());
    org.report_levels();
}
