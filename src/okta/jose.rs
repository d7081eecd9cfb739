//! Signing keys and the JWTs made with them: client assertions (RFC 7523) and
//! DPoP proofs (RFC 9449). A key's private part never shows in Debug.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use k8s_openapi::jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Why a key is unusable. Never quotes it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(&'static str);

/// A private key that signs JWTs.
#[derive(Clone)]
pub struct SigningKey {
    key: EncodingKey,
    algorithm: Algorithm,
    public: Jwk,
    kid: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Randomness as URL-safe text: for `jti` and for client secrets.
///
/// # Panics
/// Never in practice: the system's randomness is needed for TLS anyway.
#[must_use]
pub fn random_text(bytes: usize) -> Zeroizing<String> {
    let mut buffer = Zeroizing::new(vec![0; bytes]);
    aws_lc_rs::rand::fill(&mut buffer).expect("the system has randomness");
    Zeroizing::new(URL_SAFE_NO_PAD.encode(&*buffer))
}

impl SigningKey {
    /// A new ES256 key and its PKCS #8 PEM.
    ///
    /// # Errors
    /// When the crypto library cannot make one.
    pub fn generate() -> Result<(Self, SecretString), KeyError> {
        let failed = |_| KeyError("an ES256 key could not be generated");
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
        let der = pair.to_pkcs8v1().map_err(failed)?;
        let body = Zeroizing::new(STANDARD.encode(der.as_ref()));
        let mut pem = Zeroizing::new(String::from("-----BEGIN PRIVATE KEY-----\n"));
        for line in body.as_bytes().chunks(64) {
            pem.push_str(std::str::from_utf8(line).unwrap_or_default());
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        let pem = SecretString::from(pem.as_str());
        let key = Self::from_pem(&pem, None)?;
        Ok((key, pem))
    }

    /// Reads an RSA (RS256) or P-256 (ES256) key from PEM. Without `kid` it is
    /// named by its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// When the text is no such key.
    pub fn from_pem(pem: &SecretString, kid: Option<&str>) -> Result<Self, KeyError> {
        let bytes = pem.expose_secret().as_bytes();
        let (key, algorithm) = EncodingKey::from_ec_pem(bytes)
            .map(|key| (key, Algorithm::ES256))
            .or_else(|_| EncodingKey::from_rsa_pem(bytes).map(|key| (key, Algorithm::RS256)))
            .map_err(|_| KeyError("not a private key in PEM (PKCS #8, RSA or EC P-256)"))?;
        let mut public = Jwk::from_encoding_key(&key, algorithm)
            .map_err(|_| KeyError("the key is neither RSA nor EC on curve P-256"))?;
        let kid = match kid {
            Some(kid) => kid.to_owned(),
            None => public
                .thumbprint(ThumbprintHash::SHA256)
                .map_err(|_| KeyError("the key has no thumbprint"))?,
        };
        public.common.key_id = Some(kid.clone());
        Ok(Self {
            key,
            algorithm,
            public,
            kid,
        })
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as Okta wants it in an app.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let mut jwk = json!(self.public);
        jwk["use"] = json!("sig");
        jwk["status"] = json!("ACTIVE");
        jwk
    }

    /// A client assertion for `audience`, the token endpoint (RFC 7523 §3), good
    /// for five minutes.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn client_assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<SecretString, KeyError> {
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(self.algorithm)
        };
        self.sign(
            &header,
            &json!({
                "iss": client_id,
                "sub": client_id,
                "aud": audience,
                // Tolerates an Okta whose clock is a little behind ours.
                "iat": now.as_second() - 30,
                "exp": now.as_second() + 300,
                "jti": *random_text(16),
            }),
        )
    }

    /// A DPoP proof (RFC 9449 §4.2) for one request, never to be used twice.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn dpop_proof(&self, proof: &Proof<'_>, now: Timestamp) -> Result<SecretString, KeyError> {
        let mut public = self.public.clone();
        public.common = jsonwebtoken::jwk::CommonParameters::default();
        let header = Header {
            typ: Some("dpop+jwt".to_owned()),
            jwk: Some(public),
            ..Header::new(self.algorithm)
        };
        let mut claims = json!({
            "htm": proof.method,
            "htu": proof.url,
            "iat": now.as_second(),
            "jti": *random_text(16),
        });
        if let Some(nonce) = proof.nonce {
            claims["nonce"] = json!(nonce);
        }
        if let Some(token) = proof.access_token {
            let hash = digest(&SHA256, token.expose_secret().as_bytes());
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(hash));
        }
        self.sign(&header, &claims)
    }

    fn sign(&self, header: &Header, claims: &Value) -> Result<SecretString, KeyError> {
        jsonwebtoken::encode(header, claims, &self.key)
            .map(SecretString::from)
            .map_err(|_| KeyError("the key cannot sign"))
    }
}

/// A P-256 private key in PEM as a JWK (RFC 7518 §6.2) with `kid`, `alg` and
/// `use`.
///
/// # Errors
/// When the text is no such key.
pub fn private_jwk(pem: &SecretString) -> Result<SecretString, KeyError> {
    let unusable = KeyError("not a P-256 key in PKCS #8");
    let key = SigningKey::from_pem(pem, None)?;
    let body: Zeroizing<String> = Zeroizing::new(
        pem.expose_secret()
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect(),
    );
    let der = Zeroizing::new(
        STANDARD
            .decode(body.as_bytes())
            .map_err(|_| unusable.clone())?,
    );
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
        .map_err(|_| unusable.clone())?;
    let scalar = pair.private_key().as_be_bytes().map_err(|_| unusable)?;
    let mut public = json!(key.public);
    public["use"] = json!("sig");
    let public = public.to_string();
    let d = Zeroizing::new(URL_SAFE_NO_PAD.encode(scalar.as_ref()));
    // By hand, because a JSON value would leave the key in freed memory.
    let open = public.trim_end_matches('}');
    let jwk = Zeroizing::new(format!(r#"{open},"d":"{}"}}"#, *d));
    Ok(SecretString::from(jwk.as_str()))
}

/// What a DPoP proof is for.
#[derive(Debug)]
pub struct Proof<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The URL without query and fragment.
    pub url: &'a str,
    /// The server's nonce, if it gave one.
    pub nonce: Option<&'a str>,
    /// The access token that the request carries, if any.
    pub access_token: Option<&'a SecretString>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_can_be_read_again_and_keeps_its_name() {
        let (key, pem) = SigningKey::generate().expect("a key");
        let again = SigningKey::from_pem(&pem, None).expect("its PEM");
        assert_eq!(key.kid(), again.kid());
        assert_eq!(key.public_jwk()["kty"], "EC");
        assert_eq!(key.public_jwk().get("d"), None);
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }

    #[test]
    fn the_private_key_as_jwk_is_the_same_key() {
        let (key, pem) = SigningKey::generate().expect("a key");
        let jwk = private_jwk(&pem).expect("a JWK");
        let jwk: Value = serde_json::from_str(jwk.expose_secret()).expect("JSON");
        let public = key.public_jwk();
        for part in ["kty", "crv", "x", "y", "kid"] {
            assert_eq!(jwk[part], public[part], "{part}");
        }
        let d = URL_SAFE_NO_PAD
            .decode(jwk["d"].as_str().expect("d"))
            .expect("base64url");
        assert_eq!(d.len(), 32);
        assert!(private_jwk(&SecretString::from("hunter2")).is_err());
    }

    #[test]
    fn garbage_is_refused_without_being_quoted() {
        let error = SigningKey::from_pem(&SecretString::from("hunter2"), None).expect_err("no key");
        assert!(!error.to_string().contains("hunter2"));
    }
}
