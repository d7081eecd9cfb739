//! One request to one Okta org: permit, authentication, time limit, classes of
//! failure, and what the headers teach. Follows no redirects and logs no bodies.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use super::budget::{Bucket, Budget, Turn};
use super::error::{Class, Error, ErrorBody, classify};
use super::headers::{request_id, root_cause};
use super::sender::Sender;
use super::signin::SignIn;
use crate::api::RateLimit;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::sync::lock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests of ours that are under way at once; an Integrator org allows 35.
const CONCURRENT: usize = 12;
/// How long to stay away after a concurrency refusal, whose Reset is a guess.
pub(super) const CONCURRENCY_PAUSE: Duration = Duration::from_secs(2);

/// An Okta org and our sign-in there.
#[derive(Debug)]
pub struct Org {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    pub(super) signin: SignIn,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) budget: Mutex<Budget>,
    concurrent: Semaphore,
    /// After a 429: the request to name in the next try, and which try that is.
    pub(super) retries: Mutex<HashMap<String, (String, u32)>>,
    pub(super) skew_ms: std::sync::atomic::AtomicI64,
    /// What the sign-in was made from, to tell whether it is still the same.
    origin: String,
    sender: Sender,
}

/// A management request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Name of the operation for metrics and logs.
    pub(super) operation: &'static str,
    pub(super) bucket: Bucket,
    /// Path segments; encoded when the URL is built.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Request {
    pub(super) fn new(
        method: Method,
        operation: &'static str,
        bucket: Bucket,
        path: &[&str],
    ) -> Self {
        Self {
            method,
            operation,
            bucket,
            path: path.iter().map(|s| (*s).to_owned()).collect(),
            query: Vec::new(),
            body: None,
        }
    }

    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Value,
    /// `Link: rel="next"`, if it stays within the org.
    pub(super) next: Option<Url>,
    pub(super) request_id: Option<String>,
}

impl Org {
    /// Prepares to talk to an org; nothing is sent.
    ///
    /// # Errors
    /// When the CA bundle cannot be read.
    pub fn new(
        base: Url,
        signin: SignIn,
        ca_bundle: Option<&str>,
        share: RateLimit,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Self, String> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = ca_bundle {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| {
                    "spec.caBundle holds no certificate in PEM that can be read".to_owned()
                })?;
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder
            .build()
            .map_err(|e| format!("no HTTP client: {e}"))?;
        Ok(Self::with_client(http, base, signin, share, clock, metrics))
    }

    /// An org that cannot be talked to: every request is refused by its sign-in.
    #[must_use]
    pub fn offline(signin: SignIn, share: RateLimit, clock: Clock, metrics: Metrics) -> Self {
        let nowhere = Url::parse("https://invalid.").expect("a constant URL");
        Self::with_client(
            reqwest::Client::new(),
            nowhere,
            signin,
            share,
            clock,
            metrics,
        )
    }

    fn with_client(
        http: reqwest::Client,
        base: Url,
        signin: SignIn,
        share: RateLimit,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self {
            http,
            base,
            signin,
            clock,
            metrics,
            budget: Mutex::new(Budget::new(share)),
            concurrent: Semaphore::new(CONCURRENT),
            retries: Mutex::default(),
            skew_ms: std::sync::atomic::AtomicI64::new(0),
            origin: String::new(),
            sender: Sender::default(),
        }
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

    /// What the sign-in was made from.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Tokens a minute that our share of Okta's limit allows.
    #[must_use]
    pub fn tokens_per_minute(&self) -> u32 {
        lock(&self.budget).share_of(Bucket::Token)
    }

    /// Changes the operator's share of the rate limits.
    pub fn set_share(&self, share: RateLimit) {
        lock(&self.budget).set_share(share);
    }

    /// How far Okta's clock is ahead of ours, by its `Date` header (whole
    /// seconds, so within one second).
    #[must_use]
    pub fn skew(&self) -> SignedDuration {
        SignedDuration::from_millis(self.skew_ms.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// Somebody will not ask again.
    pub fn forget(&self, key: &str) {
        lock(&self.budget).forget(key);
        lock(&self.retries).remove(key);
    }

    /// Publishes the level of a bucket.
    pub(super) fn report_level(&self, bucket: Bucket) {
        let level = lock(&self.budget).level(bucket);
        if let Some(level) = level {
            let host = self.base.host_str().unwrap_or_default();
            self.metrics.budget(host, bucket.as_str(), level);
        }
    }

    pub(super) fn url(&self, path: &[String]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        url
    }

    /// Takes a permit or fails with the instant to come back at.
    pub(super) fn permit(&self, bucket: Bucket, turn: &Turn) -> Result<(), Error> {
        lock(&self.budget)
            .reserve(bucket, turn, self.clock.now())
            .map_err(Error::deferred)
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
                tracing::debug!(operation = request.operation, key = %turn.key, %error, "Okta refused")
            }
        }
        outcome
    }

    async fn authorized(&self, request: &Request, url: Url, turn: &Turn) -> Result<Answer, Error> {
        let first = self.once(request, url.clone(), turn).await;
        match first {
            // The operator's own token may have ended early: one new one.
            Err(Error {
                class: Class::Unauthorized,
                ..
            }) if self.signin.renews().await => self.once(request, url, turn).await,
            other => other,
        }
    }

    async fn once(&self, request: &Request, url: Url, turn: &Turn) -> Result<Answer, Error> {
        let mut bare = url.clone();
        bare.set_query(None);
        let headers = self
            .signin
            .headers(self, request.method.as_str(), bare.as_str())
            .await?;
        self.permit(request.bucket, turn)?;
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
        let (status, headers, bytes) = self.send(builder, request.bucket, turn).await?;
        let request_id = request_id(&headers);
        if status.is_success() {
            lock(&self.retries).remove(&turn.key);
            let next = self.next_page(&headers);
            let body = if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).map_err(|_| Error {
                    request_id: request_id.clone(),
                    ..Error::transient("Okta's answer is not JSON")
                })?
            };
            return Ok(Answer {
                body,
                next,
                request_id,
            });
        }
        let body: ErrorBody = serde_json::from_slice(&bytes).unwrap_or_default();
        let insufficient = headers
            .get("www-authenticate")
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.contains("insufficient_scope"));
        let class = if insufficient {
            Class::Forbidden
        } else {
            classify(status.as_u16(), &body.error_code)
        };
        Err(Error {
            class,
            message: format!("{}: {}", request.operation, body.words(status.as_u16())),
            request_id,
        })
    }

    /// Sends, learns from the headers, and turns 429 into a class. Used for
    /// token endpoints too, whose bodies differ.
    pub(super) async fn send(
        &self,
        builder: reqwest::RequestBuilder,
        bucket: Bucket,
        turn: &Turn,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), Error> {
        let _slot = self
            .concurrent
            .acquire()
            .await
            .map_err(|_| Error::transient("shutting down"))?;
        let watch = self.clock.stopwatch();
        let builder = builder
            .timeout(self.sender.timeout)
            .header(USER_AGENT, self.sender.user_agent());
        // The last look before it leaves: the slot and the connection may have
        // taken their time.
        let sent = self.sender.fence.guard(builder.send()).await;
        // reqwest's errors may quote the URL, which holds no secret.
        let response = sent
            .map_err(|fenced| Error::transient(fenced.to_string()))?
            .map_err(|e| Error::transient(format!("no answer from Okta: {}", root_cause(&e))))?;
        let status = response.status();
        let headers = response.headers().clone();
        let now = self.clock.now();
        self.learn(&headers, bucket, now);
        let bytes = response.bytes().await.map_err(|e| Error {
            request_id: request_id(&headers),
            ..Error::transient(format!("Okta's answer broke off: {}", root_cause(&e)))
        })?;
        self.metrics.okta_latency(bucket.as_str(), watch.elapsed());
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(self.too_many(&headers, bucket, turn, now));
        }
        Ok((status, headers, bytes.to_vec()))
    }
}
