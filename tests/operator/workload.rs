//! A workload that mints its own tokens: it reads the credentials Secret as it is
//! now, signs in at Okta, and does so again ten times a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use neo4j_okta_operator::clock::Clock;
use neo4j_okta_operator::okta::jose::SigningKey;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{RwLock, oneshot};
use tokio::task::JoinHandle;

use crate::harness::World;

/// What it went through.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) logins: usize,
    pub(crate) refusals: usize,
    /// From the first refusal in a row to the next login.
    pub(crate) longest: Duration,
}

pub(crate) struct Workload {
    /// Held while a login is under way: a clock that jumps in the middle of one
    /// would make its assertion stale, which is no fault of anybody's.
    gate: Arc<RwLock<()>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Report>,
}

impl Workload {
    pub(crate) fn start(world: &World, account: &str) -> Self {
        let gate = Arc::new(RwLock::new(()));
        let (stop, stopped) = oneshot::channel();
        let name = format!("{account}-okta-credentials");
        let run = run(
            world.secrets(),
            name,
            world.clock.clone(),
            gate.clone(),
            stopped,
        );
        Self {
            gate,
            stop,
            task: tokio::spawn(run),
        }
    }

    /// Lets time pass between two logins.
    pub(crate) async fn pass(&self, world: &World, time: Duration) {
        let _between = self.gate.write().await;
        world.pass(time);
    }

    pub(crate) async fn report(self) -> Report {
        let _ = self.stop.send(());
        self.task.await.expect("the workload ran")
    }
}

async fn run(
    secrets: Api<Secret>,
    name: String,
    clock: Clock,
    gate: Arc<RwLock<()>>,
    mut stopped: oneshot::Receiver<()>,
) -> Report {
    let http = reqwest::Client::new();
    let mut report = Report::default();
    let mut refused_since: Option<std::time::Instant> = None;
    loop {
        {
            let _login = gate.read().await;
            let secret = secrets.get(&name).await.expect("the Secret");
            let data = secret.data.expect("data");
            let text = |(k, v): (String, k8s_openapi::ByteString)| {
                (k, String::from_utf8(v.0).expect("text"))
            };
            let data: BTreeMap<String, String> = data.into_iter().map(text).collect();
            let accepted = sign_in(&http, &data, &clock).await;
            report.logins += 1;
            if accepted {
                if let Some(since) = refused_since.take() {
                    report.longest = report.longest.max(since.elapsed());
                }
            } else {
                report.refusals += 1;
                refused_since.get_or_insert_with(|| clock.stopwatch());
            }
        }
        tokio::select! {
            _ = &mut stopped => return report,
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
}

async fn sign_in(http: &reqwest::Client, data: &BTreeMap<String, String>, clock: &Clock) -> bool {
    let endpoint = &data["token_endpoint"];
    let client_id = &data["client_id"];
    let mut form = vec![
        ("grant_type", "client_credentials".to_owned()),
        ("scope", data["scope"].clone()),
    ];
    let mut request = http.post(endpoint);
    match data["token_endpoint_auth_method"].as_str() {
        "client_secret_basic" => {
            request = request.basic_auth(client_id, Some(&data["client_secret"]))
        }
        "client_secret_post" => {
            form.push(("client_id", client_id.clone()));
            form.push(("client_secret", data["client_secret"].clone()));
        }
        _ => {
            let pem = SecretString::from(data["private_key"].as_str());
            let key = SigningKey::from_pem(&pem, Some(&data["key_id"])).expect("a key");
            let assertion = key
                .client_assertion(client_id, endpoint, clock.now())
                .expect("signed");
            form.push((
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
            ));
            form.push(("client_assertion", assertion.expose_secret().to_owned()));
        }
    }
    let answer = request.form(&form).send().await.expect("an answer");
    answer.status().is_success()
}
