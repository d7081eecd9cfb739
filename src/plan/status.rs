//! The status of an account as a value. Pure: computed from the old one, so
//! that a condition keeps its time while nothing turns, and written at most
//! once, if it differs. Holds no secret and no "last checked at".

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::desired::Desired;
use super::observed::{Observed, TokenFacts};
use super::secret_meta::{ANNOTATION_ROTATED_AT, ANNOTATION_STAGED, Meta, Slot};
use super::step::Blocked;
use crate::api::conditions::{
    CREDENTIALS_READY, READY, RECONCILING, REGISTERED, Reason, STALLED, TOKEN_FRESH,
};
use crate::api::{
    BindingStatus, CredentialsStatus, Neo4jServiceAccountStatus as Status, TokenStatus, names as n,
};

/// How a reconcile ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is as desired.
    Settled,
    /// The planner says that nothing can be done.
    Blocked(Blocked),
    /// A step failed.
    Failed {
        /// What kind of failure.
        reason: Reason,
        /// In words.
        message: String,
    },
}

impl Outcome {
    fn reason(&self) -> Option<(Reason, &str)> {
        match self {
            Self::Settled => None,
            Self::Blocked(blocked) => Some((blocked.reason, &blocked.message)),
            Self::Failed { reason, message } => Some((*reason, message)),
        }
    }
}

/// Whether nothing moves until somebody acts.
#[must_use]
pub const fn needs_somebody(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NotAllowed
            | Reason::Suspended
            | Reason::SecretConflict
            | Reason::SecretRefused
            | Reason::ClientIdTaken
            | Reason::UnexpectedAnswer
            | Reason::DisabledInOkta
            | Reason::DeletedInOkta
            | Reason::NotOurs
            | Reason::SlotsFull
            | Reason::InvalidSpec
            | Reason::TokenRefused
            | Reason::ShadowedByPolicy
            | Reason::AccessDenied
            | Reason::InvalidClient
            | Reason::OktaRefused
            | Reason::IssuerNotFound
    )
}

/// Whether the account is stopped on purpose, whatever its token says.
const fn stops(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NotAllowed
            | Reason::Suspended
            | Reason::DisabledInOkta
            | Reason::DeletedInOkta
            | Reason::NotOurs
            | Reason::Deleting
    )
}

/// The status after a reconcile.
#[must_use]
pub fn next_status(
    old: Option<&Status>,
    desired: &Desired,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
) -> Status {
    let facts = observed.token_facts();
    let alive = facts.as_ref().filter(|t| t.life.expires_at > now);
    let mut conditions = Conditions {
        old: old.map_or(&[], |s| &s.conditions),
        new: Vec::new(),
        generation: desired.generation,
        now,
    };
    let waiting = waiting_deletion(desired, outcome);
    let problem = waiting
        .as_ref()
        .map(|(reason, message)| (*reason, message.as_str()))
        .or_else(|| outcome.reason());

    let ready = match &waiting {
        Some((reason, message)) => Err((*reason, message.clone())),
        None => ready(outcome, alive, facts.as_ref()),
    };
    conditions.set(
        READY,
        ready.is_ok(),
        ready
            .as_ref()
            .map_or_else(|e| e.0, |()| Reason::TokenIssued),
        ready.as_ref().map_or_else(
            |e| e.1.clone(),
            |()| "The token in the Secret is valid".to_owned(),
        ),
    );

    match (&observed.memory.registered, problem) {
        (_, Some((reason, message))) if stops(reason) && alive.is_none() => {
            conditions.set(REGISTERED, false, reason, message.to_owned())
        }
        (Some(_), _) => conditions.set(
            REGISTERED,
            true,
            Reason::AppRegistered,
            "The app is registered at Okta".to_owned(),
        ),
        (None, Some((reason, message))) => {
            conditions.set(REGISTERED, false, reason, message.to_owned())
        }
        (None, None) => conditions.set(
            REGISTERED,
            false,
            Reason::Registering,
            "The app is being registered".to_owned(),
        ),
    }

    match (proved(&observed.credentials), problem) {
        (_, Some((reason, message))) if stops(reason) && alive.is_none() => {
            conditions.set(CREDENTIALS_READY, false, reason, message.to_owned())
        }
        (Some(_), _) => conditions.set(
            CREDENTIALS_READY,
            true,
            Reason::CredentialsProved,
            if desired.wants_rotation {
                "Okta accepted the credentials in the Secret; spec.rotation is not carried out by this version"
            } else {
                "Okta accepted the credentials in the Secret"
            }
            .to_owned(),
        ),
        (None, Some((reason, message))) => {
            conditions.set(CREDENTIALS_READY, false, reason, message.to_owned())
        }
        (None, None) => conditions.set(
            CREDENTIALS_READY,
            false,
            Reason::Registering,
            "The credentials are not proved yet".to_owned(),
        ),
    }

    let overdue = |t: &&TokenFacts| now >= t.life.refresh_at || t.groups != desired.groups;
    match (alive, problem) {
        (Some(token), Some((reason, message))) if overdue(&token) => conditions.set(
            TOKEN_FRESH,
            false,
            reason,
            format!(
                "{message}; the token in the Secret expires at {}",
                token.life.expires_at
            ),
        ),
        (Some(_), _) => conditions.set(
            TOKEN_FRESH,
            true,
            Reason::TokenIssued,
            "The token is not due for a refresh".to_owned(),
        ),
        (None, Some((reason, message))) => {
            conditions.set(TOKEN_FRESH, false, reason, message.to_owned())
        }
        (None, None) => conditions.set(
            TOKEN_FRESH,
            false,
            Reason::NoToken,
            "There is no valid token".to_owned(),
        ),
    }

    // kstatus: both are shown only while they are true.
    let stalled = ready
        .is_err()
        .then_some(problem)
        .flatten()
        .filter(|(reason, _)| needs_somebody(*reason));
    let seen_before = old.is_some_and(|s| {
        s.observed_generation == desired.generation
            && !s.conditions.iter().any(|c| c.type_ == RECONCILING)
    });
    if let Some((reason, message)) = stalled {
        conditions.set(STALLED, true, reason, message.to_owned());
    } else if let Some((reason, message)) = problem.filter(|_| !seen_before) {
        conditions.set(RECONCILING, true, reason, message.to_owned());
    }

    let registered = observed.memory.registered.as_ref();
    let staged = observed
        .content()
        .and_then(|c| c.staged.as_ref())
        .map(|s| s.client_id.clone());
    Status {
        observed_generation: desired.generation,
        app_id: registered.map(|r| r.app_id.clone()),
        client_id: registered
            .map(|r| r.client_id.clone())
            .or(staged)
            .or_else(|| observed.client_id.clone()),
        org_url: Some(desired.issuer.org_url.clone()),
        credentials: proved(&observed.credentials).map(|meta| CredentialsStatus {
            secret_name: desired.credentials.name.clone(),
            rotated_at: meta.instant(ANNOTATION_ROTATED_AT).map(Time),
            next_rotation_at: None,
        }),
        token: facts
            .as_ref()
            .map(|t| token_status(old, desired, observed, t)),
        binding: matches!(observed.token, Slot::Ours(_)).then(|| BindingStatus {
            name: desired.token.name.clone(),
        }),
        conditions: conditions.new,
    }
}

/// An account under deletion that cannot go yet: why, and how to let go.
fn waiting_deletion(desired: &Desired, outcome: &Outcome) -> Option<(Reason, String)> {
    let super::Wish::Deleted { .. } = desired.wish else {
        return None;
    };
    let (reason, message) = outcome.reason()?;
    let (account, key) = (&desired.account, n::ANNOTATION_ABANDON);
    Some((
        reason,
        format!(
            "The app is not removed from Okta yet: {message}; to leave it behind: kubectl annotate n4jsa {} -n {} {key}=true",
            account.name, account.namespace
        ),
    ))
}

/// `Ok` when a workload can use the token, else why not.
fn ready(
    outcome: &Outcome,
    alive: Option<&TokenFacts>,
    facts: Option<&TokenFacts>,
) -> Result<(), (Reason, String)> {
    match (outcome.reason(), alive, facts) {
        (None, Some(_), _) => Ok(()),
        (Some((reason, message)), _, _) if stops(reason) => Err((reason, message.to_owned())),
        // Degraded, not dead: the workload notices nothing.
        (Some(_), Some(_), _) => Ok(()),
        (Some((_, message)), None, Some(token)) => Err((
            Reason::TokenExpired,
            format!(
                "The token expired at {} and no new one could be had: {message}",
                token.life.expires_at
            ),
        )),
        (Some((reason, message)), None, None) => Err((reason, message.to_owned())),
        (None, None, _) => Err((Reason::NoToken, "There is no valid token".to_owned())),
    }
}

fn proved(credentials: &Slot) -> Option<&Meta> {
    match credentials {
        Slot::Ours(meta)
            if meta.annotation(n::ANNOTATION_CLIENT_ID).is_some()
                && meta.annotation(ANNOTATION_STAGED).is_none() =>
        {
            Some(meta)
        }
        Slot::Ours(_) | Slot::Absent | Slot::Foreign | Slot::Predecessor => None,
    }
}

fn token_status(
    old: Option<&Status>,
    desired: &Desired,
    observed: &Observed,
    facts: &TokenFacts,
) -> TokenStatus {
    let version = match &observed.token {
        Slot::Ours(meta) => meta.version.clone(),
        Slot::Absent | Slot::Foreign | Slot::Predecessor => String::new(),
    };
    // As last written by the operator: a foreign label changes nothing here.
    let unchanged = old
        .and_then(|s| s.token.as_ref())
        .filter(|t| t.issued_at.0 == facts.life.issued_at);
    TokenStatus {
        issued_at: Time(facts.life.issued_at),
        expires_at: Time(facts.life.expires_at),
        next_refresh_at: Time(facts.life.refresh_at),
        groups: facts.groups.iter().cloned().collect(),
        secret_name: desired.token.name.clone(),
        secret_version: observed
            .memory
            .token_version
            .clone()
            .unwrap_or_else(|| unchanged.map_or(version, |t| t.secret_version.clone())),
    }
}

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

/// Conditions under construction.
pub(crate) struct Conditions<'a> {
    pub(crate) old: &'a [Condition],
    pub(crate) new: Vec<Condition>,
    pub(crate) generation: i64,
    pub(crate) now: Timestamp,
}

impl Conditions<'_> {
    /// Adds a condition; its time stays as long as its status does.
    pub(crate) fn set(&mut self, type_: &str, status: bool, reason: Reason, message: String) {
        let status = if status { "True" } else { "False" };
        let since = self
            .old
            .iter()
            .find(|c| c.type_ == type_ && c.status == status)
            .map_or_else(
                || Time(whole_seconds(self.now)),
                |c| c.last_transition_time.clone(),
            );
        self.new.push(Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message: cut(message),
            observed_generation: Some(self.generation),
            last_transition_time: since,
        });
    }
}

/// Kubernetes stores whole seconds; comparing anything finer would never settle.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The API server refuses messages over 32768 bytes; people stop far earlier.
fn cut(message: String) -> String {
    if message.chars().count() <= 1024 {
        return message;
    }
    message.chars().take(1023).chain(['…']).collect()
}
