//! What the operator prints, writes and tells is searched for the secrets that
//! it handled.

use std::sync::{Arc, Mutex};

use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::OPERATOR_NAMESPACE;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::World;
use crate::signin;

/// Keeps what is logged, until it is closed.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Option<Vec<u8>>>>);

impl Captured {
    fn open() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
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

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_logs_events_status_or_metrics_even_at_the_most_talkative_level() {
    let log = Captured::open();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // Other tests of this binary log nowhere, so the whole process may log here.
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        println!("skipped: with LOG set, what is logged goes to the terminal");
        return;
    }
    let world = World::new().await;
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
    let own = Api::<Secret>::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let pem = own.get("okta-key").await.unwrap().data.unwrap();
    let pem = String::from_utf8(pem["private-key"].0.clone()).unwrap();
    secrets.extend(pem.lines().filter(|l| l.len() > 30).map(str::to_owned));
    for secret in world.secrets().list(&ListParams::default()).await.unwrap() {
        for (key, value) in secret.data.clone().unwrap_or_default() {
            let text = String::from_utf8(value.0).unwrap();
            if ["token", "client_secret", "private_key"]
                .iter()
                .any(|k| key.ends_with(k))
            {
                // The lines of a key are secrets each; so is a token's signature.
                secrets.extend(text.lines().filter(|l| l.len() > 30).map(str::to_owned));
                secrets.extend(text.split('.').filter(|p| p.len() > 100).map(str::to_owned));
            }
        }
    }
    assert!(secrets.len() > 8, "nothing to look for");
    let events: Api<k8s_openapi::api::events::v1::Event> = Api::all(world.client.clone());
    let printed = log.close();
    let said = [
        ("log", printed),
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
    assert!(
        said[0].1.contains("registered an app"),
        "the log was captured"
    );
    assert!(said[1].1.contains("neo4j_okta_token_requests_total"));
    for (place, text) in said {
        for secret in &secrets {
            // kube's own client logs bodies of watches of Secrets' metadata only.
            assert!(
                !text.contains(secret.as_str()),
                "{place} tells a secret of {} characters",
                secret.len()
            );
        }
    }
    assert!(world.accounts().get("key").await.unwrap().name_any() == "key");
}
