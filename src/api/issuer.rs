//! `OktaIssuer`: what a platform team writes once. Types only.

#![allow(
    unreachable_pub,
    reason = "kube's derive repeats each struct inside a function"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "each column says its type and priority"
)]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;
use super::{AllowEntry, Auth, AuthorizationServer, Neo4j, OktaIssuerStatus};

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
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Org", type_ = "string", json_path = ".spec.orgUrl"),
    printcolumn(name = "Accounts", type_ = "integer", json_path = ".status.accounts"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Issuer",
        type_ = "string",
        json_path = ".status.issuer",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OktaIssuerSpec {
    /// The org's URL, such as `https://acme.okta.com`: https, no path. Plain
    /// http is accepted for loopback hosts alone. Immutable: apps cannot move
    /// between orgs.
    #[schemars(length(max = 255))]
    #[x_kube(
        validation = Rule::new(schema::ORG_URL).message("must be https:// and a host, without a path; http:// is for localhost, 127.0.0.1 and [::1] alone"),
        validation = Rule::new(schema::NOT_ADMIN_CONSOLE).message("must not be the address of the Admin Console: remove '-admin' from it"),
        validation = Rule::new("self == oldSelf").message("is immutable, because apps cannot move between orgs: create a new issuer instead")
    )]
    pub org_url: String,

    /// How people recognise this cluster at Okta: it begins each client id and
    /// the label of each app. Immutable, because client ids are.
    #[schemars(
        length(max = 32),
        regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")
    )]
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable, because it is part of each client id: create a new issuer instead"))]
    pub cluster_name: String,

    /// Former installations (uids of `kube-system` namespaces) whose apps this
    /// one takes over, after a cluster was restored elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9-]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub former_installations: Vec<String>,

    /// How the operator signs in at Okta's management API.
    pub auth: Auth,

    /// The authorization server that issues the tokens.
    pub authorization_server: AuthorizationServer,

    /// `Published` (default): each namespace gets its accounts' credentials.
    /// `Private`: they stay in the operator's namespace, and the account's
    /// namespace gets the token alone. Immutable, because what a namespace has
    /// seen does not become private: use another issuer instead.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable, because credentials that a namespace has seen do not become private: create another issuer instead"))]
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
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_]+$"))
    )]
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

    /// The share of Okta's rate limits that the operator takes. Okta counts per
    /// org: issuers with the same `orgUrl` share one budget, with the smallest
    /// `sharePercent` and the largest `reserveForRefreshPercent` among them.
    #[serde(default)]
    pub rate_limit: RateLimit,

    /// PEM certificates of CAs to trust in addition to the system's when talking
    /// to Okta, for networks with a proxy that inspects TLS, and to Neo4j at
    /// `neo4j.queryApiUrls`, for servers with a CA of their own. To rotate one, list
    /// both until the new one is in use everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    #[x_kube(
        validation = Rule::new("self.contains('-----BEGIN CERTIFICATE-----') && self.contains('-----END CERTIFICATE-----')").message("must hold certificates in PEM, each between BEGIN CERTIFICATE and END CERTIFICATE"),
        validation = Rule::new("!self.contains('PRIVATE KEY-----')").message("must not hold a private key: whoever may read issuers would have it")
    )]
    pub ca_bundle: Option<String>,
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
    /// to 90. What they leave of it others get towards the end of each minute.
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
        Self {
            share_percent: default_share(),
            reserve_for_refresh_percent: default_reserve(),
        }
    }
}
