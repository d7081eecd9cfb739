//! A management request with the operator's sign-in: a new token when the old
//! one has ended, never more than one; what is remembered of refusals; and which
//! rights were found to be missing.

use std::time::Duration;

use reqwest::header::HeaderMap;
use url::Url;

use super::budget::{Bucket, Turn};
use super::error::{Class, Error};
use super::http::{Answer, Org, Request};
use super::org_settings;
use super::rights::Right;
use crate::plan::schedule::after;
use crate::sync::lock;

/// A right that was refused and not tried since is not held against the sign-in
/// for longer than this: whoever needed it may be gone.
const REFUSAL_COUNTS: Duration = Duration::from_secs(3600);

/// A sign-in that was refused is not shown again for so long: ten thousand
/// accounts would all have it refused.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

impl Org {
    /// What Okta refused for want of a right and has not allowed since, in words.
    #[must_use]
    pub fn lacks(&self) -> Option<String> {
        let now = self.clock.now();
        lock(&self.refused)
            .values()
            .find(|(at, _)| after(*at, REFUSAL_COUNTS) > now)
            .map(|(_, words)| words.clone())
    }

    /// Shows the sign-in again although it was just refused: for whoever asks on
    /// behalf of all.
    pub fn show_again(&self) {
        *lock(&self.signed_out) = None;
    }

    fn note_right(&self, request: &Request, outcome: &Result<Answer, Error>) {
        let right = Right::of(&request.method, request.bucket, request.operation);
        match outcome {
            Ok(_) => {
                lock(&self.refused).remove(&right);
            }
            Err(error) if error.class == Class::Forbidden => {
                let refusal = (self.clock.now(), error.message.clone());
                lock(&self.refused).insert(right, refusal);
            }
            Err(_) => {}
        }
    }

    /// Sends a request signed in; after a 401 once more with a new token.
    pub(super) async fn authorized(
        &self,
        request: &Request,
        url: Url,
        turn: &Turn,
    ) -> Result<Answer, Error> {
        let optional = request.bucket == Bucket::Logs || request.operation == org_settings::READ;
        if optional {
            return self.tolerant(request, url, turn).await;
        }
        let held = lock(&self.signed_out).clone();
        if let Some((at, error)) = held
            && self.clock.now().duration_since(at).unsigned_abs() < REFUSED_PAUSE
        {
            return Err(error);
        }
        let mut bare = url.clone();
        bare.set_query(None);
        let (method, bare) = (request.method.as_str(), bare.as_str());
        let (headers, number) = self.sign_in(method, bare).await?;
        let mut outcome = self.once(request, url.clone(), headers, turn, false).await;
        let unauthorized = |outcome: &Result<Answer, Error>| {
            outcome
                .as_ref()
                .is_err_and(|error| error.class == Class::Unauthorized)
        };
        // The operator's own token may have ended early: one new one.
        if unauthorized(&outcome) && self.signin.renews(number).await {
            let (headers, _) = self.sign_in(method, bare).await?;
            outcome = self.once(request, url, headers, turn, true).await;
        }
        self.note_right(request, &outcome);
        if unauthorized(&outcome) {
            return outcome.map_err(|error| self.hold(error));
        }
        outcome
    }

    /// A request that the operator can do without: that it is refused is held
    /// against nobody.
    async fn tolerant(&self, request: &Request, url: Url, turn: &Turn) -> Result<Answer, Error> {
        let signin = &self.signin;
        let mut bare = url.clone();
        bare.set_query(None);
        let method = request.method.as_str();
        let (headers, number) = signin.headers(self, method, bare.as_str()).await?;
        let outcome = self.once(request, url.clone(), headers, turn, false).await;
        let unauthorized = matches!(&outcome, Err(e) if e.class == Class::Unauthorized);
        if unauthorized && signin.renews(number).await {
            let (headers, _) = signin.headers(self, method, bare.as_str()).await?;
            return self.once(request, url, headers, turn, true).await;
        }
        outcome
    }

    async fn sign_in(&self, method: &str, url: &str) -> Result<(HeaderMap, u64), Error> {
        let signed = self.signin.headers(self, method, url).await;
        signed.map_err(|error| match error.class {
            Class::Transient | Class::RateLimited { .. } => error,
            _ => self.hold(error),
        })
    }

    fn hold(&self, error: Error) -> Error {
        *lock(&self.signed_out) = Some((self.clock.now(), error.clone()));
        error
    }
}
