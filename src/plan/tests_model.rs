//! A model of the world that understands [`Step`]s: one account, its two
//! Secrets, and an Okta with apps, secrets and a policy. It keeps the rules that
//! matter: client ids are unique, two secrets at most, a method change drops
//! them, only active listed clients with right credentials get a token.

#[path = "tests_fixture.rs"]
mod fixture;
#[path = "tests_model_rules.rs"]
pub(super) mod rules;
#[path = "tests_model_steps.rs"]
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::super::app::{AppSpec, AppView, method_name};
use super::super::desired::{AccountName, Desired, IssuerFacts, Rotation, SecretSpec, Wish};
use super::super::identity::{AccountRef, Marker};
use super::super::memory::{Memory, Noticed};
use super::super::observed::Observed;
use super::super::schedule::{TokenLife, after};
use super::super::secret_meta::{self as sm, Meta, Slot};
use super::super::status::{Outcome, needs_somebody, next_status, stops};
use super::super::step::{
    Content, Credential, Effect, Kind, Minted, Next, OktaCredential, Place, Purpose, Refusal,
    Retire, Retry, Staged, Step,
};
use super::super::{Blocked, next, rotation};
use crate::api::conditions::Reason;
use crate::api::{
    Authentication, Neo4j, Neo4jServiceAccount, Neo4jServiceAccountSpec, Neo4jServiceAccountStatus,
    OnDelete, OnExternalDisable, Verify, names as n,
};
use crate::neo4j::login::{Login, Seen, Trouble as AtNeo4j};
use crate::neo4j::sessions::{Cause, Ending};

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
    /// Okta does not show its apps yet.
    pub(super) hidden: bool,
    /// A change of method does not take our secret.
    pub(super) okta_makes_secrets: bool,
    apps: Vec<App>,
    listed: BTreeSet<String>,
    waiting: BTreeSet<String>,
    /// The issuer has not come to it yet: until then they are let in.
    leaving: BTreeSet<String>,
    pub(super) status: Option<Neo4jServiceAccountStatus>,
    memory: Memory,
    noticed: Option<Noticed>,
    vault: Option<Credentials>,
    next_value: Value,
    now: Timestamp,
    /// Neo4j does not accept the tokens.
    pub(super) neo4j_refuses: bool,
    /// The last note that connections end.
    ending: Option<Ending>,
    /// Each status that was reached, and what a person would say of it.
    pub(super) said: Vec<(Neo4jServiceAccountStatus, rules::Health)>,
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
            hidden: false,
            okta_makes_secrets: false,
            apps: Vec::new(),
            listed: BTreeSet::new(),
            waiting: BTreeSet::new(),
            leaving: BTreeSet::new(),
            status: None,
            memory: Memory::default(),
            noticed: None,
            vault: None,
            next_value: 1,
            now: Timestamp::from_second(1_800_000_000).expect("an instant"),
            neo4j_refuses: false,
            ending: None,
            said: Vec::new(),
        }
    }

    /// With an issuer that has tokens tried at Neo4j, and sessions ended there.
    pub(super) fn with_neo4j(refuses: bool) -> Self {
        let mut model = Self::new();
        let issuer = &mut model.desired.issuer;
        issuer.neo4j = Arc::new(Neo4j {
            query_api_urls: vec!["https://graph:7473".to_owned()],
            verify: Verify::EveryRefresh,
            ..Neo4j::default()
        });
        issuer.end_sessions = Some(AccountName {
            namespace: "operator".to_owned(),
            name: "sessions".to_owned(),
        });
        model.neo4j_refuses = refuses;
        model
    }

    /// Time passes, and the issuer's reconciler lists who waits and not who leaves.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now = after(self.now, time);
        let leaving = std::mem::take(&mut self.leaving);
        self.listed.retain(|id| !leaving.contains(id));
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
            let to_okta = step.place() == Place::Okta;
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
        rules::kstatus_reads_it_right(&status, &self.observe(), self.now);
        if self.status.as_ref() != Some(&status) {
            let health = rules::health(outcome, &self.observe(), self.now);
            self.said.push((status.clone(), health));
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
