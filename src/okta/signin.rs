//! The operator's own sign-in at the management API: an API token (SSWS), or
//! `private_key_jwt` at the org authorization server, with DPoP decided from
//! what Okta answers.

use std::fmt;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::budget::{Bucket, Turn};
use super::error::{Class, Error};
use super::headers::request_id;
use super::http::Org;
use super::jose::{Proof, SigningKey};
use crate::plan::lane::Lane;
use crate::plan::schedule::after;

const DPOP: HeaderName = HeaderName::from_static("dpop");
/// The operator's own token is replaced this long before it ends.
const AHEAD: Duration = Duration::from_secs(300);

/// How the operator signs in.
pub enum SignIn {
    /// An API token (Okta, "Create an API token").
    ApiToken(SecretString),
    /// A service app of the operator's own.
    PrivateKeyJwt(Box<PrivateKeyJwt>),
    /// There is none that can be used; says why. Tokens of accounts can still
    /// be asked for, with their own credentials.
    Missing(String),
}

/// Sign-in by key (Okta, "Implement OAuth for Okta with a service app").
pub struct PrivateKeyJwt {
    client_id: String,
    key: SigningKey,
    scopes: Vec<&'static str>,
    /// The key of our DPoP proofs; lives as long as the process.
    dpop: SigningKey,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nonce: Option<String>,
    token: Option<Token>,
}

struct Token {
    value: SecretString,
    dpop: bool,
    replace_at: Timestamp,
}

impl fmt::Debug for PrivateKeyJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKeyJwt")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiToken(_) => f.write_str("ApiToken(<redacted>)"),
            Self::PrivateKeyJwt(app) => app.fmt(f),
            Self::Missing(why) => write!(f, "Missing({why})"),
        }
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token_type: String,
    access_token: SecretString,
    expires_in: u64,
}

#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl SignIn {
    /// Sign-in by key, asking for `scopes`.
    ///
    /// # Errors
    /// When no key for DPoP proofs can be made.
    pub fn private_key_jwt(
        client_id: String,
        key: SigningKey,
        scopes: Vec<&'static str>,
    ) -> Result<Self, super::jose::KeyError> {
        let (dpop, _) = SigningKey::generate()?;
        Ok(Self::PrivateKeyJwt(Box::new(PrivateKeyJwt {
            client_id,
            key,
            scopes,
            dpop,
            state: Mutex::default(),
        })))
    }

    /// Whether it is worth trying again after 401; forgets the token.
    pub(super) async fn renews(&self) -> bool {
        match self {
            Self::ApiToken(_) | Self::Missing(_) => false,
            Self::PrivateKeyJwt(app) => app.state.lock().await.token.take().is_some(),
        }
    }

    /// The headers that authenticate one request. `url` is without query.
    pub(super) async fn headers(
        &self,
        org: &Org,
        method: &str,
        url: &str,
    ) -> Result<HeaderMap, Error> {
        match self {
            Self::ApiToken(token) => {
                let mut headers = HeaderMap::new();
                headers.insert(
                    AUTHORIZATION,
                    sensitive(&format!("SSWS {}", token.expose_secret()))?,
                );
                Ok(headers)
            }
            Self::PrivateKeyJwt(app) => app.headers(org, method, url).await,
            Self::Missing(why) => Err(Error {
                class: Class::Unauthorized,
                message: why.clone(),
                request_id: None,
            }),
        }
    }
}

impl PrivateKeyJwt {
    async fn headers(&self, org: &Org, method: &str, url: &str) -> Result<HeaderMap, Error> {
        let mut state = self.state.lock().await;
        let now = org.clock.now();
        if state
            .token
            .as_ref()
            .is_none_or(|token| token.replace_at <= now)
        {
            let token = self.token(org, &mut state.nonce).await?;
            state.token = Some(token);
        }
        let Some(token) = &state.token else {
            return Err(Error::transient("no token for the management API"));
        };
        let mut headers = HeaderMap::new();
        if token.dpop {
            let proof = Proof {
                method,
                url,
                nonce: None,
                access_token: Some(&token.value),
            };
            let proof = self
                .dpop
                .dpop_proof(&proof, now)
                .map_err(|e| Error::transient(e.to_string()))?;
            headers.insert(DPOP, sensitive(proof.expose_secret())?);
            headers.insert(
                AUTHORIZATION,
                sensitive(&format!("DPoP {}", token.value.expose_secret()))?,
            );
        } else {
            headers.insert(
                AUTHORIZATION,
                sensitive(&format!("Bearer {}", token.value.expose_secret()))?,
            );
        }
        Ok(headers)
    }

    /// Asks for a token; follows Okta's wish for a nonce once.
    async fn token(&self, org: &Org, nonce: &mut Option<String>) -> Result<Token, Error> {
        let url = org.url(&["oauth2".into(), "v1".into(), "token".into()]);
        for attempt in 0..2 {
            let sent_at = org.clock.now();
            // Each try needs an assertion and a proof of its own.
            let broken = |e: super::jose::KeyError| Error::transient(e.to_string());
            let assertion = self
                .key
                .client_assertion(&self.client_id, url.as_str(), sent_at)
                .map_err(broken)?;
            let proof = Proof {
                method: "POST",
                url: url.as_str(),
                nonce: nonce.as_deref(),
                access_token: None,
            };
            let proof = self.dpop.dpop_proof(&proof, sent_at).map_err(broken)?;
            let form = [
                ("grant_type", "client_credentials"),
                ("scope", &self.scopes.join(" ")),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", assertion.expose_secret()),
            ];
            let turn = Turn::of_operator(Lane::Revocation, "operator".into());
            let _permit = org.permit(Bucket::OrgToken, &turn)?;
            let builder = org
                .http
                .post(url.clone())
                .header(DPOP, sensitive(proof.expose_secret())?)
                .form(&form);
            let (status, headers, body) = org.send(builder, Bucket::OrgToken, &turn).await?;
            if let Some(fresh) = headers.get("dpop-nonce").and_then(|v| v.to_str().ok()) {
                *nonce = Some(fresh.to_owned());
            }
            if status.is_success() {
                let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| {
                    Error::transient("the org's token endpoint answered half a token")
                })?;
                let lifetime = Duration::from_secs(answer.expires_in);
                return Ok(Token {
                    dpop: answer.token_type.eq_ignore_ascii_case("DPoP"),
                    value: answer.access_token,
                    replace_at: after(sent_at, lifetime.saturating_sub(AHEAD.min(lifetime / 2))),
                });
            }
            let refused: Refused = serde_json::from_slice(&body).unwrap_or_default();
            if refused.error == "use_dpop_nonce" && attempt == 0 {
                continue;
            }
            return Err(Error {
                request_id: request_id(&headers),
                ..refused.classify(status)
            });
        }
        Err(Error::transient(
            "the org's token endpoint keeps asking for another nonce",
        ))
    }
}

impl Refused {
    fn classify(&self, status: StatusCode) -> Error {
        let words = format!(
            "sign-in at the org authorization server: {} {}",
            self.error, self.error_description
        );
        match self.error.as_str() {
            "invalid_client" | "unauthorized_client" | "invalid_dpop_proof" => Error {
                class: Class::Unauthorized,
                message: words,
                request_id: None,
            },
            "invalid_scope" | "access_denied" => Error {
                class: Class::Forbidden,
                message: words,
                request_id: None,
            },
            "" | "server_error" | "temporarily_unavailable" => Error::transient(format!(
                "sign-in at the org authorization server: status {status}"
            )),
            code => Error::rejected(code, words),
        }
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Error {
        class: Class::Unauthorized,
        message: "the sign-in Secret holds characters that no header can carry".into(),
        request_id: None,
    })?;
    value.set_sensitive(true);
    Ok(value)
}
