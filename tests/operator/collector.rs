//! A collector of the tests' own: takes OTLP over HTTP as the real ones do and
//! keeps what came. Needs a free port on loopback. Refuses whatever is not a
//! well-formed request for traces.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

type Attributes = BTreeMap<String, String>;

/// What came so far.
#[derive(Debug, Default)]
struct Taken {
    spans: Vec<Seen>,
    /// The bodies as they were sent.
    bodies: Vec<u8>,
}

/// A span, and who sent it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) resource: Attributes,
    /// `content-encoding` and `authorization` of the request that brought it.
    pub(crate) compression: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) attributes: Attributes,
    pub(crate) span: Span,
}

impl Seen {
    pub(crate) fn name(&self) -> &str {
        &self.span.name
    }

    pub(crate) fn is_root(&self) -> bool {
        self.span.parent_span_id.is_empty()
    }

    pub(crate) fn is_child_of(&self, other: &Self) -> bool {
        self.span.trace_id == other.span.trace_id && self.span.parent_span_id == other.span.span_id
    }

    /// An attribute as text, empty when there is none.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    pub(crate) fn is_error(&self) -> bool {
        // STATUS_CODE_ERROR
        self.span.status.as_ref().is_some_and(|s| s.code == 2)
    }

    /// The messages of the log lines in it.
    pub(crate) fn said(&self) -> Vec<&str> {
        self.span.events.iter().map(|e| e.name.as_str()).collect()
    }
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
    taken: Arc<Mutex<Taken>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let taken = Arc::<Mutex<Taken>>::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(taken.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            url,
            taken,
        }
    }

    pub(crate) fn spans(&self) -> Vec<Seen> {
        self.taken.lock().unwrap().spans.clone()
    }

    /// All that was sent, as a tap on the wire would show it.
    pub(crate) fn bodies(&self) -> String {
        String::from_utf8_lossy(&self.taken.lock().unwrap().bodies).into_owned()
    }
}

async fn take(
    State(taken): State<Arc<Mutex<Taken>>>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let text = |name| headers.get(name)?.to_str().ok().map(str::to_owned);
    let protobuf = text(header::CONTENT_TYPE).as_deref() == Some("application/x-protobuf");
    let compression = text(header::CONTENT_ENCODING);
    let body = match compression.as_deref() {
        None => body.to_vec(),
        Some(_) => {
            let mut plain = Vec::new();
            let read = GzDecoder::new(&*body).read_to_end(&mut plain);
            read.map_or_else(|_| Vec::new(), |_| plain)
        }
    };
    let Ok(request) = ExportTraceServiceRequest::decode(&*body) else {
        return (StatusCode::BAD_REQUEST, Vec::new());
    };
    if !protobuf {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, Vec::new());
    }
    let mut taken = taken.lock().unwrap();
    taken.bodies.extend_from_slice(&body);
    for group in request.resource_spans {
        let resource = attributes(&group.resource.unwrap_or_default().attributes);
        for span in group.scope_spans.into_iter().flat_map(|s| s.spans) {
            taken.spans.push(Seen {
                resource: resource.clone(),
                compression: compression.clone(),
                authorization: text(header::AUTHORIZATION),
                attributes: attributes(&span.attributes),
                span,
            });
        }
    }
    let answer = ExportTraceServiceResponse::default();
    (StatusCode::OK, answer.encode_to_vec())
}

fn attributes(all: &[KeyValue]) -> Attributes {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|v| v.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        other => format!("{other:?}"),
    };
    all.iter()
        .map(|a| (a.key.clone(), text(&a.value)))
        .collect()
}
