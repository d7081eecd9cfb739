//! An account whose issuer is missing or was never in order: its status says
//! so, its expiry is still told on time, and it can be let go of by hand.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::DeleteParams;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};

use super::context::{Context, Remembered};
use super::status::{Error, write_status};
use super::{finalizer, report};
use crate::api::conditions::Reason;
use crate::api::{Neo4jServiceAccount, names as n};
use crate::plan::desired::{account_ref, credentials_name, private_name};
use crate::plan::schedule::{self, until};
use crate::plan::step::{Next, Step};
use crate::plan::stranded::stranded_status;
use crate::plan::{released, without_issuer};

pub(super) async fn handle(
    ctx: &Context,
    object: &Arc<Neo4jServiceAccount>,
    mut remembered: Remembered,
    mut reason: Reason,
    mut message: String,
    now: Timestamp,
) -> Result<(Action, &'static str), Error> {
    let account = account_ref(object);
    if object.metadata.deletion_timestamp.is_some() {
        let abandon = object.annotations().contains_key(n::ANNOTATION_ABANDON);
        // Credentials are staged before Okta hears of anything.
        let never = object
            .status
            .as_ref()
            .is_none_or(|s| s.client_id.is_none() && s.app_id.is_none())
            && ctx
                .stores
                .secrets
                .get(&account.namespace, &credentials_name(object))
                .is_none()
            && ctx
                .stores
                .secrets
                .get(&ctx.settings.namespace, &private_name(&account.uid))
                .is_none();
        let name = format!("{} -n {}", account.name, account.namespace);
        // As long as there is an issuer, somebody may repair it.
        let gone = reason == Reason::IssuerNotFound;
        let memory = &mut remembered.memory;
        memory.issuer_gone_since = gone.then(|| memory.issuer_gone_since.unwrap_or(now));
        let gone_since = memory.issuer_gone_since;
        let let_go = abandon || never || released(gone_since, now);
        match without_issuer(true, let_go, &object.spec.issuer_ref.name, &name) {
            Next::Do(Step::RemoveFinalizer) if ctx.settings.fence.pass().is_ok() => {
                match finalizer::patch(ctx, object, false).await {
                    Ok(_) => {}
                    Err(kube::Error::Api(status)) if status.is_conflict() => {}
                    Err(error) => return Err(Error::Status(Box::new(error))),
                }
                let app_id = object.status.as_ref().and_then(|s| s.app_id.clone());
                if let Some(app_id) = app_id {
                    let why = if abandon { "abandoned" } else { "issuer gone" };
                    report::left_behind(ctx, object, &app_id, why).await;
                }
                forget_private(ctx, &account.uid).await;
                ctx.forget(&account);
                return Ok((Action::await_change(), "abandoned"));
            }
            Next::Blocked(blocked) => (reason, message) = (blocked.reason, blocked.message),
            Next::Do(_) | Next::Settled { .. } => {}
        }
    }
    let status = stranded_status(object, reason, &message, now);
    let expiry = status
        .token
        .as_ref()
        .map(|t| t.expires_at.0)
        .filter(|at| *at > now);
    if object.status.as_ref() != Some(&status) {
        match write_status(ctx, object, &status).await {
            Ok(written) => remembered.object = Some(Arc::new(written)),
            Err(kube::Error::Api(refused)) if refused.is_conflict() || refused.is_not_found() => {}
            Err(error) => return Err(Error::Status(Box::new(error))),
        }
        report::stranded(ctx, object, &status, reason, &message).await;
    }
    report::gauges(ctx, &account, &status);
    ctx.remember(&account.uid, remembered);
    // The issuer's own reconcile wakes its accounts.
    let wake = schedule::after(now, schedule::BACKOFF_CAP).min(expiry.unwrap_or(Timestamp::MAX));
    Ok((Action::requeue(until(now, wake)), "no_issuer"))
}

/// Private credentials have no owner to go with. What cannot be deleted here
/// stays, useless without an account, and is logged.
async fn forget_private(ctx: &Context, uid: &str) {
    let (namespace, name) = (&ctx.settings.namespace, private_name(uid));
    if ctx.stores.secrets.get(namespace, &name).is_none() {
        return;
    }
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    if let Err(error) = api.delete(&name, &DeleteParams::default()).await {
        tracing::warn!(secret = name, %error, "private credentials of a deleted account are left");
    }
}
