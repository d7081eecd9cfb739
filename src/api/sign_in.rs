//! `OktaIssuer.spec.auth`: how the operator itself signs in at Okta.

#![allow(
    unreachable_pub,
    reason = "kube's derive repeats each struct inside a function"
)]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::NAME;

/// The operator's own sign-in. Exactly one of the two.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.apiToken) != has(self.privateKeyJwt)").message("must have exactly one of apiToken and privateKeyJwt: add or remove one"))]
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
/// scopes `okta.apps.manage`, `okta.apps.read`, `okta.clients.read`,
/// `okta.authorizationServers.read` and, for `Managed` servers,
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
    #[schemars(length(min = 1, max = 253), regex(pattern = NAME))]
    pub name: String,
    /// Key in the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub key: Option<String>,
}
