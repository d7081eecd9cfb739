//! Stands between the operator's kube client and the API server, and does to
//! each request what the weather says. Needs a client that works. It refuses to
//! make up an object: what it answers, the API server has answered once.

use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::Client;
use kube::client::Body;
use serde_json::json;

use crate::dice::Dice;
use crate::lives::Doom;
use crate::watch;
use crate::weather::{Kube, Weather, lock};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// What the API server listed so far, to be served again when it is old. It
/// outlives an operator: the next one may meet a server that lags behind.
#[derive(Default)]
pub(crate) struct Past(Mutex<HashMap<String, Vec<Bytes>>>);

/// A client whose requests go through the weather.
pub(crate) fn client(inner: Client, weather: Arc<Weather>, past: Arc<Past>, doom: Doom) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, weather, past) = (inner.clone(), weather.clone(), past.clone());
        let doom = doom.clone();
        async move {
            doom.beat().await;
            let answer = disturbed(&inner, &weather, &past, request).await;
            doom.beat().await;
            answer
        }
    });
    Client::new(service, "default")
}

async fn disturbed(
    inner: &Client,
    weather: &Arc<Weather>,
    past: &Past,
    request: Request<Body>,
) -> Result<Answer, BoxError> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let method = request.method().clone();
    let watches = query.contains("watch=true");
    // The operator says that its lists may be old (`any_semantic`). That kube keeps
    // this to itself as long as lists come in pages is nothing to rely on.
    let cached = !watches && query.contains("limit=");
    let key = format!("{path}?{query}");
    let kind = weather.kube(&format!("{method} {} {watches}", named(&path)), |kind| {
        possible(kind, &method, watches, cached)
    });
    match kind {
        Kube::Fine | Kube::Stale => {}
        Kube::Late(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        Kube::LostBefore => return Err(lost()),
        Kube::LostAfter => {
            inner.send(request).await?.into_body().collect().await?;
            return Err(lost());
        }
        Kube::Refused(code) => return Ok(refusal(code)),
        Kube::DoneAndRefused(code) => {
            inner.send(request).await?.into_body().collect().await?;
            return Ok(refusal(code));
        }
        Kube::Torn => {
            let (head, body) = inner.send(request).await?.into_parts();
            let bytes = body.collect().await?.to_bytes();
            let half = bytes.slice(..bytes.len() / 2);
            let frames = stream::iter([Ok(Frame::data(half)), Err(lost())]);
            return Ok(answered(head, StreamBody::new(frames)));
        }
    }
    let answer = inner.send(request).await?;
    if !answer.status().is_success() {
        return Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()));
    }
    let (head, body) = answer.into_parts();
    if watches {
        let body = watch::disturbed(body, weather.clone(), named(&path));
        return Ok(answered(head, body));
    }
    if !cached {
        return Ok(answered(head, body));
    }
    let mut bytes = body.collect().await?.to_bytes();
    let mut past = lock(&past.0);
    let known = past.entry(key).or_default();
    known.push(bytes.clone());
    if kind == Kube::Stale {
        let time = known.len() as u64;
        bytes = Dice::new(0, &path, time).pick(known);
    }
    Ok(answered(head, Full::new(bytes)))
}

fn answered<B>(head: http::response::Parts, body: B) -> Answer
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    Response::from_parts(head, body.map_err(Into::into).boxed_unsync())
}

/// Events are named at random: all of a namespace are one.
fn named(path: &str) -> String {
    match path.split_once("/events") {
        Some((namespace, _)) => format!("{namespace}/events"),
        None => path.to_owned(),
    }
}

/// What an API server may do to such a request.
fn possible(kind: Kube, method: &Method, watches: bool, cached: bool) -> bool {
    let writes = method != Method::GET;
    match kind {
        Kube::Stale => cached,
        Kube::Refused(409) => method == Method::PUT || method == Method::PATCH,
        Kube::Refused(410) => watches,
        Kube::LostAfter | Kube::DoneAndRefused(_) => writes,
        Kube::Torn => !watches,
        Kube::Fine | Kube::Late(_) | Kube::LostBefore | Kube::Refused(_) => true,
    }
}

fn lost() -> BoxError {
    Error::new(
        ErrorKind::ConnectionReset,
        "interference: the connection broke",
    )
    .into()
}

fn refusal(code: u16) -> Answer {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "reason": reason, "code": code, "message": format!("interference: {reason}"),
    });
    let (mut head, ()) = Response::new(()).into_parts();
    head.status =
        http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    answered(head, Full::new(Bytes::from(status.to_string())))
}
