//! One request as the handlers see it, and the answer that they give. No
//! sockets, no locks, no time of its own: `now` is a field.

use hyper::HeaderMap;
use hyper::body::Bytes;
use serde_json::{Map, Value};

use crate::ids;
use crate::refusal::Refusal;

/// What a handler returns.
pub(crate) type Outcome = Result<Answer, Refusal>;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The in-process [`crate::Admin`].
    Admin,
    /// The SSWS token.
    ApiToken,
    /// An OAuth service app with an org token, or a client at a token endpoint.
    Client { client_id: String, label: String },
    /// Nobody that we know.
    Anonymous,
}

impl Principal {
    /// The key of the per-principal share of a rate limit.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Admin => "admin",
            Self::ApiToken => "api-token",
            Self::Client { client_id, .. } => client_id,
            Self::Anonymous => "anonymous",
        }
    }
}

/// A request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) raw_query: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) params: Vec<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) ip: String,
    /// Emulator clock, milliseconds.
    pub(crate) now: u64,
    pub(crate) request_id: String,
    pub(crate) principal: Principal,
}

impl Call {
    /// A request that did not come over the network.
    pub(crate) fn local(method: &str, target: &str, body: Option<&Value>, now: u64) -> Self {
        let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        headers.insert(
            "content-type",
            hyper::header::HeaderValue::from_static("application/json"),
        );
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            raw_query: raw_query.to_owned(),
            query: pairs(raw_query.as_bytes()),
            params: Vec::new(),
            headers,
            body: body.map_or_else(Bytes::new, |value| Bytes::from(value.to_string())),
            ip: "127.0.0.1".to_owned(),
            now,
            request_id: ids::random_text(24),
            principal: Principal::Admin,
        }
    }

    /// The n-th `{…}` of the route's template.
    pub(crate) fn param(&self, n: usize) -> &str {
        self.params.get(n).map_or("", String::as_str)
    }

    /// A query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A request header, when it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as a JSON object; 400 when it is none.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, Refusal> {
        if !self.is_json() {
            return Err(Refusal::api(400, "E0000021"));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(map)) => Ok(map),
            _ => Err(Refusal::api(400, "E0000003")),
        }
    }

    /// The same, with an empty body read as `{}`.
    pub(crate) fn object_or_empty(&self) -> Result<Map<String, Value>, Refusal> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        self.object()
    }

    fn is_json(&self) -> bool {
        self.header("content-type").is_some_and(|value| {
            let essence = value.split(';').next().unwrap_or("").trim();
            essence.eq_ignore_ascii_case("application/json")
        })
    }

    /// The body as a form; every name may come once only.
    pub(crate) fn form(&self) -> Result<Vec<(String, String)>, Refusal> {
        let essence = self.header("content-type").unwrap_or("");
        if !essence.starts_with("application/x-www-form-urlencoded") {
            return Err(Refusal::oauth(
                400,
                "invalid_request",
                "invalid_content_type",
                "The content type must be 'application/x-www-form-urlencoded'.",
            ));
        }
        let form = pairs(&self.body);
        for (n, (name, _)) in form.iter().enumerate() {
            if form[..n].iter().any(|(other, _)| other == name) {
                return Err(Refusal::oauth(
                    400,
                    "invalid_request",
                    "duplicate_parameter",
                    &format!("The parameter '{name}' was sent more than once."),
                ));
            }
        }
        Ok(form)
    }
}

/// Decodes `application/x-www-form-urlencoded`.
pub(crate) fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

/// A response before it meets the network.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) error_code: Option<String>,
}

impl Answer {
    /// A status and a JSON body.
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
            headers: Vec::new(),
            error_code: None,
        }
    }

    /// A status alone.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            body: None,
            headers: Vec::new(),
            error_code: None,
        }
    }

    /// The same with one more header.
    pub(crate) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}
