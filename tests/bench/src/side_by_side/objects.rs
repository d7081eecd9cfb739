//! What a team writes to have its token from External Secrets, for each account: a
//! Secret with the client's credentials, a `Webhook` generator and an
//! `ExternalSecret`. And what somebody did at Okta before: the clients.
//!
//! It needs an emulator with nothing in it.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use okta_emulator::Emulator;
use serde_json::{Value, json};

use crate::clock;
use crate::observer::Key;
use crate::world::AT_ONCE;

/// The end of the name of each Secret with a token.
pub(super) const TOKEN: &str = "-token";
const PER_NAMESPACE: usize = 100;
const SCOPE: &str = "neo4j_groups";

pub(super) struct Objects {
    client: Client,
    count: usize,
}

impl Objects {
    /// Clients at Okta, and all objects but those that ask for a token.
    pub(super) async fn prepare(client: Client, okta: &Emulator, count: usize) -> Result<Self> {
        let server = register(okta, count);
        let url = format!("{}/oauth2/{server}/v1/token", okta.url());
        let objects = Self { client, count };
        let namespaces = (0..count.div_ceil(PER_NAMESPACE)).map(|number| {
            let name = format!("bench-{number}");
            json!({ "metadata": { "name": name } })
        });
        let kind = GroupVersionKind::gvk("", "v1", "Namespace");
        objects
            .create(&kind, "namespaces", namespaces.collect())
            .await?;

        let secrets = (0..count).map(|number| {
            json!({
                "metadata": {
                    "name": format!("etl-{number}-client"), "namespace": namespace(number),
                    "labels": { "generators.external-secrets.io/type": "webhook" },
                },
                "stringData": { "id": client_id(number), "secret": secret(number) },
            })
        });
        let kind = GroupVersionKind::gvk("", "v1", "Secret");
        objects.create(&kind, "secrets", secrets.collect()).await?;

        let generators = (0..count).map(|number| generator(number, &url));
        let kind = GroupVersionKind::gvk("generators.external-secrets.io", "v1alpha1", "Webhook");
        objects
            .create(&kind, "webhooks", generators.collect())
            .await?;
        Ok(objects)
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) async fn kubernetes(&self) -> Result<String> {
        Ok(self.client.apiserver_version().await?.git_version)
    }

    /// Asks for a token for each; tells when.
    pub(super) async fn external_secrets(&self) -> Result<Vec<(Key, Instant)>> {
        let all = (0..self.count).map(|number| {
            let name = format!("etl-{number}");
            let generator = json!({
                "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Webhook", "name": name,
            });
            json!({
                "metadata": { "name": name, "namespace": namespace(number) },
                "spec": {
                    "refreshInterval": "1h",
                    "target": { "name": format!("{name}{TOKEN}") },
                    "dataFrom": [{ "sourceRef": { "generatorRef": generator } }],
                },
            })
        });
        let kind = external_secret();
        let created = self.create(&kind, "externalsecrets", all.collect());
        let key = |(namespace, name, at)| ((namespace, format!("{name}{TOKEN}")), at);
        Ok(created.await?.into_iter().map(key).collect())
    }

    /// Changes the interval of each.
    pub(super) async fn refresh_every(&self, minutes: u64) -> Result<()> {
        let change = json!({ "spec": { "refreshInterval": format!("{minutes}m") } });
        let resource = ApiResource::from_gvk_with_plural(&external_secret(), "externalsecrets");
        let patched = stream::iter(0..self.count).map(|number| {
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.client.clone(), &namespace(number), &resource);
            let patch = Patch::Merge(&change);
            async move {
                let params = PatchParams::default();
                api.patch(&format!("etl-{number}"), &params, &patch).await
            }
        });
        let patched = patched.buffer_unordered(AT_ONCE).map_ok(drop);
        Ok(patched.try_collect().await?)
    }

    /// Creates them; tells namespace, name and when that was asked for.
    async fn create(
        &self,
        kind: &GroupVersionKind,
        plural: &str,
        objects: Vec<Value>,
    ) -> Result<Vec<(String, String, Instant)>> {
        let resource = ApiResource::from_gvk_with_plural(kind, plural);
        let created = stream::iter(objects).map(|mut object| {
            object["apiVersion"] = json!(resource.api_version);
            object["kind"] = json!(resource.kind);
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
            let (namespace, name) = (text("namespace"), text("name"));
            let api: Api<DynamicObject> = if namespace.is_empty() {
                Api::all_with(self.client.clone(), &resource)
            } else {
                Api::namespaced_with(self.client.clone(), &namespace, &resource)
            };
            async move {
                let at = clock::now();
                api.create(&PostParams::default(), &serde_json::from_value(object)?)
                    .await
                    .with_context(|| format!("creating {plural} {name}"))?;
                anyhow::Ok((namespace, name, at))
            }
        });
        created.buffer_unordered(AT_ONCE).try_collect().await
    }
}

fn external_secret() -> GroupVersionKind {
    GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret")
}

fn namespace(number: usize) -> String {
    format!("bench-{}", number / PER_NAMESPACE)
}

fn client_id(number: usize) -> String {
    format!("bench.etl-{number}")
}

/// As long as the operator's; nothing here is worth guessing.
fn secret(number: usize) -> String {
    format!("{number:064}")
}

/// The request that External Secrets' documentation would have one write.
fn generator(number: usize, url: &str) -> Value {
    let name = format!("etl-{number}");
    let basic = r#"Basic {{ printf "%s:%s" .client.id .client.secret | b64enc }}"#;
    json!({
        "metadata": { "name": name, "namespace": namespace(number) },
        "spec": {
            "url": url,
            "method": "POST",
            "headers": {
                "Authorization": basic,
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
            "body": format!("grant_type=client_credentials&scope={SCOPE}"),
            "result": { "jsonPath": "$" },
            "secrets": [{ "name": "client", "secretRef": { "name": format!("{name}-client") } }],
        },
    })
}

/// An authorization server and its clients, as the operator would make them; tells
/// the id of the server.
fn register(okta: &Emulator, count: usize) -> String {
    let admin = okta.admin();
    let server = admin.create_authorization_server("neo4j", "neo4j");
    admin.add_scope(&server, SCOPE);
    admin.add_claim(&server, "groups", "app.profile.neo4j_groups", &[SCOPE]);
    let policy = admin.add_policy(&server, "machines", &["ALL_CLIENTS"], None);
    admin.add_rule(&server, &policy, "machines", &[SCOPE], 60);
    for number in 0..count {
        admin.create_app(&json!({
            "name": "oidc_client", "label": client_id(number), "signOnMode": "OPENID_CONNECT",
            "credentials": { "oauthClient": {
                "client_id": client_id(number), "client_secret": secret(number),
                "token_endpoint_auth_method": "client_secret_basic",
            } },
            "settings": { "oauthClient": {
                "application_type": "service", "grant_types": ["client_credentials"],
                "response_types": ["token"],
            } },
            "profile": { "neo4j_groups": ["neo4j_reader"] },
        }));
    }
    server
}
