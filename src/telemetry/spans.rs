//! The spans of traces: a reconcile, each act of it, each request to Okta and
//! each write to Kubernetes.
//!
//! Needs nothing; where nobody collects them, a span costs a comparison. Holds
//! names, ids, status numbers and classes of errors, never a body, a header or a
//! query.

use axum::http::Request;
use kube::client::Body;
use reqwest::Method;
use tracing::Span;
use tracing::field::Empty;
use url::Url;

use crate::api::{Neo4jServiceAccount, OktaIssuer};
use crate::plan::step::{Place, Step};

/// What tells these spans from all others.
pub(crate) const TARGET: &str = "neo4j_okta_operator::spans";

/// The reconcile of an account; always the root of a trace.
pub(crate) fn account(object: &Neo4jServiceAccount) -> Span {
    tracing::info_span!(
        target: TARGET,
        parent: None,
        "reconcile account",
        neo4j_okta.namespace = object.metadata.namespace.as_deref(),
        neo4j_okta.name = object.metadata.name.as_deref(),
        neo4j_okta.outcome = Empty,
        otel.status_code = Empty,
    )
}

/// The reconcile of an issuer; always the root of a trace.
pub(crate) fn issuer(object: &OktaIssuer) -> Span {
    tracing::info_span!(
        target: TARGET,
        parent: None,
        "reconcile issuer",
        neo4j_okta.name = object.metadata.name.as_deref(),
        neo4j_okta.outcome = Empty,
        otel.status_code = Empty,
    )
}

/// What came of a reconcile, in the words of its metric.
pub(crate) fn ended(span: &Span, outcome: &str, failed: bool) {
    span.record("neo4j_okta.outcome", outcome);
    if failed {
        span.record("otel.status_code", "ERROR");
    }
}

/// One step of an account.
pub(crate) fn act(step: &Step) -> Span {
    let place = match step.place() {
        Place::Kubernetes => "kubernetes",
        Place::Issuer => "issuer",
        Place::Okta => "okta",
        Place::Neo4j => "neo4j",
    };
    tracing::info_span!(
        target: TARGET,
        "act",
        otel.name = step.name(),
        neo4j_okta.place = place,
        "error.type" = Empty,
        otel.status_code = Empty,
    )
}

/// One request to Okta, which is tried for the `resent`-th time again.
pub(crate) fn okta(operation: &'static str, method: &Method, url: &Url, resent: u32) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "okta",
        otel.name = format_args!("okta {operation}"),
        otel.kind = "client",
        neo4j_okta.operation = operation,
        neo4j_okta.okta_request = Empty,
        http.request.method = method.as_str(),
        http.request.resend_count = Empty,
        http.response.status_code = Empty,
        server.address = url.host_str().unwrap_or_default(),
        server.port = url.port_or_known_default(),
        "error.type" = Empty,
        otel.status_code = Empty,
    );
    if resent > 0 {
        span.record("http.request.resend_count", resent);
    }
    span
}

/// One write to Kubernetes.
pub(crate) fn kubernetes(request: &Request<Body>) -> Span {
    if !tracing::span_enabled!(target: TARGET, tracing::Level::INFO) {
        return Span::none();
    }
    let method = request.method().as_str();
    let at = Resource::of(request.uri().path());
    tracing::info_span!(
        target: TARGET,
        "kubernetes",
        otel.name = format_args!("{method} {}", at.kind),
        otel.kind = "client",
        neo4j_okta.resource = at.kind,
        neo4j_okta.namespace = at.namespace,
        neo4j_okta.name = at.name,
        http.request.method = method,
        http.response.status_code = Empty,
        "error.type" = Empty,
        otel.status_code = Empty,
    )
}

/// There was an answer with this status.
pub(crate) fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    // A redirect is not followed.
    if status >= 300 {
        span.record("error.type", tracing::field::display(status));
        span.record("otel.status_code", "ERROR");
    }
}

/// The answer, which had this status, did not come to its end.
pub(crate) fn broke_off(span: &Span, status: u16) {
    // What was recorded already stands.
    if status < 300 {
        failed(span, "transient");
    }
}

/// It failed before there was an answer, with an error of this class.
pub(crate) fn failed(span: &Span, class: &str) {
    span.record("error.type", class);
    span.record("otel.status_code", "ERROR");
}

/// What a path of the API server's names.
#[derive(Debug, PartialEq, Eq)]
struct Resource<'a> {
    /// The resource, with its subresource.
    kind: String,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> Resource<'a> {
    fn of(path: &'a str) -> Self {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        // `/api/<version>` or `/apis/<group>/<version>`, perhaps behind the path
        // of a proxy.
        let group = parts.by_ref().find(|part| ["api", "apis"].contains(part));
        parts.next();
        if group == Some("apis") {
            parts.next();
        }
        let mut rest = parts.peekable();
        let mut namespace = None;
        let mut kind = rest.next().unwrap_or_default();
        if kind == "namespaces" {
            let named = rest.next();
            // A namespace itself, or what is in it.
            match rest.next() {
                Some(within) => (kind, namespace) = (within, named),
                None => {
                    return Self {
                        kind: kind.to_owned(),
                        namespace: None,
                        name: named,
                    };
                }
            }
        }
        let name = rest.next();
        let kind = match rest.next() {
            Some(sub) => format!("{kind}/{sub}"),
            None => kind.to_owned(),
        };
        Self {
            kind,
            namespace,
            name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_write_tells_what_was_written() {
        let cases = [
            (
                "/api/v1/namespaces/a/secrets/b",
                "secrets",
                Some("a"),
                Some("b"),
            ),
            ("/api/v1/namespaces/a/secrets", "secrets", Some("a"), None),
            ("/api/v1/namespaces/a", "namespaces", None, Some("a")),
            (
                "/apis/neo4j-okta.dev/v1alpha1/namespaces/a/neo4jserviceaccounts/b/status",
                "neo4jserviceaccounts/status",
                Some("a"),
                Some("b"),
            ),
            (
                "/k8s/clusters/c-1/apis/neo4j-okta.dev/v1alpha1/oktaissuers/default",
                "oktaissuers",
                None,
                Some("default"),
            ),
            ("/", "", None, None),
        ];
        for (path, kind, namespace, name) in cases {
            let wanted = Resource {
                kind: kind.to_owned(),
                namespace,
                name,
            };
            assert_eq!(Resource::of(path), wanted, "{path}");
        }
    }
}
