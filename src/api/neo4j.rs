//! `OktaIssuer.spec.neo4j`: the database that trusts the tokens.

#![allow(
    unreachable_pub,
    reason = "kube's derive repeats each struct inside a function"
)]

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The Neo4j side.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.verify == 'Never' || has(self.queryApiUrls) && self.queryApiUrls.size() > 0").message("needs queryApiUrls, where the operator logs in: add them, or choose Never").field_path(".verify"),
    validation = Rule::new("!self.endSessions || has(self.queryApiUrls) && self.queryApiUrls.size() > 0").message("needs queryApiUrls, one for each server whose connections shall end: add them").field_path(".endSessions"),
    validation = Rule::new("!self.endSessions || has(self.endSessionsAs)").message("needs endSessionsAs, the account as which the operator logs in to end connections: add it").field_path(".endSessions")
)]
pub struct Neo4j {
    /// The provider's name in Neo4j's settings (`dbms.security.oidc.<provider>`).
    #[serde(default = "default_provider")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    )]
    pub provider: String,

    /// Where workloads reach Neo4j, such as `neo4j+s://graph.acme.example:7687`.
    /// Copied into each token Secret under the key `uri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new("self.matches('^(neo4j|bolt)([+](s|ssc))?://[^/ ]+$')").message("must be a URI that drivers understand, such as neo4j+s://graph.example.com:7687"))]
    pub uri: Option<String>,

    /// Base URLs of the servers' HTTP interface, such as
    /// `https://graph.acme.example:7473`, for `verify` and `endSessions`: of each
    /// server, because each has connections of its own. Tokens go there: plain
    /// http only inside the cluster. Trusted are the system's CAs and `caBundle`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 255), regex(pattern = r"^https?://[^/\s]+/?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub query_api_urls: Vec<String>,

    /// Neo4j's `group_to_role_mapping`, from each group to its roles. Without it
    /// a group is the role of the same name; with it, a group that is not listed
    /// means nothing. The operator does not configure Neo4j: it renders the
    /// setting and judges by it which groups reach `admin`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {
        "type": "array",
        "minItems": 1,
        "maxItems": 16,
        "x-kubernetes-list-type": "set",
        "items": { "type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[A-Za-z0-9_.-]+$" },
    }))]
    #[x_kube(validation = Rule::new(schema::group_keys()).message("must have groups as keys, each of at most 100 letters, digits, spaces and _ . : @ / -: correct the key"))]
    pub group_to_role: BTreeMap<String, Vec<String>>,

    /// When the operator logs in to Neo4j with a fresh token to see it accepted.
    /// What it saw is the account's condition `Neo4jVerified`. A token that Neo4j
    /// refuses stays where it is.
    #[serde(default)]
    pub verify: Verify,

    /// Ends the live connections of an account that is suspended, deleted or
    /// loses its permission or a group, again and again until its last token has
    /// expired. It does not make Neo4j refuse that token: who holds it can log in
    /// again until then. Off by default.
    #[serde(default)]
    pub end_sessions: bool,

    /// The `Neo4jServiceAccount` in the operator's namespace as which it logs in
    /// to end connections. Its groups have to lead to the role `admin`. It has its
    /// permission from being named here, and needs no entry in `allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    )]
    pub end_sessions_as: Option<String>,
}

fn default_provider() -> String {
    "okta".to_owned()
}

impl Default for Neo4j {
    fn default() -> Self {
        Self {
            provider: default_provider(),
            uri: None,
            query_api_urls: Vec::new(),
            group_to_role: BTreeMap::new(),
            verify: Verify::default(),
            end_sessions: false,
            end_sessions_as: None,
        }
    }
}

/// When a token is tried at Neo4j.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Verify {
    /// Never.
    #[default]
    Never,
    /// When the account or its groups changed.
    OnChange,
    /// With each new token.
    EveryRefresh,
}
