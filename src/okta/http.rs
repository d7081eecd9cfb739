//! One request to one Okta org: permit, authentication, time limit, classes of
//! failure, and what the headers teach. Follows no redirects and logs no bodies.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tracing::{Instrument, Span};
use url::Url;

use super::budget::{Bucket, Level, Turn};
use super::connect::{no_answer, redirected};
use super::error::Error;
use super::headers::{request_id, root_cause};
use super::limits::Limits;
use super::request::refusal;
pub(super) use super::request::{Answer, Request, To};
use super::rights::Right;
use super::sender::Sender;
use super::signin::SignIn;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::plan::drift::Recent;
use crate::sync::lock;
use crate::telemetry::spans;

/// An Okta org and our sign-in there.
#[derive(Debug)]
pub struct Org {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    pub(super) signin: SignIn,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) limits: Arc<Limits>,
    /// After a 429: the request to name in the next try, and which try that is.
    pub(super) retries: Mutex<HashMap<String, (String, u32)>>,
    pub(super) skew_ms: std::sync::atomic::AtomicI64,
    /// When Okta refused the sign-in as such, and its words.
    pub(super) signed_out: Mutex<Option<(Timestamp, Error)>>,
    /// Rights that Okta refused when they were needed last, and its words.
    pub(super) refused: Mutex<BTreeMap<Right, (Timestamp, String)>>,
    /// What the sign-in was made from, to tell whether it is still the same.
    origin: String,
    sender: Sender,
}

/// Leave to send one request; returned when its answer was learnt from, and
/// also when the wait for that is given up.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once counts as answered"]
pub(super) struct Permit<'a> {
    org: &'a Org,
    bucket: Bucket,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        lock(&self.org.limits.budget).returned(self.bucket);
    }
}

impl Org {
    /// Prepares to talk to the org at `base`; nothing is sent.
    #[must_use]
    pub fn new(
        http: reqwest::Client,
        base: Url,
        signin: SignIn,
        limits: Arc<Limits>,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self {
            http,
            base,
            signin,
            clock,
            metrics,
            limits,
            retries: Mutex::default(),
            skew_ms: std::sync::atomic::AtomicI64::new(0),
            signed_out: Mutex::default(),
            refused: Mutex::default(),
            origin: String::new(),
            sender: Sender::default(),
        }
    }

    /// How it talks to the org.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Notes what the sign-in was made from (no secret).
    #[must_use]
    pub fn with_origin(self, origin: String) -> Self {
        Self { origin, ..self }
    }

    /// Says in whose name requests leave.
    #[must_use]
    pub fn with_sender(self, sender: Sender) -> Self {
        Self { sender, ..self }
    }

    /// The org's host, with its port if it has one of its own.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port();
        port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The last requests of ours that changed something in this org, whichever
    /// issuer they were for.
    #[must_use]
    pub fn own_requests(&self) -> Recent {
        lock(&self.limits.own).clone()
    }

    /// What the sign-in was made from.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Tokens a minute that our share of Okta's limit allows.
    #[must_use]
    pub fn tokens_per_minute(&self) -> u32 {
        lock(&self.limits.budget).share_of(Bucket::Token)
    }

    /// How far Okta's clock is ahead of ours, by its `Date` header (whole
    /// seconds, so within one second).
    #[must_use]
    pub fn skew(&self) -> SignedDuration {
        SignedDuration::from_millis(self.skew_ms.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// Now, by Okta's clock: what is signed for Okta is judged by that.
    #[must_use]
    pub fn okta_now(&self) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(self.skew()).unwrap_or(now)
    }

    /// Somebody will not ask again.
    pub fn forget(&self, key: &str) {
        lock(&self.limits.budget).forget(key);
        lock(&self.retries).remove(key);
    }

    /// Publishes the level of a bucket.
    pub(super) fn report_level(&self, bucket: Bucket) {
        let level = lock(&self.limits.budget).level(bucket, self.clock.now());
        if let Some(level) = level {
            self.metrics.budget(&self.host(), bucket.as_str(), level);
        }
    }

    /// Publishes the levels of all buckets that were used, so that a window
    /// that has ended does not go on being shown.
    pub fn report_levels(&self) {
        for bucket in Bucket::ALL {
            self.report_level(bucket);
        }
    }

    /// What is known of each bucket that was drawn on.
    #[must_use]
    pub fn levels(&self) -> Vec<(Bucket, Level)> {
        let (mut budget, now) = (lock(&self.limits.budget), self.clock.now());
        let level = |bucket| Some((bucket, budget.level(bucket, now)?));
        Bucket::ALL.into_iter().filter_map(level).collect()
    }

    /// Requests a minute that our share of a bucket's limit allows.
    #[must_use]
    pub fn per_minute(&self, bucket: Bucket) -> u32 {
        lock(&self.limits.budget).share_of(bucket)
    }

    /// The scopes of Okta's API that the sign-in was granted; `None` for an API
    /// token, which has none, and before the first request.
    pub async fn granted(&self) -> Option<Vec<&'static str>> {
        self.signin.granted().await
    }

    pub(super) fn url(&self, path: &[String]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        url
    }

    /// Takes a permit or fails with the instant to come back at.
    pub(super) fn permit(&self, bucket: Bucket, turn: &Turn) -> Result<Permit<'_>, Error> {
        lock(&self.limits.budget)
            .reserve(bucket, turn, self.clock.now())
            .map_err(Error::deferred)?;
        Ok(Permit { org: self, bucket })
    }

    /// Sends a management request.
    pub(super) async fn call(&self, request: Request, turn: &Turn) -> Result<Answer, Error> {
        let mut url = self.url(&request.path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        self.call_url(&request, url, turn).await
    }

    pub(super) async fn call_url(
        &self,
        request: &Request,
        url: Url,
        turn: &Turn,
    ) -> Result<Answer, Error> {
        let outcome = self.authorized(request, url, turn).await;
        let class = outcome.as_ref().map_or_else(|e| e.class.as_str(), |_| "ok");
        self.metrics.okta_call(request.operation, class);
        match &outcome {
            Ok(answer) => tracing::debug!(
                operation = request.operation, key = %turn.key,
                okta_request = answer.request_id.as_deref().unwrap_or("-"), "Okta answered"
            ),
            Err(error) => {
                tracing::debug!(operation = request.operation, key = %turn.key, %error, "Okta refused");
            }
        }
        outcome
    }

    /// One request with these headers, as it is answered. `resent`: after a 401,
    /// with a new token.
    pub(super) async fn once(
        &self,
        request: &Request,
        url: Url,
        headers: HeaderMap,
        turn: &Turn,
        resent: bool,
    ) -> Result<Answer, Error> {
        let _permit = self.permit(request.bucket, turn)?;
        let mut builder = self
            .http
            .request(request.method.clone(), url)
            .headers(headers);
        builder = match &request.body {
            Some(body) => builder.json(body),
            // Okta answers 411 to a POST without a length.
            None if request.method != Method::GET => {
                builder.header(CONTENT_LENGTH, HeaderValue::from_static("0"))
            }
            None => builder,
        };
        builder = builder.header("accept", "application/json");
        if let Some((id, count)) = lock(&self.retries).get(&turn.key) {
            builder = builder
                .header("X-Okta-Retry-For", id)
                .header("X-Okta-Retry-Count", *count);
        }
        let to = To {
            operation: request.operation,
            bucket: request.bucket,
            resent,
        };
        let (status, headers, bytes) = self.send(builder, to, turn).await?;
        if !status.is_success() {
            return Err(refusal(request, status, &headers, &bytes));
        }
        lock(&self.retries).remove(&turn.key);
        let request_id = request_id(&headers);
        if request.method != Method::GET
            && let Some(id) = &request_id
        {
            lock(&self.limits.own).note(id.clone());
        }
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|_| Error {
                request_id: request_id.clone(),
                ..Error::transient(format!(
                    "{}: the answer is not JSON, so it was not Okta's API that answered",
                    request.operation
                ))
            })?
        };
        Ok(Answer {
            body,
            next: self.next_page(&headers)?,
            request_id,
        })
    }

    /// Sends, learns from the headers, and turns 429 into a class. Used for
    /// token endpoints too, whose bodies differ.
    pub(super) async fn send(
        &self,
        builder: reqwest::RequestBuilder,
        to: To,
        turn: &Turn,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), Error> {
        let _slot = self
            .limits
            .concurrent
            .acquire()
            .await
            .map_err(|_| Error::transient("shutting down"))?;
        let (client, request) = builder
            .timeout(self.sender.timeout)
            .header(USER_AGENT, self.sender.user_agent())
            .build_split();
        let request = request.map_err(|e| no_answer(&e))?;
        let held_back = lock(&self.retries).get(&turn.key).map_or(0, |(_, n)| *n);
        let resent = held_back + u32::from(to.resent);
        let span = spans::okta(to.operation, request.method(), request.url(), resent);
        self.exchange(&client, request, to.bucket, turn, &span)
            .instrument(span.clone())
            .await
    }

    async fn exchange(
        &self,
        client: &reqwest::Client,
        request: reqwest::Request,
        bucket: Bucket,
        turn: &Turn,
        span: &Span,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), Error> {
        let watch = self.clock.stopwatch();
        // The last look before it leaves: the slot and the connection may have
        // taken their time.
        let sent = self.sender.fence.guard(client.execute(request)).await;
        let response = sent
            .map_err(|fenced| Error::transient(fenced.to_string()))
            .and_then(|answer| answer.map_err(|e| no_answer(&e)))
            .inspect_err(|error| spans::failed(span, error.class.as_str()))?;
        let status = response.status();
        let headers = response.headers().clone();
        spans::answered(span, status.as_u16());
        span.record("neo4j_okta.okta_request", request_id(&headers));
        let now = self.clock.now();
        self.learn(&headers, bucket, now);
        let bytes = response
            .bytes()
            .await
            .inspect_err(|_| spans::broke_off(span, status.as_u16()))
            .map_err(|e| Error {
                request_id: request_id(&headers),
                ..Error::transient(format!("Okta's answer broke off: {}", root_cause(&e)))
            })?;
        self.metrics.okta_latency(bucket.as_str(), watch.elapsed());
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(self.too_many(&headers, bucket, turn, now));
        }
        if status.is_redirection() {
            return Err(redirected(status, &headers, &self.base));
        }
        Ok((status, headers, bytes.to_vec()))
    }
}
