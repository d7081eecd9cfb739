//! Carries the outcome of a step over to what is known, so that the next
//! decision needs no new look. Pure.

use k8s_openapi::jiff::Timestamp;

use super::desired::Desired;
use super::instructed;
use super::memory::{App, Registered, Retiring};
use super::observed::Observed;
use super::schedule::{self, SETTLING, TENANT_MINT_BURST, TENANT_MINT_INTERVAL};
use super::secret_meta::{ANNOTATION_GROUPS_REPAIRED_AT, Slot};
use super::step::{Credential, Effect, OktaCredential, Purpose, Step, Which};
use super::verification;
use crate::api::conditions::Reason;

impl Observed {
    /// Carries the outcome of a step over.
    #[must_use]
    pub fn absorb(mut self, desired: &Desired, effect: Effect, now: Timestamp) -> Self {
        let settling = schedule::after(now, SETTLING);
        if let (Effect::AppWritten(_), App::Present(view)) = (&effect, &self.memory.app)
            && !instructed::taken_by_others(desired, &self, view, now).is_empty()
        {
            self.memory.regrouped = true;
        }
        let memory = &mut self.memory;
        match effect {
            Effect::FinalizerAdded => self.finalizer = true,
            Effect::FinalizerRemoved => self.finalizer = false,
            Effect::AccountStands => memory.stands = true,
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
                    memory.credentials = None;
                }
                if content.staged.is_some() {
                    memory.fresh = true;
                    memory.client_known = None;
                    memory.searches = 0;
                    memory.create_refused = None;
                    memory.replaced = false;
                    memory.credentials = None;
                    memory.refused = None;
                    memory.minted = None;
                    if content
                        .staged
                        .as_ref()
                        .is_some_and(|s| s.purpose == Purpose::Create)
                    {
                        memory.app = App::Unknown;
                        memory.absent_since = None;
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
            Effect::CredentialsRemoved => {
                memory.content = None;
                self.credentials = Slot::Absent;
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
                    let of = |slot: &Slot| match slot {
                        Slot::Ours(meta) => meta.instant(ANNOTATION_GROUPS_REPAIRED_AT),
                        Slot::Absent | Slot::Foreign | Slot::Predecessor => None,
                    };
                    let noted = meta.instant(ANNOTATION_GROUPS_REPAIRED_AT);
                    // Twice within a second is the same instant.
                    let is_news = noted != of(&self.credentials)
                        || noted.is_some_and(|at| at.as_second() == now.as_second());
                    memory.regrouped &= !is_news;
                    self.credentials = Slot::Ours(meta);
                } else {
                    self.token = Slot::Ours(meta);
                }
            }
            Effect::ClientFound(found) => {
                memory.client_known = Some(found);
                memory.seen(found, now);
            }
            Effect::AppFound(found) => {
                memory.seen(found.is_some(), now);
                memory.searches += 1;
                if let Some(view) = found {
                    memory.registered = Some(Registered::of(&view));
                    memory.app = App::Present(Box::new(view));
                }
            }
            Effect::FormerAppFound(found) => {
                memory.former_searched = true;
                if let Some(view) = found {
                    memory.registered = Some(Registered::of(&view));
                    memory.app = App::Present(Box::new(view));
                }
            }
            Effect::CreateRefused(words) => {
                memory.fresh = false;
                memory.client_known = None;
                memory.create_refused = Some((Reason::OktaRefused, words));
            }
            Effect::App(view) => {
                memory.seen(view.is_some(), now);
                memory.check_at = Some(schedule::after(now, desired.issuer.sweep));
                if let Some(view) = &view
                    && view.described_as.is_some()
                    && desired.owns(view.marker.as_ref())
                {
                    memory.confirmed.clone_from(&view.described_as);
                }
                memory.app = view.map_or(App::Absent, |view| App::Present(Box::new(view)));
            }
            Effect::AppWritten(view) => {
                memory.seen(true, now);
                memory.check_at = Some(schedule::after(now, desired.issuer.sweep));
                memory.fresh = false;
                memory.settling_until = settling;
                memory.refused = None;
                memory.minted = None;
                memory.registered = Some(Registered::of(&view));
                memory.confirmed.clone_from(&view.described_as);
                memory.app = App::Present(Box::new(view));
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
            Effect::Credentials(list) => memory.credentials = Some(list),
            Effect::CredentialAdded(id) => {
                memory.settling_until = settling;
                memory.refused = None;
                let list = memory.credentials.get_or_insert_default();
                list.push(OktaCredential {
                    id,
                    active: true,
                    staged: true,
                    live: false,
                });
            }
            Effect::CredentialDeactivated(id) => {
                memory.settling_until = settling;
                memory.retiring = Retiring::Deactivated;
                let list = memory.credentials.iter_mut().flatten();
                list.filter(|c| c.id == id).for_each(|c| c.active = false);
            }
            Effect::CredentialDeleted(id) => {
                memory.settling_until = settling;
                memory.retiring = Retiring::Deleted;
                if let Some(list) = &mut memory.credentials {
                    list.retain(|c| c.id != id);
                }
            }
            Effect::CredentialKept => {
                memory.retiring = Retiring::Refused;
                memory.credentials = None;
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
            Effect::Verified { key, logins } => {
                self.memory.verification =
                    verification::absorbed(desired, &self, key.as_deref(), &logins, now);
            }
            Effect::EndingNoted(cause) => memory.ending = Some(cause),
            Effect::MintRefused(credential, refusal) => {
                memory.refused = Some((credential, refusal));
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
            Step::AddCredential { .. }
                | Step::DeactivateCredential { .. }
                | Step::DeleteCredential { .. }
        ) {
            self.memory.credentials = None;
        }
        self
    }
}
