//! The finalizer of an account: set before anything is registered, removed when
//! nothing of it is left at Okta, each guarded by the resourceVersion.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::context::Context;
use crate::api::{Neo4jServiceAccount, names as n};

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
        Ok(object) => Ok(Some(Arc::new(object))),
        Err(kube::Error::Api(status)) if !present && status.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
