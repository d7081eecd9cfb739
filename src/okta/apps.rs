//! Okta's Apps API, as far as service apps need it: apps, their lifecycle, and
//! the lookup by client id. Answers are plain JSON; the
//! planner reads what it needs, so that foreign settings survive a PUT.

use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::budget::{Bucket, Turn};
use super::credentials::tolerate_gone;
use super::error::{Class, Error};
use super::http::{Org, Request};

/// Pages of a list that are read at most, each of 200: past that something is
/// wrong with the paging.
const MAX_PAGES: usize = 500;

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

    /// One page of all service apps of the org, 200 at most, and where the next
    /// one begins. Without `page` it is the first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn page_of_apps(
        &self,
        page: Option<Url>,
        turn: &Turn,
    ) -> Result<(Vec<Value>, Option<Url>), Error> {
        let request = Request::new(
            Method::GET,
            "list_apps",
            Bucket::Apps,
            &["api", "v1", "apps"],
        )
        .query("limit", "200")
        .query("filter", "name eq \"oidc_client\"");
        let answer = match page {
            Some(page) => self.call_url(&request, page, turn).await?,
            None => self.call(request, turn).await?,
        };
        match answer.body {
            Value::Array(apps) => Ok((apps, answer.next)),
            _ => Err(Error::transient("list_apps: Okta's answer is no list")),
        }
    }

    /// Lists service apps whose label begins with `label` (or all) and returns
    /// the first that `is_it` knows.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn find_app(
        &self,
        label: Option<&str>,
        is_it: impl Fn(&Value) -> bool,
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
            let found = page.iter().find(|app| is_it(app));
            match (found, answer.next) {
                (Some(app), _) => return Ok(Some(app.clone())),
                (None, Some(next)) => url = next,
                (None, None) => return Ok(None),
            }
        }
        Err(Error::transient("the list of apps does not end"))
    }
}
