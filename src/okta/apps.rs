//! Okta's Apps API, as far as service apps need it: apps, their client secrets,
//! their lifecycle, and the lookup by client id. Answers are plain JSON; the
//! planner reads what it needs, so that foreign settings survive a PUT.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::budget::{Bucket, Turn};
use super::error::{Class, Error};
use super::http::{Org, Request};

/// Pages of a list that are read at most, each of 200: past that something is
/// wrong with the paging.
const MAX_PAGES: usize = 500;

/// A client secret as the secrets route lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct ListedSecret {
    /// Okta's id.
    pub id: String,
    /// `ACTIVE` or `INACTIVE`.
    #[serde(default)]
    pub status: String,
    /// The secret itself.
    #[serde(default)]
    pub client_secret: Option<SecretString>,
}

impl Org {
    /// `POST /api/v1/apps`.
    ///
    /// # Errors
    /// See [`Error`]; `Transient` means that the app may have been created.
    pub async fn create_app(&self, body: Value, turn: &Turn) -> Result<Value, Error> {
        let request = Request::new(
            Method::POST,
            "create_app",
            Bucket::Apps,
            &["api", "v1", "apps"],
        )
        .query("activate", "true")
        .body(body);
        Ok(self.call(request, turn).await?.body)
    }

    /// `GET /api/v1/apps/{id}`; `None` when Okta does not know it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read_app(&self, id: &str, turn: &Turn) -> Result<Option<Value>, Error> {
        let request = Request::new(
            Method::GET,
            "read_app",
            Bucket::App,
            &["api", "v1", "apps", id],
        );
        match self.call(request, turn).await {
            Ok(answer) if answer.body["status"] == "DELETED" => Ok(None),
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.class == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `PUT /api/v1/apps/{id}`: replaces the whole app. `body` must be merged
    /// from an answer that was read just before.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replace_app(&self, id: &str, body: Value, turn: &Turn) -> Result<Value, Error> {
        let request = Request::new(
            Method::PUT,
            "replace_app",
            Bucket::App,
            &["api", "v1", "apps", id],
        )
        .body(body);
        Ok(self.call(request, turn).await?.body)
    }

    /// `POST /api/v1/apps/{id}/lifecycle/activate`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn activate_app(&self, id: &str, turn: &Turn) -> Result<(), Error> {
        let path = ["api", "v1", "apps", id, "lifecycle", "activate"];
        self.call(
            Request::new(Method::POST, "activate_app", Bucket::Apps, &path),
            turn,
        )
        .await
        .map(drop)
    }

    /// `POST /api/v1/apps/{id}/lifecycle/deactivate`; an unknown app is as good
    /// as deactivated.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn deactivate_app(&self, id: &str, turn: &Turn) -> Result<(), Error> {
        let path = ["api", "v1", "apps", id, "lifecycle", "deactivate"];
        tolerate_gone(
            self.call(
                Request::new(Method::POST, "deactivate_app", Bucket::Apps, &path),
                turn,
            )
            .await,
        )
    }

    /// `DELETE /api/v1/apps/{id}`; Okta deletes inactive apps only, and an
    /// unknown one is deleted already.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_app(&self, id: &str, turn: &Turn) -> Result<(), Error> {
        let request = Request::new(
            Method::DELETE,
            "delete_app",
            Bucket::App,
            &["api", "v1", "apps", id],
        );
        tolerate_gone(self.call(request, turn).await)
    }

    /// `GET /oauth2/v1/clients/{clientId}`: whether Okta knows the client id.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn client_exists(&self, client_id: &str, turn: &Turn) -> Result<bool, Error> {
        let request = Request::new(
            Method::GET,
            "read_client",
            Bucket::Clients,
            &["oauth2", "v1", "clients", client_id],
        );
        let echoed = |body: &Value| {
            let id = body["client_id"].as_str();
            id.is_some_and(|id| id.eq_ignore_ascii_case(client_id))
        };
        match self.call(request, turn).await {
            Ok(answer) if echoed(&answer.body) => Ok(true),
            Ok(_) => Err(Error::transient(
                "read_client: Okta's answer is not the client that was asked for",
            )),
            Err(error) if error.class == Class::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lists service apps whose label begins with `label` (or all) and returns
    /// the one with exactly this client id.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn find_app(
        &self,
        label: Option<&str>,
        client_id: &str,
        turn: &Turn,
    ) -> Result<Option<Value>, Error> {
        let mut request = Request::new(
            Method::GET,
            "list_apps",
            Bucket::Apps,
            &["api", "v1", "apps"],
        )
        .query("limit", "200");
        request = match label {
            Some(label) => request.query("q", label),
            None => request.query("filter", "name eq \"oidc_client\""),
        };
        let mut url = self.url(&request.path);
        url.query_pairs_mut().extend_pairs(&request.query);
        for _ in 0..MAX_PAGES {
            let answer = self.call_url(&request, url, turn).await?;
            let Value::Array(page) = &answer.body else {
                return Err(Error::transient("list_apps: Okta's answer is no list"));
            };
            let found = page.iter().find(|app| {
                app["credentials"]["oauthClient"]["client_id"]
                    .as_str()
                    .is_some_and(|id| id.eq_ignore_ascii_case(client_id))
            });
            match (found, answer.next) {
                (Some(app), _) => return Ok(Some(app.clone())),
                (None, Some(next)) => url = next,
                (None, None) => return Ok(None),
            }
        }
        Err(Error::transient("the list of apps does not end"))
    }

    /// `GET …/credentials/secrets`: plaintext, and audited at Okta.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_secrets(&self, id: &str, turn: &Turn) -> Result<Vec<ListedSecret>, Error> {
        let path = ["api", "v1", "apps", id, "credentials", "secrets"];
        let answer = self
            .call(
                Request::new(Method::GET, "list_secrets", Bucket::Apps, &path),
                turn,
            )
            .await?;
        serde_json::from_value(answer.body)
            .map_err(|_| Error::transient("Okta's list of secrets cannot be read"))
    }

    /// `POST …/credentials/secrets` with a secret that the caller chose.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn add_secret(
        &self,
        id: &str,
        secret: &SecretString,
        turn: &Turn,
    ) -> Result<(), Error> {
        let path = ["api", "v1", "apps", id, "credentials", "secrets"];
        let body = json!({ "client_secret": secret.expose_secret(), "status": "ACTIVE" });
        self.call(
            Request::new(Method::POST, "add_secret", Bucket::Apps, &path).body(body),
            turn,
        )
        .await
        .map(drop)
    }

    /// `POST …/secrets/{secretId}/lifecycle/deactivate`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn deactivate_secret(
        &self,
        id: &str,
        secret_id: &str,
        turn: &Turn,
    ) -> Result<(), Error> {
        let path = [
            "api",
            "v1",
            "apps",
            id,
            "credentials",
            "secrets",
            secret_id,
            "lifecycle",
            "deactivate",
        ];
        tolerate_gone(
            self.call(
                Request::new(Method::POST, "deactivate_secret", Bucket::Apps, &path),
                turn,
            )
            .await,
        )
    }

    /// `DELETE …/secrets/{secretId}`; inactive ones only.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_secret(&self, id: &str, secret_id: &str, turn: &Turn) -> Result<(), Error> {
        let path = ["api", "v1", "apps", id, "credentials", "secrets", secret_id];
        tolerate_gone(
            self.call(
                Request::new(Method::DELETE, "delete_secret", Bucket::Apps, &path),
                turn,
            )
            .await,
        )
    }
}

fn tolerate_gone<T>(outcome: Result<T, Error>) -> Result<(), Error> {
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if error.class == Class::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
