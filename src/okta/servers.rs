//! Okta's Authorization Servers API: servers, scopes, claims, access policies
//! and their rules. Answers are plain JSON; `plan::issuer` reads them.

use reqwest::Method;
use serde_json::Value;

use super::budget::{Bucket, Turn};
use super::error::{Class, Error};
use super::http::{Org, Request};

const ROOT: [&str; 3] = ["api", "v1", "authorizationServers"];
const MAX_PAGES: usize = 50;

/// What a server has many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `…/scopes`.
    Scopes,
    /// `…/claims`.
    Claims,
    /// `…/policies`.
    Policies,
}

impl Part {
    const fn path(self) -> &'static str {
        match self {
            Self::Scopes => "scopes",
            Self::Claims => "claims",
            Self::Policies => "policies",
        }
    }

    const fn create(self) -> &'static str {
        match self {
            Self::Scopes => "create_scope",
            Self::Claims => "create_claim",
            Self::Policies => "create_policy",
        }
    }

    const fn replace(self) -> &'static str {
        match self {
            Self::Scopes => "replace_scope",
            Self::Claims => "replace_claim",
            Self::Policies => "replace_policy",
        }
    }

    const fn list(self) -> &'static str {
        match self {
            Self::Scopes => "list_scopes",
            Self::Claims => "list_claims",
            Self::Policies => "list_policies",
        }
    }
}

fn request(method: Method, operation: &'static str, path: &[&str]) -> Request {
    let full: Vec<&str> = ROOT.iter().chain(path).copied().collect();
    Request::new(method, operation, Bucket::Management, &full)
}

impl Org {
    /// The server with this id.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read_server(&self, id: &str, turn: &Turn) -> Result<Option<Value>, Error> {
        match self
            .call(request(Method::GET, "read_server", &[id]), turn)
            .await
        {
            Ok(answer) if answer.body["id"].is_string() => Ok(Some(answer.body)),
            Ok(_) => Err(Error::transient(
                "read_server: Okta's answer is no authorization server",
            )),
            Err(error) if error.class == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All servers.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_servers(&self, turn: &Turn) -> Result<Vec<Value>, Error> {
        let list = request(Method::GET, "list_servers", &[]).query("limit", "200");
        self.pages(list, turn).await
    }

    /// The server with exactly this name; of several the one that we `created`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn find_server(
        &self,
        name: &str,
        created: Option<&str>,
        turn: &Turn,
    ) -> Result<Option<Value>, Error> {
        let list = request(Method::GET, "list_servers", &[])
            .query("q", name)
            .query("limit", "200");
        let mut all = self.pages(list, turn).await?;
        all.retain(|server| server["name"] == name);
        let ours = all
            .iter()
            .position(|server| server["id"].as_str() == created);
        Ok((!all.is_empty()).then(|| all.swap_remove(ours.unwrap_or(0))))
    }

    /// Creates a server.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_server(&self, body: Value, turn: &Turn) -> Result<Value, Error> {
        Ok(self
            .call(request(Method::POST, "create_server", &[]).body(body), turn)
            .await?
            .body)
    }

    /// All scopes, claims or policies of a server.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_parts(
        &self,
        server: &str,
        part: Part,
        turn: &Turn,
    ) -> Result<Vec<Value>, Error> {
        self.pages(
            request(Method::GET, part.list(), &[server, part.path()]),
            turn,
        )
        .await
    }

    /// Creates a scope, claim or policy.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_part(
        &self,
        server: &str,
        part: Part,
        body: Value,
        turn: &Turn,
    ) -> Result<Value, Error> {
        let request = request(Method::POST, part.create(), &[server, part.path()]).body(body);
        Ok(self.call(request, turn).await?.body)
    }

    /// Replaces a scope, claim or policy.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replace_part(
        &self,
        server: &str,
        part: Part,
        id: &str,
        body: Value,
        turn: &Turn,
    ) -> Result<Value, Error> {
        let request = request(Method::PUT, part.replace(), &[server, part.path(), id]).body(body);
        Ok(self.call(request, turn).await?.body)
    }

    /// One access policy as it is now.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read_policy(&self, server: &str, id: &str, turn: &Turn) -> Result<Value, Error> {
        Ok(self
            .call(
                request(Method::GET, "read_policy", &[server, "policies", id]),
                turn,
            )
            .await?
            .body)
    }

    /// The rules of a policy.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_rules(
        &self,
        server: &str,
        policy: &str,
        turn: &Turn,
    ) -> Result<Vec<Value>, Error> {
        self.pages(
            request(
                Method::GET,
                "list_rules",
                &[server, "policies", policy, "rules"],
            ),
            turn,
        )
        .await
    }

    /// Creates a rule.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_rule(
        &self,
        server: &str,
        policy: &str,
        body: Value,
        turn: &Turn,
    ) -> Result<Value, Error> {
        let request = request(
            Method::POST,
            "create_rule",
            &[server, "policies", policy, "rules"],
        )
        .body(body);
        Ok(self.call(request, turn).await?.body)
    }

    /// Replaces a rule.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replace_rule(
        &self,
        server: &str,
        policy: &str,
        rule: &str,
        body: Value,
        turn: &Turn,
    ) -> Result<Value, Error> {
        let request = request(
            Method::PUT,
            "replace_rule",
            &[server, "policies", policy, "rules", rule],
        )
        .body(body);
        Ok(self.call(request, turn).await?.body)
    }

    async fn pages(&self, request: Request, turn: &Turn) -> Result<Vec<Value>, Error> {
        let mut url = self.url(&request.path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut all = Vec::new();
        for _ in 0..MAX_PAGES {
            let answer = self.call_url(&request, url, turn).await?;
            let Value::Array(page) = answer.body else {
                return Err(Error::transient(format!(
                    "{}: Okta's answer is no list",
                    request.operation
                )));
            };
            all.extend(page);
            match answer.next {
                Some(next) => url = next,
                None => return Ok(all),
            }
        }
        Err(Error::transient(format!(
            "{}: the list does not end",
            request.operation
        )))
    }
}
