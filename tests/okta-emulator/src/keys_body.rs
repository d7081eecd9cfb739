//! Public keys as Okta takes them: RSA of 2048 bits or more, or EC; for
//! signing; never with a private part.

use serde_json::{Map, Value};

use crate::ids::unb64;
use crate::refusal::Refusal;

/// Checks a public JWK and returns the members that Okta keeps.
pub(crate) fn public_jwk(value: &Value) -> Result<Map<String, Value>, Refusal> {
    let refuse = |cause: &str| Err(Refusal::invalid("jwks", cause));
    let Some(given) = value.as_object() else {
        return Err(Refusal::api(400, "E0000003"));
    };
    if given.contains_key("d") || given.contains_key("k") {
        return refuse("jwks: Private keys are not accepted");
    }
    let member = |name: &str| given.get(name).and_then(Value::as_str);
    match member("use") {
        None | Some("sig") => {}
        Some(_) => return refuse("use: Only signing keys are supported here"),
    }
    if member("kid").is_some_and(|kid| kid.is_empty() || kid.len() > 255) {
        return refuse("kid: Invalid key id");
    }
    let mut kept = Map::new();
    let mut keep = |name: &str| {
        if let Some(value) = given.get(name).filter(|value| !value.is_null()) {
            kept.insert(name.to_owned(), value.clone());
        }
    };
    for name in ["kty", "kid", "alg"] {
        keep(name);
    }
    match member("kty") {
        Some("RSA") => {
            let modulus = member("n").and_then(unb64).unwrap_or_default();
            let leading = modulus.iter().take_while(|byte| **byte == 0).count();
            if modulus.len() - leading < 256 {
                return refuse("n: The RSA key must have at least 2048 bits");
            }
            if member("e").and_then(unb64).is_none_or(|e| e.is_empty()) {
                return refuse("e: The RSA exponent is required");
            }
            keep("n");
            keep("e");
        }
        Some("EC") => {
            let size = match member("crv") {
                Some("P-256") => 32,
                Some("P-384") => 48,
                Some("P-521") => 66,
                _ => return refuse("crv: Unknown curve"),
            };
            for name in ["x", "y"] {
                if member(name)
                    .and_then(unb64)
                    .is_none_or(|part| part.len() != size)
                {
                    return refuse("x, y: Invalid coordinates for this curve");
                }
            }
            keep("crv");
            keep("x");
            keep("y");
        }
        _ => return refuse("kty: Only RSA and EC keys are supported"),
    }
    kept.insert("use".into(), Value::from("sig"));
    Ok(kept)
}
