//! What the API server was asked, in its own words.
//!
//! It needs the audit log that `components::apiserver` configures. It refuses
//! to guess: a request appears when it has been answered, so a watch appears
//! when it ends, and the very last request may be missing for a moment.

use std::path::Path;

use serde::Deserialize;

/// One finished request to the API server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEvent {
    /// Who asked.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` …
    pub verb: String,
    /// The plural, as `secrets`; empty for paths such as `/version`.
    pub resource: String,
    /// As `status`.
    pub subresource: Option<String>,
    /// Missing for what has none, and for requests across all namespaces.
    pub namespace: Option<String>,
    /// Missing for lists, and for objects whose name the server chose.
    pub name: Option<String>,
    /// The HTTP status of the answer.
    pub code: u16,
    /// Path and query.
    pub uri: String,
    /// With which program, in its own words.
    pub user_agent: String,
}

/// The events so far, in the order in which they ended.
pub(crate) fn read(log: &Path) -> Vec<AuditEvent> {
    // There is no file before the first event. A line still being written
    // does not parse and comes with the next call.
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .map(Line::event)
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    user: User,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: Status,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
struct ObjectRef {
    #[serde(default)]
    resource: String,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

impl Line {
    fn event(self) -> AuditEvent {
        let ObjectRef {
            resource,
            subresource,
            namespace,
            name,
        } = self.object_ref;
        AuditEvent {
            user: self.user.username,
            verb: self.verb,
            resource,
            subresource,
            namespace,
            name,
            code: self.response_status.code,
            uri: self.request_uri,
            user_agent: self.user_agent,
        }
    }
}
