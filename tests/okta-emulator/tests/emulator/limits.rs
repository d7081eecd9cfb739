//! Rate limits as a caller meets them.

use std::time::Duration;

use okta_emulator::{Fault, FaultKind, Limits};
use serde_json::json;

use crate::kit::{Kit, SECRET};

/// A window must not end in the middle of a test.
fn to_the_next_minute(kit: &Kit) {
    let seconds = kit.emulator.clock().now() % 60;
    kit.emulator
        .clock()
        .advance(Duration::from_secs(60 - seconds));
}

#[tokio::test]
async fn half_a_bucket_then_429_until_the_next_minute() {
    let kit = Kit::start().await;
    let id = kit.app("client.limits").await;
    to_the_next_minute(&kit);
    kit.emulator.set_limits(Limits::integrator());
    for left in (10..20).rev() {
        let reply = kit.get("/api/v1/apps").await;
        assert_eq!(
            (reply.status, reply.header("x-rate-limit-remaining")),
            (200, left.to_string().as_str())
        );
    }
    let reply = kit
        .get(&format!("/api/v1/apps/{id}/credentials/jwks"))
        .await;
    assert_eq!(
        (reply.status, &reply.body["errorCode"]),
        (429, &json!("E0000047"))
    );
    assert_eq!(reply.header("x-rate-limit-limit"), "20");
    let date = httpdate::parse_http_date(reply.header("date")).unwrap();
    let date = date
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let reset: u64 = reply.header("x-rate-limit-reset").parse().unwrap();
    assert!(reset > date && reset <= date + 60, "{reset} {date}");
    // One app exactly is another bucket, and so are the clients.
    assert_eq!(kit.get(&format!("/api/v1/apps/{id}")).await.status, 200);
    assert_eq!(
        kit.get("/oauth2/v1/clients/client.limits").await.status,
        200
    );
    kit.emulator.clock().advance(Duration::from_secs(60));
    assert_eq!(kit.get("/api/v1/apps").await.status, 200);
    let logs = kit.emulator.admin().logs();
    let told = logs
        .iter()
        .filter(|event| event["eventType"] == "system.org.rate_limit.violation");
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn all_token_endpoints_share_a_bucket_but_not_a_principal() {
    let kit = Kit::start().await;
    kit.open_default_server();
    kit.app("client.first").await;
    kit.app("client.second").await;
    to_the_next_minute(&kit);
    kit.emulator.set_limits(Limits {
        token: 4,
        ..Limits::default()
    });
    let mut statuses = Vec::new();
    for client in [
        "client.first",
        "client.first",
        "client.first",
        "client.second",
        "client.second",
    ] {
        statuses.push(kit.token(client, SECRET).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200]);
}

#[tokio::test]
async fn a_concurrency_429_shows_zeroes() {
    let kit = Kit::start().await;
    kit.emulator.set_limits(Limits {
        concurrent: 0,
        ..Limits::default()
    });
    let reply = kit.get("/api/v1/apps").await;
    assert_eq!(reply.status, 429);
    assert_eq!(
        (
            reply.header("x-rate-limit-limit"),
            reply.header("x-rate-limit-remaining")
        ),
        ("0", "0")
    );
    assert_eq!(kit.get("/oauth2/default/v1/keys").await.status, 200);
}

#[tokio::test]
async fn two_at_a_time_where_one_is_allowed() {
    let kit = Kit::start().await;
    kit.emulator.set_limits(Limits {
        concurrent: 1,
        ..Limits::default()
    });
    let slow = Fault::new(FaultKind::Latency(500)).on("GET", "/api/v1/apps");
    kit.emulator.inject(slow.times(1));
    let later = async {
        // The slow one is counted as running before this one arrives.
        while kit.emulator.count("GET", "/api/v1/logs") == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            kit.get("/api/v1/logs").await;
        }
        let requests = kit.emulator.requests();
        requests[0].status
    };
    let (slow, fast) = tokio::join!(kit.get("/api/v1/apps"), later);
    assert_eq!((slow.status, fast), (200, 429));
    assert_eq!(kit.get("/api/v1/apps").await.status, 200);
}
