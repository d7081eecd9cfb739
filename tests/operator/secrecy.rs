//! What the operator prints, writes and tells is searched for the secrets that
//! it handled.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use neo4j_okta_operator::cli::LogFormat;
use neo4j_okta_operator::controller::AfterStep;
use neo4j_okta_operator::telemetry::otlp::Traces;
use neo4j_okta_operator::telemetry::{self, environment};
use serde_json::json;
use testbed::OPERATOR_NAMESPACE;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::collector::Collector;
use crate::harness::{PATIENCE, World, until};
use crate::signin;

/// Keeps what is logged, until it is closed.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Option<Vec<u8>>>>);

impl Captured {
    fn open() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }

    /// What was logged so far.
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap();
        String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
    }

    /// What was logged so far; nothing is kept from now on.
    fn close(&self) -> String {
        let bytes = self.0.lock().unwrap().take().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(kept) = self.0.lock().unwrap().as_mut() {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The secrets of the accounts as they are now, in each form that they take on
/// their way: as they are, as in a Secret's JSON, and as in HTTP's basic
/// authentication.
async fn handled(world: &World) -> Vec<String> {
    let mut secrets = Vec::new();
    for secret in world.secrets().list(&ListParams::default()).await.unwrap() {
        let data = secret.data.unwrap_or_default();
        let client = data.get("client_id").map(|id| id.0.clone());
        for (key, value) in data {
            let kinds = ["token", "client_secret", "private_key"];
            if !kinds.iter().any(|kind| key.ends_with(kind)) {
                continue;
            }
            secrets.push(STANDARD.encode(&value.0));
            if let Some(client) = &client {
                secrets.push(STANDARD.encode([client, &b":"[..], &value.0].concat()));
            }
            // The lines of a key are secrets each; so is a token's signature.
            let text = String::from_utf8(value.0).unwrap();
            secrets.extend(text.lines().filter(|l| l.len() > 30).map(str::to_owned));
            secrets.extend(text.split('.').filter(|p| p.len() > 100).map(str::to_owned));
        }
    }
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_logs_traces_events_status_metrics_or_panics_at_any_level() {
    let (json, text) = (Captured::open(), Captured::open());
    let collector = Collector::start().await;
    // All that the program does with logs and traces, but at both formats at once
    // and at a level that nobody should run it with.
    let endpoint =
        |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| collector.url.clone());
    let wanted = environment::wanted(endpoint).unwrap().unwrap();
    let runtime = tokio::runtime::Handle::current();
    let traces = Traces::start(&wanted, "test", &runtime).unwrap();
    let trace = || EnvFilter::new("trace");
    let sinks = vec![
        telemetry::lines(LogFormat::Json, trace(), json.clone(), false).0,
        telemetry::lines(LogFormat::Text, trace(), text.clone(), false).0,
        traces.sink(),
    ];
    let subscriber = tracing_subscriber::registry().with(sinks);
    // Other tests of this binary log nowhere, so the whole process may log here.
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        println!("skipped: with LOG set, what is logged goes to the terminal");
        return;
    }
    let mut world = World::new().await;
    let mut secrets = vec![world.okta.api_token().to_owned()];
    for (name, method) in [
        ("basic", "ClientSecretBasic"),
        ("post", "ClientSecretPost"),
        ("key", "PrivateKeyJwt"),
    ] {
        world
            .account(name, json!({ "authentication": method }))
            .await;
        world.ready(name).await;
    }
    secrets.extend(handled(&world).await);
    // Trouble of each kind makes it talk.
    world
        .account("basic", json!({ "groups": ["forbidden"] }))
        .await;
    world.has("basic", "Ready", "False", "NotAllowed").await;
    world
        .account("post", json!({ "authentication": "PrivateKeyJwt" }))
        .await;
    world
        .account_is("post", "changed", |a| {
            crate::harness::condition(a, "Ready").is_some_and(|c| c.0 == "True")
        })
        .await;
    world
        .okta
        .inject(okta_emulator::Fault::new(okta_emulator::FaultKind::Malformed).times(2));
    world.annotate("key", "neo4j-okta.dev/renew", "1").await;
    world.quiet().await;
    // So does a sign-in by key, with its own tokens.
    let (app, key) = signin::service_app(&world, &signin::SCOPES, &signin::ROLES).await;
    world.okta.admin().require_dpop(&app, true);
    world.issuer(signin::by_key("okta-key", key.kid())).await;
    world.issuer_has("Authenticated", "True", "SignedIn").await;
    world.annotate("key", "neo4j-okta.dev/renew", "2").await;
    world.quiet().await;
    let tokens = world.okta.admin().management_tokens();
    assert!(!tokens.is_empty(), "signed in by key");
    secrets.extend(tokens);
    // A token of its own that ended is replaced, and the request sent again.
    world.okta.admin().end_management_tokens();
    let change = json!({ "authentication": "PrivateKeyJwt", "groups": ["neo4j_publisher"] });
    world.account("key", change).await;
    world
        .account_is("key", "in its new group", |a| {
            let token = a.status.as_ref().and_then(|s| s.token.as_ref());
            token.is_some_and(|t| t.groups == ["neo4j_publisher"])
        })
        .await;
    world.quiet().await;
    secrets.extend(world.okta.admin().management_tokens());
    // And it breaks, in the middle of an act and with all in hand that an act has.
    world.stop_operators().await;
    let usual = std::panic::take_hook();
    telemetry::panics::log();
    let in_hand = Arc::new((key, wanted));
    let breaks: AfterStep = Arc::new(move |account, step| {
        let said = format!("{account:?} {step:?} {in_hand:?}");
        async move { panic!("{said}") }.boxed()
    });
    let broken = world.operator(Some(breaks)).await;
    world.annotate("key", "neo4j-okta.dev/renew", "3").await;
    until("broken", async || match json.text() {
        told if told.contains("this is a flaw of the operator") => Ok(()),
        _ => Err(()),
    })
    .await;
    broken.kill().await;
    std::panic::set_hook(usual);
    let own = Api::<Secret>::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let pem = own.get("okta-key").await.unwrap().data.unwrap();
    let pem = String::from_utf8(pem["private-key"].0.clone()).unwrap();
    secrets.extend(pem.lines().filter(|l| l.len() > 30).map(str::to_owned));
    secrets.extend(handled(&world).await);
    assert!(secrets.len() > 30, "only {} to look for", secrets.len());
    let events: Api<k8s_openapi::api::events::v1::Event> = Api::all(world.client.clone());
    // Waits for a thread that needs this runtime.
    tokio::task::spawn_blocking(move || traces.flush(PATIENCE))
        .await
        .unwrap();
    let said = [
        ("log in JSON", json.close()),
        ("log", text.close()),
        ("traces", collector.bodies()),
        ("metrics", world.metrics.render()),
        (
            "events",
            format!("{:?}", events.list(&ListParams::default()).await.unwrap()),
        ),
        (
            "accounts",
            format!(
                "{:?}",
                world.accounts().list(&ListParams::default()).await.unwrap()
            ),
        ),
        (
            "issuer",
            format!("{:?}", world.issuers().get("default").await.unwrap()),
        ),
    ];
    for (place, text) in &said[..3] {
        let known = ["registered an app", "step failed"];
        assert!(
            known.iter().all(|k| text.contains(k)),
            "{place} was captured"
        );
    }
    assert!(said[3].1.contains("neo4j_okta_token_requests_total"));
    let again = collector
        .spans()
        .into_iter()
        .find(|s| s.get("http.request.resend_count") == "1")
        .expect("a request that was sent again");
    assert!(again.name().starts_with("okta "), "{}", again.name());
    for (place, text) in said {
        for secret in &secrets {
            // kube's own client logs bodies of watches of Secrets' metadata only.
            let told = text.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(
                told.map(|line| line.replace(secret.as_str(), "SECRET")),
                None,
                "{place} tells a secret of {} characters",
                secret.len()
            );
        }
    }
    assert!(world.accounts().get("key").await.unwrap().name_any() == "key");
}
