//! What is left at Okta and no object in the cluster speaks of any more, noted in
//! a ConfigMap beside the operator: one entry an app, without a secret. Best
//! effort: a note that cannot be written stops nothing, and is logged.

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use crate::api::names as n;

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
    change(ctx, app_id, json!(text)).await;
}

/// The app is gone, or has an account again.
pub(super) async fn forget(ctx: &Context, app_id: &str) {
    change(ctx, app_id, Value::Null).await;
}

/// The notes, by app id.
pub(super) async fn data(ctx: &Context) -> std::collections::BTreeMap<String, String> {
    let found = api(ctx).get_opt(LEFTOVERS).await;
    found
        .inspect_err(|error| tracing::warn!(%error, "the leftovers could not be read"))
        .ok()
        .flatten()
        .and_then(|map| map.data)
        .unwrap_or_default()
}

async fn change(ctx: &Context, app_id: &str, value: Value) {
    if ctx.settings.fence.pass().is_err() {
        return;
    }
    if let Err(error) = write(ctx, app_id, &value).await {
        tracing::warn!(app = app_id, %error, "the note about a leftover could not be written");
    }
}

async fn write(ctx: &Context, app_id: &str, value: &Value) -> Result<(), kube::Error> {
    let api = api(ctx);
    let patch = Patch::Merge(json!({ "data": { app_id: value } }));
    let params = PatchParams {
        field_manager: Some(n::OPERATOR.to_owned()),
        ..PatchParams::default()
    };
    match api.patch(LEFTOVERS, &params, &patch).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        other => return other.map(drop),
    }
    let labels = [(n::LABEL_MANAGED_BY.to_owned(), n::OPERATOR.to_owned())];
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(LEFTOVERS.to_owned()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        data: value
            .as_str()
            .map(|v| [(app_id.to_owned(), v.to_owned())].into()),
        ..ConfigMap::default()
    };
    api.create(&PostParams::default(), &map).await.map(drop)
}

fn api(ctx: &Context) -> Api<ConfigMap> {
    Api::namespaced(ctx.client.clone(), &ctx.settings.namespace)
}
