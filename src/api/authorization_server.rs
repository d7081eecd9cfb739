//! `OktaIssuer.spec.authorizationServer`: whose tokens Neo4j trusts.

#![allow(
    unreachable_pub,
    reason = "kube's derive repeats each struct inside a function"
)]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The custom authorization server (needs Okta's API Access Management).
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.id) != has(self.name)").message("must have exactly one of id and name: add or remove one"),
    validation = Rule::new(schema::unchanged("id")).message("is immutable, because tokens of one server mean nothing to another: create a new issuer instead").field_path(".id"),
    validation = Rule::new(schema::unchanged("name")).message("is immutable, because tokens of one server mean nothing to another: create a new issuer instead").field_path(".name"),
    validation = Rule::new("self.management != 'Managed' || has(self.audience)").message("is required with management Managed: say what Neo4j expects, such as neo4j").field_path(".audience").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.management != 'Managed' || self.groupsExpression.contains(self.profileAttribute)").message("must read profileAttribute, where the operator writes the groups: set both or none").field_path(".groupsExpression")
)]
pub struct AuthorizationServer {
    /// The id of an existing server, such as `default` or `aus1…`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9]+$"))]
    pub id: Option<String>,

    /// The name of a server; with management `Managed` it is created when it
    /// does not exist. A server of its own for Neo4j is the best choice.
    /// Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^\S(.*\S)?$"))]
    pub name: Option<String>,

    /// The audience of the tokens; Neo4j checks it. One that contains a colon
    /// must be a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new(schema::AUDIENCE).message("must be a URI when it contains a colon, such as https://graph.example.com; otherwise leave the colon out"))]
    pub audience: Option<String>,

    /// `Managed`: the operator creates what is missing and repairs what it
    /// created. `External` (default): somebody else does, the operator checks.
    #[serde(default)]
    pub management: Management,

    /// The scope that accounts ask for. `groups` and OpenID's scopes are
    /// reserved by Okta.
    #[serde(default = "default_scope")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[A-Za-z0-9_.:/-]+$"))]
    #[x_kube(validation = Rule::new("!(self in ['groups', 'openid', 'profile', 'email', 'address', 'phone', 'offline_access', 'device_sso'])").message("must not be a scope that Okta reserves: choose another, such as neo4j_groups"))]
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
    #[schemars(
        length(min = 1, max = 100),
        regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$")
    )]
    #[x_kube(validation = Rule::new("self != 'neo4j_okta_operator'").message("must not be the key of the operator's own marker: choose another, such as neo4j_groups"))]
    pub profile_attribute: String,

    /// How long a token lives, from 5m to 24h in whole minutes. A revoked
    /// account can still log in to Neo4j for that long. A shorter life also
    /// shortens the Okta outage that nobody notices (about a third of it).
    #[serde(default = "default_lifetime")]
    #[schemars(length(max = 12))]
    #[x_kube(validation = Rule::new(schema::minutes("5m", "24h")).message("must be whole minutes from 5m to 24h, written in h and m, such as 90m"))]
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
