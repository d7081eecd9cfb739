//! A management request, a good answer to it, and what a refusal of it means.
//! Needs nothing; sends nothing. Quotes no body.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use super::budget::Bucket;
use super::error::{Class, Error, ErrorBody, classify};
use super::headers::request_id;
use super::rights::{Right, challenge};

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

/// Where a request goes, for whoever counts and traces it.
#[derive(Clone, Copy, Debug)]
pub(super) struct To {
    pub(super) operation: &'static str,
    pub(super) bucket: Bucket,
    /// Sent before, and refused for a token that had ended.
    pub(super) resent: bool,
}

impl To {
    /// For the first time.
    pub(super) const fn first(operation: &'static str, bucket: Bucket) -> Self {
        Self {
            operation,
            bucket,
            resent: false,
        }
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

/// What a refused management request means.
pub(super) fn refusal(
    request: &Request,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Error {
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let challenged = challenge(headers, "error");
    let class = match challenged {
        Some("insufficient_scope") => Class::Forbidden,
        Some(_) if status == StatusCode::UNAUTHORIZED => Class::Unauthorized,
        _ => classify(status.as_u16(), &body.error_code),
    };
    let words = match challenged {
        // The API's own gate may leave the body out.
        Some(_) if body.error_code.is_empty() => format!("Okta answered {}", status.as_u16()),
        _ => body.words(status),
    };
    let mut message = format!("{}: {words}", request.operation);
    if let Some(why) = challenge(headers, "error_description") {
        message = format!("{message} ({why})");
    }
    if class == Class::Forbidden {
        let right = Right::of(&request.method, request.bucket, request.operation);
        message = format!("{message}; {}", right.missing(headers));
    }
    Error {
        class,
        message,
        request_id: request_id(headers),
    }
}
