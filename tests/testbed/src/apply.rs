//! Applies manifests, as `kubectl apply --server-side` does.
//!
//! It needs a client that may do what the manifests say. It refuses to guess a
//! plural: every kind is looked up at the API server, so a kind that is not
//! served is an error that names it.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope, pinned_kind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};

use crate::error::Error;

const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);

/// Applies every document of `yaml`, in its order; namespace `default` where
/// a document names none.
///
/// # Errors
///
/// When a document is malformed, its kind unknown, or the server refuses it.
pub async fn yaml(client: &Client, yaml: &str) -> Result<(), Error> {
    let documents: Vec<Option<serde_json::Value>> =
        serde_saphyr::from_multiple(yaml).map_err(|error| Error::malformed("manifest", error))?;
    // A document of comments only is null.
    for document in documents.into_iter().flatten() {
        let object = serde_json::from_value(document)
            .map_err(|error| Error::malformed("manifest", error))?;
        apply(client, &object).await?;
    }
    Ok(())
}

async fn apply(client: &Client, object: &DynamicObject) -> Result<(), Error> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let kind = object
        .types
        .as_ref()
        .ok_or_else(|| Error::malformed(name, "has no apiVersion and kind"))?;
    let what = format!("applying {} {name}", kind.kind);

    let gvk = GroupVersionKind::try_from(kind).map_err(|error| Error::malformed(name, error))?;
    let (resource, capabilities) = pinned_kind(client, &gvk).await.map_err(Error::api(&what))?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    let params = PatchParams::apply("testbed").force();
    api.patch(name, &params, &Patch::Apply(object))
        .await
        .map_err(Error::api(&what))?;
    Ok(())
}

/// Waits until objects of the CRDs `names` can be created.
///
/// # Errors
///
/// When one of them is not `Established` within 30 seconds.
pub async fn crds_served(client: &Client, names: &[&str]) -> Result<(), Error> {
    for name in names {
        let served = tokio::time::timeout(ESTABLISHED_WITHIN, crd_served(client, name));
        served
            .await
            .map_err(|_| Error::malformed(*name, "was not Established within 30 s"))??;
    }
    Ok(())
}

async fn crd_served(client: &Client, name: &str) -> Result<(), Error> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crd = await_condition(crds, name, conditions::is_crd_established())
        .await
        .map_err(|error| Error::malformed(name, error))?
        .ok_or_else(|| Error::malformed(name, "was deleted meanwhile"))?;

    // The condition comes a moment before the handler: ask until it answers.
    for version in crd.spec.versions.iter().filter(|version| version.served) {
        let gvk = GroupVersionKind::gvk(&crd.spec.group, &version.name, &crd.spec.names.kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, &crd.spec.names.plural);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        while api
            .list_metadata(&ListParams::default().limit(1))
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}
