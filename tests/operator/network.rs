//! The way to Okta: a CA of one's own and its rotation, a proxy, IPv6.

use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use okta_emulator::Config;
use serde_json::json;
use testbed::{Child, OPERATOR_NAMESPACE, free_port};

use crate::front::{Authority, Front, proxy};
use crate::harness::{PATIENCE, World, condition};
use crate::signin::says;

const MINUTE: Duration = Duration::from_secs(60);

/// A world whose Okta is behind TLS.
async fn behind_tls(front: &mut Front) -> World {
    let config = Config {
        public_url: Some(front.url()),
        ..Config::default()
    };
    let world = World::with_okta(config).await;
    front.to(world.okta.address());
    allow_host(&world, "localhost").await;
    world
}

/// The program, told to use this proxy for all but the API server.
fn program(world: &World, proxy: &str) -> Child {
    let kubeconfig = world.cluster.operator_kubeconfig().display().to_string();
    Child::spawn(
        env!("CARGO_BIN_EXE_neo4j-okta-operator"),
        ["run", "--operator-namespace", OPERATOR_NAMESPACE],
        [
            ("KUBECONFIG", kubeconfig.as_str()),
            ("ADMIN_ADDRESS", "127.0.0.1:0"),
            ("HTTPS_PROXY", proxy),
            ("NO_PROXY", "10.0.0.0/8,127.0.0.1,.svc"),
        ],
        &world.cluster.directory().join("proxied.log"),
    )
    .unwrap()
}

async fn allow_host(world: &World, host: &str) {
    let change = json!({ "metadata": { "annotations": { "neo4j-okta.dev/allow-host": host } } });
    Api::<Secret>::namespaced(world.client.clone(), OPERATOR_NAMESPACE)
        .patch("okta", &PatchParams::default(), &Patch::Merge(&change))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_ca_is_named_and_a_known_one_can_be_rotated_without_a_break() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let mut front = Front::new(&old).await;
    let mut world = behind_tls(&mut front).await;
    world.issuer(json!({})).await;
    world.start_operator().await;
    let issuer = world
        .issuer_has("Authenticated", "False", "OktaUnreachable")
        .await;
    let said = says(&issuer, "Authenticated");
    assert!(said.contains("spec.caBundle"), "{said}");
    world.issuer(json!({ "caBundle": old.pem })).await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;

    // Both are trusted before the certificate changes.
    world
        .issuer(json!({ "caBundle": format!("{}{}", old.pem, new.pem) }))
        .await;
    world.quiet().await;
    front.show(&new);
    for bundle in [format!("{}{}", old.pem, new.pem), new.pem.clone()] {
        world.issuer(json!({ "caBundle": bundle })).await;
        let last = world.ready("etl").await.status.unwrap().token.unwrap();
        world.pass(45 * MINUTE);
        world
            .account_is("etl", "refreshed", |a| {
                let token = a.status.as_ref().and_then(|s| s.token.as_ref());
                token.is_some_and(|t| t.issued_at > last.issued_at)
            })
            .await;
        world.issuer_has("Ready", "True", "IssuerReady").await;
    }

    // A slip of the pen: it is named, and refreshing goes on as it did.
    let broken = "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    world.issuer(json!({ "caBundle": broken })).await;
    let issuer = world.issuer_has("Ready", "False", "InvalidIssuer").await;
    let said = says(&issuer, "Ready");
    assert!(said.contains("spec.caBundle cannot be used"), "{said}");
    let last = world.ready("etl").await.status.unwrap().token.unwrap();
    world.pass(45 * MINUTE);
    let etl = world
        .account_is("etl", "refreshed", |a| {
            let token = a.status.as_ref().and_then(|s| s.token.as_ref());
            token.is_some_and(|t| t.issued_at > last.issued_at)
        })
        .await;
    assert_eq!(condition(&etl, "Ready").unwrap().0, "True");
    world.issuer(json!({ "caBundle": new.pem })).await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_goes_to_okta_through_the_proxy_and_to_the_api_server_past_it() {
    let authority = Authority::new("own");
    let mut front = Front::new(&authority).await;
    let world = behind_tls(&mut front).await;
    let (proxy, asked) = proxy().await;
    world.issuer(json!({ "caBundle": authority.pem })).await;
    // A proxy that is not there is told apart from an Okta that is not there.
    let nowhere = format!("http://localhost:{}", free_port());
    let child = program(&world, &nowhere);
    let issuer = world
        .issuer_has("Authenticated", "False", "OktaUnreachable")
        .await;
    let said = says(&issuer, "Authenticated");
    assert!(said.contains("the proxy that HTTPS_PROXY names"), "{said}");
    drop(child);
    let mut child = program(&world, &proxy);
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let exit = child.terminate(PATIENCE).await;
    assert!(exit.success(), "{exit}");
    let mut asked = asked.lock().unwrap().clone();
    asked.sort();
    asked.dedup();
    let okta = front.url().replace("https://", "CONNECT ");
    assert_eq!(asked, [format!("{okta} HTTP/1.1")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_may_have_an_ipv6_address() {
    let listen = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0));
    if std::net::TcpListener::bind(listen).is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let config = Config {
        listen,
        ..Config::default()
    };
    let mut world = World::with_okta(config).await;
    assert!(world.okta.url().starts_with("http://[::1]:"));
    world.issuer(json!({})).await;
    world.start_operator().await;
    let issuer = world
        .issuer_has("Authenticated", "False", "SignInHostNotAllowed")
        .await;
    let command = "neo4j-okta.dev/allow-host=::1 --overwrite";
    assert!(says(&issuer, "Ready").contains(command));
    // As the message says, and as it stands in the URL.
    for host in ["[::1]", "::1"] {
        allow_host(&world, host).await;
        world.issuer_has("Ready", "True", "IssuerReady").await;
    }
    world.account("etl", json!({})).await;
    world.ready("etl").await;
}
