//! Writing an account's status, and what keeps a reconcile from getting there.

use std::time::Duration;

use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::context::Context;
use crate::api::{Neo4jServiceAccount, Neo4jServiceAccountStatus, names as n};

/// A reconcile that takes longer is given up; the next one resumes.
pub(super) const TIMEOUT: Duration = Duration::from_secs(150);
/// Why a reconcile could not even end in a status.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The API server did not take the status.
    #[error("the status could not be written: {0}")]
    Status(#[source] Box<kube::Error>),
    /// It took too long.
    #[error("gave up after {} s", TIMEOUT.as_secs())]
    Timeout,
}

/// Writes the status, guarded by the resourceVersion it was computed from.
pub(super) async fn write_status(
    ctx: &Context,
    object: &Neo4jServiceAccount,
    status: &Neo4jServiceAccountStatus,
) -> Result<Neo4jServiceAccount, kube::Error> {
    if ctx.settings.fence.pass().is_err() {
        return Ok(object.clone());
    }
    let api: Api<Neo4jServiceAccount> =
        Api::namespaced(ctx.client.clone(), &object.namespace().unwrap_or_default());
    let params = PostParams {
        field_manager: Some(n::OPERATOR.to_owned()),
        ..PostParams::default()
    };
    let mut next = object.clone();
    next.status = Some(status.clone());
    let written = api.replace_status(&object.name_any(), &params, &next).await;
    written.map(|mut account| {
        prune(&mut account);
        account
    })
}

/// Forgets of an account what nobody reads, and what may be larger than all else
/// of it.
pub(super) fn prune(account: &mut Neo4jServiceAccount) {
    account.metadata.managed_fields = None;
    if let Some(annotations) = &mut account.metadata.annotations {
        annotations.remove(n::KUBECTL_LAST_APPLIED);
    }
}
