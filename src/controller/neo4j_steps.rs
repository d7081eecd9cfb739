//! Logs in to Neo4j with a published token and hands over what the servers said.
//! What it means is `neo4j::login`'s to say. Neo4j that is away holds nobody up:
//! a server that did not answer is left alone for a while, for all accounts.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::context::Context;
use super::kubernetes::fingerprint;
use super::step::{Run, StepError};
use crate::api::names as n;
use crate::neo4j::login::{Accepted, Login, Seen, Trouble};
use crate::neo4j::query_api::QueryApi;
use crate::plan::observed::Observed;
use crate::plan::schedule;
use crate::plan::step::{Effect, Step};
use crate::plan::verification::settings;
use crate::sync::lock;

/// A server that did not answer is not asked again before this has passed.
const AWAY: Duration = Duration::from_secs(15);
/// Logins at once, of all accounts.
const AT_ONCE: usize = 16;

/// What is known of the servers of all issuers.
#[derive(Debug)]
pub(super) struct Servers {
    known: Mutex<HashMap<Place, Server>>,
    turns: Semaphore,
}

/// Issuer, URL, and how the issuer describes its Neo4j: what a server said before
/// that was changed does not hold any more.
type Place = (String, String, u64);

#[derive(Clone, Debug, Default)]
struct Server {
    accepted: Option<Accepted>,
    /// Until when it is left alone, and why.
    away: Option<(Timestamp, String)>,
}

impl Default for Servers {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }
}

impl Servers {
    /// Forgets what an issuer's servers said.
    pub(super) fn forget(&self, issuer: &str) {
        lock(&self.known).retain(|(of, ..), _| of != issuer);
    }
}

impl Run<'_> {
    pub(super) async fn neo4j(
        &self,
        step: &Step,
        observed: &Observed,
    ) -> Result<Effect, StepError> {
        match step {
            Step::Verify => self.verify(observed).await,
            other => Err(StepError::Broken(format!(
                "{} is not a step at Neo4j",
                other.name()
            ))),
        }
    }

    async fn verify(&self, observed: &Observed) -> Result<Effect, StepError> {
        let user = observed.token_facts().ok_or(StepError::Stale)?.client_id;
        let token = self.published().await?;
        let header = jsonwebtoken::decode_header(token.expose_secret()).ok();
        let key = header.and_then(|header| header.kid);
        let urls = &self.desired.issuer.neo4j.query_api_urls;
        let logins = urls
            .iter()
            .map(|url| self.login(url, &token, key.as_deref(), &user));
        let logins = join_all(logins).await;
        Ok(Effect::Verified { key, logins })
    }

    /// The token in the Secret: the one in hand if that is it.
    async fn published(&self) -> Result<SecretString, StepError> {
        let in_hand = self.token.as_ref().filter(|token| {
            let digest = fingerprint(token.expose_secret());
            self.remembered.token_digest.as_deref() == Some(digest.as_ref())
        });
        if let Some(token) = in_hand {
            return Ok(token.clone());
        }
        let spec = &self.desired.token;
        let secret = self.secrets(spec).get_opt(&spec.name).await?;
        let mut data = secret.and_then(|s| s.data).unwrap_or_default();
        let token = data.remove(n::KEY_TOKEN).map(|bytes| bytes.0);
        token
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(SecretString::from)
            .ok_or(StepError::Stale)
    }

    async fn login(&self, url: &str, token: &SecretString, key: Option<&str>, user: &str) -> Login {
        let ctx = self.ctx;
        let issuer = &self.desired.issuer;
        let place = (issuer.name.clone(), url.to_owned(), settings(issuer));
        // Fails only when the semaphore is closed, which it never is.
        let _turn = ctx.servers.turns.acquire().await;
        let known = lock(&ctx.servers.known).get(&place).cloned();
        let known = known.unwrap_or_default();
        let (seen, ahead) = match known.away.filter(|(until, _)| ctx.now() < *until) {
            Some((_, why)) => (Err(Trouble::Unreachable(why)), None),
            None => {
                let api = QueryApi {
                    http: self.runtime.org.http(),
                    base: url,
                    token,
                };
                let (seen, date) = api.who(user).await;
                let ahead = date.map(|date| date.duration_since(ctx.now()));
                learn(ctx, place, &seen, (user, key));
                (seen, ahead)
            }
        };
        Login {
            server: url.to_owned(),
            seen,
            ahead,
            accepted: known.accepted,
        }
    }
}

fn learn(
    ctx: &Context,
    place: Place,
    seen: &Result<Seen, Trouble>,
    (user, key): (&str, Option<&str>),
) {
    let mut known = lock(&ctx.servers.known);
    let server = known.entry(place).or_default();
    server.away = None;
    server.accepted = Accepted::after(server.accepted.take(), seen, user, key);
    let outcome = match seen {
        Ok(_) | Err(Trouble::Forbidden(_) | Trouble::Failed(_)) => "accepted",
        Err(Trouble::Refused(_)) => "refused",
        Err(Trouble::Unreachable(why)) => {
            server.away = Some((schedule::after(ctx.now(), AWAY), why.clone()));
            "unreachable"
        }
    };
    ctx.settings.metrics.neo4j_login(outcome);
}
