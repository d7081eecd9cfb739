//! `Neo4jServiceAccount`: what an application team writes. Types only.

#![allow(
    unreachable_pub,
    reason = "kube's derive repeats each struct inside a function"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "each column says its type and priority"
)]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{self, GROUP, NAME};

/// A machine identity for Neo4j. The operator registers an Okta "API Services"
/// app for it, keeps the app's client credentials in one Secret and a
/// short-lived access token, fresh at all times, in another that pods mount.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "neo4j-okta.dev",
    version = "v1alpha1",
    kind = "Neo4jServiceAccount",
    plural = "neo4jserviceaccounts",
    singular = "neo4jserviceaccount",
    shortname = "n4jsa",
    category = "neo4j",
    namespaced,
    status = "Neo4jServiceAccountStatus",
    derive = "PartialEq",
    doc = "A machine identity for Neo4j: an Okta app of its own, its credentials, and an access token that never goes stale.",
    selectable = ".spec.issuerRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Groups", type_ = "string", json_path = ".spec.groups"),
    printcolumn(name = "Refreshed", type_ = "date", json_path = ".status.token.issuedAt"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.token.expiresAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Next-Refresh", type_ = "string", json_path = ".status.token.nextRefreshAt", priority = 1),
    printcolumn(name = "Client-ID", type_ = "string", json_path = ".status.clientId", priority = 1),
    printcolumn(name = "App-ID", type_ = "string", json_path = ".status.appId", priority = 1),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuerRef.name", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1),
    validation = Rule::new("self.metadata.name.size() <= 63").message("metadata.name must be at most 63 characters, because it becomes the value of a label: shorten it"),
    validation = Rule::new("(has(self.spec.credentialsSecret.name) ? self.spec.credentialsSecret.name : self.metadata.name + '-okta-credentials') != (has(self.spec.tokenSecret.name) ? self.spec.tokenSecret.name : self.metadata.name + '-neo4j-token')").message("must differ from the name of the credentials Secret, because pods mount the token alone: choose another name").field_path(".spec.tokenSecret.name")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new(schema::unchanged("credentialsSecret.name")).message("is immutable, because workloads mount the Secret by this name: create a new account instead").field_path(".credentialsSecret.name"),
    validation = Rule::new(schema::unchanged("tokenSecret.name")).message("is immutable, because pods mount the Secret by this name: create a new account instead").field_path(".tokenSecret.name")
)]
pub struct Neo4jServiceAccountSpec {
    /// The OktaIssuer that serves this account. Immutable: an app cannot move
    /// to another org; create a new account instead.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable, because an app cannot move to another issuer: create a new account instead"))]
    pub issuer_ref: IssuerRef,

    /// The groups that the access token carries, and with them the roles in
    /// Neo4j. The issuer says which groups a namespace may ask for. A change
    /// reaches the next token within seconds; tokens already handed out keep
    /// the old groups until they expire. Keep the list short: Neo4j refuses a
    /// token of more than 8192 bytes.
    #[schemars(length(min = 1, max = 20), inner(length(min = 1, max = 100), regex(pattern = GROUP)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub groups: Vec<String>,

    /// The label of the app in Okta's Admin Console. Default:
    /// `<cluster>/<namespace>/<name>`. Write names only, no personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^\S(.*\S)?$"))]
    pub display_name: Option<String>,

    /// How the client signs in at Okta's token endpoint. Matters to workloads
    /// that mint tokens themselves from the credentials Secret; a change gives
    /// those a short time in which their sign-in is refused. Workloads that
    /// mount the token notice nothing.
    #[serde(default)]
    pub authentication: Authentication,

    /// The Secret that holds the app's client credentials. Only workloads that
    /// mint tokens themselves need it.
    #[serde(default)]
    pub credentials_secret: SecretTemplate,

    /// The Secret that holds the access token under the key `token`. Mount it
    /// as a projected volume and read the file anew for each login; a `subPath`
    /// mount never sees a refresh.
    #[serde(default)]
    pub token_secret: SecretTemplate,

    /// Replaces the client credentials regularly, with an overlap in which both
    /// work. None by default; the annotation `neo4j-okta.dev/rotate` does it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,

    /// Stops the account: its app is deactivated and its token Secret removed.
    /// Neo4j honours the last token until that expires, at most one token
    /// lifetime later.
    #[serde(default)]
    pub suspended: bool,
}

/// Refers to an `OktaIssuer`, which is cluster-scoped.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerRef {
    /// Name of the issuer.
    #[serde(default = "default_issuer")]
    #[schemars(length(min = 1, max = 253), regex(pattern = NAME))]
    pub name: String,
}

fn default_issuer() -> String {
    "default".to_owned()
}

impl Default for IssuerRef {
    fn default() -> Self {
        Self {
            name: default_issuer(),
        }
    }
}

/// OAuth client authentication, in Okta's terms.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Authentication {
    /// `client_secret_basic`: id and secret in the Authorization header.
    #[default]
    ClientSecretBasic,
    /// `client_secret_post`: id and secret in the form.
    ClientSecretPost,
    /// `private_key_jwt`: the private key never leaves the cluster.
    PrivateKeyJwt,
}

/// How one of the account's Secrets looks.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretTemplate {
    /// Name of the Secret. Can be chosen once, when the account is created. An
    /// existing Secret that is not this account's is never overwritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = NAME))]
    pub name: Option<String>,

    /// Labels to add, at most 16. Those that the operator sets itself cannot be
    /// chosen: `app.kubernetes.io/managed-by`, and all under `neo4j-okta.dev/`
    /// and `kubernetes.io/`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = { "type": "string", "maxLength": 63, "pattern": schema::LABEL_VALUE }))]
    #[x_kube(
        validation = Rule::new(schema::NOT_OURS).message(schema::NOT_OURS_MESSAGE),
        validation = Rule::new(schema::qualified_keys()).message(schema::QUALIFIED_KEYS_MESSAGE)
    )]
    pub labels: BTreeMap<String, String>,

    /// Annotations to add, at most 16, such as one that Reloader looks for. The
    /// same keys as for labels are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = { "type": "string", "maxLength": 1024 }))]
    #[x_kube(
        validation = Rule::new(schema::NOT_OURS).message(schema::NOT_OURS_MESSAGE),
        validation = Rule::new(schema::qualified_keys()).message(schema::QUALIFIED_KEYS_MESSAGE)
    )]
    pub annotations: BTreeMap<String, String>,
}

/// Regular replacement of the client credentials.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new(schema::shorter("overlap", "interval")).message("must be shorter than rotation.interval, because Okta has room for two credentials only: shorten it").field_path(".overlap"))]
pub struct Rotation {
    /// How often, at least `1h`; for example `720h`.
    #[schemars(length(max = 18))]
    #[x_kube(validation = Rule::new(schema::at_least("1h")).message("must be at least 1h, written in h, m and s, such as 720h"))]
    pub interval: String,

    /// How long the former credentials still work after the new ones stand in
    /// the Secret; shorter than the interval. Default: the lifetime of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18))]
    #[x_kube(validation = Rule::new(schema::at_least("0s")).message("must be written in h, m and s, such as 1h30m"))]
    pub overlap: Option<String>,
}

/// What the operator last saw and did. Holds no secret and no token.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Neo4jServiceAccountStatus {
    /// The generation of the spec that this status speaks of; -1 before the
    /// operator has seen the account.
    #[serde(default = "unseen")]
    pub observed_generation: i64,
    /// Okta's id of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub app_id: Option<String>,
    /// The OAuth client id. Neo4j shows it as the user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub client_id: Option<String>,
    /// The org in which the app is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub org_url: Option<String>,
    /// The client credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsStatus>,
    /// The access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenStatus>,
    /// Service Binding's Provisioned Service: appears once there is a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingStatus>,
    /// Ready, Registered, CredentialsReady, TokenFresh, Neo4jVerified, and for
    /// Helm and Flux Reconciling and Stalled.
    #[serde(default)]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

fn unseen() -> i64 {
    -1
}

/// What is known about the client credentials.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsStatus {
    /// The Secret that holds them; absent when the issuer keeps them private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub secret_name: Option<String>,
    /// When the credentials in the Secret were last replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<Time>,
    /// When they will be replaced, if rotation is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_rotation_at: Option<Time>,
}

/// What is known about the access token.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenStatus {
    /// When the token was issued.
    pub issued_at: Time,
    /// When the token expires.
    pub expires_at: Time,
    /// When the operator will replace it.
    pub next_refresh_at: Time,
    /// The groups in the token.
    #[schemars(length(max = 20), inner(length(max = 100)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub groups: Vec<String>,
    /// The Secret that holds it.
    #[schemars(length(max = 253))]
    pub secret_name: String,
    /// The resourceVersion of that Secret as last written by the operator.
    #[schemars(length(max = 64))]
    pub secret_version: String,
}

/// Service Binding's reference to the token Secret.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
    /// The name of the token Secret.
    #[schemars(length(max = 253))]
    pub name: String,
}
