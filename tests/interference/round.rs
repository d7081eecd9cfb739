//! One round: an org, an issuer, many accounts with a history each, operators
//! that come and go, and the weather. Then calm, and everything has to be as it
//! shall be; then all is deleted, and nothing may be left.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use neo4j_okta_operator::api::OktaIssuer;
use neo4j_okta_operator::clock::Clock;
use okta_emulator::{Config, Emulator, Fault, FaultKind};
use serde_json::{Value, json};
use testbed::{ControlPlane, OPERATOR_NAMESPACE};
use tokio::sync::watch;

use crate::deeds::{Excused, Hand};
use crate::dice::Dice;
use crate::history::{History, TICKS};
use crate::lives::{Lives, Nature};
use crate::proof;
use crate::truth::{Cluster, unsettled};
use crate::weather::Weather;
use crate::witness::Witness;

/// Accounts of a round.
pub(crate) const ACCOUNTS: u64 = 50;
const NAMESPACES: u64 = 5;
/// How many looks it may take until all is as it shall be.
const LOOKS: u64 = 150;
const MINUTES: Duration = Duration::from_secs(600);
/// The longest that a change at Okta goes unseen.
const SWEEP: Duration = Duration::from_secs(24 * 3600);
/// After how many it is told what took so long.
const LONG: u64 = 30;
/// Looks at which the operator may be at work without time passing.
const BUSY: u64 = 400;
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

pub(crate) struct Round {
    seed: u64,
    pub(crate) cluster: &'static ControlPlane,
    client: Client,
    pub(crate) okta: Emulator,
    clock: Clock,
    pub(crate) weather: Arc<Weather>,
    issuer: String,
    namespaces: Vec<String>,
    pub(crate) histories: Vec<History>,
    excused: Excused,
    /// Apps and Secrets that are nobody's business here, as they were made.
    foreign: (Vec<Value>, Vec<Secret>),
}

impl Round {
    /// Histories and weather of a seed.
    pub(crate) async fn stormy(cluster: &'static ControlPlane, seed: u64, accounts: u64) -> Self {
        let history = |namespace: &str, name: &str| History::new(seed, namespace, name);
        Self::prepare(cluster, seed, accounts, Weather::new(seed), history).await
    }

    /// Accounts that are created and no more.
    pub(crate) async fn plain(
        cluster: &'static ControlPlane,
        accounts: u64,
        weather: Weather,
    ) -> Self {
        let seed = u64::from_str_radix(&testbed::random(), 16).expect("a number");
        Self::prepare(cluster, seed, accounts, weather, History::plain).await
    }

    async fn prepare(
        cluster: &'static ControlPlane,
        seed: u64,
        accounts: u64,
        weather: Weather,
        history: impl Fn(&str, &str) -> History,
    ) -> Self {
        let config = Config {
            contract: crate::contract::contract(),
            ..Config::default()
        };
        let okta = Emulator::start(config).await.expect("an emulator");
        let issuer = format!("chaos-{seed:x}");
        let namespaces: Vec<String> = (0..NAMESPACES).map(|i| format!("{issuer}-{i}")).collect();
        let histories = (0..accounts).map(|i| {
            let namespace = &namespaces[(i % NAMESPACES) as usize];
            history(namespace, &format!("etl-{i}"))
        });
        let mut round = Self {
            seed,
            cluster,
            client: cluster.client(),
            clock: Clock::system(),
            weather: Arc::new(weather),
            histories: histories.collect(),
            issuer,
            namespaces,
            okta,
            excused: Excused::default(),
            foreign: Default::default(),
        };
        round.furnish().await;
        round
    }

    async fn furnish(&mut self) {
        let once = PostParams::default();
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for name in &self.namespaces {
            let namespace = Namespace {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    ..ObjectMeta::default()
                },
                ..Namespace::default()
            };
            namespaces
                .create(&once, &namespace)
                .await
                .expect("a namespace");
            let foreign: Secret = serde_json::from_value(json!({
                "metadata": { "name": "foreign", "labels": { "app.kubernetes.io/managed-by": "neo4j-okta-operator" } },
                "stringData": { "token": "somebody's" },
            }))
            .expect("a Secret");
            let secrets: Api<Secret> = Api::namespaced(self.client.clone(), name);
            let foreign = secrets.create(&once, &foreign).await.expect("created");
            self.foreign.1.push(foreign);
        }
        let theirs = self.okta.admin().create_app(&json!({
            "name": "oidc_client", "label": "theirs", "signOnMode": "OPENID_CONNECT",
            "credentials": { "oauthClient": { "client_id": "theirs", "token_endpoint_auth_method": "client_secret_basic" } },
            "settings": { "oauthClient": { "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"] } },
        }));
        let theirs = theirs["id"]
            .as_str()
            .and_then(|id| self.okta.admin().app(id));
        self.foreign.0.extend(theirs);
        let sign_in: Secret = serde_json::from_value(json!({
            "metadata": { "name": self.issuer, "annotations": { "neo4j-okta.dev/allow-host": "127.0.0.1" } },
            "stringData": { "token": self.okta.api_token() },
        }))
        .expect("a Secret");
        Api::<Secret>::namespaced(self.client.clone(), OPERATOR_NAMESPACE)
            .create(&once, &sign_in)
            .await
            .expect("created");
        let issuer: OktaIssuer = serde_json::from_value(json!({
            "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "OktaIssuer", "metadata": { "name": self.issuer },
            "spec": {
                "orgUrl": self.okta.url(),
                "clusterName": "chaos",
                "auth": { "apiToken": { "secretRef": { "name": self.issuer } } },
                "authorizationServer": { "name": "neo4j", "audience": "neo4j", "management": "Managed" },
                "allow": [{ "namespaces": self.namespaces, "groups": ["neo4j_*"] }],
            },
        }))
        .expect("an issuer");
        Api::<OktaIssuer>::all(self.client.clone())
            .create(&once, &issuer)
            .await
            .expect("created");
    }

    /// Lets time pass, for Okta and the operator alike.
    pub(crate) fn pass(&self, time: Duration) {
        self.okta.clock().advance(time);
        self.clock.advance(time);
    }

    /// Goes through it.
    ///
    /// # Errors
    /// What is wrong at its end, or was at any time.
    pub(crate) async fn run(&self) -> Result<(), Vec<String>> {
        let hand = self.hand();
        let lives = self.lives();
        let witness = Witness {
            client: self.client.clone(),
            admin: self.okta.admin(),
            namespaces: self.namespaces.clone(),
            excused: hand.excused.clone(),
        };
        tokio::select! {
            seen = witness.watches() => Err(vec![seen]),
            settled = self.goes_on(&hand, &lives) => settled,
        }
    }

    pub(crate) fn hand(&self) -> Hand {
        Hand {
            client: self.client.clone(),
            admin: self.okta.admin(),
            issuer: self.issuer.clone(),
            excused: self.excused.clone(),
        }
    }

    pub(crate) fn lives(&self) -> Lives {
        Lives::begin(Nature {
            seed: self.seed,
            cluster: self.cluster,
            clock: self.clock.clone(),
            weather: self.weather.clone(),
        })
    }

    async fn goes_on(&self, hand: &Hand, lives: &Lives) -> Result<(), Vec<String>> {
        self.storm(hand).await;
        self.weather.calm_down();
        self.okta.clear_faults();
        let mut dice = Dice::new(self.seed, "calm", 0);
        // What a crash leaves behind, and what a long life remembers.
        if dice.per_mille(500) {
            lives.kill();
        }
        hand.reconciles(&self.histories).await;
        self.is_as_asked_for().await?;
        self.ends().await
    }

    /// Deletes all accounts; nothing may be left.
    pub(crate) async fn ends(&self) -> Result<(), Vec<String>> {
        self.hand().deletes_all(&self.histories).await;
        let mut gone = self.histories.clone();
        for history in &mut gone {
            history.wanted.exists = false;
        }
        self.becomes(&gone).await?;
        self.untouched().await
    }

    /// Waits until everything is as it was asked for, and proves it.
    pub(crate) async fn is_as_asked_for(&self) -> Result<(), Vec<String>> {
        self.becomes(&self.histories).await?;
        self.untouched().await?;
        proof::of_all(&self.client, &self.histories, self.clock.now()).await
    }

    /// Deeds, while time passes and things go wrong.
    async fn storm(&self, hand: &Hand) {
        let weather = self.weather.clone();
        if weather.lag > 0 {
            self.okta.inject(Fault::new(FaultKind::Lag(weather.lag)));
        }
        self.okta
            .set_weather(Box::new(move |method, route| weather.okta(method, route)));
        let (ticks, seen) = watch::channel(0);
        let deeds: Vec<_> = self
            .histories
            .iter()
            .map(|history| tokio::spawn(hand.clone().live_through(history.clone(), seen.clone())))
            .collect();
        let mut dice = Dice::new(self.seed, "time", 0);
        for tick in 1..=TICKS {
            tokio::time::sleep(Duration::from_millis(dice.between(150, 700))).await;
            let seconds = dice.pick(&[1, 20, 90, 400, 1500, 3000]);
            self.pass(Duration::from_secs(seconds));
            ticks.send_replace(tick);
        }
        // Some wait until a predecessor is gone, which may take calm.
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.weather.calm_down();
        self.okta.clear_faults();
        for deed in deeds {
            deed.await.expect("the deeds are done");
        }
    }

    /// Waits until everything is as these histories say. Time passes, but not
    /// between the two looks after each time, and not while the operator is at
    /// work: how fast this machine is decides nothing.
    async fn becomes(&self, histories: &[History]) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        let mut asked = 0;
        let mut busy = 0;
        let mut look = 0;
        while look < LOOKS {
            if look % 4 == 3 {
                // What the operator missed while it was dead, the sweep finds.
                let far = look > LOOKS / 2;
                self.pass(if far { SWEEP / 8 } else { MINUTES });
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            let cluster = Cluster::read(&self.client, &self.namespaces).await;
            let last = std::mem::take(&mut wrong);
            wrong = unsettled(&cluster, &self.okta.admin(), histories, self.clock.now());
            if wrong.is_empty() {
                if look > LONG {
                    println!("{:x}: took {look} looks; last {last:#?}", self.seed);
                }
                return Ok(());
            }
            let before = std::mem::replace(&mut asked, self.okta.requests().len());
            if look % 4 == 2 && busy < BUSY && (asked != before || wrong != last) {
                busy += 1;
            } else {
                look += 1;
            }
        }
        Err(wrong)
    }

    /// What is nobody's business here is as it was.
    async fn untouched(&self) -> Result<(), Vec<String>> {
        for app in &self.foreign.0 {
            let id = app["id"].as_str().unwrap_or_default();
            if self.okta.admin().app(id).as_ref() != Some(app) {
                return Err(vec!["an app of somebody else was touched".to_owned()]);
            }
        }
        for secret in &self.foreign.1 {
            let namespace = secret.metadata.namespace.clone().unwrap_or_default();
            let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &namespace);
            if secrets.get("foreign").await.ok().as_ref() != Some(secret) {
                return Err(vec![format!("{namespace}: a foreign Secret was touched")]);
            }
        }
        let violations = self.okta.violations();
        if violations.is_empty() {
            Ok(())
        } else {
            Err(violations)
        }
    }

    /// What happened, in a line.
    pub(crate) fn told(&self) -> String {
        format!("{:?}", self.weather.tally())
    }

    /// Removes what the round is made of.
    pub(crate) async fn clear(self) {
        let gone = DeleteParams::default();
        let issuers: Api<OktaIssuer> = Api::all(self.client.clone());
        let _ = issuers.delete(&self.issuer, &gone).await;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        let _ = secrets.delete(&self.issuer, &gone).await;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for namespace in &self.namespaces {
            let _ = namespaces.delete(namespace, &gone).await;
        }
    }
}
