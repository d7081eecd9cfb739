//! The record of everything that was served, for tests to count and to read.
//! Bodies, tokens and secrets are not in it.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

const KEPT: usize = 500_000;

/// One request that was served, or cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Emulator clock, milliseconds.
    pub at_ms: u64,
    /// HTTP method.
    pub method: String,
    /// The route's template, or the path where no route matched.
    pub route: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The status answered; 0 for a connection that was cut before its effect.
    pub status: u16,
    /// Okta's errorCode, or OAuth's error.
    pub error_code: Option<String>,
    /// `api-token`, a client id, or `anonymous`.
    pub principal: String,
    /// At token endpoints, the client id that the request claims.
    pub client_id: Option<String>,
    /// `X-Okta-Request-Id` of the answer.
    pub request_id: String,
    /// `X-Okta-Retry-For` of the request.
    pub retry_for: Option<String>,
    /// `User-Agent` of the request.
    pub user_agent: Option<String>,
}

/// The newest half million of them.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    list: VecDeque<Request>,
    counts: HashMap<(String, String), usize>,
}

impl Requests {
    pub(crate) fn add(&mut self, request: Request) {
        *self
            .counts
            .entry((request.method.clone(), request.route.clone()))
            .or_default() += 1;
        if self.list.len() >= KEPT {
            self.list.pop_front();
        }
        self.list.push_back(request);
    }

    pub(crate) fn all(&self) -> Vec<Request> {
        self.list.iter().cloned().collect()
    }

    pub(crate) fn count(&self, method: &str, route: &str) -> usize {
        self.counts
            .get(&(method.to_owned(), route.to_owned()))
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.counts.clear();
    }
}
