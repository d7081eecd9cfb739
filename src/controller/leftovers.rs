//! What is left at Okta and no object in the cluster speaks of any more, noted in
//! a ConfigMap beside the operator: one entry an app, without a secret. Best
//! effort: a note that cannot be written stops nothing, and is logged.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::context::Context;
use super::notes;

/// The ConfigMap with the leftovers, beside the operator.
pub(crate) const LEFTOVERS: &str = "neo4j-okta-operator-leftovers";
/// Notes that are kept at most: a ConfigMap has room for a megabyte.
const KEPT: usize = 2000;

/// One app that is left.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leftover {
    pub(crate) org_url: String,
    pub(crate) client_id: Option<String>,
    /// `<namespace>/<name>` of the account that it was of.
    pub(crate) account: String,
    /// Why it is left.
    pub(crate) why: &'static str,
    /// Since when.
    pub(crate) since: Timestamp,
}

/// Notes an app.
pub(super) async fn note(ctx: &Context, app_id: &str, leftover: &Leftover) {
    tracing::warn!(app = app_id, ?leftover, "an app is left at Okta");
    let known = data(ctx).await;
    if known.contains_key(app_id) {
        return;
    }
    if known.len() >= KEPT {
        tracing::error!(
            app = app_id,
            "too many leftovers are noted already; this one is only logged"
        );
        return;
    }
    let text = serde_json::to_string(leftover).unwrap_or_default();
    change(ctx, app_id, Some(&text)).await;
}

/// The app is gone, or has an account again.
pub(super) async fn forget(ctx: &Context, app_id: &str) {
    change(ctx, app_id, None).await;
}

/// The notes, by app id.
pub(super) async fn data(ctx: &Context) -> BTreeMap<String, String> {
    let found = notes::all(ctx, LEFTOVERS).await;
    found
        .inspect_err(|error| tracing::warn!(%error, "the leftovers could not be read"))
        .unwrap_or_default()
}

async fn change(ctx: &Context, app_id: &str, note: Option<&str>) {
    if ctx.settings.fence.pass().is_err() {
        return;
    }
    if let Err(error) = notes::put(ctx, LEFTOVERS, app_id, note).await {
        tracing::warn!(app = app_id, %error, "the note about a leftover could not be written");
    }
}
