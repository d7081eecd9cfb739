//! RS256 keys of an authorization server: the active one, the next one that is
//! already published, and the one before. Private keys never leave this file.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::ids;

const NINETY_DAYS: u64 = 90 * 86_400_000;

/// The signing keys of one authorization server.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    active: Arc<Key>,
    next: Arc<Key>,
    expired: Option<Arc<Key>>,
    pub(crate) automatic: bool,
    pub(crate) rotated: u64,
}

#[derive(Debug)]
struct Key {
    kid: String,
    pair: RsaKeyPair,
}

impl Key {
    fn new() -> Arc<Self> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key can be generated");
        Arc::new(Self {
            kid: ids::random_text(43),
            pair,
        })
    }

    /// Modulus and exponent, out of the PKCS#1 DER of a 2048-bit key.
    fn components(&self) -> (&[u8], &[u8]) {
        let der = self.pair.public_key().as_ref();
        (&der[9..265], &der[267..])
    }

    fn jwk(&self) -> Value {
        let (n, e) = self.components();
        json!({ "kty": "RSA", "alg": "RS256", "kid": self.kid, "use": "sig", "e": ids::b64(e), "n": ids::b64(n) })
    }
}

impl Signing {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            active: Key::new(),
            next: Key::new(),
            expired: None,
            automatic: true,
            rotated: now,
        }
    }

    pub(crate) fn kid(&self) -> &str {
        &self.active.kid
    }

    /// The next key becomes the active one.
    pub(crate) fn rotate(&mut self, now: u64) {
        let fresh = std::mem::replace(&mut self.next, Key::new());
        self.expired = Some(std::mem::replace(&mut self.active, fresh));
        self.rotated = now;
    }

    /// Rotates by itself every 90 days; true when it did.
    pub(crate) fn keep_current(&mut self, now: u64) -> bool {
        let due = self.automatic && now > self.rotated + NINETY_DAYS;
        if due {
            self.rotate(now);
        }
        due
    }

    pub(crate) fn next_rotation(&self) -> u64 {
        self.rotated + NINETY_DAYS
    }

    fn all(&self) -> impl Iterator<Item = (&Key, &'static str)> {
        [(&*self.active, "ACTIVE"), (&*self.next, "NEXT")]
            .into_iter()
            .chain(self.expired.as_deref().map(|key| (key, "EXPIRED")))
    }

    /// The JSON Web Key Set of `/v1/keys`.
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": self.all().map(|(key, _)| key.jwk()).collect::<Vec<_>>() })
    }

    /// The list of the management API, with a status for each.
    pub(crate) fn list(&self) -> Value {
        self.all()
            .map(|(key, status)| {
                let mut jwk = key.jwk();
                jwk["status"] = json!(status);
                jwk
            })
            .collect()
    }

    /// A JWT, signed with the active key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "kid": self.active.kid, "alg": "RS256" });
        let input = format!(
            "{}.{}",
            ids::b64(header.to_string()),
            ids::b64(claims.to_string())
        );
        let mut signature = vec![0; self.active.pair.public_modulus_len()];
        self.active
            .pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                input.as_bytes(),
                &mut signature,
            )
            .expect("an RSA key signs");
        format!("{input}.{}", ids::b64(signature))
    }

    /// The claims of a token that one of these keys signed.
    pub(crate) fn open(&self, token: &str) -> Option<Value> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, claims) = input.split_once('.')?;
        let header: Value = serde_json::from_slice(&ids::unb64(header)?).ok()?;
        let (key, _) = self
            .all()
            .find(|(key, _)| header["kid"] == key.kid.as_str())?;
        let (n, e) = key.components();
        PublicKeyComponents { n, e }
            .verify(
                &RSA_PKCS1_2048_8192_SHA256,
                input.as_bytes(),
                &ids::unb64(signature)?,
            )
            .ok()?;
        serde_json::from_slice(&ids::unb64(claims)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_outlives_one_rotation_but_not_two() {
        let mut signing = Signing::new(0);
        let token = signing.sign(&json!({ "a": 1 }));
        assert_eq!(signing.open(&token), Some(json!({ "a": 1 })));
        assert_eq!(signing.open(&format!("{token}x")), None);
        signing.rotate(1);
        assert!(signing.open(&token).is_some());
        assert_eq!(signing.jwks()["keys"].as_array().unwrap().len(), 3);
        signing.rotate(2);
        assert!(signing.open(&token).is_none());
    }
}
