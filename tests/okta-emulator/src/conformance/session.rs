//! A run at an org: names of its own, what it made so far, and the fixtures that
//! statements share. A statement that changes something makes one of its own.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::cleanup::Ledger;
use super::key::{opened, random_text};
use super::statement::Stop;
use super::wire::{Reply, Wire};

/// The scope that the operator asks for by default.
pub(super) const SCOPE: &str = "neo4j_groups";
/// How often a token is asked for until Okta shows a change everywhere…
const TRIES: u32 = 30;
/// …and the pause in between.
const PAUSE: Duration = Duration::from_secs(2);

/// A run.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) ledger: Ledger,
    prefix: String,
    serial: u32,
    app: Option<App>,
    server: Option<Server>,
}

/// An app of this run.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) id: String,
    pub(super) client_id: String,
    pub(super) secret: String,
    /// What the create answered.
    pub(super) created: Value,
}

/// An authorization server of this run.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) id: String,
    pub(super) issuer: String,
}

impl Server {
    /// The path of its token endpoint.
    pub(super) fn token(&self) -> String {
        format!("/oauth2/{}/v1/token", self.id)
    }

    /// The path of one of its parts at the management API.
    pub(super) fn path(&self, part: &str) -> String {
        format!("/api/v1/authorizationServers/{}{part}", self.id)
    }
}

impl Session {
    pub(super) fn new(wire: Wire, ledger: Ledger, prefix: String) -> Self {
        Self {
            wire,
            ledger,
            prefix,
            serial: 0,
            app: None,
            server: None,
        }
    }

    /// A name that nobody else has: of an app, a client, a server.
    pub(super) fn name(&mut self) -> String {
        self.serial += 1;
        format!("{}.{}", self.prefix, self.serial)
    }

    /// A client secret as the operator makes them.
    pub(super) fn secret(&self) -> String {
        let secret = random_text(48);
        self.ledger.hide(&secret);
        secret
    }

    /// A management request. What the API token may not do stops the statement.
    pub(super) async fn api(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Stop> {
        let reply = self.wire.api(method.clone(), path, body).await?;
        if matches!(
            reply.code(),
            "E0000005" | "E0000006" | "E0000011" | "E0000015"
        ) {
            let brief = reply.brief();
            return Err(Stop(format!("not permitted: {method} {path} {brief}")));
        }
        Ok(reply)
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Reply, Stop> {
        self.api(Method::GET, path, None).await
    }

    pub(super) async fn post(&mut self, path: &str, body: &Value) -> Result<Reply, Stop> {
        self.api(Method::POST, path, Some(body)).await
    }

    /// A POST without a body, as lifecycle operations are.
    pub(super) async fn act(&mut self, path: &str) -> Result<Reply, Stop> {
        self.api(Method::POST, path, None).await
    }

    pub(super) async fn put(&mut self, path: &str, body: &Value) -> Result<Reply, Stop> {
        self.api(Method::PUT, path, Some(body)).await
    }

    pub(super) async fn delete(&mut self, path: &str) -> Result<Reply, Stop> {
        self.api(Method::DELETE, path, None).await
    }

    /// The body of a create as the operator sends it; `change` is merged over it.
    pub(super) fn app_body(&mut self, change: &Value) -> Value {
        let name = self.name();
        let mut body = json!({
            "name": "oidc_client",
            "label": name,
            "signOnMode": "OPENID_CONNECT",
            "credentials": { "oauthClient": {
                "client_id": name,
                "client_secret": self.secret(),
                "token_endpoint_auth_method": "client_secret_basic",
                "autoKeyRotation": true,
            } },
            "settings": { "oauthClient": {
                "application_type": "service",
                "grant_types": ["client_credentials"],
                "response_types": ["token"],
                "dpop_bound_access_tokens": false,
            } },
            "profile": { "neo4j_groups": ["readers", "etl"] },
        });
        merge(&mut body, change);
        body
    }

    /// Asks for an app; what comes of it is noted for removal.
    pub(super) async fn create(&mut self, body: &Value) -> Result<Reply, Stop> {
        let reply = self.post("/api/v1/apps", body).await?;
        if !reply.id().is_empty() {
            self.ledger.app(reply.id());
        }
        Ok(reply)
    }

    /// A new app that must come to be.
    pub(super) async fn new_app(&mut self, change: Value) -> Result<App, Stop> {
        let body = self.app_body(&change);
        let reply = self.create(&body).await?;
        if reply.status != 200 {
            return Err(Stop(format!("no app: {}", reply.brief())));
        }
        let client = &body["credentials"]["oauthClient"];
        Ok(App {
            id: reply.id().to_owned(),
            client_id: text(&client["client_id"]),
            secret: text(&client["client_secret"]),
            created: reply.body,
        })
    }

    /// The app that no statement changes.
    pub(super) async fn app(&mut self) -> Result<App, Stop> {
        if self.app.is_none() {
            self.app = Some(self.new_app(json!({})).await?);
        }
        self.app.clone().ok_or_else(|| Stop("no app".to_owned()))
    }

    /// Deactivates and deletes an app.
    pub(super) async fn remove(&mut self, app: &App) -> Result<Reply, Stop> {
        self.act(&format!("/api/v1/apps/{}/lifecycle/deactivate", app.id))
            .await?;
        self.delete(&format!("/api/v1/apps/{}", app.id)).await
    }

    /// An authorization server with nothing in it.
    pub(super) async fn bare_server(&mut self) -> Result<Server, Stop> {
        let name = self.name();
        let body = json!({ "name": name, "description": "conformance run", "audiences": [name], "issuerMode": "ORG_URL" });
        let reply = self.post("/api/v1/authorizationServers", &body).await?;
        let made = self.made("authorization server", &reply)?;
        self.ledger.server(&made);
        Ok(Server {
            id: made,
            issuer: text(&reply.body["issuer"]),
        })
    }

    /// The server that no statement changes: the scope, the claim `groups`, a
    /// policy for all clients, and a rule as the operator makes it.
    pub(super) async fn server(&mut self) -> Result<Server, Stop> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        let server = self.bare_server().await?;
        self.new_scope(&server, SCOPE).await?;
        self.claim(&server, "groups", "app.profile.neo4j_groups", SCOPE)
            .await?;
        let policy = self.policy(&server, &["ALL_CLIENTS"]).await?;
        self.rule(&server, &policy, SCOPE, 10).await?;
        self.server = Some(server.clone());
        Ok(server)
    }

    pub(super) async fn new_scope(&mut self, server: &Server, name: &str) -> Result<(), Stop> {
        let body = json!({ "name": name, "consent": "IMPLICIT", "metadataPublish": "NO_CLIENTS" });
        let reply = self.post(&server.path("/scopes"), &body).await?;
        self.made("scope", &reply).map(drop)
    }

    pub(super) async fn claim(
        &mut self,
        server: &Server,
        name: &str,
        expression: &str,
        scope: &str,
    ) -> Result<String, Stop> {
        let body = json!({
            "name": name, "status": "ACTIVE", "claimType": "RESOURCE", "valueType": "EXPRESSION",
            "value": expression, "alwaysIncludeInToken": true, "conditions": { "scopes": [scope] },
        });
        let reply = self.post(&server.path("/claims"), &body).await?;
        self.made("claim", &reply)
    }

    pub(super) fn policy_body(&mut self, clients: &[&str]) -> Value {
        json!({
            "type": "OAUTH_AUTHORIZATION_POLICY", "name": self.name(), "description": "conformance run",
            "status": "ACTIVE", "conditions": { "clients": { "include": clients } },
        })
    }

    /// A policy behind all others.
    pub(super) async fn policy(
        &mut self,
        server: &Server,
        clients: &[&str],
    ) -> Result<String, Stop> {
        let body = self.policy_body(clients);
        let reply = self.post(&server.path("/policies"), &body).await?;
        self.made("policy", &reply)
    }

    pub(super) fn rule_body(&mut self, scope: &str, minutes: u32) -> Value {
        json!({
            "type": "RESOURCE_ACCESS", "name": self.name(), "status": "ACTIVE",
            "conditions": { "grantTypes": { "include": ["client_credentials"] }, "scopes": { "include": [scope] } },
            "actions": { "token": { "accessTokenLifetimeMinutes": minutes, "refreshTokenLifetimeMinutes": 0, "refreshTokenWindowMinutes": 10080 } },
        })
    }

    pub(super) async fn rule(
        &mut self,
        server: &Server,
        policy: &str,
        scope: &str,
        minutes: u32,
    ) -> Result<String, Stop> {
        let body = self.rule_body(scope, minutes);
        let path = server.path(&format!("/policies/{policy}/rules"));
        let reply = self.post(&path, &body).await?;
        self.made("rule", &reply)
    }

    fn made(&self, what: &str, reply: &Reply) -> Result<String, Stop> {
        if reply.status < 300 && !reply.id().is_empty() {
            return Ok(reply.id().to_owned());
        }
        Err(Stop(format!("no {what}: {}", reply.brief())))
    }

    /// Asks once for a token with client_secret_basic.
    pub(super) async fn mint(
        &mut self,
        server: &Server,
        app: &App,
        scope: &str,
    ) -> Result<Reply, Stop> {
        self.mint_as(server, &basic(&app.client_id, &app.secret), scope)
            .await
    }

    pub(super) async fn mint_as(
        &mut self,
        server: &Server,
        authorization: &str,
        scope: &str,
    ) -> Result<Reply, Stop> {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        let headers = [("authorization", authorization)];
        self.wire.form(&server.token(), &form, &headers).await
    }

    /// Asks for a token until the answer is as `wanted`, for a minute at most;
    /// returns the last answer and how often it waited.
    pub(super) async fn mint_until(
        &mut self,
        server: &Server,
        app: &App,
        scope: &str,
        wanted: impl Fn(&Reply) -> bool,
    ) -> Result<(Reply, u32), Stop> {
        let mut waits = 0;
        loop {
            let reply = self.mint(server, app, scope).await?;
            if wanted(&reply) || waits == TRIES {
                return Ok((reply, waits));
            }
            waits += 1;
            sleep(PAUSE).await;
        }
    }

    /// An answer with a token; its absence stops the statement.
    pub(super) async fn token(
        &mut self,
        server: &Server,
        app: &App,
        scope: &str,
    ) -> Result<Reply, Stop> {
        let granted = |reply: &Reply| reply.status == 200;
        let (reply, _) = self.mint_until(server, app, scope, granted).await?;
        if reply.status == 200 {
            return Ok(reply);
        }
        Err(Stop(format!("no token: {}", reply.brief())))
    }

    /// The claims of a token for the shared app at the shared server.
    pub(super) async fn claims(&mut self) -> Result<Value, Stop> {
        let (server, app) = (self.server().await?, self.app().await?);
        let claims = |reply: &Reply| opened(&text(&reply.body["access_token"]));
        let settled = |reply: &Reply| claims(reply).is_ok_and(|(_, c)| !c["groups"].is_null());
        let (reply, _) = self.mint_until(&server, &app, SCOPE, settled).await?;
        if reply.status != 200 {
            return Err(Stop(format!("no token: {}", reply.brief())));
        }
        Ok(claims(&reply)?.1)
    }

    /// Okta's time, in seconds, by the Date of an answer that is not limited.
    pub(super) async fn now(&mut self) -> Result<u64, Stop> {
        let reply = self
            .wire
            .get_with("/.well-known/openid-configuration", &[])
            .await?;
        reply
            .header("date")
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok())
            .map(|since| since.as_secs())
            .ok_or_else(|| Stop("the org's answers bear no Date".to_owned()))
    }

    /// Waits between two looks at something that takes its time.
    pub(super) async fn pause(&self) {
        sleep(PAUSE).await;
    }
}

/// `Basic` without any encoding of its halves.
pub(super) fn basic(client_id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")))
}

/// A JSON string, or nothing.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    into.remove(key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, change) => *into = change.clone(),
    }
}
