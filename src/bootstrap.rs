//! The default issuer that an installation hands over in a ConfigMap, applied by
//! the replica that leads. A chart cannot bring a custom resource and its
//! definition in one release.
//!
//! What it needs: a client that the fence guards, and the right to apply an issuer
//! of that name. What it refuses to do: delete anything, apply another kind, or
//! apply the same twice. What people change meanwhile stays until the ConfigMap
//! changes or another replica leads; fields that it does not name stay for ever.

use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{Condition, conditions};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, predicates};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::api::{OktaIssuer, names as n};

/// The key of the ConfigMap that holds the issuer.
pub const KEY: &str = "issuer.yaml";
/// A field manager of its own, so that what it applied once and names no more is
/// taken back, and nothing else of the operator's is.
const MANAGER: &str = "neo4j-okta-operator-issuer";
const DEFINITION: &str = "oktaissuers.neo4j-okta.dev";
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why an issuer was not applied.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the ConfigMap has no key {KEY}")]
    NoKey,
    #[error("{KEY} is not YAML: {0}")]
    NotYaml(String),
    #[error("{KEY} is not an {GROUP_VERSION} OktaIssuer with a name", GROUP_VERSION = group_version())]
    NotAnIssuer,
    #[error("the definition {DEFINITION} is not established yet")]
    NotEstablished,
    #[error(transparent)]
    Refused(#[from] kube::Error),
}

/// What is to be applied.
#[derive(Debug, PartialEq)]
struct Issuer {
    name: String,
    object: Value,
}

/// Applies the issuer in the ConfigMap `name` now and at each change, and tries
/// again what fails. Runs until it is dropped.
pub async fn run(client: Client, namespace: &str, name: &str) {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let config = watcher::Config::default()
        .timeout(200)
        .fields(&format!("metadata.name={name}"));
    let seen = watcher(maps, config)
        .default_backoff()
        .applied_objects()
        .predicate_filter(predicates::resource_version, Default::default())
        .inspect_err(
            |error| tracing::warn!(%error, "the ConfigMap of the issuer cannot be watched"),
        );
    let mut seen = pin!(seen.filter_map(async |map| map.ok()));
    let (mut wanted, mut applied, mut failures) = (None::<ConfigMap>, None, 0);
    loop {
        let again = match wanted.as_ref().map(issuer) {
            None => None,
            Some(read) => match hand_over(&client, read, &mut applied).await {
                Ok(()) => None,
                Err(error) => {
                    failures += 1;
                    let again = pause(failures);
                    tracing::error!(
                        %error,
                        config_map = name,
                        again_in_seconds = again.as_secs(),
                        "the issuer that was handed over is not applied"
                    );
                    Some(again)
                }
            },
        };
        let again = async {
            match again {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            map = seen.next() => match map {
                Some(map) => (wanted, failures) = (Some(map), 0),
                None => std::future::pending().await,
            },
            () = again => {}
        }
    }
}

/// Applies what was read, unless it is what was applied last.
async fn hand_over(
    client: &Client,
    read: Result<Issuer, Failure>,
    applied: &mut Option<Issuer>,
) -> Result<(), Failure> {
    let issuer = read?;
    if applied.as_ref() == Some(&issuer) {
        return Ok(());
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = definitions.get_opt(DEFINITION).await?;
    if !conditions::is_crd_established().matches_object(definition.as_ref()) {
        return Err(Failure::NotEstablished);
    }
    let issuers: Api<OktaIssuer> = Api::all(client.clone());
    let params = PatchParams::apply(MANAGER).force();
    issuers
        .patch(&issuer.name, &params, &Patch::Apply(&issuer.object))
        .await?;
    tracing::info!(
        issuer = issuer.name,
        "applied the issuer that was handed over"
    );
    *applied = Some(issuer);
    Ok(())
}

/// The issuer in a ConfigMap, with nothing in it but what people may write.
fn issuer(map: &ConfigMap) -> Result<Issuer, Failure> {
    let text = map.data.as_ref().and_then(|data| data.get(KEY));
    let text = text.ok_or(Failure::NoKey)?;
    let object: Value =
        serde_saphyr::from_str(text).map_err(|error| Failure::NotYaml(error.to_string()))?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if object["kind"] != "OktaIssuer" || object["apiVersion"] != group_version() || name.is_empty()
    {
        return Err(Failure::NotAnIssuer);
    }
    let mut metadata = json!({ "name": name });
    for key in ["labels", "annotations"] {
        if let Some(map) = object["metadata"].get(key) {
            metadata[key] = map.clone();
        }
    }
    Ok(Issuer {
        name: name.to_owned(),
        object: json!({
            "apiVersion": group_version(),
            "kind": "OktaIssuer",
            "metadata": metadata,
            "spec": object["spec"],
        }),
    })
}

fn group_version() -> String {
    format!("{}/{}", n::GROUP, n::VERSION)
}

/// 1 s after the first failure, twice as long after each further one.
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> ConfigMap {
        ConfigMap {
            data: Some([(KEY.to_owned(), text.to_owned())].into()),
            ..ConfigMap::default()
        }
    }

    #[test]
    fn only_an_issuer_is_applied_and_of_it_only_what_people_may_write() {
        let text = "
            apiVersion: neo4j-okta.dev/v1alpha1
            kind: OktaIssuer
            metadata: { name: default, labels: { a: b }, uid: x, finalizers: [y] }
            spec: { orgUrl: https://acme.okta.com }
            status: { conditions: [] }";
        let found = issuer(&map(text)).expect("an issuer");
        assert_eq!(found.name, "default");
        assert_eq!(
            found.object,
            json!({
                "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "OktaIssuer",
                "metadata": { "name": "default", "labels": { "a": "b" } },
                "spec": { "orgUrl": "https://acme.okta.com" },
            })
        );
        let others = [
            text.replace("OktaIssuer", "ClusterRole"),
            text.replace("v1alpha1", "v2"),
            text.replace("name: default", "name: ''"),
            "just words".to_owned(),
            "a: [".to_owned(),
        ];
        for other in others {
            assert!(issuer(&map(&other)).is_err(), "{other}");
        }
        assert!(issuer(&ConfigMap::default()).is_err());
    }

    #[test]
    fn tries_come_less_often_and_at_least_each_minute() {
        let seconds: Vec<u64> = [1, 2, 3, 7, u32::MAX].map(|n| pause(n).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 60, 60]);
    }
}
