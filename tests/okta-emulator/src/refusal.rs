//! How Okta says no: the management API's error body and OAuth's. Handlers
//! return these; nothing here decides whether a request deserves one.

use serde_json::{Value, json};

use crate::call::Answer;
use crate::ids;

/// A request that is not granted.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// The management API's shape: errorCode, errorSummary, errorCauses.
    Api {
        status: u16,
        code: String,
        summary: String,
        causes: Vec<String>,
        headers: Vec<(&'static str, String)>,
    },
    /// RFC 6749 §5.2, with Okta's internal reason for the System Log.
    OAuth {
        status: u16,
        error: &'static str,
        description: String,
        reason: &'static str,
        headers: Vec<(&'static str, String)>,
    },
}

impl Refusal {
    /// Any code of the catalogue, with Okta's summary for it.
    pub(crate) fn api(status: u16, code: &str) -> Self {
        Self::Api {
            status,
            code: code.to_owned(),
            summary: summary(code).to_owned(),
            causes: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 400 E0000001: the field, and the text that tells one refusal from another.
    pub(crate) fn invalid(field: &str, cause: &str) -> Self {
        Self::Api {
            status: 400,
            code: "E0000001".to_owned(),
            summary: format!("Api validation failed: {field}"),
            causes: vec![cause.to_owned()],
            headers: Vec::new(),
        }
    }

    /// 404 E0000007.
    pub(crate) fn not_found(id: &str, kind: &str) -> Self {
        Self::Api {
            status: 404,
            code: "E0000007".to_owned(),
            summary: format!("Not found: Resource not found: {id} ({kind})"),
            causes: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 403 E0000006.
    pub(crate) fn forbidden() -> Self {
        Self::api(403, "E0000006")
    }

    /// 401 E0000011.
    pub(crate) fn invalid_token() -> Self {
        Self::api(401, "E0000011")
    }

    /// An OAuth error; `reason` is what the System Log calls it.
    pub(crate) fn oauth(
        status: u16,
        error: &'static str,
        reason: &'static str,
        description: &str,
    ) -> Self {
        Self::OAuth {
            status,
            error,
            description: description.to_owned(),
            reason,
            headers: Vec::new(),
        }
    }

    /// 401 invalid_client.
    pub(crate) fn invalid_client(reason: &'static str, description: &str) -> Self {
        Self::oauth(401, "invalid_client", reason, description)
    }

    /// The same with one more response header.
    pub(crate) fn with_header(mut self, name: &'static str, value: String) -> Self {
        match &mut self {
            Self::Api { headers, .. } | Self::OAuth { headers, .. } => headers.push((name, value)),
        }
        self
    }

    /// What the System Log's `outcome.reason` says.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Api { summary, .. } => summary.clone(),
            Self::OAuth { reason, .. } => (*reason).to_owned(),
        }
    }

    /// The response that carries it.
    pub(crate) fn into_answer(self) -> Answer {
        match self {
            Self::Api {
                status,
                code,
                summary,
                causes,
                headers,
            } => {
                let causes: Vec<Value> = causes
                    .iter()
                    .map(|cause| json!({ "errorSummary": cause }))
                    .collect();
                let mut answer = Answer::json(
                    status,
                    json!({
                        "errorCode": code,
                        "errorSummary": summary,
                        "errorLink": code,
                        "errorId": format!("oae{}", ids::random_text(20)),
                        "errorCauses": causes,
                    }),
                );
                answer.error_code = Some(code);
                answer.headers = headers;
                answer
            }
            Self::OAuth {
                status,
                error,
                description,
                headers,
                ..
            } => {
                let mut answer = Answer::json(
                    status,
                    json!({ "error": error, "error_description": description }),
                );
                answer.error_code = Some(error.to_owned());
                answer.headers = headers;
                answer.headers.push(("cache-control", "no-store".into()));
                answer
            }
        }
    }
}

fn summary(code: &str) -> &'static str {
    match code {
        "E0000001" => "Api validation failed: request",
        "E0000003" => "The request body was not well-formed.",
        "E0000004" => "Authentication failed",
        "E0000005" => "Invalid session",
        "E0000006" => "You do not have permission to perform the requested action",
        "E0000007" => "Not found: Resource not found",
        "E0000009" => "Internal Server Error",
        "E0000010" => "Service is in read only mode",
        "E0000011" => "Invalid token provided",
        "E0000015" => "You do not have permission to access the feature you are requesting",
        "E0000021" => {
            "Bad request. Accept and/or Content-Type headers likely do not match supported values."
        }
        "E0000022" => "The endpoint does not support the provided HTTP method",
        "E0000031" => "Invalid search criteria.",
        "E0000040" => {
            "Application label must not be the same as another existing application label."
        }
        "E0000047" => "API call exceeded rate limit due to too many requests.",
        "E0000056" => "Delete application forbidden.",
        "E0000195" => "The request conflicts with the state of the resource.",
        "E0000239" => "Policy priorities are being reconciled. Please try again later.",
        _ => "The request failed.",
    }
}
