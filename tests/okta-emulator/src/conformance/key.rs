//! ES256 keys of the run's own: client assertions and DPoP proofs. They live as
//! long as the run.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::statement::Stop;

/// Text of so many random bytes, of letters, digits, `-` and `_`.
pub(super) fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut buffer).expect("the system has randomness");
    URL_SAFE_NO_PAD.encode(buffer)
}

/// So many random bytes in hexadecimal.
pub(super) fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut buffer).expect("the system has randomness");
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A signing key and its name.
pub(super) struct Key {
    pair: EcdsaKeyPair,
    pub(super) kid: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl Key {
    pub(super) fn generate() -> Result<Self, Stop> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| Stop("no key could be made".to_owned()))?;
        let kid = random_text(9);
        Ok(Self { pair, kid })
    }

    fn bare_jwk(&self) -> Value {
        // An uncompressed point: 4, then both coordinates.
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    /// The public key as Okta takes it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = self.bare_jwk();
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!("ES256");
        jwk["use"] = json!("sig");
        jwk
    }

    fn sign(&self, header: &Value, claims: &Value) -> Result<String, Stop> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(header), part(claims));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), input.as_bytes())
            .map_err(|_| Stop("the key does not sign".to_owned()))?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// RFC 7523: a client's proof for the token endpoint `audience`.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: u64,
    ) -> Result<String, Stop> {
        self.sign(
            &json!({ "alg": "ES256", "kid": self.kid }),
            &json!({
                "iss": client_id, "sub": client_id, "aud": audience,
                "exp": now + 300, "jti": random_text(12),
            }),
        )
    }

    /// RFC 9449: a proof for one request. `extra` holds `nonce` or `ath`.
    pub(super) fn proof(
        &self,
        method: &str,
        url: &str,
        now: u64,
        extra: (&str, &str),
    ) -> Result<String, Stop> {
        let mut claims = json!({ "htm": method, "htu": url, "iat": now, "jti": random_text(12) });
        if !extra.0.is_empty() {
            claims[extra.0] = json!(extra.1);
        }
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.bare_jwk() });
        self.sign(&header, &claims)
    }
}

/// `ath` of an access token.
pub(super) fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        token.as_bytes(),
    ))
}

/// Header and claims of a JWT, unchecked.
pub(super) fn opened(jwt: &str) -> Result<(Value, Value), Stop> {
    let mut parts = jwt.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice(&bytes).ok()
    });
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(header), Some(claims)) => Ok((header, claims)),
        _ => Err(Stop("the access token is no JWT".to_owned())),
    }
}
