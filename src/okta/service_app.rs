//! Sign-in as a service app of the operator's own: `private_key_jwt` at the org
//! authorization server (Okta, "Implement OAuth for Okta with a service app"),
//! with DPoP decided from what Okta answers. Signs in Okta's time, as far as it
//! is known. Asks at most twice for one thing and never in a loop.

use std::fmt;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::budget::{Bucket, Turn};
use super::error::{Class, Error};
use super::headers::request_id;
use super::http::{Org, To};
use super::jose::{KeyError, Proof, SigningKey};
use super::rights;
use super::signin::sensitive;
use crate::plan::lane::Lane;
use crate::plan::schedule::after;

const DPOP: HeaderName = HeaderName::from_static("dpop");
/// For the System Log and the org's settings, without which the operator works
/// too.
const OPTIONAL: [&str; 2] = ["okta.logs.read", "okta.orgs.read"];
/// The operator's own token is replaced this long before it ends.
const AHEAD: Duration = Duration::from_secs(300);
/// A difference of the clocks beyond this may be why Okta refuses what we sign;
/// client assertions tolerate half a minute.
const CLOCK_MATTERS: i64 = 20;

/// The app and what is known of its session.
pub struct ServiceApp {
    client_id: String,
    key: SigningKey,
    scopes: Vec<&'static str>,
    /// The key of our DPoP proofs; lives as long as the sign-in.
    dpop: SigningKey,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nonce: Option<String>,
    token: Option<Token>,
    /// Which token it is; told with each request that carries it.
    number: u64,
}

struct Token {
    value: SecretString,
    dpop: bool,
    replace_at: Timestamp,
    scopes: Vec<&'static str>,
}

impl fmt::Debug for ServiceApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceApp")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    token_type: String,
    access_token: SecretString,
    expires_in: u64,
}

/// A refusal of the token endpoint.
#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(skip)]
    status: StatusCode,
    #[serde(skip)]
    request_id: Option<String>,
}

impl ServiceApp {
    pub(super) fn new(
        client_id: String,
        key: SigningKey,
        scopes: Vec<&'static str>,
    ) -> Result<Self, KeyError> {
        let (dpop, _) = SigningKey::generate()?;
        Ok(Self {
            client_id,
            key,
            scopes,
            dpop,
            state: Mutex::default(),
        })
    }

    /// Whether a request that carried token `number` and was answered 401 should
    /// be sent once more: there is another token, or a new one will be asked for.
    pub(super) async fn renews(&self, number: u64) -> bool {
        let mut state = self.state.lock().await;
        if state.number == number {
            state.token = None;
        }
        true
    }

    /// The scopes of the token in use. Okta gives none at all when one of those
    /// that were asked for is not granted.
    pub(super) async fn granted(&self) -> Option<Vec<&'static str>> {
        let state = self.state.lock().await;
        state.token.as_ref().map(|token| token.scopes.clone())
    }

    /// The headers that authenticate one request, and the number of the token.
    pub(super) async fn headers(
        &self,
        org: &Org,
        method: &str,
        url: &str,
    ) -> Result<(HeaderMap, u64), Error> {
        let mut state = self.state.lock().await;
        let now = org.clock.now();
        let good = |token: &&Token| token.replace_at > now;
        if state.token.as_ref().filter(good).is_none() {
            let token = self.token(org, &mut state.nonce).await?;
            state.token = Some(token);
            state.number += 1;
        }
        let Some(token) = &state.token else {
            return Err(Error::transient("no token for the management API"));
        };
        let mut headers = HeaderMap::new();
        let scheme = if token.dpop {
            let proof = Proof {
                method,
                url,
                nonce: None,
                access_token: Some(&token.value),
            };
            let proof = self
                .dpop
                .dpop_proof(&proof, org.okta_now())
                .map_err(|e| broken(&e))?;
            headers.insert(DPOP, sensitive(proof.expose_secret())?);
            "DPoP"
        } else {
            "Bearer"
        };
        headers.insert(
            AUTHORIZATION,
            sensitive(&format!("{scheme} {}", token.value.expose_secret()))?,
        );
        Ok((headers, state.number))
    }

    async fn token(&self, org: &Org, nonce: &mut Option<String>) -> Result<Token, Error> {
        // All, then with each of the optional ones alone, then without: Okta gives
        // no token at all when one scope is not granted, and does not say which.
        let with = |optional: &[&'static str]| [&self.scopes[..], optional].concat();
        let [log, settings] = OPTIONAL;
        let mut asked = self.ask(org, nonce, &with(&OPTIONAL)).await?;
        for fewer in [&[log][..], &[settings], &[]] {
            if !matches!(&asked, Err(refused) if refused.error == "invalid_scope") {
                break;
            }
            asked = self.ask(org, nonce, &with(fewer)).await?;
        }
        match asked {
            Ok(token) => Ok(token),
            Err(refused) if refused.error == "invalid_scope" => {
                let mut missing = Vec::new();
                // Okta does not say which: each is asked for alone.
                for scope in &self.scopes {
                    if let Err(one) = self.ask(org, nonce, &[*scope]).await?
                        && one.error == "invalid_scope"
                    {
                        missing.push(*scope);
                    }
                }
                Err(refused.forbidden(&missing))
            }
            Err(refused) => Err(refused.classify(&self.client_id, self.key.kid())),
        }
    }

    /// Asks for a token. Follows Okta's wish for a nonce once, and signs once more
    /// when Okta's answer shows that the clocks differ.
    async fn ask(
        &self,
        org: &Org,
        nonce: &mut Option<String>,
        scopes: &[&'static str],
    ) -> Result<Result<Token, Refused>, Error> {
        let (mut told_nonce, mut told_time) = (false, false);
        loop {
            let skew = org.skew();
            let refused = match self.ask_once(org, nonce.as_deref(), scopes).await? {
                (Ok(token), fresh) => {
                    *nonce = fresh.or_else(|| nonce.take());
                    return Ok(Ok(token));
                }
                (Err(refused), fresh) => {
                    *nonce = fresh.or_else(|| nonce.take());
                    refused
                }
            };
            let moved = (org.skew() - skew).as_secs().abs() > CLOCK_MATTERS;
            match refused.error.as_str() {
                "use_dpop_nonce" if !told_nonce => told_nonce = true,
                "invalid_client" | "invalid_dpop_proof" if moved && !told_time => told_time = true,
                _ => return Ok(Err(refused)),
            }
        }
    }

    /// One request, with an assertion and a proof of its own; and the nonce that
    /// came with the answer.
    async fn ask_once(
        &self,
        org: &Org,
        nonce: Option<&str>,
        scopes: &[&'static str],
    ) -> Result<(Result<Token, Refused>, Option<String>), Error> {
        let url = org.url(&["oauth2".into(), "v1".into(), "token".into()]);
        let sent_at = org.clock.now();
        let assertion = self
            .key
            .client_assertion(&self.client_id, url.as_str(), org.okta_now())
            .map_err(|e| broken(&e))?;
        let proof = Proof {
            method: "POST",
            url: url.as_str(),
            nonce,
            access_token: None,
        };
        let proof = self
            .dpop
            .dpop_proof(&proof, org.okta_now())
            .map_err(|e| broken(&e))?;
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", &scopes.join(" ")),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion.expose_secret()),
        ];
        let turn = Turn::of_operator(Lane::Revocation, format!("operator {}", self.client_id));
        let _permit = org.permit(Bucket::OrgToken, &turn)?;
        let builder = org
            .http
            .post(url)
            .header("accept", "application/json")
            .header(DPOP, sensitive(proof.expose_secret())?)
            .form(&form);
        let to = To::first("org_token", Bucket::OrgToken);
        let (status, headers, body) = org.send(builder, to, &turn).await?;
        let fresh = headers
            .get("dpop-nonce")
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        if !status.is_success() {
            let refused = Refused {
                status,
                request_id: request_id(&headers),
                ..serde_json::from_slice(&body).unwrap_or_default()
            };
            return Ok((Err(refused), fresh));
        }
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| Error {
            request_id: request_id(&headers),
            ..Error::transient("the org's token endpoint answered with something that is no token")
        })?;
        let lifetime = Duration::from_secs(answer.expires_in);
        let token = Token {
            dpop: answer.token_type.eq_ignore_ascii_case("DPoP"),
            value: answer.access_token,
            scopes: scopes.to_vec(),
            replace_at: after(sent_at, lifetime.saturating_sub(AHEAD.min(lifetime / 2))),
        };
        Ok((Ok(token), fresh))
    }
}

impl Refused {
    /// Scopes are missing; without a list it could not be found out which.
    fn forbidden(self, missing: &[&str]) -> Error {
        let words = if missing.is_empty() {
            format!("Okta refuses the scopes: {}", self.error_description)
        } else {
            rights::missing_scopes(missing)
        };
        Error {
            class: Class::Forbidden,
            message: words,
            request_id: self.request_id,
        }
    }

    fn classify(self, client_id: &str, kid: &str) -> Error {
        let words = format!(
            "sign-in as client {client_id} with key {kid}: {} {}",
            self.error, self.error_description
        );
        let class = match self.error.as_str() {
            "invalid_client" | "unauthorized_client" | "invalid_dpop_proof" => Class::Unauthorized,
            "access_denied" => Class::Forbidden,
            "" | "server_error" | "temporarily_unavailable" | "use_dpop_nonce" => Class::Transient,
            code => Class::Rejected {
                code: code.to_owned(),
            },
        };
        let message = match self.error.as_str() {
            "" => format!(
                "sign-in at the org's token endpoint: {}",
                super::error::foreign(self.status)
            ),
            _ => words,
        };
        Error {
            class,
            message,
            request_id: self.request_id,
        }
    }
}

fn broken(error: &KeyError) -> Error {
    Error::transient(error.to_string())
}
