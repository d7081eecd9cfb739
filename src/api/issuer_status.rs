//! `OktaIssuer.status`: what the operator found at Okta.

#![allow(
    unreachable_pub,
    reason = "kube's derive repeats each struct inside a function"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// What the operator found at Okta. Holds no secret.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OktaIssuerStatus {
    /// The generation of the spec that this status speaks of; -1 before the
    /// operator has seen the issuer.
    #[serde(default = "unseen")]
    pub observed_generation: i64,
    /// The `iss` of the tokens; Neo4j checks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub issuer: Option<String>,
    /// Where Neo4j fetches the keys that sign the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub jwks_uri: Option<String>,
    /// The `aud` of the tokens; Neo4j checks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub audience: Option<String>,
    /// How many accounts refer to this issuer; at most a minute old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub accounts: Option<i32>,
    /// Where the settings are by which Neo4j trusts these tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neo4j: Option<Neo4jSettingsStatus>,
    /// Ids of what the operator created in the authorization server. It repairs
    /// nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<CreatedObjects>,
    /// Ready, Authenticated, AuthorizationServerReady, PolicySynced, Stalled.
    #[serde(default)]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

fn unseen() -> i64 {
    -1
}

/// Neo4j's settings for this issuer: `neo4j.conf`, variables of the Docker image,
/// values of the Helm chart, Cypher for missing roles, and the fields of Aura's
/// console.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Neo4jSettingsStatus {
    /// The ConfigMap in the operator's namespace that holds them, each under the
    /// name of a file. It is kept current, and goes with the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub config_map: Option<String>,
    /// Why there are none, and what to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub problem: Option<String>,
}

impl Neo4jSettingsStatus {
    /// They are in this ConfigMap.
    #[must_use]
    pub fn of(config_map: String) -> Self {
        Self {
            config_map: Some(config_map),
            problem: None,
        }
    }

    /// There are none.
    #[must_use]
    pub fn refused(problem: &str) -> Self {
        Self {
            config_map: None,
            problem: Some(problem.chars().take(1024).collect()),
        }
    }
}

/// Ids of what the operator created in the authorization server.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedObjects {
    /// The authorization server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub authorization_server_id: Option<String>,
    /// The scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub scope_id: Option<String>,
    /// The claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub claim_id: Option<String>,
    /// The access policies, each with its rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub policies: Vec<CreatedPolicy>,
}

/// An access policy that the operator created.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedPolicy {
    /// The policy.
    #[schemars(length(max = 64))]
    pub id: String,
    /// Its rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub rule_id: Option<String>,
}
