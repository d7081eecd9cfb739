//! A model of the world that understands [`Step`]s: one account, its two
//! Secrets, and an Okta with apps, secrets and a policy. It keeps the rules that
//! matter: client ids are unique, two secrets at most, a method change drops
//! them, only active listed clients with right credentials get a token.

#[path = "tests_fixture.rs"]
mod fixture;
#[path = "tests_model_steps.rs"]
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::super::app::{AppSpec, AppView, method_name};
use super::super::desired::{Desired, IssuerFacts, Rotation, SecretSpec, Wish};
use super::super::identity::{AccountRef, Marker};
use super::super::memory::{Memory, Noticed};
use super::super::observed::Observed;
use super::super::schedule::{TokenLife, after};
use super::super::secret_meta::{self as sm, Meta, Slot};
use super::super::status::{Outcome, next_status};
use super::super::step::{
    Content, Credential, Effect, Kind, Minted, Next, OktaCredential, Purpose, Refusal, Retire,
    Retry, Staged, Step,
};
use super::super::{Blocked, next, rotation};
use crate::api::conditions::Reason;
use crate::api::{
    Authentication, Neo4jServiceAccount, Neo4jServiceAccountSpec, Neo4jServiceAccountStatus,
    OnDelete, OnExternalDisable, names as n,
};

pub(super) const METHODS: [Authentication; 3] = [
    Authentication::ClientSecretBasic,
    Authentication::ClientSecretPost,
    Authentication::PrivateKeyJwt,
];

/// What can go wrong with one request to Okta.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    /// It never arrived.
    LostBefore,
    /// It was carried out and the answer was lost.
    LostAfter,
}

/// A credential is a number; 0 is somebody else's.
type Value = u32;

#[derive(Clone, Debug)]
struct App {
    id: String,
    client_id: String,
    active: bool,
    method: &'static str,
    dpop: bool,
    label: String,
    groups: BTreeSet<String>,
    marker: Option<Marker>,
    secrets: Vec<(String, Value, bool)>,
    keys: Vec<(String, Value, bool)>,
}

impl App {
    fn credentials(&mut self, kind: Kind) -> &mut Vec<(String, Value, bool)> {
        match kind {
            Kind::Secret => &mut self.secrets,
            Kind::Key => &mut self.keys,
        }
    }

    /// Whether it may sign in with this.
    fn knows(&self, kind: Kind, value: Value) -> bool {
        let list = match kind {
            Kind::Secret => &self.secrets,
            Kind::Key => &self.keys,
        };
        list.iter().any(|c| c.1 == value && c.2)
    }
}

/// The credentials Secret with values.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    meta: Meta,
    live: Option<(String, Authentication, Value)>,
    staged: Option<(Staged, Value)>,
    generation: u32,
}

impl Credentials {
    fn content(&self) -> Content {
        Content {
            live: self
                .live
                .as_ref()
                .map(|(id, method, _)| (id.clone(), *method)),
            staged: self.staged.as_ref().map(|(staged, _)| staged.clone()),
            generation: self.generation,
        }
    }
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) desired: Desired,
    pub(super) finalizer: bool,
    pub(super) credentials: Option<Credentials>,
    pub(super) token: Option<Meta>,
    pub(super) writes: usize,
    pub(super) trace: Vec<Step>,
    pub(super) okta_down: bool,
    apps: Vec<App>,
    listed: BTreeSet<String>,
    waiting: BTreeSet<String>,
    pub(super) status: Option<Neo4jServiceAccountStatus>,
    memory: Memory,
    noticed: Option<Noticed>,
    vault: Option<Credentials>,
    next_value: Value,
    now: Timestamp,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            desired: fixture::desired(),
            finalizer: false,
            credentials: None,
            token: None,
            writes: 0,
            trace: Vec::new(),
            okta_down: false,
            apps: Vec::new(),
            listed: BTreeSet::new(),
            waiting: BTreeSet::new(),
            status: None,
            memory: Memory::default(),
            noticed: None,
            vault: None,
            next_value: 1,
            now: Timestamp::from_second(1_800_000_000).expect("an instant"),
        }
    }

    /// Time passes, and the issuer's reconciler lists who waits.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now = after(self.now, time);
        let waiting = std::mem::take(&mut self.waiting);
        self.listed.extend(waiting);
    }

    /// The clock was ahead and is set right.
    pub(super) fn turn_back(&mut self, time: Duration) {
        let back = k8s_openapi::jiff::SignedDuration::try_from(time).expect("a short time");
        self.now = self.now.checked_sub(back).expect("an instant");
    }

    pub(super) fn restart(&mut self) {
        self.memory = Memory::default();
        self.vault = None;
    }

    pub(super) fn disable_by_admin(&mut self) {
        self.apps.iter_mut().for_each(|app| app.active = false);
    }

    pub(super) fn activate_by_admin(&mut self) {
        self.apps.iter_mut().for_each(|app| app.active = true);
    }

    pub(super) fn any_active(&self) -> bool {
        self.apps.iter().any(|app| app.active)
    }

    pub(super) fn delete_by_admin(&mut self) {
        self.apps.clear();
    }

    pub(super) fn switch_dpop_on(&mut self) {
        self.apps.iter_mut().for_each(|app| app.dpop = true);
    }

    pub(super) fn take_groups_by_admin(&mut self) {
        self.apps.iter_mut().for_each(|app| app.groups.clear());
    }

    /// The System Log tells of whatever others did.
    pub(super) fn notice(&mut self, credentials: bool) {
        self.noticed = Some(Noticed {
            number: self.noticed.as_ref().map_or(1, |n| n.number + 1),
            actor: "Jane Doe".to_owned(),
            credentials,
        });
    }

    pub(super) fn add_foreign_secret(&mut self) {
        for app in self
            .apps
            .iter_mut()
            .filter(|a| a.secrets.len() < 2 && a.method != "private_key_jwt")
        {
            let id = format!("foreign-{}", app.secrets.len());
            app.secrets.push((id, 0, true));
        }
    }

    pub(super) fn our_apps(&self) -> Vec<String> {
        self.apps
            .iter()
            .filter(|a| self.desired.owns(a.marker.as_ref()))
            .map(|a| a.id.clone())
            .collect()
    }

    /// Whether the refresh is due, or something else is planned for this instant.
    pub(super) fn due(&self) -> bool {
        let observed = self.observe();
        let rotation = rotation::wake(&self.desired, &observed);
        observed.refresh_due(self.now)
            || observed.check_due(self.now)
            || rotation.is_some_and(|at| at <= self.now)
    }

    /// Whether an end is one that only people or time can change.
    pub(super) fn stands(&self, end: &Next) -> bool {
        match end {
            Next::Settled { wake } => *wake > self.now,
            Next::Blocked(Blocked { reason, retry, .. }) => {
                *retry == Retry::OnChange
                    || matches!(reason, Reason::SlotsFull | Reason::InvalidClient)
            }
            Next::Do(_) => false,
        }
    }

    /// What must hold at every moment.
    pub(super) fn check(&self) {
        let ours: Vec<&App> = self
            .apps
            .iter()
            .filter(|a| self.desired.owns(a.marker.as_ref()))
            .collect();
        assert!(
            ours.len() <= 1,
            "two apps for one account\n{}",
            self.story()
        );
        for app in &self.apps {
            assert!(app.secrets.len() <= 2);
        }
        // The client secret that workloads see is one that Okta knows, unless
        // somebody removed the app, or its method is just being replaced.
        if let Some(credentials) = &self.credentials
            && let Some((client_id, method, value)) = &credentials.live
            && (credentials.staged.as_ref()).is_none_or(|(s, _)| s.purpose == Purpose::Add)
            && let Some(app) = self.apps.iter().find(|a| a.client_id == *client_id)
            && app.method == method_name(*method)
        {
            assert!(
                app.knows(Kind::of(*method), *value),
                "Okta does not accept the live credentials\n{}",
                self.story()
            );
        }
    }

    /// What must hold once the account is settled.
    pub(super) fn check_settled(&self) {
        let app = self
            .apps
            .iter()
            .find(|a| self.desired.owns(a.marker.as_ref()))
            .expect("an app");
        assert!(app.active && !app.dpop, "{app:?}");
        assert_eq!(
            (&app.label, &app.groups),
            (&self.desired.label, &self.desired.groups),
            "{}",
            self.story()
        );
        let credentials = self.credentials.as_ref().expect("credentials");
        assert!(credentials.staged.is_none());
        assert_eq!(
            credentials.live.as_ref().expect("live").1,
            self.desired.authentication
        );
        // Settled with the former credentials still at work is an overlap.
        let overlap = (credentials.meta.annotations).contains_key(sm::ANNOTATION_RETIRE);
        let ours = app.secrets.iter().chain(&app.keys).filter(|c| c.1 != 0);
        let count = ours.count();
        assert!(count == 1 || (overlap && count == 2), "{}", self.story());
        let facts = self.observe().token_facts().expect("a token");
        assert_eq!(facts.groups, self.desired.groups);
        assert!(facts.life.expires_at > self.now);
    }

    /// The last steps and where the world stands, for a failing test.
    pub(super) fn story(&self) -> String {
        let last: Vec<&str> = self
            .trace
            .iter()
            .rev()
            .take(40)
            .rev()
            .map(Step::name)
            .collect();
        let end = next(&self.desired, &self.observe(), self.now);
        format!(
            "steps: {last:?}\nnext: {end:?}\napps: {:?}\nsecret: {:?}\nvault: {:?}\ntoken: {:?}\nlisted: {:?}\nwish: {:?}\nnow: {}",
            self.apps,
            self.credentials
                .as_ref()
                .map(|c| (&c.meta.annotations, &c.live, &c.staged)),
            self.vault.as_ref().map(|c| (&c.live, &c.staged)),
            self.token.as_ref().map(|m| &m.annotations),
            self.listed,
            self.desired.wish,
            self.now
        )
    }

    fn observe(&self) -> Observed {
        let mut memory = self.memory.clone();
        if let Some(noticed) = &self.noticed {
            memory.notice(noticed, self.now);
        }
        memory.holds_live = self.vault.as_ref().is_some_and(|v| v.live.is_some());
        let slot = |meta: Option<&Meta>| meta.map_or(Slot::Absent, |m| Slot::Ours(m.clone()));
        let mut object = Neo4jServiceAccount::new("etl", fixture::spec());
        object.metadata.uid = Some(self.desired.account.uid.clone());
        object.status.clone_from(&self.status);
        if self.finalizer {
            object.metadata.finalizers = Some(vec![n::FINALIZER_ACCOUNT.to_owned()]);
        }
        Observed::new(
            &object,
            &self.desired,
            slot(self.credentials.as_ref().map(|c| &c.meta)),
            slot(self.token.as_ref()),
            memory,
            self.now,
        )
    }

    /// One reconcile, as the shell runs it. With `crash_after` the process ends
    /// after that many steps: memory is lost and no status is written.
    pub(super) fn reconcile(
        &mut self,
        crash_after: Option<usize>,
        mut trouble: Option<Trouble>,
    ) -> Next {
        let mut observed = self.observe();
        let mut done = 0;
        loop {
            let step = match next(&self.desired, &observed, self.now) {
                Next::Do(step) => step,
                end => {
                    let outcome = match &end {
                        Next::Blocked(blocked) => Outcome::Blocked(blocked.clone()),
                        _ => Outcome::Settled,
                    };
                    self.finish(&observed, &outcome);
                    return end;
                }
            };
            assert!(done < 32, "no end\n{}", self.story());
            if crash_after == Some(done) {
                self.restart();
                return Next::Do(step);
            }
            done += 1;
            self.trace.push(step.clone());
            let to_okta = !steps::is_local(&step);
            let failed = to_okta
                && (self.okta_down
                    || trouble.take_if(|_| true).is_some_and(|t| {
                        if t == Trouble::LostAfter {
                            let _ = self.carry_out(&step, &observed);
                        }
                        true
                    }));
            if failed {
                observed = observed.absorb_failure(&step);
                self.finish(
                    &observed,
                    &Outcome::Failed {
                        reason: Reason::OktaUnreachable,
                        message: "away".into(),
                    },
                );
                return Next::Do(step);
            }
            let effect = self.carry_out(&step, &observed);
            observed = observed.absorb(&self.desired, effect, self.now);
        }
    }

    fn finish(&mut self, observed: &Observed, outcome: &Outcome) {
        let status = next_status(
            self.status.as_ref(),
            &self.desired,
            observed,
            outcome,
            self.now,
        );
        kstatus_reads_it_right(&status, &self.observe(), self.now);
        if self.status.as_ref() != Some(&status) {
            self.status = Some(status);
            self.writes += 1;
        }
        self.memory = observed.memory.clone();
    }

    fn app(&mut self, id: &str) -> Option<&mut App> {
        self.apps.iter_mut().find(|a| a.id == id)
    }

    fn view(&self, app: &App, spec: &AppSpec) -> AppView {
        let described = app.label == spec.label
            && app.groups == spec.groups
            && app.marker.as_ref() == Some(&spec.marker)
            && !app.dpop;
        AppView {
            id: app.id.clone(),
            client_id: app.client_id.clone(),
            active: app.active,
            method: app.method.to_owned(),
            marker: app.marker.clone(),
            groups: app.groups.clone(),
            described_as: described.then(|| spec.revision()),
        }
    }
}

/// Stalled only together with Ready=False, Reconciling never beside it; while a
/// token lives and the account is not stopped, it is ready.
fn kstatus_reads_it_right(status: &Neo4jServiceAccountStatus, observed: &Observed, now: Timestamp) {
    let is = |type_: &str, value: &str| {
        status
            .conditions
            .iter()
            .any(|c| c.type_ == type_ && c.status == value)
    };
    assert!(
        !is("Stalled", "True") || is("Ready", "False"),
        "{status:#?}"
    );
    assert!(
        !(is("Stalled", "True") && is("Reconciling", "True")),
        "{status:#?}"
    );
    let token = observed.token_facts();
    if is("Ready", "True") {
        assert!(
            token.is_some_and(|t| t.life.expires_at > now),
            "{status:#?}"
        );
    }
    assert_eq!(status.token.is_some(), status.binding.is_some());
}
