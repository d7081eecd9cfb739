//! The finalizer of an account: set before anything is registered, removed when
//! nothing of it is left at Okta, each guarded by the resourceVersion.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::context::Context;
use super::status::prune;
use super::step::StepError;
use crate::api::{Neo4jServiceAccount, names as n};
use crate::plan::identity::AccountRef;
use crate::plan::step::Effect;

/// Sets or removes the finalizer. `None` when the account is gone, which is as
/// good as removed.
pub(super) async fn patch(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    present: bool,
) -> Result<Option<Arc<Neo4jServiceAccount>>, kube::Error> {
    let mut finalizers: Vec<String> = object.finalizers().to_vec();
    finalizers.retain(|f| f != n::FINALIZER_ACCOUNT);
    if present {
        finalizers.push(n::FINALIZER_ACCOUNT.to_owned());
    }
    let patch = json!({ "metadata": { "resourceVersion": object.resource_version(), "finalizers": finalizers } });
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<Neo4jServiceAccount> = Api::namespaced(ctx.client.clone(), &namespace);
    let params = PatchParams {
        field_manager: Some(n::OPERATOR.to_owned()),
        ..PatchParams::default()
    };
    match api
        .patch(&object.name_any(), &params, &Patch::Merge(&patch))
        .await
    {
        Ok(mut object) => {
            prune(&mut object);
            Ok(Some(Arc::new(object)))
        }
        Err(kube::Error::Api(status)) if !present && status.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks the API server itself whether the account is there and held by the
/// finalizer; if not, all that was planned on is out of date.
pub(super) async fn stands(ctx: &Context, account: &AccountRef) -> Result<Effect, StepError> {
    let api: Api<Neo4jServiceAccount> = Api::namespaced(ctx.client.clone(), &account.namespace);
    let object = api.get_metadata(&account.name).await?;
    let held = object
        .finalizers()
        .iter()
        .any(|f| f == n::FINALIZER_ACCOUNT);
    let same = object.uid().as_deref() == Some(account.uid.as_str());
    if same && held && object.metadata.deletion_timestamp.is_none() {
        Ok(Effect::AccountStands)
    } else {
        Err(StepError::Stale)
    }
}
