//! What surrounds a token endpoint: discovery, keys, introspection, revocation.

use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::log::Target;
use crate::org::Org;
use crate::refusal::Refusal;
use crate::token::client_of;

/// GET of any of the three well-known documents of a custom server.
pub(crate) fn discovery(org: &mut Org, call: &Call) -> Outcome {
    let server = org.server(call)?;
    if !server.active {
        return Err(Refusal::not_found(call.param(0), "AuthorizationServer"));
    }
    let scopes: Vec<&str> = server
        .scopes
        .iter()
        .filter(|scope| scope.rest.get("metadataPublish") == Some(&json!("ALL_CLIENTS")))
        .map(|scope| scope.name.as_str())
        .collect();
    let mut document = document(&server.issuer(&org.url), &server.issuer(&org.url), &scopes);
    if call.path.ends_with("/openid-configuration") {
        document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    }
    Ok(cached(document))
}

/// GET of the org server's documents.
pub(crate) fn org_discovery(org: &mut Org, _call: &Call) -> Outcome {
    Ok(cached(document(
        &org.url,
        &format!("{}/oauth2", org.url),
        &["openid"],
    )))
}

fn document(issuer: &str, base: &str, scopes: &[&str]) -> Value {
    let algorithms = ["RS256", "RS384", "RS512", "ES256", "ES384"];
    let methods = [
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "private_key_jwt",
        "none",
    ];
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/v1/authorize"),
        "token_endpoint": format!("{base}/v1/token"),
        "registration_endpoint": format!("{issuer}/v1/clients"),
        "jwks_uri": format!("{base}/v1/keys"),
        "introspection_endpoint": format!("{base}/v1/introspect"),
        "revocation_endpoint": format!("{base}/v1/revoke"),
        "response_types_supported": ["code", "token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["client_credentials"],
        "subject_types_supported": ["public"],
        "scopes_supported": scopes,
        "claims_supported": ["ver", "jti", "iss", "aud", "iat", "exp", "cid", "uid", "scp", "sub"],
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": algorithms,
    })
}

fn cached(body: Value) -> Answer {
    Answer::json(200, body)
        .with_header("cache-control", "max-age=86400, must-revalidate".to_owned())
}

/// GET /oauth2/{asId}/v1/keys
pub(crate) fn keys(org: &mut Org, call: &Call) -> Outcome {
    if let Some(server) = org.servers.get_mut(call.param(0)) {
        server.edit(call.now, 0).signing.keep_current(call.now);
    }
    Ok(cached(org.server(call)?.signing.jwks()))
}

/// GET /oauth2/v1/keys: the org server's tokens are opaque by contract.
pub(crate) fn org_keys(_org: &mut Org, _call: &Call) -> Outcome {
    Ok(cached(json!({ "keys": [] })))
}

/// POST /oauth2/{asId}/v1/introspect
pub(crate) fn introspect(org: &mut Org, call: &Call) -> Outcome {
    let (_, form) = client_of(org, call)?;
    let claims = token_in(org, call, &form)?;
    let active = claims
        .as_ref()
        .is_some_and(|claims| is_active(org, call, claims));
    let mut answer = json!({ "active": active });
    if active && let Some(claims) = claims {
        let scope = crate::app::strings(claims.get("scp")).join(" ");
        for (from, to) in [
            ("aud", "aud"),
            ("cid", "client_id"),
            ("exp", "exp"),
            ("iat", "iat"),
            ("iss", "iss"),
            ("jti", "jti"),
            ("sub", "sub"),
            ("sub", "username"),
        ] {
            answer[to] = claims[from].clone();
        }
        answer["scope"] = json!(scope);
        answer["token_type"] = json!(if claims.get("cnf").is_some() {
            "DPoP"
        } else {
            "Bearer"
        });
    }
    Ok(Answer::json(200, answer))
}

fn token_in(org: &Org, call: &Call, form: &[(String, String)]) -> Result<Option<Value>, Refusal> {
    let token = form
        .iter()
        .find(|(name, _)| name == "token")
        .ok_or_else(|| {
            Refusal::oauth(
                400,
                "invalid_request",
                "missing_token",
                "The request must contain a token.",
            )
        })?;
    Ok(org.server(call)?.signing.open(&token.1))
}

fn is_active(org: &Org, call: &Call, claims: &Value) -> bool {
    let fresh = claims["exp"]
        .as_u64()
        .is_some_and(|exp| exp > org.believed_seconds(call.now));
    let revoked = claims["jti"]
        .as_str()
        .is_none_or(|jti| org.revoked_jtis.contains(jti));
    let client = claims["cid"]
        .as_str()
        .and_then(|cid| org.app_of_client(cid));
    let alive = client.is_some_and(|app| {
        let app = app.get();
        app.active
            && claims["iat"]
                .as_u64()
                .is_some_and(|iat| iat >= app.tokens_dead_before / 1000)
    });
    fresh && !revoked && alive
}

/// POST /oauth2/{asId}/v1/revoke: 200 even for what is unknown.
pub(crate) fn revoke(org: &mut Org, call: &Call) -> Outcome {
    let (app, form) = client_of(org, call)?;
    if let Some(claims) = token_in(org, call, &form)?
        && claims["cid"] == app.client_id.as_str()
        && let Some(jti) = claims["jti"].as_str()
    {
        org.revoked_jtis.insert(jti.to_owned());
        org.log.done(
            call,
            "app.oauth2.as.token.revoke",
            vec![Target::new(jti, "access_token", "Access Token")],
        );
    }
    Ok(Answer::empty(200))
}
