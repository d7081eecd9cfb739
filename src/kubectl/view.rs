//! What there is to say about an account at an instant, as a value: the text and
//! the JSON of `status` are made from it. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use super::style::Tone;
use crate::api::Neo4jServiceAccount;
use crate::api::conditions::{NEO4J_VERIFIED, READY, RECONCILING, Reason, STALLED, TOKEN_FRESH};
use crate::plan::schedule::TENANT_CREDENTIALS_INTERVAL;

/// A refresh that is this late did not happen: the operator tries within seconds.
const LATE: i64 = 120;

/// An account at an instant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// One word for all of it.
    pub(super) state: State,
    /// Why, for people, unless all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Seconds until its turn comes, as far as that can be foreseen, while it waits
    /// for Okta's rate limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds_to_turn: Option<i64>,
    /// The issuer that serves it.
    pub(super) issuer: String,
    /// The groups that it asks for.
    pub(super) groups: Vec<String>,
    /// The token, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Token>,
    /// The client credentials.
    pub(super) credentials: Credentials,
    /// Neo4j's user name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<String>,
    /// Okta's id of the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app_id: Option<String>,
    /// The org.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) org_url: Option<String>,
    /// As the operator wrote them.
    pub(super) conditions: Vec<Condition>,
}

/// One word for an account. What it stands still for is its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum State {
    /// One of those that follow, or `Ready`.
    Well(&'static str),
    /// A workload can log in, but something needs a look.
    Degraded(&'static str),
    /// A workload cannot log in; the word is the condition's reason.
    Down(String),
    /// Wait.
    Waiting(String),
}

impl State {
    /// The word.
    #[must_use]
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Well(word) | Self::Degraded(word) => word,
            Self::Down(word) | Self::Waiting(word) => word,
        }
    }

    /// How bad it is.
    #[must_use]
    pub(super) const fn tone(&self) -> Tone {
        match self {
            Self::Well(_) => Tone::Good,
            Self::Degraded(_) | Self::Waiting(_) => Tone::Warn,
            Self::Down(_) => Tone::Bad,
        }
    }
}

/// The token in the Secret.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token {
    /// When it was issued.
    pub(super) issued_at: Time,
    /// When it expires.
    pub(super) expires_at: Time,
    /// When it will be replaced.
    pub(super) next_refresh_at: Time,
    /// Until it expires; negative afterwards.
    pub(super) seconds_left: i64,
    /// Until it is replaced; negative when that is overdue.
    pub(super) seconds_to_refresh: i64,
    /// The groups in it.
    pub(super) groups: Vec<String>,
    /// Where it is.
    pub(super) secret_name: String,
}

impl Token {
    /// Its whole life in seconds.
    #[must_use]
    pub(super) fn lifetime(&self) -> i64 {
        self.expires_at.0.as_second() - self.issued_at.0.as_second()
    }
}

/// The client credentials.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credentials {
    /// Where they are, unless the issuer keeps them private.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_name: Option<String>,
    /// Since when these are in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rotated_at: Option<Time>,
    /// Seconds since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds_old: Option<i64>,
    /// When others take their place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_rotation_at: Option<Time>,
    /// Seconds until then; negative when that is overdue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds_to_rotation: Option<i64>,
}

impl Credentials {
    /// From when on a rotation may be asked for again.
    #[must_use]
    pub(super) fn rotates_again_at(&self) -> Option<Timestamp> {
        let rotated = self.rotated_at.as_ref()?.0;
        Some(crate::plan::schedule::after(
            rotated,
            TENANT_CREDENTIALS_INTERVAL,
        ))
    }
}

impl View {
    /// Reads an account at `now`.
    #[must_use]
    pub(super) fn of(object: &Neo4jServiceAccount, now: Timestamp) -> Self {
        let status = object.status.clone().unwrap_or_default();
        let left = |at: &Time| at.0.as_second() - now.as_second();
        let token = status.token.map(|token| Token {
            seconds_left: left(&token.expires_at),
            seconds_to_refresh: left(&token.next_refresh_at),
            issued_at: token.issued_at,
            expires_at: token.expires_at,
            next_refresh_at: token.next_refresh_at,
            groups: token.groups,
            secret_name: token.secret_name,
        });
        let credentials = status.credentials.unwrap_or_default();
        let (state, message) = state(object, token.as_ref());
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            state,
            message,
            seconds_to_turn: None,
            issuer: object.spec.issuer_ref.name.clone(),
            groups: object.spec.groups.clone(),
            token,
            credentials: Credentials {
                secret_name: credentials.secret_name,
                seconds_old: credentials.rotated_at.as_ref().map(|at| -left(at)),
                rotated_at: credentials.rotated_at,
                seconds_to_rotation: credentials.next_rotation_at.as_ref().map(left),
                next_rotation_at: credentials.next_rotation_at,
            },
            client_id: status.client_id,
            app_id: status.app_id,
            org_url: status.org_url,
            conditions: status.conditions,
        }
    }
}

/// The condition of this type.
#[must_use]
pub(super) fn condition<'a>(object: &'a Neo4jServiceAccount, type_: &str) -> Option<&'a Condition> {
    let conditions = object.status.as_ref().map(|status| &status.conditions);
    conditions?.iter().find(|c| c.type_ == type_)
}

/// Nothing is wrong with a token that was not tried.
const NOT_YET: &str = Reason::NotVerified.as_str();

/// The word for an account, and why. The clock has a say: an operator that is down
/// cannot tell that a token has expired.
fn state(object: &Neo4jServiceAccount, token: Option<&Token>) -> (State, Option<String>) {
    let said = |condition: &Condition| Some(condition.message.clone());
    let silent = "; is the operator running? kubectl neo4jsa doctor tells";
    let Some(ready) = condition(object, READY) else {
        let why = format!("the operator has not looked at it yet{silent}");
        return (State::Waiting("Unseen".to_owned()), Some(why));
    };
    if ready.status != "True" {
        let waits = condition(object, STALLED).is_none()
            && (condition(object, RECONCILING).is_some() || ready.reason == "Deleting");
        let word = ready.reason.clone();
        let state = match waits {
            true => State::Waiting(word),
            false => State::Down(word),
        };
        return (state, said(ready));
    }
    if token.is_some_and(|token| token.seconds_left <= 0) {
        let why = format!("the token has expired, and the operator does not say so{silent}");
        return (State::Down("Expired".to_owned()), Some(why));
    }
    match condition(object, TOKEN_FRESH) {
        Some(fresh) if fresh.status != "True" => (State::Degraded("Degraded"), said(fresh)),
        _ if token.is_some_and(|token| token.seconds_to_refresh < -LATE) => {
            let why = format!("the refresh is overdue, and the operator does not say why{silent}");
            (State::Degraded("Overdue"), Some(why))
        }
        _ => match condition(object, NEO4J_VERIFIED) {
            Some(verified) if verified.status != "True" && verified.reason != NOT_YET => {
                (State::Degraded("Unverified"), said(verified))
            }
            _ => (State::Well("Ready"), None),
        },
    }
}
