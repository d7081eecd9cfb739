//! Notes that outlive objects and restarts, in ConfigMaps beside the operator: one
//! entry a key, without a secret.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use super::context::Context;
use crate::api::names as n;

/// All notes in this ConfigMap; none when there is no such ConfigMap.
pub(super) async fn all(ctx: &Context, name: &str) -> kube::Result<BTreeMap<String, String>> {
    let found = api(ctx).get_opt(name).await?;
    Ok(found.and_then(|map| map.data).unwrap_or_default())
}

/// Writes a note, or removes it.
pub(super) async fn put(
    ctx: &Context,
    name: &str,
    key: &str,
    note: Option<&str>,
) -> kube::Result<()> {
    let api = api(ctx);
    let patch = Patch::Merge(json!({ "data": { key: note } }));
    let params = PatchParams {
        field_manager: Some(n::OPERATOR.to_owned()),
        ..PatchParams::default()
    };
    match api.patch(name, &params, &patch).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        other => return other.map(drop),
    }
    let Some(note) = note else {
        return Ok(());
    };
    let labels = [(n::LABEL_MANAGED_BY.to_owned(), n::OPERATOR.to_owned())];
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        data: Some([(key.to_owned(), note.to_owned())].into()),
        ..ConfigMap::default()
    };
    api.create(&PostParams::default(), &map).await.map(drop)
}

fn api(ctx: &Context) -> Api<ConfigMap> {
    Api::namespaced(ctx.client.clone(), &ctx.settings.namespace)
}
