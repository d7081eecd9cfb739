//! What an app signs in with, on Okta's routes for it: client secrets and public
//! keys (Apps API, `…/credentials/secrets` and `…/credentials/jwks`). Needs the
//! app's id. A secret that Okta shows stays wrapped.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::budget::{Bucket, Turn};
use super::error::{Class, Error};
use super::http::{Org, Request};
use crate::plan::step::Kind;

/// A client secret or public key as Okta lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    /// Okta's id.
    pub id: String,
    /// `ACTIVE` or `INACTIVE`.
    #[serde(default)]
    pub status: String,
    /// The secret itself.
    #[serde(default)]
    pub client_secret: Option<SecretString>,
    /// The key's name.
    #[serde(default)]
    pub kid: Option<String>,
    /// What the key is for; others than `sig` do not sign in.
    #[serde(default, rename = "use")]
    pub purpose: Option<String>,
}

/// One to add.
#[derive(Debug)]
pub enum Added<'a> {
    /// A client secret that the caller chose.
    Secret(&'a SecretString),
    /// A public key with its `kid`.
    Jwk(&'a Value),
}

const fn route(kind: Kind) -> &'static str {
    match kind {
        Kind::Secret => "secrets",
        Kind::Key => "jwks",
    }
}

impl Org {
    /// `GET …/credentials/{secrets|jwks}`. Secrets come in plaintext, which Okta
    /// audits as `app.oauth2.client.read_client_secret`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_credentials(
        &self,
        app_id: &str,
        kind: Kind,
        turn: &Turn,
    ) -> Result<Vec<Listed>, Error> {
        let path = ["api", "v1", "apps", app_id, "credentials", route(kind)];
        // Secrets need a right of their own, which `rights` knows by this name.
        let operation = match kind {
            Kind::Secret => "list_secrets",
            Kind::Key => "list_keys",
        };
        let request = Request::new(Method::GET, operation, Bucket::Apps, &path);
        let mut body = self.call(request, turn).await?.body;
        // Okta's schema is an array; RFC 7517's key set is one inside an object.
        if let Some(keys) = body.get_mut("keys") {
            body = keys.take();
        }
        let mut listed: Vec<Listed> = serde_json::from_value(body)
            .map_err(|_| Error::transient("Okta's list of credentials cannot be read"))?;
        listed.retain(|one| {
            one.purpose
                .as_deref()
                .is_none_or(|purpose| purpose == "sig")
        });
        Ok(listed)
    }

    /// `POST …/credentials/{secrets|jwks}`; returns Okta's id of it.
    ///
    /// # Errors
    /// See [`Error`]; `Transient` means that it may have been added.
    pub async fn add_credential(
        &self,
        app_id: &str,
        added: &Added<'_>,
        turn: &Turn,
    ) -> Result<String, Error> {
        let (kind, body) = match added {
            Added::Secret(secret) => (
                Kind::Secret,
                json!({ "client_secret": secret.expose_secret(), "status": "ACTIVE" }),
            ),
            Added::Jwk(jwk) => (Kind::Key, (*jwk).clone()),
        };
        let path = ["api", "v1", "apps", app_id, "credentials", route(kind)];
        let request = Request::new(Method::POST, "add_credential", Bucket::Apps, &path).body(body);
        let answer = self.call(request, turn).await?.body;
        let id = answer["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| Error::transient("Okta added a credential and told no id of it"))
    }

    /// `POST …/{id}/lifecycle/deactivate`; one that is gone is as good as that.
    ///
    /// # Errors
    /// See [`Error`]; Okta keeps the only active one.
    pub async fn deactivate_credential(
        &self,
        app_id: &str,
        kind: Kind,
        id: &str,
        turn: &Turn,
    ) -> Result<(), Error> {
        let path = [
            "api",
            "v1",
            "apps",
            app_id,
            "credentials",
            route(kind),
            id,
            "lifecycle",
            "deactivate",
        ];
        let request = Request::new(Method::POST, "deactivate_credential", Bucket::Apps, &path);
        tolerate_gone(self.call(request, turn).await)
    }

    /// `DELETE …/{id}`; Okta deletes inactive ones only.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_credential(
        &self,
        app_id: &str,
        kind: Kind,
        id: &str,
        turn: &Turn,
    ) -> Result<(), Error> {
        let path = ["api", "v1", "apps", app_id, "credentials", route(kind), id];
        let request = Request::new(Method::DELETE, "delete_credential", Bucket::Apps, &path);
        tolerate_gone(self.call(request, turn).await)
    }
}

/// What is gone already need not be taken away.
pub(super) fn tolerate_gone<T>(outcome: Result<T, Error>) -> Result<(), Error> {
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if error.class == Class::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
