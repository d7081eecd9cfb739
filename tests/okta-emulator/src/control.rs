//! The emulator's own endpoint, `/emulator/`, for whoever does not hold the
//! library in hand: requests, faults, clock, limits, behaviour, outage. It
//! answers during an outage and is not part of Okta.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::call::{Answer, Call, Outcome};
use crate::faults::Fault;
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::serve::Shared;

#[derive(Deserialize)]
struct Advance {
    advance_seconds: u64,
}

#[derive(Deserialize)]
struct Outage {
    down: bool,
}

fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Refusal> {
    serde_json::from_slice(&call.body).map_err(|error| Refusal::invalid("body", &error.to_string()))
}

fn done() -> Outcome {
    Ok(Answer::empty(204))
}

/// Handles one request to `/emulator/`.
pub(crate) fn handle(shared: &Shared, call: &Call) -> Answer {
    let expected = format!("SSWS {}", shared.org().api_token);
    if call.header("authorization") != Some(expected.as_str()) {
        return Refusal::invalid_token().into_answer();
    }
    route(shared, call).unwrap_or_else(Refusal::into_answer)
}

fn route(shared: &Shared, call: &Call) -> Outcome {
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/emulator/requests") => Ok(Answer::json(200, json!(shared.org().requests.all()))),
        ("DELETE", "/emulator/requests") => {
            shared.org().requests.clear();
            done()
        }
        ("GET", "/emulator/faults") => Ok(Answer::json(200, json!(shared.org().faults.all()))),
        ("POST", "/emulator/faults") => {
            let fault: Fault = body(call)?;
            shared.org().faults.add(fault);
            done()
        }
        ("DELETE", "/emulator/faults") => {
            shared.org().faults.clear();
            done()
        }
        ("GET", "/emulator/clock") => Ok(clock(shared)),
        ("POST", "/emulator/clock") => {
            let advance: Advance = body(call)?;
            shared
                .clock
                .advance(Duration::from_secs(advance.advance_seconds));
            Ok(clock(shared))
        }
        ("GET", "/emulator/limits") => Ok(Answer::json(200, json!(shared.org().limits))),
        ("PUT", "/emulator/limits") => {
            let limits: Limits = body(call)?;
            set_limits(shared, limits);
            done()
        }
        ("GET", "/emulator/behaviour") => Ok(Answer::json(200, json!(shared.org().behaviour))),
        ("PUT", "/emulator/behaviour") => {
            let behaviour: Behaviour = body(call)?;
            shared.org().behave(behaviour);
            done()
        }
        ("PUT", "/emulator/outage") => {
            let outage: Outage = body(call)?;
            shared.down.store(outage.down, Ordering::SeqCst);
            done()
        }
        _ => Err(Refusal::not_found(&call.path, "Endpoint")),
    }
}

/// New limits start with empty windows.
pub(crate) fn set_limits(shared: &Shared, limits: Limits) {
    let mut org = shared.org();
    org.limits = limits;
    org.windows.clear();
}

fn clock(shared: &Shared) -> Answer {
    let ms = shared.clock.now_ms();
    let body: Value = json!({ "now_ms": ms, "now": crate::clock::iso(ms) });
    Answer::json(200, body)
}
