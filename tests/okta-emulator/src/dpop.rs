//! DPoP proofs (RFC 9449) as Okta checks them: a nonce at token endpoints, an
//! `ath` at the management API, every proof once.

use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::client_auth::{header, open, public_key};
use crate::ids;
use crate::org::Org;
use crate::refusal::Refusal;

const DAY: u64 = 86_400_000;

fn bad(description: &str) -> Refusal {
    Refusal::oauth(400, "invalid_dpop_proof", "invalid_dpop_proof", description)
}

/// Today's nonce (`back` = 0) or that of a day before.
pub(crate) fn nonce(org: &Org, now: u64, back: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, org.nonce_seed.as_bytes());
    let day = (now / DAY).saturating_sub(back);
    ids::b64(hmac::sign(&key, &day.to_be_bytes()))[..32].to_owned()
}

/// Checks a proof and returns the thumbprint of its key. With an access token
/// it is a proof for a resource: `ath` is checked and no nonce asked for.
pub(crate) fn check(
    org: &mut Org,
    call: &Call,
    proof: &str,
    url: &str,
    access_token: Option<&str>,
) -> Result<String, Refusal> {
    let header = header(proof).ok_or_else(|| bad("The DPoP proof is not a JWT."))?;
    if header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
        return Err(bad("The DPoP proof JWT must have the type 'dpop+jwt'."));
    }
    let Some(jwk) = header.get("jwk").and_then(Value::as_object) else {
        return Err(bad("The DPoP proof JWT has no public key in its header."));
    };
    if jwk.contains_key("d") {
        return Err(bad("The DPoP proof JWT must not carry a private key."));
    }
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or("");
    let claims = public_key(jwk, algorithm)
        .and_then(|key| open(proof, algorithm, &key))
        .ok_or_else(|| bad("The DPoP proof JWT signature is invalid."))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("htm") != Some(call.method.as_str()) {
        return Err(bad("The DPoP proof JWT has an invalid 'htm' claim."));
    }
    if text("htu") != Some(url) {
        return Err(bad("The DPoP proof JWT has an invalid 'htu' claim."));
    }
    let now = org.believed_seconds(call.now);
    if claims
        .get("iat")
        .and_then(Value::as_u64)
        .is_none_or(|iat| iat.abs_diff(now) > 300)
    {
        return Err(bad("The DPoP proof JWT has an invalid 'iat' claim."));
    }
    let Some(jti) = text("jti").filter(|jti| !jti.is_empty()) else {
        return Err(bad("The DPoP proof JWT has no 'jti' claim."));
    };
    match access_token {
        Some(token) => {
            if text("ath") != Some(ids::sha256_b64(token).as_str()) {
                return Err(bad("The DPoP proof JWT has an invalid 'ath' claim."));
            }
        }
        None => {
            let known =
                (0..=3).any(|back| text("nonce") == Some(nonce(org, call.now, back).as_str()));
            if !known {
                return Err(Refusal::oauth(
                    400,
                    "use_dpop_nonce",
                    "use_dpop_nonce",
                    "Authorization server requires nonce in DPoP proof.",
                )
                .with_header("dpop-nonce", nonce(org, call.now, 0)));
            }
        }
    }
    if !org.use_jti(format!("dpop {jti}"), call.now + 600_000, call.now) {
        return Err(bad("The DPoP proof JWT has already been used."));
    }
    thumbprint(jwk).ok_or_else(|| bad("The DPoP proof JWT has an unsupported key."))
}

/// RFC 7638.
fn thumbprint(jwk: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let canonical = match text("kty")? {
        "RSA" => json!({ "e": text("e")?, "kty": "RSA", "n": text("n")? }),
        "EC" => json!({ "crv": text("crv")?, "kty": "EC", "x": text("x")?, "y": text("y")? }),
        _ => return None,
    };
    Some(ids::sha256_b64(canonical.to_string()))
}
