//! How a client proves itself at a token endpoint. One method per request, and
//! it must be the one that the app is registered with.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use crate::app::App;
use crate::call::Call;
use crate::ids::unb64;
use crate::org::Org;
use crate::refusal::Refusal;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request carries.
#[derive(Debug)]
pub(crate) enum Proof {
    Basic(String),
    Post(String),
    Assertion(String),
    None,
}

/// Reads the credentials of a request, whose client id may still be a lie.
/// `decoded` says whether those of a header are form-encoded.
pub(crate) fn presented(
    call: &Call,
    form: &[(String, String)],
    decoded: bool,
) -> Result<(String, Proof), Refusal> {
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let basic = match call.header("authorization") {
        None => None,
        Some(header) => Some(basic(header, decoded).ok_or_else(|| {
            Refusal::invalid_client(
                "invalid_authorization_header",
                "The Authorization header is not valid.",
            )
        })?),
    };
    let (id, secret, assertion) = (
        field("client_id"),
        field("client_secret"),
        field("client_assertion"),
    );
    let methods = usize::from(basic.is_some())
        + usize::from(secret.is_some())
        + usize::from(assertion.is_some());
    let other_id = matches!((&basic, &id), (Some((basic, _)), Some(id)) if basic != id);
    if methods > 1 || other_id {
        return Err(Refusal::oauth(
            401,
            "invalid_request",
            "multiple_client_credentials",
            "Cannot supply multiple client credentials. Use one of the following: the Authorization header, the post body, or a client assertion.",
        ));
    }
    if let Some((client_id, secret)) = basic {
        return Ok((client_id, Proof::Basic(secret)));
    }
    if let Some(jwt) = assertion {
        if field("client_assertion_type").as_deref() != Some(ASSERTION_TYPE) {
            return Err(Refusal::invalid_client(
                "invalid_client_assertion_type",
                "The client_assertion_type is invalid.",
            ));
        }
        let claims =
            unverified(&jwt).ok_or_else(|| bad_assertion("The client_assertion is not a JWT."))?;
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned();
        if id.is_some_and(|id| id != subject) {
            return Err(bad_assertion(
                "The client_id does not match the subject of the client_assertion.",
            ));
        }
        return Ok((subject, Proof::Assertion(jwt)));
    }
    match (id, secret) {
        (Some(id), Some(secret)) => Ok((id, Proof::Post(secret))),
        (Some(id), None) => Ok((id, Proof::None)),
        _ => Err(Refusal::invalid_client(
            "missing_client_id",
            "Client authentication failed. Either the client or the client credentials are invalid.",
        )),
    }
}

/// The client id that a request claims, for limits and records.
pub(crate) fn claimed(call: &Call) -> Option<String> {
    let form = crate::call::pairs(&call.body);
    if let Some((id, _)) = call
        .header("authorization")
        .and_then(|header| basic(header, false))
    {
        return Some(id);
    }
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    if let Some(jwt) = field("client_assertion") {
        return Some(unverified(jwt)?.get("sub")?.as_str()?.to_owned());
    }
    field("client_id").map(str::to_owned)
}

/// `Basic` as Okta reads it: base64 of `id:secret`, each half perhaps encoded.
fn basic(header: &str, decoded: bool) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let half = |text: &str| {
        let pair = decoded.then(|| crate::call::pairs(format!("={text}").as_bytes()));
        pair.and_then(|pairs| pairs.into_iter().next())
            .map_or_else(|| text.to_owned(), |(_, value)| value)
    };
    Some((half(id), half(secret)))
}

/// The claims of a JWT that nobody checked.
pub(crate) fn unverified(jwt: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&unb64(jwt.split('.').nth(1)?)?).ok()
}

fn bad_assertion(description: &str) -> Refusal {
    Refusal::invalid_client("invalid_client_assertion", description)
}

/// The app behind the credentials, or why not. `audience` is the endpoint's URL.
pub(crate) fn authenticate(
    org: &mut Org,
    call: &Call,
    client_id: &str,
    proof: &Proof,
    audience: &str,
) -> Result<App, Refusal> {
    let lag = org.lag_for(call);
    let settle = org.behaviour.new_clients_settle_ms;
    let app = org
        .app_of_client(client_id)
        .and_then(|app| app.seen(call.now, lag))
        .filter(|app| app.active && (settle == 0 || app.created + settle <= call.now))
        .cloned()
        .ok_or_else(|| {
            Refusal::invalid_client(
                "invalid_client_id",
                "Invalid value for 'client_id' parameter.",
            )
        })?;
    let wrong_method = || {
        Refusal::invalid_client(
            "invalid_client_auth_method",
            "Client authentication failed. Either the client or the client credentials are invalid.",
        )
    };
    match (proof, app.auth_method.as_str()) {
        (Proof::Basic(secret), "client_secret_basic")
        | (Proof::Post(secret), "client_secret_post") => {
            if app
                .secrets
                .iter()
                .any(|known| known.active && known.value == *secret)
            {
                Ok(app)
            } else {
                Err(Refusal::invalid_client(
                    "invalid_client_secret",
                    "The client secret supplied for a confidential client is invalid.",
                ))
            }
        }
        (Proof::Assertion(jwt), "private_key_jwt" | "client_secret_jwt") => {
            check_assertion(org, call, &app, jwt, audience)?;
            Ok(app)
        }
        (Proof::None, _) => Err(Refusal::invalid_client(
            "missing_client_credentials",
            "Client authentication failed. Either the client or the client credentials are invalid.",
        )),
        _ => Err(wrong_method()),
    }
}

fn check_assertion(
    org: &mut Org,
    call: &Call,
    app: &App,
    jwt: &str,
    audience: &str,
) -> Result<(), Refusal> {
    let header = header(jwt).ok_or_else(|| bad_assertion("The client_assertion is not a JWT."))?;
    let kid = header.get("kid").and_then(Value::as_str);
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or("");
    let claims = if app.auth_method == "client_secret_jwt" {
        app.secrets
            .iter()
            .filter(|secret| secret.active && algorithm == "HS256")
            .find_map(|secret| {
                open(
                    jwt,
                    algorithm,
                    &DecodingKey::from_secret(secret.value.as_bytes()),
                )
            })
    } else {
        let keys: Vec<_> = app.keys.iter().filter(|key| key.active).collect();
        let key = match kid {
            Some(kid) => keys.iter().find(|key| key.kid() == Some(kid)),
            None if keys.len() == 1 => keys.first(),
            None => None,
        };
        let key = key.ok_or_else(|| {
            bad_assertion("The client_assertion's kid does not name an active key of the client.")
        })?;
        public_key(&key.jwk, algorithm).and_then(|key| open(jwt, algorithm, &key))
    }
    .ok_or_else(|| bad_assertion("The client_assertion signature is invalid."))?;
    let now = org.believed_seconds(call.now);
    let is_me = |name: &str| claims.get(name).and_then(Value::as_str) == Some(&app.client_id);
    if !is_me("iss") || !is_me("sub") {
        return Err(bad_assertion(
            "The issuer and the subject of the client_assertion must be the client_id.",
        ));
    }
    let for_us = match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one == audience),
        _ => false,
    };
    if !for_us {
        return Err(bad_assertion(
            "The audience claim for the client_assertion must be the endpoint invoked for the request.",
        ));
    }
    let Some(expiry) = claims.get("exp").and_then(Value::as_u64) else {
        return Err(bad_assertion(
            "The client_assertion must have an expiration time.",
        ));
    };
    if expiry <= now {
        return Err(bad_assertion("The client_assertion token is expired."));
    }
    if expiry > now + 3600 {
        return Err(bad_assertion(
            "The client_assertion token must expire within one hour.",
        ));
    }
    if let Some(issued) = claims.get("iat")
        && issued.as_u64().is_none_or(|issued| issued > now + 1)
    {
        return Err(bad_assertion(
            "The client_assertion must have been issued in the past.",
        ));
    }
    if let Some(jti) = claims.get("jti").and_then(Value::as_str)
        && !org.use_jti(
            format!("assertion {} {jti}", app.client_id),
            expiry * 1000,
            call.now,
        )
    {
        return Err(bad_assertion("The client_assertion has already been used."));
    }
    Ok(())
}

/// The header of a JWT.
pub(crate) fn header(jwt: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&unb64(jwt.split('.').next()?)?).ok()
}

/// A verification key for one of the algorithms that Okta takes from clients.
pub(crate) fn public_key(jwk: &Map<String, Value>, algorithm: &str) -> Option<DecodingKey> {
    let family = match algorithm {
        "RS256" | "RS384" | "RS512" => "RSA",
        "ES256" | "ES384" => "EC",
        _ => return None,
    };
    if jwk.get("kty").and_then(Value::as_str) != Some(family) {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(Value::Object(jwk.clone())).ok()?;
    DecodingKey::from_jwk(&jwk).ok()
}

/// The claims of a JWT whose signature is right; nothing else is checked here.
pub(crate) fn open(jwt: &str, algorithm: &str, key: &DecodingKey) -> Option<Map<String, Value>> {
    let mut validation = Validation::new(Algorithm::from_str(algorithm).ok()?);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Map<String, Value>>(jwt, key, &validation)
        .ok()
        .map(|data| data.claims)
}
