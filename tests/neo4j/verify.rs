//! `Neo4jVerified`: what the operator says of its tokens at a real server.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use neo4j_okta_operator::neo4j::{Format, Provider, render};
use serde_json::json;
use testbed::neo4j::{Edition, available};

use crate::bolt::Bolt;
use crate::front::{Authority, Front};
use crate::harness::{World, condition, message, until};
use crate::server::{issuer, mapped, neo4j, start, world};

impl World {
    /// Has tokens tried at these servers.
    pub(crate) async fn verifies(&self, urls: &[&str], mode: &str) {
        let mut change = mapped();
        change["neo4j"]["verify"] = json!(mode);
        change["neo4j"]["queryApiUrls"] = json!(urls);
        self.issuer(change).await;
    }

    /// Waits until the condition is so, and returns its message.
    async fn says_of_neo4j(&self, name: &str, good: bool, reason: &str) -> String {
        let status = if good { "True" } else { "False" };
        let account = self.has(name, "Neo4jVerified", status, reason).await;
        let said = message(&account, "Neo4jVerified");
        println!("{reason}: {said}");
        // Whatever Neo4j says, the token is the workload's.
        let ready = condition(&account, "Ready");
        assert_eq!(ready, Some(("True".into(), "TokenIssued".into())));
        self.token(name).await;
        said
    }

    fn logins(&self, outcome: &str) -> usize {
        let name = format!("neo4j_okta_neo4j_logins_total{{outcome=\"{outcome}\"}}");
        let text = self.metrics.render();
        let line = text.lines().find(|line| line.starts_with(&name));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_tried_with_the_server_that_was_configured_from_its_issuer() {
    if !available() {
        return;
    }
    let world = world(mapped()).await;
    world.account("etl", json!({})).await;
    let etl = world.ready("etl").await;
    let user = etl.status.unwrap().client_id.unwrap();
    let neo4j = neo4j(&world).await;
    let url = neo4j.http();

    world.verifies(&[&url], "EveryRefresh").await;
    // A token that is out already is tried within minutes.
    world.says_of_neo4j("etl", false, "NotVerified").await;
    world.pass(Duration::from_secs(301));
    let said = world.says_of_neo4j("etl", true, "TokenAccepted").await;
    // A server with the realm alone tells no roles.
    assert_eq!(
        said,
        format!("Neo4j accepts the token as user {user}; it does not tell its roles")
    );
    assert_eq!(world.logins("accepted"), 1);
    world.pass(Duration::from_secs(61));
    world.annotate("etl", "neo4j-okta.dev/renew", "1").await;
    until("tried again", async || match world.logins("accepted") {
        2 => Ok(()),
        other => Err(other),
    })
    .await;

    // After a restart nothing is tried that was accepted before.
    let mut world = world;
    world.stop_operators().await;
    world.start_operator().await;
    world.ready("etl").await;
    world.quiet().await;
    assert_eq!(world.logins("accepted"), 2);

    world
        .account(
            "etl",
            json!({ "groups": ["neo4j_reader", "neo4j_stranger"] }),
        )
        .await;
    let said = world.says_of_neo4j("etl", false, "GroupNotMapped").await;
    assert!(said.contains("neo4j_stranger"), "{said}");
    world.account("etl", json!({})).await;
    world.says_of_neo4j("etl", true, "TokenAccepted").await;

    // By the realm's clock the token has expired. By what the server says of the time,
    // which the moved clock of the operator is ahead of, it is not valid yet.
    world.pass(Duration::from_secs(61));
    neo4j.set_ahead(Duration::from_secs(7200)).unwrap();
    world.annotate("etl", "neo4j-okta.dev/renew", "2").await;
    world.says_of_neo4j("etl", false, "Neo4jClockSkew").await;
    neo4j.set_ahead(Duration::from_secs(0)).unwrap();
    // And it is tried again by itself.
    world.pass(Duration::from_secs(31));
    world.says_of_neo4j("etl", true, "TokenAccepted").await;

    // Never: nothing is said any more.
    world.verifies(&[&url], "Never").await;
    world
        .account_is("etl", "silent", |a| condition(a, "Neo4jVerified").is_none())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_at_the_server_is_named_and_the_token_stays() {
    if !available() {
        return;
    }
    let world = world(mapped()).await;
    let right = Provider::new(&issuer(&world).await).unwrap();
    let audience = Provider {
        audience: "another".into(),
        ..right.clone()
    };
    let conf = |provider: &Provider| render(Format::Conf, std::slice::from_ref(provider)).unwrap();
    let community = start(Edition::Community, &conf(&right)).await;
    let wrong = start(Edition::Oidc, &conf(&audience)).await;
    let closed = format!("http://127.0.0.1:{}", testbed::free_port());
    let okta = world.okta.url();
    for (name, urls, reason, words) in [
        (
            "a",
            vec![community.http()],
            "ProviderNotConfigured",
            "Enterprise",
        ),
        ("b", vec![wrong.http()], "RefusedByNeo4j", "audience=neo4j"),
        ("c", vec![closed.clone()], "Neo4jUnreachable", "refused"),
        ("d", vec![okta.to_owned()], "Neo4jUnreachable", "proxy"),
        // The worst of several, and which.
        (
            "e",
            vec![closed, wrong.http()],
            "RefusedByNeo4j",
            &wrong.http(),
        ),
    ] {
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        world.verifies(&urls, "OnChange").await;
        world.account(name, json!({})).await;
        let said = world.says_of_neo4j(name, false, reason).await;
        assert!(said.contains(words), "{said}");
    }
    let event = until("an event", async || {
        let api: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
        let all = api.list(&ListParams::default()).await.unwrap();
        let reason = Some("ProviderNotConfigured");
        let mut all = all.into_iter();
        all.find(|e| e.reason.as_deref() == reason).ok_or(())
    })
    .await;
    assert_eq!(event.type_.as_deref(), Some("Warning"));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_with_a_ca_of_ones_own() {
    if !available() {
        return;
    }
    let world = world(mapped()).await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let ca = Authority::new("graph");
    let (certificate, key) = ca.certifies("localhost");
    let folder = testbed::Folder::new().unwrap();
    folder.write("public.crt", &certificate.pem()).unwrap();
    folder.write("private.key", &key.serialize_pem()).unwrap();
    let conf = render(
        Format::Conf,
        &[Provider::new(&issuer(&world).await).unwrap()],
    );
    let tls = format!(
        "{}\nserver.bolt.tls_level=REQUIRED\ndbms.ssl.policy.bolt.enabled=true\ndbms.ssl.policy.bolt.base_directory={}\n",
        conf.unwrap(),
        folder.path().display()
    );
    let neo4j = start(Edition::Oidc, &tls).await;

    // Bolt: with TLS alone, and then as without.
    let token = world.token("etl").await;
    let mut over = Bolt::log_in_over_tls(&neo4j.bolt(), &token, &ca).await;
    assert!(over.as_mut().expect("let in").lives().await);
    let another = Authority::new("another");
    for refused in [
        Bolt::log_in_over_tls(&neo4j.bolt(), &token, &another).await,
        Bolt::log_in_over_tls(&neo4j.bolt(), "no.token.this", &ca).await,
        Bolt::log_in(&neo4j.bolt(), &token).await,
    ] {
        assert!(refused.is_none());
    }

    // The Query API.
    let mut front = Front::new(&ca).await;
    let http = neo4j.http();
    front.to(http.strip_prefix("http://").unwrap().parse().unwrap());
    world.verifies(&[&front.url()], "OnChange").await;
    world.says_of_neo4j("etl", false, "NotVerified").await;
    world.pass(Duration::from_secs(301));
    let said = world.says_of_neo4j("etl", false, "Neo4jUnreachable").await;
    assert!(said.contains("spec.caBundle"), "{said}");
    let mut change = mapped();
    change["caBundle"] = json!(ca.pem);
    change["neo4j"]["verify"] = json!("OnChange");
    change["neo4j"]["queryApiUrls"] = json!([front.url()]);
    world.issuer(change).await;
    world.says_of_neo4j("etl", true, "TokenAccepted").await;
}
