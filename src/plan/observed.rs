//! What is known about an account: facts from Kubernetes' caches and a memory
//! that lives as long as the process. Pure; holds no secret. `absorb` carries an
//! effect over, so that the next decision needs no new look.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::app::AppView;
use super::desired::{Desired, Wish};
use super::schedule::{self, SETTLING, TENANT_MINT_BURST, TENANT_MINT_INTERVAL};
use super::secret_meta::{ANNOTATION_APP_REVISION, Meta, Slot};
use super::step::{Content, Credential, Effect, Minted, OktaSecret, Refusal, Step, Which};
use crate::api::conditions::{READY, Reason};
use crate::api::{Neo4jServiceAccount, names as n};

/// The app at Okta, as far as we looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each account that is being worked on"
)]
pub enum App {
    /// Not looked.
    #[default]
    Unknown,
    /// Okta does not know it.
    Absent,
    /// It is so.
    Present(AppView),
}

/// An app at Okta and the client id that it was registered under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Okta's id of the app.
    pub app_id: String,
    /// The OAuth client id.
    pub client_id: String,
}

impl Registered {
    fn of(view: &AppView) -> Self {
        Self {
            app_id: view.id.clone(),
            client_id: view.client_id.clone(),
        }
    }
}

/// What stays known between two reconciles of one process. Losing it costs
/// calls, never correctness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The app and its client id, once known.
    pub registered: Option<Registered>,
    /// The app at Okta; forgotten once the account is settled.
    pub app: App,
    /// Revision of the description that was last seen in place at Okta.
    pub confirmed: Option<String>,
    /// What the credentials Secret with this data revision holds.
    pub content: Option<(String, Content)>,
    /// Live credentials are in memory.
    pub holds_live: bool,
    /// The Secret holds other live credentials than memory does.
    pub edited: bool,
    /// The staged credentials were never sent to Okta.
    pub fresh: bool,
    /// Whether Okta knows the staged client id.
    pub client_known: Option<bool>,
    /// How many ways of finding the app have been tried.
    pub searches: u8,
    /// Why the creation did not lead to the app that was asked for.
    pub create_refused: Option<(Reason, String)>,
    /// The app's client secrets; forgotten once the account is settled.
    pub secrets: Option<Vec<OktaSecret>>,
    /// The staged credentials replaced those of the app.
    pub replaced: bool,
    /// Whether the access policy lists the client.
    pub admitted: Option<bool>,
    /// The issuer was told that the client leaves.
    pub left: bool,
    /// We deleted the app ourselves.
    pub removed: bool,
    /// A token in hand.
    pub minted: Option<Minted>,
    /// resourceVersion of the token Secret when we last wrote a token into it.
    pub token_version: Option<String>,
    /// The last refusal of a token.
    pub refused: Option<Refusal>,
    /// Until when refusals are taken for Okta's delay.
    pub settling_until: Timestamp,
    /// Rate limiter of tokens that the tenant causes.
    pub mint_tat: Timestamp,
    /// Touches of the two Secrets that were looked into.
    pub looked_credentials: Option<String>,
    /// As above.
    pub looked_token: Option<String>,
    /// A look found the token Secret damaged.
    pub token_damaged: bool,
    /// Since when the published token carries a group that the spec lost.
    pub lost_group_since: Option<Timestamp>,
    /// Since when the issuer does not permit the account.
    pub denied_since: Option<Timestamp>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            registered: None,
            app: App::Unknown,
            confirmed: None,
            content: None,
            holds_live: false,
            edited: false,
            fresh: false,
            client_known: None,
            searches: 0,
            create_refused: None,
            secrets: None,
            replaced: false,
            admitted: None,
            left: false,
            removed: false,
            minted: None,
            token_version: None,
            refused: None,
            settling_until: Timestamp::MIN,
            mint_tat: Timestamp::MIN,
            looked_credentials: None,
            looked_token: None,
            token_damaged: false,
            lost_group_since: None,
            denied_since: None,
        }
    }
}

impl Memory {
    /// Forgets, at the start of a reconcile, what may have changed since the
    /// last one: each reconcile tries once.
    pub fn begin(&mut self, now: Timestamp) {
        self.refused = None;
        self.minted = None;
        self.secrets = None;
        self.client_known = None;
        self.searches = 0;
        self.create_refused = None;
        if self.admitted == Some(false) {
            self.admitted = None;
        }
        // What we wrote within the last minute is known better from our own
        // answer than from a new look.
        if now >= self.settling_until || self.app == App::Absent {
            self.app = App::Unknown;
        }
    }
}

/// Everything that is known about an account at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The finalizer is there.
    pub finalizer: bool,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `status.clientId`.
    pub client_id: Option<String>,
    /// Reason of the Ready condition.
    pub ready_reason: Option<String>,
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
    pub groups: std::collections::BTreeSet<String>,
    /// The renew annotation that it answers.
    pub renew: Option<String>,
    /// The description of the app that was in place.
    pub app_revision: Option<String>,
}

impl TokenFacts {
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
        let status = object.status.clone().unwrap_or_default();
        if memory.registered.is_none()
            && let (Some(app_id), Some(client_id)) = (status.app_id, status.client_id.clone())
        {
            memory.registered = Some(Registered { app_id, client_id });
        }
        memory.denied_since = match desired.wish {
            Wish::NotAllowed(_) => Some(memory.denied_since.unwrap_or(now)),
            Wish::Live | Wish::Suspended | Wish::Deleted { .. } => None,
        };
        let ready = status.conditions.iter().find(|c| c.type_ == READY);
        let mut observed = Self {
            finalizer: object
                .finalizers()
                .iter()
                .any(|f| f == n::FINALIZER_ACCOUNT),
            observed_generation: status.observed_generation,
            client_id: status.client_id,
            ready_reason: ready.map(|c| c.reason.clone()),
            credentials,
            token,
            memory,
        };
        let lost = observed
            .token_facts()
            .is_some_and(|t| !t.groups.is_subset(&desired.groups));
        let since = observed.memory.lost_group_since;
        observed.memory.lost_group_since = lost.then(|| since.unwrap_or(now));
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
        self.ready_reason.as_deref() == Some(reason.as_str())
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

    /// Carries the outcome of a step over.
    #[must_use]
    pub fn absorb(mut self, desired: &Desired, effect: Effect, now: Timestamp) -> Self {
        let settling = schedule::after(now, SETTLING);
        let memory = &mut self.memory;
        match effect {
            Effect::FinalizerAdded => self.finalizer = true,
            Effect::FinalizerRemoved => self.finalizer = false,
            Effect::Found {
                which: Which::Credentials,
                slot,
            } => self.credentials = slot,
            Effect::Found {
                which: Which::Token,
                slot,
            } => self.token = slot,
            Effect::CredentialsRead {
                meta,
                content,
                edited,
            } => {
                memory.edited = edited;
                memory.holds_live = content.live.is_some();
                memory.looked_credentials = meta.as_ref().and_then(|m| m.touched.clone());
                memory.content = meta
                    .as_ref()
                    .map(|m| (m.data_revision().to_owned(), content));
                self.credentials = meta.map_or(Slot::Absent, Slot::Ours);
            }
            Effect::CredentialsWritten { meta, content } => {
                if content.live.is_some() && content.staged.is_none() {
                    memory.holds_live = true;
                    memory.fresh = false;
                    memory.replaced = false;
                    memory.secrets = None;
                }
                if content.staged.is_some() {
                    memory.fresh = true;
                    memory.client_known = None;
                    memory.searches = 0;
                    memory.create_refused = None;
                    memory.replaced = false;
                    memory.secrets = None;
                    memory.refused = None;
                    memory.minted = None;
                    if content
                        .staged
                        .as_ref()
                        .is_some_and(|s| s.purpose == super::step::Purpose::Create)
                    {
                        memory.app = App::Unknown;
                        memory.admitted = None;
                        memory.left = false;
                        memory.confirmed = None;
                    }
                }
                memory.edited = false;
                memory.content = Some((meta.data_revision().to_owned(), content));
                memory.looked_credentials = meta.touched.clone();
                self.credentials = Slot::Ours(meta);
            }
            Effect::TokenRead { intact } => {
                memory.token_damaged = !intact;
                if let Slot::Ours(meta) = &self.token {
                    memory.looked_token = meta.touched.clone();
                }
            }
            Effect::TokenWritten { meta } => {
                memory.token_damaged = false;
                memory.minted = None;
                memory.refused = None;
                memory.looked_token = meta.touched.clone();
                memory.lost_group_since = None;
                memory.token_version = Some(meta.version.clone());
                self.token = Slot::Ours(meta);
            }
            Effect::TokenRemoved => {
                memory.lost_group_since = None;
                memory.token_damaged = false;
                self.token = Slot::Absent;
            }
            Effect::Marked { which, meta } => {
                if which == Which::Credentials {
                    self.credentials = Slot::Ours(meta);
                } else {
                    self.token = Slot::Ours(meta);
                }
            }
            Effect::ClientFound(found) => memory.client_known = Some(found),
            Effect::AppFound(found) => {
                memory.searches += 1;
                if let Some(view) = found {
                    memory.registered = Some(Registered::of(&view));
                    memory.app = App::Present(view);
                }
            }
            Effect::CreateRefused(words) => {
                memory.fresh = false;
                memory.client_known = None;
                memory.create_refused = Some((Reason::OktaRefused, words));
            }
            Effect::App(view) => {
                if let Some(view) = &view
                    && view.described_as.is_some()
                    && desired.owns(view.marker.as_ref())
                {
                    memory.confirmed.clone_from(&view.described_as);
                }
                memory.app = view.map_or(App::Absent, App::Present);
            }
            Effect::AppWritten(view) => {
                memory.fresh = false;
                memory.settling_until = settling;
                memory.refused = None;
                memory.minted = None;
                memory.registered = Some(Registered::of(&view));
                memory.confirmed.clone_from(&view.described_as);
                memory.app = App::Present(view);
            }
            Effect::Activated | Effect::Deactivated => {
                memory.settling_until = settling;
                memory.refused = None;
                if let App::Present(view) = &mut memory.app {
                    view.active = effect == Effect::Activated;
                }
            }
            Effect::AppGone => {
                if let Some((_, content)) = &memory.content
                    && content.staged.is_some()
                {
                    memory.create_refused = Some((
                        Reason::UnexpectedAnswer,
                        "it answered with an app of another client id, which was removed again"
                            .to_owned(),
                    ));
                }
                memory.app = App::Absent;
                memory.removed = true;
            }
            Effect::Secrets(list) => memory.secrets = Some(list),
            Effect::SecretsChanged => {
                memory.settling_until = settling;
                memory.secrets = None;
                memory.refused = None;
            }
            Effect::Replaced => {
                memory.settling_until = settling;
                memory.replaced = true;
                memory.refused = None;
            }
            Effect::Admission(admitted) => {
                if admitted && memory.admitted != Some(true) {
                    memory.settling_until = memory.settling_until.max(settling);
                }
                memory.admitted = Some(admitted);
                memory.left = false;
                memory.refused = None;
            }
            Effect::Left => {
                memory.left = true;
                memory.admitted = None;
            }
            Effect::Minted(minted) => {
                memory.refused = None;
                memory.minted = Some(minted);
                // The proof of new credentials is no whim of the tenant's.
                let counts = self
                    .memory
                    .minted
                    .as_ref()
                    .is_some_and(|m| m.outcome.is_ok() && m.credential == Credential::Live);
                if counts && !self.refresh_due(now) {
                    let tat = &mut self.memory.mint_tat;
                    // Only moves the limiter on; whether it allowed was decided before.
                    let _ = schedule::allow_at(tat, now, TENANT_MINT_INTERVAL, TENANT_MINT_BURST);
                }
            }
            Effect::MintRefused(refusal) => {
                memory.refused = Some(refusal);
                memory.minted = None;
            }
        }
        self
    }

    /// Carries over that a step failed without an answer one can trust.
    #[must_use]
    pub fn absorb_failure(mut self, step: &Step) -> Self {
        if matches!(step, Step::CreateApp) {
            // It may have been carried out: ask before creating again.
            self.memory.fresh = false;
            self.memory.client_known = None;
        }
        if matches!(
            step,
            Step::UpdateApp { .. }
                | Step::ActivateApp { .. }
                | Step::DeactivateApp { .. }
                | Step::ReplaceCredentials { .. }
        ) {
            self.memory.app = App::Unknown;
            // Whatever was in place may be so no more.
            self.memory.confirmed = Some(String::new());
        }
        if matches!(
            step,
            Step::AddSecret { .. } | Step::DeactivateSecret { .. } | Step::DeleteSecret { .. }
        ) {
            self.memory.secrets = None;
        }
        self
    }

    /// Whether the published token has reached its planned refresh.
    #[must_use]
    pub fn refresh_due(&self, now: Timestamp) -> bool {
        self.token_facts().is_some_and(|t| now >= t.life.refresh_at)
    }
}
