//! Something else answers in Okta's place: a redirect, a link elsewhere, a
//! maintenance page, a firewall, half an answer. It is told in words, takes no
//! credentials elsewhere, and never passes for Okta's word about an app.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use okta_emulator::{Fault, FaultKind};
use serde_json::json;

use crate::harness::{World, condition, until};

const MINUTE: Duration = Duration::from_secs(60);
const SERVERS: &str = "/api/v1/authorizationServers";
const TOKEN: &str = "/oauth2/{authServerId}/v1/token";
const PAGE: &str = "<html><h1>We will be back soon</h1></html>";

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Fault::new(FaultKind::Answer {
        status,
        headers: headers.iter().map(owned).collect(),
        body: body.to_owned(),
    })
}

/// Counts who comes to a place where nobody should.
async fn trap() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let caught = Arc::new(AtomicUsize::new(0));
    let counter = caught.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, caught)
}

async fn unreachable(world: &World, wanted: &str) {
    until(&format!("unreachable naming {wanted}"), async || {
        let issuer = world.issuers().get("default").await.unwrap();
        let conditions = issuer.status.clone().unwrap_or_default().conditions;
        let found = conditions.iter().any(|c| {
            c.type_ == "Ready"
                && c.reason == "OktaUnreachable"
                && c.message.contains(wanted)
                && !c.message.contains("back soon")
        });
        if found { Ok(()) } else { Err(conditions) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_and_a_next_page_elsewhere_are_not_followed_and_are_named() {
    let (elsewhere, caught) = trap().await;
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    for status in [301, 302, 307, 308] {
        world.okta.clear_faults();
        let to = [("location", elsewhere.as_str())];
        world
            .okta
            .inject(answer(status, &to, "").on("GET", SERVERS));
        world.okta.inject(answer(status, &to, "").on("POST", TOKEN));
        world.pass(50 * MINUTE);
        unreachable(&world, &format!("redirect ({status}) to 127.0.0.1")).await;
        world
            .has("etl", "TokenFresh", "False", "OktaUnreachable")
            .await;
        world.okta.clear_faults();
        world.pass(6 * MINUTE);
        world.issuer_has("Ready", "True", "IssuerReady").await;
        world.has("etl", "TokenFresh", "True", "TokenIssued").await;
    }
    let next = format!("<{elsewhere}{SERVERS}?after=x>; rel=\"next\"");
    let headers = [("link", next.as_str())];
    world
        .okta
        .inject(answer(200, &headers, "[]").on("GET", SERVERS));
    world.pass(11 * MINUTE);
    unreachable(&world, "on another host (127.0.0.1)").await;
    assert_eq!(caught.load(Ordering::SeqCst), 0);
    // Half a list was not taken for the whole: no second server was created.
    assert_eq!(world.okta.count("POST", SERVERS), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_and_half_answers_are_no_word_of_oktas() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let html = [("content-type", "text/html")];
    for (fault, wanted) in [
        // Noticed before or within the body, as it happens.
        (Fault::new(FaultKind::Truncated), "Okta"),
        (answer(200, &html, PAGE), "not JSON"),
        (answer(200, &[], ""), "no list"),
        (answer(200, &[], "{\"hello\":1}"), "no list"),
        (answer(401, &html, PAGE), "answered 401 without a word"),
        (answer(403, &html, PAGE), "answered 403 without a word"),
        (answer(404, &html, PAGE), "answered 404 without a word"),
        (answer(503, &html, PAGE), "answered 503 without a word"),
    ] {
        world.okta.clear_faults();
        world.okta.inject(fault.on("GET", SERVERS));
        world.pass(11 * MINUTE);
        unreachable(&world, wanted).await;
    }
    let etl = world.accounts().get("etl").await.unwrap();
    assert_eq!(condition(&etl, "Ready").unwrap().0, "True");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_says_not_found_does_not_mean_that_an_app_is_gone() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let before = world.ready("etl").await.status.unwrap();
    world.quiet().await;
    for status in [404, 200] {
        world.okta.clear_faults();
        world.okta.inject(answer(status, &[], PAGE));
        let group = format!("neo4j_{status}");
        world.account("etl", json!({ "groups": [group] })).await;
        let etl = world
            .has("etl", "TokenFresh", "False", "OktaUnreachable")
            .await;
        assert_eq!(condition(&etl, "Ready").unwrap().0, "True");
        assert!(!format!("{etl:?}").contains("back soon"));
        world.token("etl").await;
        world.okta.clear_faults();
        world.pass(6 * MINUTE);
        world
            .account_is("etl", "with its new group", |a| {
                let token = a.status.as_ref().and_then(|s| s.token.as_ref());
                token.is_some_and(|t| t.groups == [group.clone()])
            })
            .await;
    }
    // A deletion is not taken for done either.
    world.okta.inject(answer(404, &[], PAGE));
    world.delete("etl").await;
    world.has("etl", "Ready", "False", "OktaUnreachable").await;
    world.okta.clear_faults();
    world.pass(6 * MINUTE);
    world.gone("etl").await;
    assert!(world.okta.admin().apps().is_empty());
    assert_eq!(world.okta.count("POST", "/api/v1/apps"), 1);
    assert!(before.app_id.is_some());
}
