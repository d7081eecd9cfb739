//! Keeps Neo4j's settings for each issuer in a ConfigMap beside the operator, as
//! `crate::neo4j` renders them.
//!
//! Needs an issuer whose authorization server is known. Looks once for each whole
//! look at the issuer, and writes only what differs. Refuses to take over a
//! ConfigMap that is not this issuer's; removal is left to the garbage collector.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use super::context::Context;
use crate::api::{Neo4jSettingsStatus, OktaIssuer, OktaIssuerStatus, names as n};
use crate::neo4j::{self, Settings};

/// Brings the ConfigMap up to date, and says in the status where it is. `looked`
/// says whether Okta was asked just now; otherwise nothing can have changed.
pub(super) async fn keep(
    object: &OktaIssuer,
    status: &OktaIssuerStatus,
    looked: bool,
    ctx: &Context,
) -> Option<Neo4jSettingsStatus> {
    let before = object.status.as_ref().and_then(|s| s.neo4j.clone());
    if !looked || object.metadata.deletion_timestamp.is_some() {
        return before;
    }
    let mut told = object.clone();
    told.status = Some(status.clone());
    let files = match neo4j::files(&told) {
        Ok(files) => files,
        // What was right before is not taken away because Okta is away.
        Err(neo4j::Refused::NotLooked(_)) => return before,
        Err(refused) => return Some(Neo4jSettingsStatus::refused(&refused.to_string())),
    };
    let name = n::neo4j_settings(&object.name_any());
    match write(object, &name, files, ctx).await {
        Ok(None) => Some(Neo4jSettingsStatus::of(name)),
        Ok(Some(problem)) => Some(Neo4jSettingsStatus::refused(&problem)),
        Err(error) => {
            tracing::warn!(issuer = object.name_any(), %error, "Neo4j's settings were not written");
            before
        }
    }
}

/// Why it was not written, unless it is as it should be now.
async fn write(
    object: &OktaIssuer,
    name: &str,
    files: BTreeMap<String, String>,
    ctx: &Context,
) -> kube::Result<Option<String>> {
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.settings.namespace);
    let there = api.get_opt(name).await?;
    match Settings::of(object, there.as_ref(), &files) {
        Settings::Current => return Ok(None),
        Settings::Foreign => {
            return Ok(Some(format!(
                "ConfigMap {name} belongs to somebody else; rename or delete it, and Neo4j's settings are written there"
            )));
        }
        Settings::Write => {}
    }
    if ctx.settings.fence.pass().is_err() {
        return Ok(None);
    }
    let owner = object.owner_ref(&());
    let patch = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": { n::LABEL_MANAGED_BY: n::OPERATOR },
            "ownerReferences": [owner],
        },
        "data": files,
    });
    let params = PatchParams::apply(n::OPERATOR).force();
    api.patch(name, &params, &Patch::Apply(&patch)).await?;
    tracing::info!(
        issuer = object.name_any(),
        config_map = name,
        "wrote Neo4j's settings"
    );
    Ok(None)
}
