//! What is known about an account at one moment: facts from Kubernetes' caches
//! and the [`Memory`]. Pure; holds no secret.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::check::{self, Claims};
use super::desired::{Desired, Wish};
use super::drift;
use super::memory::{Memory, Registered};
use super::schedule::{self, TokenLife};
use super::secret_meta::{ANNOTATION_APP_REVISION, Meta, Slot};
use super::step::{Content, Credential, Refusal};
use crate::api::conditions::{READY, Reason};
use crate::api::{Neo4jServiceAccount, names as n};

/// Everything that is known about an account at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The finalizer is there.
    pub finalizer: bool,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `status.clientId`.
    pub client_id: Option<String>,
    /// Reason and message of the Ready condition.
    pub ready: Option<(String, String)>,
    /// The credentials Secret.
    pub credentials: Slot,
    /// The token Secret.
    pub token: Slot,
    /// The rest.
    pub memory: Memory,
}

/// What the annotations of a token Secret say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// The client that the token is of.
    pub client_id: String,
    /// Its life.
    pub life: schedule::TokenLife,
    /// The groups in it.
    pub groups: BTreeSet<String>,
    /// The renew annotation that it answers.
    pub renew: Option<String>,
    /// The description of the app that was in place.
    pub app_revision: Option<String>,
}

impl TokenFacts {
    /// Whether a token with these claims lives as the annotations say: an expiry
    /// or a refresh that somebody pushed out would let it go stale.
    #[must_use]
    pub fn agrees_with(&self, claims: &Claims, groups_claim: &str, account_uid: &str) -> bool {
        let TokenLife {
            issued_at,
            expires_at,
            ..
        } = self.life;
        let lifetime = expires_at.duration_since(issued_at).unsigned_abs();
        expires_at.as_second() <= claims.exp + 5
            && self.life == TokenLife::new(issued_at, lifetime, account_uid)
            && check::groups(claims, groups_claim).as_ref() == Some(&self.groups)
    }

    /// Reads them; `None` when one is missing or unreadable.
    #[must_use]
    pub fn read(meta: &Meta) -> Option<Self> {
        Some(Self {
            client_id: meta.annotation(n::ANNOTATION_CLIENT_ID)?.to_owned(),
            life: schedule::TokenLife {
                issued_at: meta.instant(n::ANNOTATION_ISSUED_AT)?,
                expires_at: meta.instant(n::ANNOTATION_EXPIRES_AT)?,
                refresh_at: meta.instant(n::ANNOTATION_REFRESH_AT)?,
            },
            groups: meta
                .annotation(n::ANNOTATION_GROUPS)?
                .split(',')
                .map(str::to_owned)
                .collect(),
            renew: meta.annotation(n::ANNOTATION_RENEW).map(str::to_owned),
            app_revision: meta.annotation(ANNOTATION_APP_REVISION).map(str::to_owned),
        })
    }
}

impl Observed {
    /// Puts together what the caches and the memory say at `now`.
    #[must_use]
    pub fn new(
        object: &Neo4jServiceAccount,
        desired: &Desired,
        credentials: Slot,
        token: Slot,
        mut memory: Memory,
        now: Timestamp,
    ) -> Self {
        memory.begin(now);
        let sweep = desired.issuer.sweep;
        let first = || drift::first_check(now, &desired.account.uid, sweep);
        // Never further off than a round: the round may have become shorter.
        let check_at = memory.check_at.unwrap_or_else(first);
        memory.check_at = Some(check_at.min(schedule::after(now, sweep)));
        let status = object.status.clone().unwrap_or_default();
        if memory.registered.is_none()
            && let (Some(app_id), Some(client_id)) =
                (status.app_id.clone(), status.client_id.clone())
        {
            memory.registered = Some(Registered { app_id, client_id });
        }
        memory.denied_since = match desired.wish {
            Wish::NotAllowed(_) => Some(memory.denied_since.unwrap_or(now)),
            Wish::Live | Wish::Suspended | Wish::NotWatched | Wish::Deleted { .. } => None,
        };
        let ready = status.conditions.iter().find(|c| c.type_ == READY);
        let mut observed = Self {
            finalizer: object
                .finalizers()
                .iter()
                .any(|f| f == n::FINALIZER_ACCOUNT),
            observed_generation: status.observed_generation,
            client_id: status.client_id.clone(),
            ready: ready.map(|c| (c.reason.clone(), c.message.clone())),
            credentials,
            token,
            memory,
        };
        let lost = observed
            .token_facts()
            .is_some_and(|t| !t.groups.is_subset(&desired.groups));
        // Known beyond the token, should that be withdrawn.
        if observed.memory.confirmed.is_none() {
            observed.memory.confirmed = observed.token_facts().and_then(|t| t.app_revision);
        }
        let since = observed.memory.lost_group_since;
        observed.memory.lost_group_since = lost.then(|| since.unwrap_or(now));
        if desired.wish == Wish::Live && !lost {
            observed.memory.ending = None;
        }
        let facts = observed.token_facts();
        let known = std::mem::take(&mut observed.memory.verification);
        observed.memory.verification = known.or_remembered(desired, &status, facts.as_ref(), now);
        observed
    }

    /// What the token Secret's annotations say, if it is ours and they can be
    /// read.
    #[must_use]
    pub fn token_facts(&self) -> Option<TokenFacts> {
        match &self.token {
            Slot::Ours(meta) => TokenFacts::read(meta),
            Slot::Absent | Slot::Foreign | Slot::Predecessor => None,
        }
    }

    /// What the credentials Secret holds, if that is known.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        let Slot::Ours(meta) = &self.credentials else {
            return None;
        };
        self.memory
            .content
            .as_ref()
            .filter(|(revision, _)| revision == meta.data_revision())
            .map(|(_, c)| c)
    }

    /// Whether the status says that the account stands still for this reason.
    #[must_use]
    pub fn stands_for(&self, reason: Reason) -> bool {
        self.ready
            .as_ref()
            .is_some_and(|(r, _)| r == reason.as_str())
    }

    /// Why a token was refused to these credentials, if the last one was.
    #[must_use]
    pub fn refusal(&self, of: Credential) -> Option<&Refusal> {
        let (credential, refusal) = self.memory.refused.as_ref()?;
        (*credential == of).then_some(refusal)
    }

    /// Whether it is certain that Okta has no such app. A process that has just
    /// started does not know what was created a moment ago, and Okta may not show
    /// that yet: it looks again for a minute.
    #[must_use]
    pub fn surely_absent(&self, now: Timestamp) -> bool {
        let since = self.memory.absent_since;
        !self.settling(now)
            && since.is_some_and(|at| schedule::after(at, schedule::SETTLING) <= now)
    }

    /// Whether the app has to be looked at although nothing of ours asks for it.
    #[must_use]
    pub fn check_due(&self, now: Timestamp) -> bool {
        self.memory.check_at.is_some_and(|at| at <= now)
    }

    /// Whether Okta may still be catching up with a write of ours.
    #[must_use]
    pub fn settling(&self, now: Timestamp) -> bool {
        now < self.memory.settling_until
    }

    /// The id of the app that was registered under this client id, if known.
    #[must_use]
    pub fn app_id_of(&self, client_id: &str) -> Option<String> {
        let registered = self.memory.registered.as_ref()?;
        registered
            .client_id
            .eq_ignore_ascii_case(client_id)
            .then(|| registered.app_id.clone())
    }

    /// The client id that is in use, as far as known without reading a Secret.
    #[must_use]
    pub fn known_client_id(&self) -> Option<String> {
        let of_secret = match &self.credentials {
            Slot::Ours(meta) => meta.annotation(n::ANNOTATION_CLIENT_ID).map(str::to_owned),
            Slot::Absent | Slot::Foreign | Slot::Predecessor => None,
        };
        of_secret
            .or_else(|| self.content()?.staged.as_ref().map(|s| s.client_id.clone()))
            .or_else(|| self.client_id.clone())
    }

    /// Whether the published token has reached its planned refresh.
    #[must_use]
    pub fn refresh_due(&self, now: Timestamp) -> bool {
        self.token_facts().is_some_and(|t| now >= t.life.refresh_at)
    }
}
