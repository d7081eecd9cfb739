//! The exchanges that an emulator serves, held to the contract while it serves
//! them. An answer that a fault made is not Okta's, so it is left alone; the
//! request before it is not.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::{Contract, FORM};
use crate::call::{Answer, Call, pairs};
use crate::faults::FaultKind;

/// The contract, if there is one, and what has violated it so far.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    contract: Option<Arc<Contract>>,
    violations: Mutex<Vec<String>>,
}

impl Exchanges {
    pub(crate) fn new(contract: Option<Arc<Contract>>) -> Self {
        Self {
            contract,
            violations: Mutex::default(),
        }
    }

    /// All violations, each told once, in the order of their first appearance.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// One exchange; no answer when the connection was cut before.
    pub(crate) fn check(
        &self,
        call: &Call,
        template: &str,
        faults: &[FaultKind],
        answer: Option<&Answer>,
    ) {
        let Some(contract) = &self.contract else {
            return;
        };
        let method = call.method.as_str();
        for finding in request(contract, call, template) {
            self.note(format!("{method} {template} request: {finding}"));
        }
        let Some(answer) = answer else { return };
        if faults.iter().any(spoils_the_answer) {
            return;
        }
        let body = answer.body.as_ref().unwrap_or(&Value::Null);
        for finding in contract.answer(method, template, answer.status, body) {
            let status = answer.status;
            self.note(format!("{method} {template} answer {status}: {finding}"));
        }
    }

    fn note(&self, text: String) {
        let mut violations = self
            .violations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !violations.contains(&text) {
            violations.push(text);
        }
    }
}

fn request(contract: &Contract, call: &Call, template: &str) -> Vec<String> {
    let content_type = call.header("content-type").unwrap_or("");
    let body = if call.body.is_empty() {
        None
    } else if content_type.starts_with(FORM) {
        let texts = pairs(&call.body).into_iter();
        Some(
            texts
                .map(|(name, text)| (name, Value::from(text)))
                .collect(),
        )
    } else {
        match serde_json::from_slice(&call.body) {
            Ok(body) => Some(body),
            Err(_) => return vec!["the body is not JSON".to_owned()],
        }
    };
    contract.request(&call.method, template, content_type, body.as_ref())
}

fn spoils_the_answer(fault: &FaultKind) -> bool {
    match fault {
        FaultKind::CutBefore
        | FaultKind::CutAfter
        | FaultKind::Status { .. }
        | FaultKind::Answer { .. }
        | FaultKind::Malformed
        | FaultKind::Truncated => true,
        FaultKind::Latency(_)
        | FaultKind::Lag(_)
        | FaultKind::ClockSkew(_)
        | FaultKind::CreateAnswersOtherClientId => false,
    }
}
