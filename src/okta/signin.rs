//! The operator's own sign-in at the management API: an API token (SSWS), or a
//! service app of its own. Holds the credential; never shows it.

use std::fmt;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::error::{Class, Error};
use super::http::Org;
use super::jose::{KeyError, SigningKey};
use super::service_app::ServiceApp;

/// How the operator signs in.
pub enum SignIn {
    /// An API token (Okta, "Create an API token").
    ApiToken(SecretString),
    /// A service app of the operator's own.
    PrivateKeyJwt(Box<ServiceApp>),
    /// There is none that can be used; says why. Tokens of accounts can still
    /// be asked for, with their own credentials.
    Missing(String),
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

impl SignIn {
    /// Sign-in by key, asking for `scopes`.
    ///
    /// # Errors
    /// When no key for DPoP proofs can be made.
    pub fn private_key_jwt(
        client_id: String,
        key: SigningKey,
        scopes: Vec<&'static str>,
    ) -> Result<Self, KeyError> {
        let app = ServiceApp::new(client_id, key, scopes)?;
        Ok(Self::PrivateKeyJwt(Box::new(app)))
    }

    /// Whether it is worth trying again after a 401 to a request that carried
    /// token `number`.
    pub(super) async fn renews(&self, number: u64) -> bool {
        match self {
            Self::ApiToken(_) | Self::Missing(_) => false,
            Self::PrivateKeyJwt(app) => app.renews(number).await,
        }
    }

    /// The scopes that were granted, as far as that is known.
    pub(super) async fn granted(&self) -> Option<Vec<&'static str>> {
        match self {
            Self::ApiToken(_) | Self::Missing(_) => None,
            Self::PrivateKeyJwt(app) => app.granted().await,
        }
    }

    /// The headers that authenticate one request, and the number of the token
    /// in them. `url` is without query.
    pub(super) async fn headers(
        &self,
        org: &Org,
        method: &str,
        url: &str,
    ) -> Result<(HeaderMap, u64), Error> {
        match self {
            Self::ApiToken(token) => {
                let mut headers = HeaderMap::new();
                headers.insert(
                    AUTHORIZATION,
                    sensitive(&format!("SSWS {}", token.expose_secret()))?,
                );
                Ok((headers, 0))
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

pub(super) fn sensitive(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Error {
        class: Class::Unauthorized,
        message: "the sign-in Secret holds characters that no header can carry".into(),
        request_id: None,
    })?;
    value.set_sensitive(true);
    Ok(value)
}
