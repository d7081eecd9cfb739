//! One account's part of the world: its two Secrets and its app. Steps of the
//! planner are carried out without fault; what may go wrong is the org's part.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use neo4j_okta_operator::api::{
    Authentication, Neo4jServiceAccount, OnDelete, OnExternalDisable, names as n,
};
use neo4j_okta_operator::okta::budget::Bucket;
use neo4j_okta_operator::plan::Wish;
use neo4j_okta_operator::plan::app::{AppView, method_name};
use neo4j_okta_operator::plan::desired::{Desired, IssuerFacts};
use neo4j_okta_operator::plan::memory::{Memory, Registered};
use neo4j_okta_operator::plan::observed::Observed;
use neo4j_okta_operator::plan::schedule::TokenLife;
use neo4j_okta_operator::plan::secret_meta::{self as sm, Meta, Slot};
use neo4j_okta_operator::plan::step::{Content, Credential, Effect, Minted, Place, Staged, Step};

pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);
const METHOD: Authentication = Authentication::ClientSecretBasic;

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) desired: Desired,
    pub(crate) observed: Observed,
    pub(crate) failures: u32,
    /// When the timer brings it back, in milliseconds.
    pub(crate) timer: Option<u64>,
    /// A request of it is under way.
    pub(crate) busy: bool,
    /// Something changed meanwhile.
    pub(crate) nudged: bool,
    pub(crate) registered_at: Option<u64>,
    pub(crate) stopped_at: Option<u64>,
    pub(crate) gone_at: Option<u64>,
    app: Option<AppView>,
    writes: u64,
}

impl Account {
    /// An account that was just created.
    pub(crate) fn new(index: usize, namespace: &str) -> Self {
        let object: Neo4jServiceAccount = serde_json::from_value(serde_json::json!({
            "apiVersion": "neo4j-okta.dev/v1alpha1",
            "kind": "Neo4jServiceAccount",
            "metadata": { "name": format!("a{index}"), "namespace": namespace, "uid": format!("uid-{index:06}"), "generation": 1 },
            "spec": { "groups": ["neo4j_publisher"] },
        }))
        .unwrap();
        let desired = Desired::new(&object, facts(), Ok(()));
        let observed = Observed::new(
            &object,
            &desired,
            Slot::Absent,
            Slot::Absent,
            Memory::default(),
            Timestamp::UNIX_EPOCH,
        );
        Self {
            desired,
            observed,
            failures: 0,
            timer: None,
            busy: false,
            nudged: false,
            registered_at: None,
            stopped_at: None,
            gone_at: None,
            app: None,
            writes: 0,
        }
    }

    /// An account that has lived for long; its token was issued at `issued_at`.
    /// The operator has just started and remembers nothing of it.
    pub(crate) fn existing(index: usize, namespace: &str, issued_at: Timestamp) -> Self {
        let mut account = Self::new(index, namespace);
        let client_id = account.desired.client_id(0);
        account.app = Some(account.view(client_id.clone()));
        let revision = account.desired.app_spec().revision();
        let o = &mut account.observed;
        o.finalizer = true;
        o.observed_generation = 1;
        o.client_id = Some(client_id.clone());
        o.ready = None;
        o.memory.registered = Some(Registered {
            app_id: format!("app-{client_id}"),
            client_id: client_id.clone(),
        });
        let life = TokenLife::new(issued_at, LIFETIME, &account.desired.account.uid);
        account.observed.credentials = Slot::Ours(account.credentials_meta(None, &client_id));
        account.observed.token = Slot::Ours(account.token_meta(life, client_id, Some(revision)));
        account
    }

    /// Its tenant does not want it to live.
    pub(crate) fn is_suspended(&self) -> bool {
        self.desired.wish == Wish::Suspended
    }

    /// It has what it asked for.
    pub(crate) fn is_at_rest(&self) -> bool {
        match self.desired.wish {
            Wish::Live | Wish::NotWatched => matches!(self.observed.token, Slot::Ours(_)),
            Wish::Suspended | Wish::NotAllowed(_) => self.stopped_at.is_some(),
            Wish::Deleted { .. } => self.gone_at.is_some(),
        }
    }

    /// The bucket of a step's request; `None` when it is none to Okta.
    pub(crate) fn bucket(step: &Step) -> Option<Bucket> {
        if step.place() != Place::Okta {
            return None;
        }
        Some(match step {
            Step::Mint(_) => Bucket::Token,
            Step::FindClient { .. } => Bucket::Clients,
            // The app was read before, in the same reconcile: one PUT.
            Step::ReadApp { .. } | Step::UpdateApp { .. } | Step::DeleteApp { .. } => Bucket::App,
            _ => Bucket::Apps,
        })
    }

    /// Carries a step out, apart from admission, which is the issuer's.
    pub(crate) fn carry_out(&mut self, step: &Step, sent_at: Timestamp) -> Effect {
        self.writes += 1;
        match step {
            Step::AddFinalizer => Effect::FinalizerAdded,
            Step::RemoveFinalizer => Effect::FinalizerRemoved,
            Step::ConfirmAccount => Effect::AccountStands,
            Step::ReadCredentials => {
                let Slot::Ours(meta) = &self.observed.credentials else {
                    panic!("no credentials to read")
                };
                let client_id = meta.annotation(n::ANNOTATION_CLIENT_ID).unwrap();
                Effect::CredentialsRead {
                    meta: Some(meta.clone()),
                    content: live(client_id.to_owned()),
                    edited: false,
                }
            }
            Step::Stage(staged) => Effect::CredentialsWritten {
                meta: self.credentials_meta(Some(staged), &staged.client_id),
                content: Content {
                    staged: Some(staged.clone()),
                    ..Content::default()
                },
            },
            Step::Promote { .. } => {
                let staged = self.staged();
                self.observed.client_id = Some(staged.client_id.clone());
                Effect::CredentialsWritten {
                    meta: self.credentials_meta(None, &staged.client_id),
                    content: live(staged.client_id),
                }
            }
            Step::Publish => {
                let Some(Minted {
                    outcome: Ok(life), ..
                }) = &self.observed.memory.minted
                else {
                    panic!("no token to publish")
                };
                let client_id = self.observed.client_id.clone().unwrap();
                let revision = self.observed.memory.confirmed.clone();
                let revision = revision.or_else(|| self.observed.token_facts()?.app_revision);
                Effect::TokenWritten {
                    meta: self.token_meta(*life, client_id, revision),
                }
            }
            Step::Withdraw => Effect::TokenRemoved,
            Step::Leave { .. } => Effect::Left,
            Step::FindClient { .. } => Effect::ClientFound(self.app.is_some()),
            Step::CreateApp => {
                assert!(self.app.is_none(), "a second app for one account");
                let view = self.view(self.staged().client_id);
                self.app = Some(view.clone());
                Effect::AppWritten(view)
            }
            Step::ReadApp { .. } => {
                let wanted = self.desired.app_spec();
                let mut view = self.app.clone();
                if let Some(view) = &mut view
                    && view.described_as != Some(wanted.revision())
                {
                    view.described_as = None;
                }
                Effect::App(view)
            }
            Step::UpdateApp { .. } => {
                let revision = self.desired.app_spec().revision();
                let marker = self.desired.app_spec().marker;
                let app = self.app.as_mut().unwrap();
                app.described_as = Some(revision);
                app.marker = Some(marker);
                Effect::AppWritten(app.clone())
            }
            Step::DeactivateApp { .. } => {
                self.app.as_mut().unwrap().active = false;
                Effect::Deactivated
            }
            Step::DeleteApp { .. } => {
                self.app = None;
                Effect::AppGone
            }
            Step::Mint(credential) => {
                assert!(self.app.as_ref().unwrap().active);
                let life = TokenLife::new(sent_at, LIFETIME, &self.desired.account.uid);
                Effect::Minted(Minted {
                    credential: *credential,
                    outcome: Ok(life),
                })
            }
            other => panic!("{} has no place in this simulation", other.name()),
        }
    }

    /// Remembers what the shell does around the planner.
    pub(crate) fn holds(&mut self, step: &Step) {
        if matches!(step, Step::ReadCredentials | Step::Promote { .. }) {
            self.observed.memory.holds_live = true;
        }
    }

    /// The client id of whoever asks for a token.
    pub(crate) fn client_id(&self, credential: Credential) -> String {
        match credential {
            Credential::Staged => self.staged().client_id,
            Credential::Live => self.observed.known_client_id().unwrap(),
        }
    }

    fn staged(&self) -> Staged {
        let content = self.observed.content().unwrap();
        content.staged.clone().unwrap()
    }

    fn view(&self, client_id: String) -> AppView {
        let spec = self.desired.app_spec();
        AppView {
            id: format!("app-{client_id}"),
            client_id,
            active: true,
            method: method_name(METHOD).to_owned(),
            described_as: Some(spec.revision()),
            groups: spec.groups,
            marker: Some(spec.marker),
        }
    }

    fn credentials_meta(&self, staged: Option<&Staged>, client_id: &str) -> Meta {
        let mut annotations =
            BTreeMap::from([(sm::ANNOTATION_DATA.to_owned(), self.writes.to_string())]);
        if staged.is_some() {
            annotations.insert(sm::ANNOTATION_STAGED.to_owned(), "true".to_owned());
        } else {
            annotations.insert(n::ANNOTATION_CLIENT_ID.to_owned(), client_id.to_owned());
            annotations.insert(
                sm::ANNOTATION_METHOD.to_owned(),
                method_name(METHOD).to_owned(),
            );
        }
        Meta {
            version: self.writes.to_string(),
            labels: self.desired.credentials.labels.clone(),
            annotations,
            ..Meta::default()
        }
    }

    fn token_meta(&self, life: TokenLife, client_id: String, revision: Option<String>) -> Meta {
        let groups: Vec<&str> = self.desired.groups.iter().map(String::as_str).collect();
        let mut annotations = BTreeMap::from([
            (n::ANNOTATION_CLIENT_ID.to_owned(), client_id),
            (
                n::ANNOTATION_ISSUED_AT.to_owned(),
                life.issued_at.to_string(),
            ),
            (
                n::ANNOTATION_EXPIRES_AT.to_owned(),
                life.expires_at.to_string(),
            ),
            (
                n::ANNOTATION_REFRESH_AT.to_owned(),
                life.refresh_at.to_string(),
            ),
            (n::ANNOTATION_GROUPS.to_owned(), groups.join(",")),
        ]);
        annotations.extend(revision.map(|r| (sm::ANNOTATION_APP_REVISION.to_owned(), r)));
        Meta {
            version: self.writes.to_string(),
            labels: self.desired.token.labels.clone(),
            annotations,
            ..Meta::default()
        }
    }
}

fn live(client_id: String) -> Content {
    Content {
        live: Some((client_id, METHOD)),
        staged: None,
        generation: 0,
    }
}

fn facts() -> IssuerFacts {
    IssuerFacts {
        name: "default".into(),
        org_url: "https://acme.okta.com".into(),
        authorization_server_id: "aus1".into(),
        issuer: "https://acme.okta.com/oauth2/aus1".into(),
        audience: "neo4j".into(),
        token_endpoint: "https://acme.okta.com/oauth2/aus1/v1/token".into(),
        scope: "neo4j_groups".into(),
        groups_claim: "groups".into(),
        profile_attribute: "neo4j_groups".into(),
        lifetime: Some(LIFETIME),
        allow_list: true,
        network_zones: Vec::new(),
        on_delete: OnDelete::Delete,
        on_external_disable: OnExternalDisable::Respect,
        sweep: Duration::from_secs(48 * 3600),
        installation: "installation".into(),
        former_installations: Vec::new(),
        cluster: "prod".into(),
        neo4j: Default::default(),
        trust: 0,
        end_sessions: None,
        private_namespace: None,
    }
}

/// An instant of the simulation.
pub(crate) fn at(ms: u64) -> Timestamp {
    let start = Timestamp::from_second(1_800_000_000).unwrap();
    start
        .checked_add(SignedDuration::from_millis(i64::try_from(ms).unwrap()))
        .unwrap()
}
