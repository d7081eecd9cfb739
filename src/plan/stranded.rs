//! The status of an account whose issuer is missing or not in order. Pure.

use k8s_openapi::jiff::Timestamp;

use super::condition_list::Conditions;
use super::status::needs_somebody;
use crate::api::Neo4jServiceAccountStatus as Status;
use crate::api::conditions::{
    CREDENTIALS_READY, NEO4J_VERIFIED, READY, RECONCILING, REGISTERED, Reason, STALLED, TOKEN_FRESH,
};

/// The status of an account whose issuer is missing or not in order: nothing is
/// known that was not known before, but a token still ends when it ends.
#[must_use]
pub fn stranded_status(
    object: &crate::api::Neo4jServiceAccount,
    reason: Reason,
    message: &str,
    now: Timestamp,
) -> Status {
    let old = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let mut conditions = Conditions {
        old: &old.conditions,
        new: Vec::new(),
        generation,
        now,
    };
    let alive = old.token.as_ref().filter(|t| t.expires_at.0 > now);
    let deleting = object.metadata.deletion_timestamp.is_some();
    match (alive, &old.token) {
        _ if deleting => conditions.set(READY, false, reason, message.to_owned()),
        (Some(_), _) => conditions.set(
            READY,
            true,
            Reason::TokenIssued,
            "The token in the Secret is valid".to_owned(),
        ),
        (None, Some(token)) => conditions.set(
            READY,
            false,
            Reason::TokenExpired,
            format!(
                "The token expired at {} and no new one could be had: {message}",
                token.expires_at.0
            ),
        ),
        (None, None) => conditions.set(READY, false, reason, message.to_owned()),
    }
    for type_ in [REGISTERED, CREDENTIALS_READY] {
        match old
            .conditions
            .iter()
            .find(|c| c.type_ == type_ && c.status == "True")
        {
            Some(condition) => conditions.new.push(condition.clone()),
            None => conditions.set(type_, false, reason, message.to_owned()),
        }
    }
    match alive {
        Some(token) if now < token.next_refresh_at.0 => conditions.set(
            TOKEN_FRESH,
            true,
            Reason::TokenIssued,
            "The token is not due for a refresh".to_owned(),
        ),
        Some(token) => conditions.set(
            TOKEN_FRESH,
            false,
            reason,
            format!(
                "{message}; the token in the Secret expires at {}",
                token.expires_at.0
            ),
        ),
        None => conditions.set(TOKEN_FRESH, false, reason, message.to_owned()),
    }
    let verified = old.conditions.iter().find(|c| c.type_ == NEO4J_VERIFIED);
    conditions.new.extend(verified.cloned());
    let unseen = old.observed_generation != generation
        || old.conditions.iter().any(|c| c.type_ == RECONCILING);
    if alive.is_none() && needs_somebody(reason) {
        conditions.set(STALLED, true, reason, message.to_owned());
    } else if alive.is_none() || unseen {
        conditions.set(RECONCILING, true, reason, message.to_owned());
    }
    let conditions = conditions.new;
    Status {
        observed_generation: generation,
        conditions,
        ..old
    }
}
