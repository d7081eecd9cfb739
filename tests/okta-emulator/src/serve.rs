//! From a request on the wire to the answer on the wire: faults, limits, rights,
//! handler, headers, record. A cut connection is an error of this service, so
//! the caller sees a closed socket and never a status.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use futures::stream;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{HeaderMap, Response};
use serde_json::json;

use crate::call::{Answer, Call, Principal, pairs};
use crate::clock::Clock;
use crate::faults::FaultKind;
use crate::guard::{self, Guard};
use crate::limits::{Bucket, Verdict};
use crate::log::{Actor, Target};
use crate::org::Org;
use crate::refusal::Refusal;
use crate::requests::Request;
use crate::{client_auth, control, ids, routes};

/// The reason for a closed connection.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut on purpose")
    }
}

impl std::error::Error for Cut {}

pub(crate) type Body = UnsyncBoxBody<Bytes, Cut>;

/// What all connections share. Its secrets stay out of `Debug`.
pub(crate) struct Shared {
    org: Mutex<Org>,
    pub(crate) clock: Clock,
    pub(crate) down: AtomicBool,
    running: AtomicU32,
    #[cfg(feature = "openapi")]
    pub(crate) exchanges: crate::openapi::Exchanges,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(org: Org, clock: Clock) -> Self {
        Self {
            org: Mutex::new(org),
            clock,
            down: AtomicBool::new(false),
            running: AtomicU32::new(0),
            #[cfg(feature = "openapi")]
            exchanges: crate::openapi::Exchanges::default(),
        }
    }

    /// The same, which checks what it serves.
    #[cfg(feature = "openapi")]
    pub(crate) fn held_to(mut self, contract: Option<Arc<crate::Contract>>) -> Self {
        self.exchanges = crate::openapi::Exchanges::new(contract);
        self
    }

    /// The org; a panic of another thread does not make it unusable.
    pub(crate) fn org(&self) -> MutexGuard<'_, Org> {
        self.org.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request as running for as long as it lives.
struct Running<'a>(&'a AtomicU32);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Serves one request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
    ip: String,
) -> Result<Response<Body>, Cut> {
    if shared.down.load(Ordering::SeqCst) && !request.uri().path().starts_with("/emulator/") {
        return Err(Cut);
    }
    let concurrent = shared.running.fetch_add(1, Ordering::SeqCst) + 1;
    let _running = Running(&shared.running);
    let (head, body) = request.into_parts();
    let announced = head.headers.contains_key("content-length")
        || head.headers.contains_key("transfer-encoding");
    let body = Limited::new(body, 4 << 20)
        .collect()
        .await
        .map_err(|_| Cut)?
        .to_bytes();
    let raw_query = head.uri.query().unwrap_or("").to_owned();
    let mut call = Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: pairs(raw_query.as_bytes()),
        raw_query,
        params: Vec::new(),
        headers: head.headers,
        body,
        ip,
        now: shared.clock.now_ms(),
        request_id: ids::random_text(24),
        principal: Principal::Anonymous,
    };
    if call.path.starts_with("/emulator/") {
        return Ok(plain(control::handle(&shared, &call)));
    }
    let found = routes::find(&call.method, &call.path);
    let template = found
        .as_ref()
        .map_or(call.path.as_str(), |(route, _)| route.template)
        .to_owned();
    let faults = shared.org().faults.due(&call.method, &template);
    for fault in &faults {
        if let FaultKind::Latency(ms) = fault {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            call.now = shared.clock.now_ms();
        }
    }
    if shared.down.load(Ordering::SeqCst) {
        return Err(Cut);
    }
    let mut org = shared.org();
    if faults.contains(&FaultKind::CutBefore) {
        record(&mut org, &call, &template, 0, None);
        drop(org);
        #[cfg(feature = "openapi")]
        shared.exchanges.check(&call, &template, &faults, None);
        return Err(Cut);
    }
    let answer = match (&found, forced(&faults)) {
        (found, Some(answer)) => {
            let route = found.as_ref().ok().map(|(route, _)| *route);
            counted(&mut org, &call, route, answer)
        }
        (Err(refusal), None) => refusal.clone().into_answer(),
        (Ok(_), None) if !announced && matches!(call.method.as_str(), "POST" | "PUT") => {
            Answer::json(411, json!({ "errorSummary": "Length Required" }))
        }
        (Ok((route, params)), None) => {
            call.params.clone_from(params);
            let too_many = concurrent > org.limits.concurrent && route.bucket != Bucket::None;
            answer(&mut org, &mut call, route, too_many)
        }
    };
    record(
        &mut org,
        &call,
        &template,
        answer.status,
        answer.error_code.clone(),
    );
    let date = org.believed_seconds(call.now);
    drop(org);
    #[cfg(feature = "openapi")]
    shared
        .exchanges
        .check(&call, &template, &faults, Some(&answer));
    if faults.contains(&FaultKind::CutAfter) {
        return Err(Cut);
    }
    Ok(on_the_wire(&call, &answer, date, &faults))
}

/// Limits, rights and the handler.
fn answer(org: &mut Org, call: &mut Call, route: &routes::Route, too_many: bool) -> Answer {
    let identified = if route.guard == Guard::Open {
        client_auth::claimed(call).map_or(Ok(Principal::Anonymous), |client_id| {
            Ok(Principal::Client {
                client_id,
                label: String::new(),
            })
        })
    } else {
        guard::identify(org, call)
    };
    call.principal = match &identified {
        Ok(principal) => principal.clone(),
        Err(_) => Principal::Anonymous,
    };
    if too_many {
        let target = Target::new(route.template, "URL Pattern", route.template);
        org.log
            .done(call, "core.concurrency.org.limit.violation", vec![target]);
        let reset = call.now / 1000 + 2;
        return Refusal::api(429, "E0000047")
            .with_header("x-rate-limit-limit", "0".to_owned())
            .with_header("x-rate-limit-remaining", "0".to_owned())
            .with_header("x-rate-limit-reset", reset.to_string())
            .into_answer();
    }
    let share = org.behaviour.rate_limit_headers_show_share;
    let verdict = org.windows.take(
        &org.limits,
        route.bucket,
        call.principal.key(),
        call.now,
        share,
    );
    let mut answer = if verdict.is_some_and(|verdict| verdict.exceeded) {
        if verdict.is_some_and(|verdict| verdict.news) {
            let target = Target::new(route.template, "URL Pattern", route.template);
            let actor = Actor::of(call);
            org.log.by(
                call,
                &actor,
                "system.org.rate_limit.violation",
                Ok(()),
                vec![target],
            );
        }
        Refusal::api(429, "E0000047").into_answer()
    } else {
        identified
            .and_then(|_| guard::authorize(org, call, route.guard))
            .and_then(|()| (route.handler)(org, call))
            .unwrap_or_else(Refusal::into_answer)
    };
    if let Some(verdict) = verdict {
        answer = limit_headers(org, &verdict, verdict.remaining, answer);
    }
    answer
}

/// The answer of an injected status.
fn forced(faults: &[FaultKind]) -> Option<Answer> {
    faults.iter().find_map(|fault| match fault {
        FaultKind::Status { status, error_code } => {
            let code = error_code.as_deref().unwrap_or(match status {
                401 => "E0000011",
                403 => "E0000006",
                404 => "E0000007",
                429 => "E0000047",
                503 => "E0000010",
                400..=499 => "E0000001",
                _ => "E0000009",
            });
            Some(Refusal::api(*status, code).into_answer())
        }
        FaultKind::Answer { status, .. } => Some(Answer::empty(*status)),
        _ => None,
    })
}

/// An injected status counts as any other answer, and says how much is left; as a
/// 429 it says that nothing is.
fn counted(org: &mut Org, call: &Call, route: Option<&routes::Route>, answer: Answer) -> Answer {
    let Some(route) = route else {
        return answer;
    };
    let principal = match route.guard {
        Guard::Open => Principal::Anonymous,
        _ => guard::identify(org, call).unwrap_or(Principal::Anonymous),
    };
    let share = org.behaviour.rate_limit_headers_show_share;
    let verdict = org
        .windows
        .take(&org.limits, route.bucket, principal.key(), call.now, share);
    let refused = answer.status == 429;
    verdict.map_or(answer.clone(), |verdict| {
        let remaining = if refused { 0 } else { verdict.remaining };
        limit_headers(org, &verdict, remaining, answer)
    })
}

fn limit_headers(org: &Org, verdict: &Verdict, remaining: u32, answer: Answer) -> Answer {
    // The reset is in Okta's time, as the Date header is.
    let reset = verdict.reset.saturating_add_signed(org.faults.skew());
    answer
        .with_header("x-rate-limit-limit", verdict.limit.to_string())
        .with_header("x-rate-limit-remaining", remaining.to_string())
        .with_header("x-rate-limit-reset", reset.to_string())
}

fn record(org: &mut Org, call: &Call, template: &str, status: u16, error_code: Option<String>) {
    let token = template.ends_with("/v1/token");
    org.requests.add(Request {
        at_ms: call.now,
        method: call.method.clone(),
        route: template.to_owned(),
        path: call.path.clone(),
        query: call.raw_query.clone(),
        status,
        error_code,
        principal: call.principal.key().to_owned(),
        client_id: if token {
            client_auth::claimed(call)
        } else {
            None
        },
        request_id: call.request_id.clone(),
        retry_for: call.header("x-okta-retry-for").map(str::to_owned),
        user_agent: call.header("user-agent").map(str::to_owned),
    });
}

fn on_the_wire(call: &Call, answer: &Answer, date: u64, faults: &[FaultKind]) -> Response<Body> {
    let malformed = faults.contains(&FaultKind::Malformed);
    let foreign = faults.iter().find_map(|fault| match fault {
        FaultKind::Answer { headers, body, .. } => Some((headers, body)),
        _ => None,
    });
    let bytes = if malformed {
        Some(Bytes::from_static(
            b"{\"id\": \"0oa\", <html>upstream connect error",
        ))
    } else if let Some((_, body)) = foreign {
        Some(Bytes::from(body.clone()))
    } else {
        answer
            .body
            .as_ref()
            .map(|body| Bytes::from(body.to_string()))
    };
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = value.parse() {
            headers.append(name, value);
        }
    };
    set(
        "date",
        &httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(date)),
    );
    set("x-okta-request-id", &call.request_id);
    if bytes.is_some() {
        set("content-type", "application/json");
    }
    for (name, value) in &answer.headers {
        set(name, value);
    }
    if !answer
        .headers
        .iter()
        .any(|(name, _)| *name == "cache-control")
    {
        set("cache-control", "no-cache, no-store");
    }
    for (name, value) in foreign.iter().flat_map(|(headers, _)| headers.iter()) {
        if let (Ok(name), Ok(value)) = (name.parse::<hyper::header::HeaderName>(), value.parse()) {
            headers.insert(name, value);
        }
    }
    let status = if malformed { 200 } else { answer.status };
    let bytes = bytes.unwrap_or_default();
    let body = if faults.contains(&FaultKind::Truncated) && !bytes.is_empty() {
        headers.insert("content-length", bytes.len().into());
        let half = bytes.slice(..bytes.len() / 2);
        StreamBody::new(stream::iter([Ok(Frame::data(half)), Err(Cut)])).boxed_unsync()
    } else {
        Full::new(bytes)
            .map_err(|never: Infallible| match never {})
            .boxed_unsync()
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

/// An answer of the emulator's own endpoint, without Okta's headers.
fn plain(answer: Answer) -> Response<Body> {
    let text = answer.body.map(|body| body.to_string()).unwrap_or_default();
    let mut response = Response::new(
        Full::new(Bytes::from(text))
            .map_err(|never: Infallible| match never {})
            .boxed_unsync(),
    );
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status)
        .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        "content-type",
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}

/// A request by an admin's own hand: no network, no limits, no faults, no record.
pub(crate) fn by_hand(org: &mut Org, mut call: Call) -> Answer {
    match routes::find(&call.method, &call.path) {
        Ok((route, params)) => {
            call.params = params;
            (route.handler)(org, &call).unwrap_or_else(Refusal::into_answer)
        }
        Err(refusal) => refusal.into_answer(),
    }
}
