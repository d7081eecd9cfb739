//! An Okta app as the planner sees it, and the bodies that make it so: reading,
//! comparing, merging. Pure. Never copies a client secret out of an answer.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::identity::Marker;
use crate::api::Authentication;

/// The key of the app's profile under which the [`Marker`] stands.
pub const MARKER_KEY: &str = "neo4j_okta_operator";

/// How an app shall be at Okta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSpec {
    /// The label in the Admin Console.
    pub label: String,
    /// The groups in the profile.
    pub groups: BTreeSet<String>,
    /// The key of the profile that holds them.
    pub profile_attribute: String,
    /// Whose app it is.
    pub marker: Marker,
    /// Network zones from which the client may sign in; empty is anywhere.
    pub network_zones: Vec<String>,
    /// Client authentication.
    pub authentication: Authentication,
}

/// How an app is at Okta, as far as it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppView {
    /// Okta's id.
    pub id: String,
    /// The OAuth client id.
    pub client_id: String,
    /// Whether it may sign in.
    pub active: bool,
    /// Client authentication in OAuth's words.
    pub method: String,
    /// Our marker, if it carries one that can be read.
    pub marker: Option<Marker>,
    /// The groups in its profile.
    pub groups: BTreeSet<String>,
    /// The revision of the description that it was compared with, if it matched
    /// (besides the method).
    pub described_as: Option<String>,
}

/// RFC 7591's name of a client authentication.
#[must_use]
pub const fn method_name(authentication: Authentication) -> &'static str {
    match authentication {
        Authentication::ClientSecretBasic => "client_secret_basic",
        Authentication::ClientSecretPost => "client_secret_post",
        Authentication::PrivateKeyJwt => "private_key_jwt",
    }
}

/// What a client proves itself with, as Okta wants it in a body.
#[derive(Clone, Copy)]
pub enum CredentialBody<'a> {
    /// A client secret that the caller chose.
    Secret(&'a str),
    /// A public key.
    Jwk(&'a Value),
}

impl std::fmt::Debug for CredentialBody<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(<redacted>)",
            Self::Jwk(_) => "Jwk",
        })
    }
}

impl AppSpec {
    /// The body of `POST /api/v1/apps` (Okta Apps API, `createApplication`).
    #[must_use]
    pub fn create_body(&self, client_id: &str, credential: CredentialBody<'_>) -> Value {
        let mut client = json!({
            "client_id": client_id,
            "token_endpoint_auth_method": method_name(self.authentication),
            "autoKeyRotation": true,
        });
        let mut settings = json!({ "application_type": "service" });
        match credential {
            CredentialBody::Secret(secret) => client["client_secret"] = json!(secret),
            CredentialBody::Jwk(key) => settings["jwks"] = json!({ "keys": [key] }),
        }
        let mut body = json!({
            "name": "oidc_client",
            "label": self.label,
            "signOnMode": "OPENID_CONNECT",
            "credentials": { "oauthClient": client },
            "settings": { "oauthClient": settings },
            "profile": {},
        });
        self.describe(&mut body);
        body
    }

    /// Writes what is ours into an app's body and leaves all else as it is.
    fn describe(&self, body: &mut Value) {
        body["label"] = json!(self.label);
        let settings = object_at(body, &["settings", "oauthClient"]);
        settings.insert("grant_types".into(), json!(["client_credentials"]));
        settings.insert("response_types".into(), json!(["token"]));
        // The Admin Console's default is true, and Neo4j knows bearer tokens only.
        settings.insert("dpop_bound_access_tokens".into(), json!(false));
        if !self.network_zones.is_empty() {
            settings.insert(
                "network".into(),
                json!({ "connection": "ZONE", "include": self.network_zones }),
            );
        } else if settings.contains_key("network") {
            settings.insert("network".into(), json!({ "connection": "ANYWHERE" }));
        }
        let profile = object_at(body, &["profile"]);
        profile.insert(self.profile_attribute.clone(), json!(self.groups));
        profile.insert(MARKER_KEY.into(), json!(self.marker));
    }

    /// The body of a `PUT` that makes `current` as described, or `None` when it
    /// already is. Okta replaces the whole, so `current` must have been read
    /// just before; what others wrote into it survives. The client secret is
    /// never in this body: Okta keeps it when it is left out.
    #[must_use]
    pub fn merge(&self, current: &Value) -> Option<Value> {
        if self.describes(current) {
            return None;
        }
        let mut body = writable(current);
        self.describe(&mut body);
        Some(body)
    }

    /// As [`Self::merge`], with another way to sign in: the one case in which a
    /// credential is part of the body, because Okta drops the former ones.
    #[must_use]
    pub fn merge_credential(&self, current: &Value, credential: CredentialBody<'_>) -> Value {
        let mut body = writable(current);
        self.describe(&mut body);
        let client = object_at(&mut body, &["credentials", "oauthClient"]);
        client.insert(
            "token_endpoint_auth_method".into(),
            json!(method_name(self.authentication)),
        );
        match credential {
            CredentialBody::Secret(secret) => {
                client.insert("client_secret".into(), json!(secret));
                object_at(&mut body, &["settings", "oauthClient"]).remove("jwks");
            }
            CredentialBody::Jwk(key) => {
                client.remove("client_secret");
                object_at(&mut body, &["settings", "oauthClient"])
                    .insert("jwks".into(), json!({ "keys": [key] }));
            }
        }
        body
    }

    /// True when all that is ours in `app` is as described. Lists are compared
    /// as sets, because Okta may order them anew.
    fn describes(&self, app: &Value) -> bool {
        let Self {
            label,
            groups,
            profile_attribute,
            marker,
            network_zones,
            authentication: _,
        } = self;
        let settings = &app["settings"]["oauthClient"];
        let zones = &settings["network"];
        let zones_match = if network_zones.is_empty() {
            zones.is_null() || zones["connection"] == "ANYWHERE"
        } else {
            zones["connection"] == "ZONE"
                && strings(&zones["include"]) == network_zones.iter().cloned().collect()
        };
        app["label"] == json!(label)
            && app["profile"][profile_attribute].is_array()
            && strings(&app["profile"][profile_attribute]) == *groups
            && read_marker(app).as_ref() == Some(marker)
            && settings["dpop_bound_access_tokens"] != json!(true)
            && strings(&settings["grant_types"])
                == BTreeSet::from(["client_credentials".to_owned()])
            && zones_match
    }

    /// A short fingerprint of the description, for remembering that it is in
    /// place at Okta.
    #[must_use]
    pub fn revision(&self) -> String {
        use aws_lc_rs::digest::{SHA256, digest};
        let text = json!([
            self.label,
            self.groups,
            self.profile_attribute,
            self.marker,
            self.network_zones,
            method_name(self.authentication),
        ]);
        let hash = digest(&SHA256, text.to_string().as_bytes());
        hash.as_ref()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl AppView {
    /// Reads an app from Okta's answer. `None` when it lacks an id or a client
    /// id: half an answer is no answer.
    #[must_use]
    pub fn read(app: &Value, spec: &AppSpec) -> Option<Self> {
        let client = &app["credentials"]["oauthClient"];
        Some(Self {
            id: app["id"].as_str()?.to_owned(),
            client_id: client["client_id"].as_str()?.to_owned(),
            active: app["status"] == "ACTIVE",
            method: client["token_endpoint_auth_method"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            marker: read_marker(app),
            groups: strings(&app["profile"][&spec.profile_attribute]),
            described_as: spec.describes(app).then(|| spec.revision()),
        })
    }
}

impl AppView {
    /// Whether it was seen to be as this description says.
    #[must_use]
    pub fn is(&self, spec: &AppSpec) -> bool {
        self.described_as.as_ref() == Some(&spec.revision())
    }
}

/// The marker in an app's profile, if there is a readable one.
#[must_use]
pub fn read_marker(app: &Value) -> Option<Marker> {
    serde_json::from_value(app["profile"][MARKER_KEY].clone()).ok()
}

/// The part of an app that a `PUT` may carry. The client secret, which some
/// answers echo, is taken out.
fn writable(current: &Value) -> Value {
    let mut body = current.clone();
    if let Some(object) = body.as_object_mut() {
        for key in [
            "id",
            "orn",
            "status",
            "created",
            "lastUpdated",
            "activated",
            "_links",
            "_embedded",
            "features",
        ] {
            object.remove(key);
        }
    }
    object_at(&mut body, &["credentials", "oauthClient"]).remove("client_secret");
    body
}

fn object_at<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut at = value;
    for key in path {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[*key];
    }
    if !at.is_object() {
        *at = json!({});
    }
    match at {
        Value::Object(map) => map,
        _ => unreachable!("was just made an object"),
    }
}

fn strings(value: &Value) -> BTreeSet<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
