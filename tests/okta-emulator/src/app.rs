//! The app as the emulator keeps it and as Okta shows it. What a body may say
//! is decided in `app_body`; what a request does to an app in `apps`.

use serde_json::{Map, Value, json};

use crate::clock::iso;

/// An OIDC app.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) active: bool,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) activated: Option<u64>,
    pub(crate) client_id: String,
    pub(crate) auth_method: String,
    pub(crate) auto_key_rotation: bool,
    pub(crate) pkce_required: bool,
    /// `settings.oauthClient` without its `jwks`.
    pub(crate) oauth_settings: Map<String, Value>,
    pub(crate) profile: Option<Value>,
    pub(crate) secrets: Vec<ClientSecret>,
    pub(crate) keys: Vec<ClientKey>,
    pub(crate) signing_kid: String,
    /// Scopes of the Okta API that were granted to it.
    pub(crate) grants: Vec<String>,
    /// Admin roles, or permissions of a custom role.
    pub(crate) roles: Vec<String>,
    /// Tokens issued before this moment are dead at Okta.
    pub(crate) tokens_dead_before: u64,
}

/// One of at most two client secrets.
#[derive(Debug, Clone)]
pub(crate) struct ClientSecret {
    pub(crate) id: String,
    pub(crate) value: String,
    pub(crate) active: bool,
    pub(crate) created: u64,
    pub(crate) updated: u64,
}

/// One of at most fifty public keys.
#[derive(Debug, Clone)]
pub(crate) struct ClientKey {
    pub(crate) id: String,
    /// The public JWK as it was given.
    pub(crate) jwk: Map<String, Value>,
    pub(crate) active: bool,
    pub(crate) created: u64,
    pub(crate) updated: u64,
}

impl ClientKey {
    pub(crate) fn kid(&self) -> Option<&str> {
        self.jwk.get("kid").and_then(Value::as_str)
    }
}

impl App {
    /// Whether its authentication method knows a secret.
    pub(crate) fn uses_secret(&self) -> bool {
        method_uses_secret(&self.auth_method)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.oauth_settings
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    pub(crate) fn grant_types(&self) -> Vec<&str> {
        strings(self.oauth_settings.get("grant_types"))
    }

    /// The newest secret that works.
    pub(crate) fn newest_secret(&self) -> Option<&ClientSecret> {
        self.secrets.iter().rev().find(|secret| secret.active)
    }

    /// Okta's answer. `with_secret` is for create and replace only.
    pub(crate) fn render(&self, base: &str, with_secret: bool) -> Value {
        let link = format!("{base}/api/v1/apps/{}", self.id);
        let mut client = json!({
            "autoKeyRotation": self.auto_key_rotation,
            "client_id": self.client_id,
            "token_endpoint_auth_method": self.auth_method,
            "pkce_required": self.pkce_required,
        });
        if with_secret
            && self.uses_secret()
            && let Some(secret) = self.newest_secret()
        {
            client["client_secret"] = json!(secret.value);
        }
        let mut oauth_settings = self.oauth_settings.clone();
        if !self.keys.is_empty() {
            let keys: Vec<Value> = self
                .keys
                .iter()
                .map(|key| Value::Object(key.jwk.clone()))
                .collect();
            oauth_settings.insert("jwks".into(), json!({ "keys": keys }));
        }
        let mut app = json!({
            "id": self.id,
            "orn": format!("orn:okta:idp:00oemulated:apps:oidc_client:{}", self.id),
            "name": "oidc_client",
            "label": self.label,
            "status": status(self.active),
            "lastUpdated": iso(self.updated),
            "created": iso(self.created),
            "accessibility": { "selfService": false },
            "visibility": {
                "autoLaunch": false,
                "autoSubmitToolbar": false,
                "hide": { "iOS": true, "web": true },
                "appLinks": { "oidc_client_link": true },
            },
            "features": [],
            "signOnMode": "OPENID_CONNECT",
            "credentials": {
                "userNameTemplate": { "template": "${source.login}", "type": "BUILT_IN" },
                "signing": { "kid": self.signing_kid },
                "oauthClient": client,
            },
            "settings": {
                "app": {},
                "notifications": { "vpn": { "network": { "connection": "DISABLED" } } },
                "manualProvisioning": false,
                "implicitAssignment": false,
                "oauthClient": oauth_settings,
            },
            "_links": {
                "self": { "href": link },
                "uploadLogo": { "href": format!("{link}/logo"), "hints": { "allow": ["POST"] } },
                "users": { "href": format!("{link}/users") },
                "groups": { "href": format!("{link}/groups") },
            },
        });
        if let Some(profile) = &self.profile {
            app["profile"] = profile.clone();
        }
        if let Some(at) = self.activated {
            app["activated"] = json!(iso(at));
        }
        let verb = if self.active {
            "deactivate"
        } else {
            "activate"
        };
        app["_links"][verb] = json!({ "href": format!("{link}/lifecycle/{verb}") });
        app
    }

    /// The RFC 7591 shape of `/oauth2/v1/clients`: no app id, no profile.
    pub(crate) fn render_client(&self) -> Value {
        let mut client = json!({
            "client_id": self.client_id,
            "client_id_issued_at": self.created / 1000,
            "client_name": self.label,
            "client_secret_expires_at": 0,
            "redirect_uris": self.oauth_settings.get("redirect_uris").cloned().unwrap_or(json!([])),
            "token_endpoint_auth_method": self.auth_method,
        });
        for name in [
            "application_type",
            "grant_types",
            "response_types",
            "client_uri",
            "logo_uri",
            "dpop_bound_access_tokens",
        ] {
            if let Some(value) = self.oauth_settings.get(name) {
                client[name] = value.clone();
            }
        }
        if !self.keys.is_empty() {
            let keys: Vec<Value> = self
                .keys
                .iter()
                .map(|key| Value::Object(key.jwk.clone()))
                .collect();
            client["jwks"] = json!({ "keys": keys });
        }
        client
    }
}

/// Whether an authentication method works with a client secret.
pub(crate) fn method_uses_secret(method: &str) -> bool {
    method.starts_with("client_secret_")
}

/// `ACTIVE` or `INACTIVE`.
pub(crate) fn status(active: bool) -> &'static str {
    if active { "ACTIVE" } else { "INACTIVE" }
}

/// The strings of a JSON array; other members are left out.
pub(crate) fn strings(value: Option<&Value>) -> Vec<&str> {
    value
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}
