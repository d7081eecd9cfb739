//! Asking a custom authorization server for a token as an account's client
//! (OAuth 2.0 client credentials, RFC 6749 §4.4).

use k8s_openapi::jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::budget::{Bucket, Turn};
use super::error::{Class, Error, ErrorBody};
use super::headers::request_id;
use super::http::{Org, To};
use super::jose::SigningKey;
use crate::api::Authentication;
use crate::plan::step::Refusal;

/// What a client proves itself with.
#[derive(Clone, Debug)]
pub enum ClientCredential {
    /// A client secret.
    Secret(SecretString),
    /// A private key.
    Key(Box<SigningKey>),
}

/// A token as Okta gave it.
#[derive(Debug)]
pub struct IssuedToken {
    /// The access token.
    pub value: SecretString,
    /// Its `token_type`.
    pub token_type: String,
    /// Its lifetime in seconds, as told beside it.
    pub expires_in: u64,
    /// When the request was sent.
    pub sent_at: Timestamp,
    /// Okta's request id.
    pub request_id: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: SecretString,
    #[serde(default)]
    token_type: String,
    #[serde(default)]
    expires_in: u64,
}

#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Org {
    /// Asks for a token with `scope`. A refusal that is about the client is an
    /// `Ok(Err(…))`: the planner decides what it means.
    ///
    /// # Errors
    /// When there is no answer one can decide on.
    pub async fn mint(
        &self,
        endpoint: &str,
        client_id: &str,
        authentication: Authentication,
        credential: &ClientCredential,
        scope: &str,
        turn: &Turn,
    ) -> Result<Result<IssuedToken, Refusal>, Error> {
        let outcome = self
            .mint_once(endpoint, client_id, authentication, credential, scope, turn)
            .await;
        let class = match &outcome {
            Ok(Ok(_)) => "ok",
            Ok(Err(_)) => "refused",
            Err(error) => error.class.as_str(),
        };
        self.metrics.okta_call("token", class);
        outcome
    }

    async fn mint_once(
        &self,
        endpoint: &str,
        client_id: &str,
        authentication: Authentication,
        credential: &ClientCredential,
        scope: &str,
        turn: &Turn,
    ) -> Result<Result<IssuedToken, Refusal>, Error> {
        let sent_at = self.clock.now();
        let mut form = vec![("grant_type", "client_credentials"), ("scope", scope)];
        let mut request = self
            .http
            .post(endpoint)
            .header("accept", "application/json");
        let assertion;
        match (authentication, credential) {
            (Authentication::ClientSecretPost, ClientCredential::Secret(secret)) => {
                form.push(("client_id", client_id));
                form.push(("client_secret", secret.expose_secret()));
            }
            (_, ClientCredential::Secret(secret)) => {
                // Client ids and our secrets hold no character that RFC 6749
                // §2.3.1 would have encoded, so both readings of it agree.
                request = request.basic_auth(client_id, Some(secret.expose_secret()));
            }
            (_, ClientCredential::Key(key)) => {
                assertion = key
                    .client_assertion(client_id, endpoint, self.okta_now())
                    .map_err(|e| Error::transient(e.to_string()))?;
                form.push((
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ));
                form.push(("client_assertion", assertion.expose_secret()));
            }
        }
        let _permit = self.permit(Bucket::Token, turn)?;
        let to = To::first("token", Bucket::Token);
        let (status, headers, body) = self.send(request.form(&form), to, turn).await?;
        let request_id = request_id(&headers);
        if status.is_success() {
            let answer: Answer = serde_json::from_slice(&body).map_err(|_| Error {
                request_id: request_id.clone(),
                ..Error::transient("the token endpoint answered with something that is no token")
            })?;
            return Ok(Ok(IssuedToken {
                value: answer.access_token,
                token_type: answer.token_type,
                expires_in: answer.expires_in,
                sent_at,
                request_id,
            }));
        }
        let refused: Refused = serde_json::from_slice(&body).unwrap_or_default();
        let words = format!("{}: {}", refused.error, refused.error_description);
        let transient = |message: String| Error {
            class: Class::Transient,
            message,
            request_id: request_id.clone(),
        };
        match refused.error.as_str() {
            "invalid_client" => Ok(Err(Refusal::InvalidClient)),
            "access_denied" => Ok(Err(Refusal::AccessDenied(words))),
            // At 400 it is a claim that could not be evaluated: configuration.
            "server_error" if status.is_client_error() => Ok(Err(Refusal::Other(format!(
                "{words} (a claim of the authorization server could not be evaluated; see app.oauth2.as.evaluate.claim in the System Log)"
            )))),
            "server_error" | "temporarily_unavailable" => Err(transient(words)),
            "" => {
                let management: ErrorBody = serde_json::from_slice(&body).unwrap_or_default();
                Err(transient(format!(
                    "the token endpoint: {}",
                    management.words(status)
                )))
            }
            _ if status.is_server_error() => Err(transient(words)),
            _ => Ok(Err(Refusal::Other(words))),
        }
    }
}
