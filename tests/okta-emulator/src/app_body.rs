//! What Okta accepts in the body of a create or a replace of an app. It only
//! reads: nothing is stored from here.

use serde_json::{Map, Value, json};

use crate::app::{method_uses_secret, strings};
use crate::keys_body::public_jwk;
use crate::refusal::Refusal;

const METHODS: [&str; 5] = [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
];

/// Settings that are kept as they come; everything unknown is dropped.
const KEPT: [&str; 18] = [
    "application_type",
    "client_uri",
    "consent_method",
    "frontchannel_logout_session_required",
    "frontchannel_logout_uri",
    "idp_initiated_login",
    "initiate_login_uri",
    "issuer_mode",
    "jwks_uri",
    "logo_uri",
    "network",
    "participate_slo",
    "policy_uri",
    "post_logout_redirect_uris",
    "redirect_uris",
    "refresh_token",
    "tos_uri",
    "wildcard_redirect",
];

/// A body that passed.
#[derive(Debug)]
pub(crate) struct AppBody {
    pub(crate) label: String,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<String>,
    pub(crate) auth_method: String,
    pub(crate) auto_key_rotation: bool,
    pub(crate) pkce_required: Option<bool>,
    pub(crate) oauth_settings: Map<String, Value>,
    pub(crate) keys: Vec<Map<String, Value>>,
    pub(crate) profile: Option<Value>,
}

/// Reads and checks a body.
pub(crate) fn read(body: &Map<String, Value>) -> Result<AppBody, Refusal> {
    let label = text(body, "label")?.unwrap_or_default();
    if label.trim().is_empty() {
        return Err(Refusal::invalid(
            "label",
            "label: The field cannot be left blank",
        ));
    }
    if label.chars().count() > 100 {
        return Err(Refusal::invalid("label", "label: The field is too long"));
    }
    if label.chars().any(|c| c > '\u{ffff}') {
        return Err(Refusal::invalid(
            "label",
            "label: The field contains characters that are not supported",
        ));
    }
    match text(body, "name")? {
        Some("oidc_client") => {}
        None => {
            return Err(Refusal::invalid(
                "name",
                "name: The field cannot be left blank",
            ));
        }
        Some(_) => {
            return Err(Refusal::invalid(
                "name",
                "name: The app is not known in this org",
            ));
        }
    }
    match text(body, "signOnMode")? {
        Some("OPENID_CONNECT") => {}
        None => {
            return Err(Refusal::invalid(
                "signOnMode",
                "signOnMode: The field cannot be left blank",
            ));
        }
        Some(_) => {
            return Err(Refusal::invalid(
                "signOnMode",
                "signOnMode: Invalid value for this app",
            ));
        }
    }
    let credentials = object(body, "credentials")?.ok_or_else(|| {
        Refusal::invalid("credentials", "credentials: The field cannot be left blank")
    })?;
    let empty = Map::new();
    let client = object(credentials, "oauthClient")?.unwrap_or(&empty);
    let settings = object(body, "settings")?
        .ok_or_else(|| Refusal::invalid("settings", "settings: The field cannot be left blank"))?;
    let oauth = object(settings, "oauthClient")?.ok_or_else(|| {
        Refusal::invalid(
            "settings.oauthClient",
            "settings.oauthClient: The field cannot be left blank",
        )
    })?;

    let auth_method = text(client, "token_endpoint_auth_method")?.unwrap_or("client_secret_basic");
    if !METHODS.contains(&auth_method) {
        return Err(Refusal::invalid(
            "credentials.oauthClient.token_endpoint_auth_method",
            "token_endpoint_auth_method: Invalid token endpoint authentication method",
        ));
    }
    let client_id = text(client, "client_id")?.map(str::to_owned);
    if let Some(id) = &client_id {
        check_client_id(id)?;
    }
    let client_secret = text(client, "client_secret")?.map(str::to_owned);
    if let Some(secret) = &client_secret {
        check_secret(secret, auth_method)?;
        if !method_uses_secret(auth_method) {
            return Err(Refusal::invalid(
                "credentials.oauthClient.client_secret",
                "client_secret: Cannot be used with this token endpoint authentication method",
            ));
        }
    }
    let profile = match body.get("profile") {
        None | Some(Value::Null) => None,
        Some(value @ Value::Object(_)) => Some(value.clone()),
        Some(_) => return Err(Refusal::api(400, "E0000003")),
    };
    Ok(AppBody {
        label: label.to_owned(),
        client_id,
        client_secret,
        auth_method: auth_method.to_owned(),
        auto_key_rotation: boolean(client, "autoKeyRotation")?.unwrap_or(true),
        pkce_required: boolean(client, "pkce_required")?,
        oauth_settings: oauth_settings(oauth)?,
        keys: keys(oauth, auth_method)?,
        profile,
    })
}

/// Okta's rules for a caller-chosen client id.
pub(crate) fn check_client_id(id: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "$-_.+!*'(),".contains(c);
    if id.len() < 6 || id.len() > 100 {
        return Err(Refusal::invalid(
            "credentials.oauthClient.client_id",
            "client_id: Must be between 6 and 100 characters",
        ));
    }
    if id == "ALL_CLIENTS" || !id.chars().all(allowed) {
        return Err(Refusal::invalid(
            "credentials.oauthClient.client_id",
            "client_id: Invalid client ID",
        ));
    }
    Ok(())
}

/// Okta's rules for a caller-chosen client secret.
pub(crate) fn check_secret(secret: &str, method: &str) -> Result<(), Refusal> {
    let refuse = |cause| Err(Refusal::invalid("client_secret", cause));
    if !secret.chars().all(|c| matches!(c, '\u{20}'..='\u{7e}')) {
        return refuse(
            "client_secret: The client secret must contain printable ASCII characters only.",
        );
    }
    if secret.len() < 14 || (method == "client_secret_jwt" && secret.len() < 32) {
        return refuse("client_secret: The client secret is too short.");
    }
    if secret.len() > 100 {
        return refuse("client_secret: The client secret is too long.");
    }
    Ok(())
}

fn oauth_settings(oauth: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let grants = strings(oauth.get("grant_types"));
    if grants.is_empty() {
        return Err(Refusal::invalid(
            "settings.oauthClient.grant_types",
            "grant_types: The field cannot be left blank",
        ));
    }
    let kind = text(oauth, "application_type")?.unwrap_or("web");
    let mut responses = strings(oauth.get("response_types"));
    let redirects = strings(oauth.get("redirect_uris"));
    match kind {
        "service" => {
            let fits = |grant: &&str| {
                *grant == "client_credentials"
                    || *grant == "urn:ietf:params:oauth:grant-type:token-exchange"
            };
            if !grants.iter().all(fits) {
                return Err(Refusal::invalid(
                    "settings.oauthClient.grant_types",
                    "grant_types: Not allowed for an application of type 'service'",
                ));
            }
            if responses.is_empty() {
                responses = vec!["token"];
            }
            if responses != ["token"] {
                return Err(Refusal::invalid(
                    "settings.oauthClient.response_types",
                    "response_types: Must be 'token' for the client credentials grant",
                ));
            }
        }
        "web" | "native" | "browser" => {
            if grants.contains(&"client_credentials") && kind != "web" {
                return Err(Refusal::invalid(
                    "settings.oauthClient.grant_types",
                    "grant_types: Not allowed for this application type",
                ));
            }
            if redirects.is_empty() {
                return Err(Refusal::invalid(
                    "settings.oauthClient.redirect_uris",
                    "redirect_uris: At least one redirect URI is required",
                ));
            }
            if responses.is_empty() {
                responses = vec!["code"];
            }
        }
        _ => {
            return Err(Refusal::invalid(
                "settings.oauthClient.application_type",
                "application_type: Invalid application type",
            ));
        }
    }
    let dpop = boolean(oauth, "dpop_bound_access_tokens")?.unwrap_or(false);
    let mut kept = Map::new();
    for name in KEPT {
        if let Some(value) = oauth.get(name).filter(|value| !value.is_null()) {
            kept.insert(name.to_owned(), value.clone());
        }
    }
    kept.insert("application_type".into(), json!(kind));
    kept.insert("grant_types".into(), json!(grants));
    kept.insert("response_types".into(), json!(responses));
    kept.insert("dpop_bound_access_tokens".into(), json!(dpop));
    for (name, value) in [
        ("consent_method", json!("TRUSTED")),
        ("issuer_mode", json!("ORG_URL")),
        (
            "idp_initiated_login",
            json!({ "mode": "DISABLED", "default_scope": [] }),
        ),
        ("wildcard_redirect", json!("DISABLED")),
    ] {
        kept.entry(name).or_insert(value);
    }
    Ok(kept)
}

fn keys(oauth: &Map<String, Value>, method: &str) -> Result<Vec<Map<String, Value>>, Refusal> {
    let mut keys: Vec<Map<String, Value>> = Vec::new();
    if let Some(jwks) = object(oauth, "jwks")? {
        let Some(Value::Array(list)) = jwks.get("keys") else {
            return Err(Refusal::invalid(
                "settings.oauthClient.jwks",
                "jwks: Must have keys",
            ));
        };
        for value in list {
            let key = public_jwk(value)?;
            let named = key.get("kid").and_then(Value::as_str);
            if list.len() > 1 && named.is_none() {
                return Err(Refusal::invalid(
                    "settings.oauthClient.jwks",
                    "jwks: Every key must have a kid when there is more than one",
                ));
            }
            if keys
                .iter()
                .any(|other| named.is_some() && other.get("kid") == key.get("kid"))
            {
                return Err(Refusal::invalid(
                    "settings.oauthClient.jwks",
                    "jwks: The kid must be unique",
                ));
            }
            keys.push(key);
        }
    }
    if keys.len() > 50 {
        return Err(Refusal::invalid(
            "settings.oauthClient.jwks",
            "jwks: The maximum number of keys is 50",
        ));
    }
    if method == "private_key_jwt" && keys.is_empty() && text(oauth, "jwks_uri")?.is_none() {
        return Err(Refusal::invalid(
            "settings.oauthClient.jwks",
            "jwks: A key is required for the token endpoint authentication method 'private_key_jwt'",
        ));
    }
    Ok(keys)
}

/// A string member; null and absence are the same.
pub(crate) fn text<'a>(
    map: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Refusal> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::api(400, "E0000003")),
    }
}

/// A boolean member; null and absence are the same.
pub(crate) fn boolean(map: &Map<String, Value>, name: &str) -> Result<Option<bool>, Refusal> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(Refusal::api(400, "E0000003")),
    }
}

/// An object member; null and absence are the same.
pub(crate) fn object<'a>(
    map: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, Refusal> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Refusal::api(400, "E0000003")),
    }
}
