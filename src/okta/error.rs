//! What can come of asking Okta, in classes. The rest of the operator matches
//! the class, never a status number. Holds no body: bodies may hold secrets.

use k8s_openapi::jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;

/// What kind of failure it is, and so what may be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// No answer, a broken one, or Okta's own trouble: try again later.
    Transient,
    /// Not before this instant. `by_okta` is false when our own budget said so
    /// and nothing was sent.
    RateLimited {
        /// When to come back.
        until: Timestamp,
        /// Whether Okta said so (429).
        by_okta: bool,
    },
    /// The operator's sign-in is not accepted.
    Unauthorized,
    /// The operator's sign-in lacks an OAuth scope or an admin role.
    Forbidden,
    /// Okta does not know it.
    NotFound,
    /// Somebody else changed it at the same time.
    Conflict,
    /// Okta does not accept the request as it is.
    Rejected {
        /// Okta's error code (`E…`) or OAuth's `error`.
        code: String,
    },
}

impl Class {
    /// A stable word for metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimited { by_okta: true, .. } => "rate_limited",
            Self::RateLimited { by_okta: false, .. } => "deferred",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// A failed request to Okta.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}{}", .request_id.as_ref().map(|id| format!(" (Okta request {id})")).unwrap_or_default())]
pub struct Error {
    /// What kind of failure.
    pub class: Class,
    /// In words; never quotes a body or a credential.
    pub message: String,
    /// Okta's `X-Okta-Request-Id`, for their support.
    pub request_id: Option<String>,
}

impl Error {
    /// Whether Okta may have carried out the request for all that. One that the
    /// rate limit holds back was not sent, or not looked at.
    #[must_use]
    pub const fn is_in_doubt(&self) -> bool {
        !matches!(self.class, Class::RateLimited { .. })
    }

    pub(super) fn transient(message: impl Into<String>) -> Self {
        Self {
            class: Class::Transient,
            message: message.into(),
            request_id: None,
        }
    }

    pub(super) fn deferred(until: Timestamp) -> Self {
        Self {
            class: Class::RateLimited {
                until,
                by_okta: false,
            },
            message: "waiting for a slot within our share of Okta's rate limit".to_owned(),
            request_id: None,
        }
    }
}

/// The management API's error body (Okta core API, "Errors").
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorBody {
    #[serde(default)]
    pub(super) error_code: String,
    #[serde(default)]
    error_summary: String,
    #[serde(default)]
    error_causes: Vec<Cause>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cause {
    #[serde(default)]
    error_summary: String,
}

impl ErrorBody {
    /// Code, summary and causes in one line.
    pub(super) fn words(&self, status: StatusCode) -> String {
        if self.error_code.is_empty() {
            return foreign(status);
        }
        let causes: Vec<&str> = self
            .error_causes
            .iter()
            .map(|c| c.error_summary.as_str())
            .collect();
        let causes = if causes.is_empty() {
            String::new()
        } else {
            format!(": {}", causes.join("; "))
        };
        format!(
            "Okta answered {} {} {}{causes}",
            status.as_u16(),
            self.error_code,
            self.error_summary
        )
    }
}

/// An answer that has nothing of Okta's in it.
pub(super) fn foreign(status: StatusCode) -> String {
    format!(
        "answered {} without a word of Okta's (a maintenance page, a proxy, a firewall?)",
        status.as_u16()
    )
}

/// Classifies a refused management request (codes: Okta's error catalogue).
/// Without a code it was not Okta's API that spoke: a page of a proxy that says
/// 404 must not make us believe that an app is gone.
pub(super) fn classify(status: u16, code: &str) -> Class {
    match (status, code) {
        (_, "" | "E0000009" | "E0000010" | "E0000239" | "E0000268") => Class::Transient,
        (_, "E0000015") => Class::Rejected {
            code: code.to_owned(),
        },
        (_, "E0000004" | "E0000011" | "E0000005") | (401, _) => Class::Unauthorized,
        (403, "E0000006") => Class::Forbidden,
        (404, _) => Class::NotFound,
        (409 | 412, _) => Class::Conflict,
        (408 | 425 | 423 | 500..=599, _) => Class::Transient,
        (_, code) => Class::Rejected {
            code: code.to_owned(),
        },
    }
}
