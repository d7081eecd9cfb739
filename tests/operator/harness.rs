//! One control plane for all tests of this binary; per test an Okta emulator, an
//! operator with a clock that can be moved, a namespace and an issuer. Tests run
//! one after the other, because an operator serves the whole cluster; what a
//! test leaves behind is removed before the next begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::contract::contract;
pub(crate) use crate::helpers::{PATIENCE, apply, condition, merge, message, until};
use crate::helpers::{clean, install};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use neo4j_okta_operator::api::{Neo4jServiceAccount, OktaIssuer, names as n};
use neo4j_okta_operator::clock::Clock;
use neo4j_okta_operator::controller::{AfterStep, Fence, Operator, Settings};
use neo4j_okta_operator::metrics::Metrics;
use okta_emulator::{Config, Emulator};
use serde_json::{Value, json};
use testbed::{ControlPlane, OPERATOR_NAMESPACE, control_plane};
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::JoinHandle;

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Everything that one test plays with.
pub(crate) struct World {
    pub(crate) cluster: &'static ControlPlane,
    pub(crate) client: Client,
    pub(crate) okta: Arc<Emulator>,
    pub(crate) clock: Clock,
    pub(crate) namespace: String,
    pub(crate) metrics: Metrics,
    operators: Vec<Running>,
    /// Of the first of several worlds.
    _turn: Option<MutexGuard<'static, ()>>,
}

pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = (&mut self.task).await;
    }
}

impl Running {
    /// Ends it in the middle of whatever it does.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl World {
    /// A world with an issuer named `default` and a running operator.
    pub(crate) async fn new() -> Self {
        let mut world = Self::without_operator().await;
        world.issuer(json!({})).await;
        world.start_operator().await;
        world
    }

    /// A world without issuer and operator.
    pub(crate) async fn without_operator() -> Self {
        Self::with_okta(Config::default()).await
    }

    /// The same, with an Okta of this kind.
    pub(crate) async fn with_okta(config: Config) -> Self {
        if let Ok(filter) = std::env::var("LOG") {
            neo4j_okta_operator::telemetry::init(
                neo4j_okta_operator::cli::LogFormat::Text,
                &filter,
            );
        }
        let turn = ONE_AT_A_TIME.lock().await;
        let cluster = control_plane().await;
        let config = Config {
            contract: contract(),
            ..config
        };
        let okta = Arc::new(Emulator::start(config).await.expect("an emulator"));
        let namespace = cluster.namespace("payments").await;
        let mut world = Self::on(cluster, namespace, okta, Clock::system()).await;
        world._turn = Some(turn);
        world
    }

    /// A world on this cluster; whoever calls sees to it that there is no other.
    pub(crate) async fn on(
        cluster: &'static ControlPlane,
        namespace: String,
        okta: Arc<Emulator>,
        clock: Clock,
    ) -> Self {
        let client = cluster.client();
        install(cluster).await;
        clean(&client).await;
        let world = Self {
            cluster,
            client,
            okta,
            clock,
            namespace,
            metrics: Metrics::default(),
            operators: Vec::new(),
            _turn: None,
        };
        world.sign_in_secret(world.okta.api_token()).await;
        world
    }

    pub(crate) async fn start_operator(&mut self) {
        let running = self.operator(None).await;
        self.operators.push(running);
    }

    /// Another operator; the caller stops it.
    pub(crate) async fn operator(&self, after_step: Option<AfterStep>) -> Running {
        let client = self.cluster.operator_client().await;
        self.operator_of(client, BTreeSet::new(), after_step).await
    }

    /// Another operator with the rights of `client`, for these namespaces only.
    pub(crate) async fn operator_of(
        &self,
        client: Client,
        watch_namespaces: BTreeSet<String>,
        after_step: Option<AfterStep>,
    ) -> Running {
        let settings = Settings {
            namespace: OPERATOR_NAMESPACE.to_owned(),
            watch_namespaces,
            instance: "test".to_owned(),
            clock: self.clock.clone(),
            fence: Fence::open(),
            okta_timeout: neo4j_okta_operator::okta::TIMEOUT,
            metrics: self.metrics.clone(),
            after_step,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let operator = Operator::new(client, settings, async move { drop(stopped.await) })
            .await
            .expect("an operator");
        Running {
            stop: Some(stop),
            task: tokio::spawn(operator.run()),
        }
    }

    pub(crate) async fn stop_operators(&mut self) {
        for running in self.operators.drain(..) {
            running.stop().await;
        }
    }

    /// Lets time pass, for Okta and the operator alike.
    pub(crate) fn pass(&self, time: Duration) {
        self.okta.clock().advance(time);
        self.clock.advance(time);
    }

    pub(crate) async fn sign_in_secret(&self, token: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "okta", "annotations": { "neo4j-okta.dev/allow-host": "127.0.0.1" } },
            "stringData": { "token": token },
        });
        apply(
            &Api::<Secret>::namespaced(self.client.clone(), OPERATOR_NAMESPACE),
            "okta",
            &secret,
        )
        .await;
    }

    /// Applies the issuer `default`: a managed server of its own, everything
    /// allowed in the test's namespace. `change` is merged over that.
    pub(crate) async fn issuer(&self, change: Value) {
        self.issuer_named("default", change).await;
    }

    pub(crate) async fn issuer_named(&self, name: &str, change: Value) {
        let mut issuer = json!({
            "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "OktaIssuer", "metadata": { "name": name },
            "spec": {
                "orgUrl": self.okta.url(),
                "clusterName": "test",
                "auth": { "apiToken": { "secretRef": { "name": "okta" } } },
                "authorizationServer": { "name": "neo4j", "audience": "neo4j", "management": "Managed" },
                "allow": [{ "namespaces": [self.namespace], "groups": ["neo4j_*"] }],
            },
        });
        merge(&mut issuer["spec"], &change);
        apply(&self.issuers(), name, &issuer).await;
    }

    pub(crate) fn issuers(&self) -> Api<OktaIssuer> {
        Api::all(self.client.clone())
    }

    pub(crate) fn accounts(&self) -> Api<Neo4jServiceAccount> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies an account with group `neo4j_reader`; `change` is merged over its
    /// spec.
    pub(crate) async fn account(&self, name: &str, change: Value) {
        let mut spec = json!({ "groups": ["neo4j_reader"] });
        merge(&mut spec, &change);
        let account = json!({
            "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
            "metadata": { "name": name, "namespace": self.namespace }, "spec": spec,
        });
        apply(&self.accounts(), name, &account).await;
    }

    pub(crate) async fn annotate(&self, name: &str, key: &str, value: &str) {
        let patch = json!({ "metadata": { "annotations": { key: value } } });
        self.accounts()
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .expect("annotated");
    }

    /// Waits until the account is as `wanted` says.
    pub(crate) async fn account_is(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&Neo4jServiceAccount) -> bool,
    ) -> Neo4jServiceAccount {
        until(what, async || {
            let account = self
                .accounts()
                .get_opt(name)
                .await
                .expect("the API server answers");
            match account {
                Some(account) if wanted(&account) => Ok(account),
                other => Err(other.map(|a| a.status)),
            }
        })
        .await
    }

    pub(crate) async fn ready(&self, name: &str) -> Neo4jServiceAccount {
        self.account_is(name, "ready", |a| {
            condition(a, "Ready").is_some_and(|(s, _)| s == "True")
        })
        .await
    }

    /// Waits until a condition has this status and reason.
    pub(crate) async fn has(
        &self,
        name: &str,
        type_: &str,
        status: &str,
        reason: &str,
    ) -> Neo4jServiceAccount {
        let what = format!("{type_}={status}/{reason}");
        self.account_is(name, &what, |a| {
            condition(a, type_) == Some((status.to_owned(), reason.to_owned()))
        })
        .await
    }

    pub(crate) async fn issuer_has(&self, type_: &str, status: &str, reason: &str) -> OktaIssuer {
        let what = format!("issuer {type_}={status}/{reason}");
        until(&what, async || {
            let issuer = self.issuers().get("default").await.expect("the issuer");
            let conditions = issuer.status.clone().unwrap_or_default().conditions;
            let found = conditions
                .iter()
                .any(|c| c.type_ == type_ && c.status == status && c.reason == reason);
            if found { Ok(issuer) } else { Err(conditions) }
        })
        .await
    }

    pub(crate) async fn data(&self, secret: &str) -> BTreeMap<String, String> {
        let secret = self.secrets().get(secret).await.expect("the Secret");
        let text = |b: k8s_openapi::ByteString| String::from_utf8(b.0).expect("text");
        secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(k, v)| (k, text(v)))
            .collect()
    }

    pub(crate) async fn token(&self, account: &str) -> String {
        self.data(&format!("{account}{}", n::SUFFIX_TOKEN))
            .await
            .remove("token")
            .expect("a token")
    }

    /// The claims of the published token, its signature checked against the
    /// emulator's JWKS as Neo4j would.
    pub(crate) async fn claims(&self, account: &str) -> Value {
        let token = self.token(account).await;
        self.verified(&token).await
    }

    pub(crate) async fn verified(&self, token: &str) -> Value {
        let issuer = self.issuers().get("default").await.expect("the issuer");
        let jwks = issuer.status.expect("a status").jwks_uri.expect("a JWKS");
        let keys: jsonwebtoken::jwk::JwkSet = reqwest::get(jwks)
            .await
            .expect("keys")
            .json()
            .await
            .expect("a JWK set");
        let header = jsonwebtoken::decode_header(token).expect("a JWT");
        let key = keys.find(&header.kid.expect("a kid")).expect("a known key");
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        validation.validate_exp = false; // the emulator's clock is not ours
        validation.set_audience(&["neo4j"]);
        let key = jsonwebtoken::DecodingKey::from_jwk(key).expect("an RSA key");
        jsonwebtoken::decode::<Value>(token, &key, &validation)
            .expect("a valid signature")
            .claims
    }

    /// Asks Okta for a token with the published credentials, as a workload does.
    pub(crate) async fn signs_in(&self, account: &str) -> bool {
        let data = self
            .data(&format!("{account}{}", n::SUFFIX_CREDENTIALS))
            .await;
        let answer = reqwest::Client::new()
            .post(&data["token_endpoint"])
            .basic_auth(&data["client_id"], data.get("client_secret"))
            .form(&[
                ("grant_type", "client_credentials"),
                ("scope", &data["scope"]),
            ])
            .send()
            .await
            .expect("an answer");
        answer.status().is_success()
    }

    /// Waits until nothing has changed for two seconds.
    pub(crate) async fn quiet(&self) {
        let mut last = (0, String::new());
        let mut same = 0;
        for _ in 0..PATIENCE.as_secs() * 2 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let versions: Vec<String> = self
                .accounts()
                .list(&ListParams::default())
                .await
                .expect("accounts")
                .iter()
                .filter_map(ResourceExt::resource_version)
                .collect();
            let now = (self.okta.requests().len(), versions.join(","));
            same = if now == last { same + 1 } else { 0 };
            if same == 4 {
                return;
            }
            last = now;
        }
        let busy: Vec<String> = self
            .okta
            .requests()
            .iter()
            .rev()
            .take(12)
            .rev()
            .map(|r| format!("{} {} {}", r.method, r.path, r.status))
            .collect();
        panic!("never quiet; last requests: {busy:#?}");
    }

    /// Asks for the deletion of an account.
    pub(crate) async fn delete(&self, name: &str) {
        self.accounts()
            .delete(name, &DeleteParams::default())
            .await
            .expect("the account was there");
    }

    pub(crate) async fn delete_secret(&self, name: &str) {
        self.secrets()
            .delete(name, &DeleteParams::default())
            .await
            .expect("the Secret was there");
    }

    /// Changes a Secret as `kubectl edit` would.
    pub(crate) async fn edit_secret(&self, name: &str, change: &Value) {
        self.secrets()
            .patch(name, &PatchParams::default(), &Patch::Merge(change))
            .await
            .expect("patched");
    }

    /// Waits until the account is gone.
    pub(crate) async fn gone(&self, name: &str) {
        until("gone", async || {
            let left = self
                .accounts()
                .get_opt(name)
                .await
                .expect("the API server answers");
            left.map_or(Ok(()), |account| Err(format!("{:?}", account.status)))
        })
        .await;
    }

    pub(crate) fn tokens_asked(&self) -> usize {
        self.okta.count("POST", "/oauth2/{authServerId}/v1/token")
    }
}
