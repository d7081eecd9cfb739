//! An account whose issuer is missing or was never in order: its status says
//! so, its expiry is still told on time, and it can be let go of by hand.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use serde_json::json;

use super::account::Error;
use super::context::{Context, Remembered};
use super::report;
use crate::api::conditions::Reason;
use crate::api::{Neo4jServiceAccount, names as n};
use crate::plan::desired::account_ref;
use crate::plan::schedule::{self, until};
use crate::plan::status::stranded_status;
use crate::plan::step::{Next, Step};
use crate::plan::without_issuer;

pub(super) async fn handle(
    ctx: &Context,
    object: &Arc<Neo4jServiceAccount>,
    mut remembered: Remembered,
    reason: Reason,
    message: String,
    now: Timestamp,
) -> Result<(Action, &'static str), Error> {
    let account = account_ref(object);
    let api: kube::Api<Neo4jServiceAccount> =
        kube::Api::namespaced(ctx.client.clone(), &account.namespace);
    let mut message = message;
    if object.metadata.deletion_timestamp.is_some() {
        let abandon = object.annotations().contains_key(n::ANNOTATION_ABANDON);
        let never = object
            .status
            .as_ref()
            .is_none_or(|s| s.client_id.is_none() && s.app_id.is_none());
        match without_issuer(
            true,
            abandon || never,
            &object.spec.issuer_ref.name,
            &format!("{} -n {}", account.name, account.namespace),
        ) {
            Next::Do(Step::RemoveFinalizer) if ctx.settings.fence.pass().is_ok() => {
                let finalizers: Vec<&String> = object
                    .finalizers()
                    .iter()
                    .filter(|f| *f != n::FINALIZER_ACCOUNT)
                    .collect();
                let patch = json!({ "metadata": { "resourceVersion": object.resource_version(), "finalizers": finalizers } });
                let params = PatchParams {
                    field_manager: Some(n::OPERATOR.to_owned()),
                    ..PatchParams::default()
                };
                match api
                    .patch(&account.name, &params, &Patch::Merge(&patch))
                    .await
                {
                    Ok(_) => {}
                    Err(kube::Error::Api(status))
                        if status.is_not_found() || status.is_conflict() => {}
                    Err(error) => return Err(Error::Status(Box::new(error))),
                }
                ctx.forget(&account);
                return Ok((Action::await_change(), "abandoned"));
            }
            Next::Blocked(blocked) => message = blocked.message,
            Next::Do(_) | Next::Settled { .. } => {}
        }
    }
    let status = stranded_status(object, reason, &message, now);
    let expiry = status
        .token
        .as_ref()
        .map(|t| t.expires_at.0)
        .filter(|at| *at > now);
    if object.status.as_ref() != Some(&status) && ctx.settings.fence.pass().is_ok() {
        let mut next = (**object).clone();
        next.status = Some(status.clone());
        let params = kube::api::PostParams {
            field_manager: Some(n::OPERATOR.to_owned()),
            ..Default::default()
        };
        match api.replace_status(&account.name, &params, &next).await {
            Ok(written) => remembered.object = Some(Arc::new(written)),
            Err(kube::Error::Api(refused)) if refused.is_conflict() || refused.is_not_found() => {}
            Err(error) => return Err(Error::Status(Box::new(error))),
        }
        report::stranded(ctx, object, reason, &message).await;
    }
    report::gauges(ctx, &account, &status);
    ctx.remember(&account.uid, remembered);
    // The issuer's own reconcile wakes its accounts.
    let wake = schedule::after(now, schedule::BACKOFF_CAP).min(expiry.unwrap_or(Timestamp::MAX));
    Ok((Action::requeue(until(now, wake)), "no_issuer"))
}
