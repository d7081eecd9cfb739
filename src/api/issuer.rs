//! `OktaIssuer`: what a platform team writes once. Types only.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Describes an Okta org, the authorization server whose tokens Neo4j trusts,
/// and which namespaces may ask for which groups.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "neo4j-okta.dev",
    version = "v1alpha1",
    kind = "OktaIssuer",
    plural = "oktaissuers",
    singular = "oktaissuer",
    shortname = "oktaiss",
    category = "neo4j",
    status = "OktaIssuerStatus",
    derive = "PartialEq",
    doc = "Which Okta org and authorization server issue tokens for Neo4j, and which namespaces may ask for which groups.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Org", type_ = "string", json_path = ".spec.orgUrl"),
    printcolumn(name = "Accounts", type_ = "integer", json_path = ".status.accounts"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".status.issuer", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1)
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OktaIssuerSpec {
    /// The org's URL, such as `https://acme.okta.com`: https, no path. Plain
    /// http is accepted for loopback hosts alone. Immutable: apps cannot move
    /// between orgs.
    #[schemars(length(max = 255), regex(pattern = r"^(https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?)$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.orgUrl is immutable: create a new issuer for another org"))]
    pub org_url: String,

    /// How people recognise this cluster at Okta: it begins each client id and
    /// the label of each app. Immutable, because client ids are.
    #[schemars(length(max = 32), regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.clusterName is immutable: it is part of every client id"))]
    pub cluster_name: String,

    /// Former installations (uids of `kube-system` namespaces) whose apps this
    /// one takes over, after a cluster was restored elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub former_installations: Vec<String>,

    /// How the operator signs in at Okta's management API.
    pub auth: Auth,

    /// The authorization server that issues the tokens.
    pub authorization_server: AuthorizationServer,

    /// `Published` (default): each namespace gets its accounts' credentials.
    /// `Private`: they stay in the operator's namespace and the account's
    /// namespace gets the token alone.
    #[serde(default)]
    pub credentials: CredentialsVisibility,

    /// What happens to the app when an account is deleted. `Deactivate` keeps
    /// the app for audits; it can never sign in again by itself.
    #[serde(default)]
    pub on_delete: OnDelete,

    /// What happens when somebody deactivates or deletes an app at Okta.
    /// `Respect` (default) stops the account until it is restored; `Repair`
    /// undoes the change.
    #[serde(default)]
    pub on_external_disable: OnExternalDisable,

    /// Ids of Okta network zones from which the clients may sign in. Empty
    /// means anywhere. The operator itself must be inside, it mints the tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub network_zones: Vec<String>,

    /// Which namespaces may ask for which groups. Without an entry nothing is
    /// allowed. Narrowing it deactivates the apps that lose a permission, after
    /// a minute of grace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub allow: Vec<AllowEntry>,

    /// The Neo4j that trusts the authorization server.
    #[serde(default)]
    pub neo4j: Neo4j,

    /// The share of Okta's rate limits that the operator takes.
    #[serde(default)]
    pub rate_limit: RateLimit,

    /// PEM certificates to trust in addition when talking to Okta, for networks
    /// with a proxy that inspects TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    #[x_kube(validation = Rule::new("self.contains('-----BEGIN CERTIFICATE-----')").message("spec.caBundle must hold certificates in PEM"))]
    pub ca_bundle: Option<String>,
}

/// The operator's own sign-in. Exactly one of the two.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.apiToken) != has(self.privateKeyJwt)").message("spec.auth must have exactly one of apiToken and privateKeyJwt"))]
pub struct Auth {
    /// An API token (SSWS). Works everywhere, carries all rights of the admin
    /// who made it, and dies with that admin: prefer `privateKeyJwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_token: Option<ApiTokenAuth>,
    /// An API Services app of the operator's own, signing in with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_jwt: Option<PrivateKeyJwtAuth>,
}

/// Sign-in by API token.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiTokenAuth {
    /// The Secret that holds the token (default key `token`).
    pub secret_ref: SecretRef,
}

/// Sign-in by `private_key_jwt` at the org authorization server. Needs the
/// scopes `okta.apps.manage`, `okta.clients.read` and, for `Managed` servers,
/// `okta.authorizationServers.manage`, and an admin role for each.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivateKeyJwtAuth {
    /// The client id of the operator's own app.
    #[schemars(length(min = 6, max = 100))]
    pub client_id: String,
    /// The Secret that holds the private key in PEM (default key `private-key`).
    pub secret_ref: SecretRef,
    /// The `kid` under which Okta knows the public key.
    #[schemars(length(min = 1, max = 255))]
    pub key_id: String,
}

/// A Secret in the operator's namespace. It must carry the annotation
/// `neo4j-okta.dev/allow-host` with the host of `orgUrl`, so that nobody who
/// may write an issuer can have it sent elsewhere.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

/// The custom authorization server (needs Okta's API Access Management).
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.id) != has(self.name)").message("authorizationServer must have exactly one of id and name"),
    validation = Rule::new("has(self.id) == has(oldSelf.id) && has(self.name) == has(oldSelf.name)").message("authorizationServer id and name are immutable: create a new issuer for another server"),
    validation = Rule::new("self.management != 'Managed' || has(self.audience)").message("authorizationServer.audience is required with management Managed")
)]
pub struct AuthorizationServer {
    /// The id of an existing server, such as `default` or `aus1…`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9]+$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("authorizationServer.id is immutable"))]
    pub id: Option<String>,

    /// The name of a server; with management `Managed` it is created when it
    /// does not exist. A server of its own for Neo4j is the best choice.
    /// Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("authorizationServer.name is immutable"))]
    pub name: Option<String>,

    /// The audience of the tokens; Neo4j checks it. One that contains a colon
    /// must be a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub audience: Option<String>,

    /// `Managed`: the operator creates what is missing and repairs what it
    /// created. `External` (default): somebody else does, the operator checks.
    #[serde(default)]
    pub management: Management,

    /// The scope that accounts ask for. `groups` and OpenID's scopes are
    /// reserved by Okta.
    #[serde(default = "default_scope")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[A-Za-z0-9_.:/-]+$"))]
    #[x_kube(validation = Rule::new("!(self in ['groups', 'openid', 'profile', 'email', 'address', 'phone', 'offline_access', 'device_sso'])").message("authorizationServer.scope is reserved by Okta: choose another, such as neo4j_groups"))]
    pub scope: String,

    /// The claim that carries the groups; Neo4j's `claims.groups`.
    #[serde(default = "default_claim")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[A-Za-z0-9_.-]+$"))]
    pub groups_claim: String,

    /// The claim's value in Okta's expression language. Okta does not check it
    /// when it is saved; the operator checks every token.
    #[serde(default = "default_expression")]
    #[schemars(length(min = 1, max = 1024))]
    pub groups_expression: String,

    /// The key of the app's profile that holds the groups.
    #[serde(default = "default_profile_attribute")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    #[x_kube(validation = Rule::new("self != 'neo4j_okta_operator'").message("authorizationServer.profileAttribute neo4j_okta_operator holds the operator's own marker"))]
    pub profile_attribute: String,

    /// How long a token lives, from 5m to 24h in whole minutes. A revoked
    /// account can still log in to Neo4j for that long. A shorter life also
    /// shortens the Okta outage that nobody notices (about a third of it).
    #[serde(default = "default_lifetime")]
    #[schemars(length(max = 32), regex(pattern = r"^([0-9]{1,6}(h|m))+$"))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('5m') && duration(self) <= duration('24h')").message("authorizationServer.tokenLifetime must be between 5m and 24h"))]
    pub token_lifetime: String,

    /// `AllowList` (default): only this issuer's apps may ask for a token.
    /// `AllClients`: any client of the org may; without the profile attribute
    /// it gets no groups, but Neo4j lets it log in.
    #[serde(default)]
    pub access_policy: AccessPolicy,

    /// How many clients one access policy lists before another is opened.
    #[serde(default = "default_max_clients")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_clients_per_policy: u32,
}

fn default_scope() -> String {
    "neo4j_groups".to_owned()
}

fn default_claim() -> String {
    "groups".to_owned()
}

fn default_expression() -> String {
    "app.profile.neo4j_groups".to_owned()
}

fn default_profile_attribute() -> String {
    "neo4j_groups".to_owned()
}

fn default_lifetime() -> String {
    "1h".to_owned()
}

fn default_max_clients() -> u32 {
    500
}

/// Who keeps the authorization server in order.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Management {
    /// The operator creates what is missing and repairs what it created.
    Managed,
    /// Somebody else does; the operator only checks.
    #[default]
    External,
}

/// Who may ask the authorization server for a token.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum AccessPolicy {
    /// The issuer's own apps, each listed.
    #[default]
    AllowList,
    /// Every client of the org.
    AllClients,
}

/// Where the client credentials are kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum CredentialsVisibility {
    /// In the account's namespace.
    #[default]
    Published,
    /// In the operator's namespace.
    Private,
}

/// What becomes of an app when its account is deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OnDelete {
    /// It is deleted.
    #[default]
    Delete,
    /// It is deactivated and kept.
    Deactivate,
}

/// What follows when somebody disables an app at Okta.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OnExternalDisable {
    /// The account stops.
    #[default]
    Respect,
    /// The app is enabled or registered again.
    Repair,
}

/// Lets namespaces ask for groups. A namespace matches when it is listed or
/// selected.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.namespaces) != has(self.namespaceSelector)").message("each entry of spec.allow must have exactly one of namespaces and namespaceSelector"))]
pub struct AllowEntry {
    /// Names of namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub namespaces: Option<Vec<String>>,

    /// Selects namespaces by label. Whoever may label a namespace may then
    /// grant the groups: prefer labels that only the platform sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,

    /// Groups: literal, or a literal prefix with one `*` at the end. A `*`
    /// never covers a group that leads to Neo4j's role `admin`; list it.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 100), regex(pattern = r"^([A-Za-z0-9_.:@/-]([A-Za-z0-9_.:@/ -]*[A-Za-z0-9_.:@/-])?|[A-Za-z0-9_.:@/ -]*\*)$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub groups: Vec<String>,

    /// How many accounts each of these namespaces may have; the oldest count
    /// first. 1 to 10000.
    #[serde(default = "default_max_accounts")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_accounts: u32,
}

fn default_max_accounts() -> u32 {
    100
}

/// The Neo4j side.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Neo4j {
    /// The provider's name in Neo4j's settings (`dbms.security.oidc.<provider>`).
    #[serde(default = "default_provider")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub provider: String,

    /// Where workloads reach Neo4j, such as `neo4j+s://graph.acme.example:7687`.
    /// Copied into each token Secret under the key `uri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^(neo4j|neo4j\+s|neo4j\+ssc|bolt|bolt\+s|bolt\+ssc)://[^/\s]+$"))]
    pub uri: Option<String>,

    /// Base URLs of the servers' HTTP interface, for verification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 255), regex(pattern = r"^https?://[^/\s]+/?$")))]
    pub query_api_urls: Vec<String>,

    /// Neo4j's `group_to_role_mapping`. Without it a group is the role of the
    /// same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), inner(length(max = 16), inner(length(min = 1, max = 100))))]
    pub group_to_role: BTreeMap<String, Vec<String>>,

    /// When the operator logs in to Neo4j with a fresh token to see it accepted.
    #[serde(default)]
    pub verify: Verify,

    /// Ends the live connections of an account that is suspended, deleted or
    /// loses a group. Off by default.
    #[serde(default)]
    pub end_sessions: bool,
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

/// The operator's part of Okta's rate limits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimit {
    /// Per cent of each of the org's limits, 1 to 100. Okta itself refuses more
    /// than 50 to one client unless it was told otherwise.
    #[serde(default = "default_share")]
    #[schemars(range(min = 1, max = 100))]
    pub share_percent: u8,
    /// Per cent of that share which only refreshes and revocations may use, 0
    /// to 90.
    #[serde(default = "default_reserve")]
    #[schemars(range(min = 0, max = 90))]
    pub reserve_for_refresh_percent: u8,
}

fn default_share() -> u8 {
    50
}

fn default_reserve() -> u8 {
    30
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { share_percent: default_share(), reserve_for_refresh_percent: default_reserve() }
    }
}

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
    /// Ids of what the operator created in the authorization server. It repairs
    /// nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<CreatedObjects>,
    /// Ready, Authenticated, AuthorizationServerReady, PolicySynced, Stalled.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

fn unseen() -> i64 {
    -1
}

/// Ids of what the operator created in the authorization server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
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
