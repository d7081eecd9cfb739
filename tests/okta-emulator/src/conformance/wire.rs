//! HTTP to one org: the API token, JSON and forms, and answers read without any
//! type of the emulator's. Follows no redirect, keeps to the rate limits, and
//! gives up on a request that is refused for them again and again.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use super::pace::Pace;
use super::statement::Stop;

/// Okta has answered an app's PUT after 30 s before now.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Windows of the rate limit that one request waits for at most.
const TRIES: u32 = 5;

/// A connection to an org.
#[derive(Debug)]
pub(super) struct Wire {
    http: reqwest::Client,
    org: String,
    authorization: HeaderValue,
    pace: Pace,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Wire {
    pub(super) fn new(org: &Url, api_token: &str) -> Result<Self, Stop> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("okta-conformance/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(org) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|e| Stop(format!("no HTTP client: {e}")))?;
        let mut authorization = HeaderValue::from_str(&format!("SSWS {api_token}"))
            .map_err(|_| Stop("the API token holds characters that no header can carry".into()))?;
        authorization.set_sensitive(true);
        Ok(Self {
            http,
            org: org.as_str().trim_end_matches('/').to_owned(),
            authorization,
            pace: Pace::default(),
        })
    }

    /// The org's URL, without a slash at its end.
    pub(super) fn org(&self) -> &str {
        &self.org
    }

    /// A request to the management API with the API token.
    pub(super) async fn api(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Stop> {
        let authorization = self.authorization.clone();
        self.send(path, |http, url| {
            let request = http
                .request(method.clone(), url)
                .header(AUTHORIZATION, authorization.clone());
            match body {
                Some(body) => request.json(body),
                // A POST without a length is answered with 411.
                None if method == Method::GET => request,
                None => request.header(CONTENT_LENGTH, HeaderValue::from_static("0")),
            }
        })
        .await
    }

    /// A form, as token endpoints want it.
    pub(super) async fn form(
        &mut self,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Result<Reply, Stop> {
        self.send(path, |http, url| {
            headers
                .iter()
                .fold(http.post(url).form(form), |request, (name, value)| {
                    request.header(*name, *value)
                })
        })
        .await
    }

    /// A GET with headers of its own and without the API token.
    pub(super) async fn get_with(
        &mut self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Reply, Stop> {
        self.send(path, |http, url| {
            headers
                .iter()
                .fold(http.get(url), |request, (name, value)| {
                    request.header(*name, *value)
                })
        })
        .await
    }

    async fn send(
        &mut self,
        path: &str,
        build: impl Fn(&reqwest::Client, String) -> reqwest::RequestBuilder,
    ) -> Result<Reply, Stop> {
        for _ in 0..TRIES {
            self.pace.wait(path).await;
            let request = build(&self.http, format!("{}{path}", self.org))
                .header("accept", "application/json");
            let no_answer = |e: reqwest::Error| Stop(format!("no answer: {}", root_cause(&e)));
            let response = request.send().await.map_err(no_answer)?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let bytes = response.bytes().await.map_err(no_answer)?;
            if self.pace.learn(path, status, &headers) {
                continue;
            }
            return Ok(Reply {
                status,
                headers,
                body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            });
        }
        Err(Stop("the org's rate limit leaves no room".to_owned()))
    }
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The URL of `Link: rel="next"`.
    pub(super) fn next(&self) -> Option<&str> {
        self.headers.get_all("link").iter().find_map(|value| {
            let (url, parameters) = value.to_str().ok()?.split_once('>')?;
            let next = parameters.contains("rel=\"next\"");
            next.then(|| url.trim_start_matches('<'))
        })
    }

    /// Okta's error code, or OAuth's.
    pub(super) fn code(&self) -> &str {
        let code = |name: &str| self.body[name].as_str();
        code("errorCode").or(code("error")).unwrap_or_default()
    }

    /// The text beside the code.
    pub(super) fn cause(&self) -> &str {
        self.body["errorCauses"][0]["errorSummary"]
            .as_str()
            .or(self.body["errorSummary"].as_str())
            .or(self.body["error_description"].as_str())
            .unwrap_or_default()
    }

    pub(super) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_default()
    }

    /// Status and code, as statements name them.
    pub(super) fn kind(&self) -> String {
        format!("{} {}", self.status, self.code()).trim().to_owned()
    }

    /// The answer in one line; quotes nothing of a body but Okta's error.
    pub(super) fn brief(&self) -> String {
        let cause = self.cause();
        let kind = self.kind();
        if cause.is_empty() {
            format!("answered {kind}")
        } else {
            format!("answered {kind} ({cause})")
        }
    }

    pub(super) fn refused_for(&self, status: u16, code: &str) -> bool {
        self.status == status && self.code() == code
    }
}

/// A host on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}
