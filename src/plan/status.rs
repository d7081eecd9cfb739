//! The status of an account as a value. Pure: computed from the old one, so
//! that a condition keeps its time while nothing turns, and written at most
//! once, if it differs. Holds no secret and no "last checked at".

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::condition_list::Conditions;
use super::desired::Desired;
use super::observed::{Observed, TokenFacts};
use super::rotation;
use super::secret_meta::{ANNOTATION_ROTATED_AT, ANNOTATION_STAGED, Meta, Slot};
use super::step::Blocked;
use super::verification;
use crate::api::conditions::{
    CREDENTIALS_READY, NEO4J_VERIFIED, READY, RECONCILING, REGISTERED, Reason, STALLED, TOKEN_FRESH,
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
            | Reason::DisputedInOkta
            | Reason::NotOurs
            | Reason::SlotsFull
            | Reason::InvalidSpec
            | Reason::TokenRefused
            | Reason::ShadowedByPolicy
            | Reason::AccessDenied
            | Reason::InvalidClient
            | Reason::OktaRefused
            | Reason::IssuerNotFound
            | Reason::NamespaceNotWatched
    )
}

/// Whether the account is stopped on purpose, whatever its token says.
#[must_use]
pub const fn stops(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NotAllowed
            | Reason::Suspended
            | Reason::DisabledInOkta
            | Reason::DeletedInOkta
            | Reason::DisputedInOkta
            | Reason::NotOurs
            | Reason::Deleting
    )
}

/// What to say of an account that is still in line when its token runs out. `None`
/// when there is nothing to say, or when it is said.
#[must_use]
pub fn ran_out(old: Option<&Status>, observed: &Observed, now: Timestamp) -> Option<Outcome> {
    let dead = |token: TokenFacts| token.life.expires_at <= now;
    let ready = |c: &Condition| c.type_ == READY && c.status == "True";
    (old?.conditions.iter().any(ready) && observed.token_facts().is_some_and(dead)).then(|| {
        Outcome::Failed {
            reason: Reason::TokenExpired,
            message: "requests of other accounts to Okta have not ended, and this one waits \
                      for its turn"
                .to_owned(),
        }
    })
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
        // The credentials in the Secret work on; the new ones wait for somebody.
        (Some(meta), Some((reason, message)))
            if is_staged(meta) && needs_somebody(reason) && reason != Reason::NotAllowed =>
        {
            conditions.set(CREDENTIALS_READY, false, reason, message.to_owned())
        }
        (Some(meta), _) => conditions.set(
            CREDENTIALS_READY,
            true,
            Reason::CredentialsProved,
            proof(desired, meta),
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

    match (verification::condition(desired, observed, old), problem) {
        (Some(_), Some((reason, message))) if stops(reason) && alive.is_none() => {
            conditions.set(NEO4J_VERIFIED, false, reason, message.to_owned())
        }
        (Some((good, reason, message)), _) => conditions.set(NEO4J_VERIFIED, good, reason, message),
        (None, _) => {}
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
            secret_name: (!desired.keeps_private()).then(|| desired.credentials.name.clone()),
            rotated_at: meta.instant(ANNOTATION_ROTATED_AT).map(Time),
            next_rotation_at: rotation::due(desired, meta).map(Time),
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

/// The credentials Secret once it holds live credentials.
fn proved(credentials: &Slot) -> Option<&Meta> {
    match credentials {
        Slot::Ours(meta) if meta.annotation(n::ANNOTATION_CLIENT_ID).is_some() => Some(meta),
        Slot::Ours(_) | Slot::Absent | Slot::Foreign | Slot::Predecessor => None,
    }
}

fn is_staged(meta: &Meta) -> bool {
    meta.annotation(ANNOTATION_STAGED).is_some()
}

/// What is said of live credentials: nothing that moves while they stay.
fn proof(desired: &Desired, meta: &Meta) -> String {
    let mut words = "Okta accepted the credentials in the Secret".to_owned();
    if let Some(retire) = rotation::retire(meta).filter(|r| r.id.is_some()) {
        words += &format!("; the former ones work until {}", retire.at);
    }
    if rotation::asked(desired, meta)
        && let Some(at) = rotation::due(desired, meta)
    {
        words += &format!("; they are replaced at {at}, once an hour at most");
    }
    words
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
