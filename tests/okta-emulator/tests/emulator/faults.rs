//! Faults: what the caller sees, and what really happened.

use std::time::Duration;

use okta_emulator::{Fault, FaultKind};
use serde_json::json;

use crate::kit::{Kit, SECRET, app_body, claims, text};

const APPS: &str = "/api/v1/apps";

#[tokio::test]
async fn cut_before_has_no_effect_and_cut_after_has_it() {
    let kit = Kit::start().await;
    kit.emulator
        .inject(Fault::new(FaultKind::CutBefore).on("POST", APPS).times(1));
    let lost = kit
        .try_api("POST", APPS, Some(&app_body("client.before")))
        .await;
    assert!(lost.is_err());
    assert!(
        kit.emulator
            .admin()
            .app_by_client_id("client.before")
            .is_none()
    );
    kit.emulator
        .inject(Fault::new(FaultKind::CutAfter).on("POST", APPS).times(1));
    let lost = kit
        .try_api("POST", APPS, Some(&app_body("client.after")))
        .await;
    assert!(lost.is_err());
    assert!(
        kit.emulator
            .admin()
            .app_by_client_id("client.after")
            .is_some()
    );
    let statuses: Vec<u16> = kit
        .emulator
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [0, 200]);
    assert_eq!(kit.emulator.count("POST", APPS), 2);
    assert_eq!(kit.get(APPS).await.status, 200);
}

#[tokio::test]
async fn statuses_garbage_and_halves() {
    let kit = Kit::start().await;
    let status = |status, code: Option<&str>| FaultKind::Status {
        status,
        error_code: code.map(str::to_owned),
    };
    kit.emulator.inject(
        Fault::new(status(503, None))
            .on("GET", APPS)
            .skip(1)
            .times(1),
    );
    kit.emulator
        .inject(Fault::new(status(423, Some("E0000239"))).on("PUT", "/api/v1/apps/{appId}"));
    assert_eq!(kit.get(APPS).await.status, 200);
    let reply = kit.get(APPS).await;
    assert_eq!(
        (reply.status, &reply.body["errorCode"]),
        (503, &json!("E0000010"))
    );
    assert_eq!(kit.get(APPS).await.status, 200);
    let reply = kit.api("PUT", "/api/v1/apps/0oa1", Some(&json!({}))).await;
    assert_eq!(
        (reply.status, &reply.body["errorCode"]),
        (423, &json!("E0000239"))
    );
    kit.emulator.clear_faults();
    kit.emulator
        .inject(Fault::new(FaultKind::Malformed).times(1));
    let reply = kit.get(APPS).await;
    assert_eq!((reply.status, &reply.body), (200, &json!(null)));
    kit.emulator
        .inject(Fault::new(FaultKind::Truncated).times(1));
    assert!(
        kit.try_api("POST", APPS, Some(&app_body("client.half")))
            .await
            .is_err()
    );
    assert!(
        kit.emulator
            .admin()
            .app_by_client_id("client.half")
            .is_some()
    );
}

#[tokio::test]
async fn an_outage_and_its_end() {
    let kit = Kit::start().await;
    assert_eq!(kit.get(APPS).await.status, 200);
    kit.emulator.stop_answering(true);
    assert!(kit.try_api("GET", APPS, None).await.is_err());
    kit.emulator.stop_answering(false);
    assert_eq!(kit.get(APPS).await.status, 200);
}

#[tokio::test]
async fn a_lag_hides_the_new_and_shows_the_old() {
    let kit = Kit::start().await;
    kit.open_default_server();
    kit.emulator.clock().advance(Duration::from_secs(60));
    kit.emulator.inject(Fault::new(FaultKind::Lag(5000)));
    let created = kit.post(APPS, &app_body("client.lag")).await;
    let target = format!("{APPS}/{}", text(&created.body["id"]));
    assert_eq!(kit.get(&target).await.status, 404);
    assert_eq!(kit.get("/oauth2/v1/clients/client.lag").await.status, 404);
    let refused = kit.token("client.lag", SECRET).await;
    assert_eq!(
        (refused.status, &refused.body["error"]),
        (401, &json!("invalid_client"))
    );
    kit.emulator.clock().advance(Duration::from_secs(6));
    assert_eq!(kit.get(&target).await.status, 200);
    assert_eq!(kit.token("client.lag", SECRET).await.status, 200);

    let mut body = app_body("client.lag");
    body["profile"]["neo4j_groups"] = json!(["admins"]);
    assert_eq!(kit.api("PUT", &target, Some(&body)).await.status, 200);
    let groups = async || {
        claims(&kit.token("client.lag", SECRET).await.body["access_token"])["groups"].clone()
    };
    assert_eq!(groups().await, json!(["readers", "etl"]));
    assert_eq!(
        kit.get(&target).await.body["profile"]["neo4j_groups"],
        json!(["admins"])
    );
    kit.emulator.clock().advance(Duration::from_secs(6));
    assert_eq!(groups().await, json!(["admins"]));
}

#[tokio::test]
async fn a_skewed_clock_shows_in_date_and_in_tokens() {
    let kit = Kit::start().await;
    kit.open_default_server();
    kit.app("client.skew").await;
    kit.emulator.inject(Fault::new(FaultKind::ClockSkew(-600)));
    let reply = kit.token("client.skew", SECRET).await;
    let now = kit.emulator.clock().now();
    let issued = claims(&reply.body["access_token"])["iat"].as_u64().unwrap();
    assert!(now - issued >= 600 && now - issued < 660);
    let date = httpdate::parse_http_date(reply.header("date")).unwrap();
    assert!(
        date.duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
            < now - 500
    );
}

#[tokio::test]
async fn a_create_that_answers_another_client_id() {
    let kit = Kit::start().await;
    kit.emulator
        .inject(Fault::new(FaultKind::CreateAnswersOtherClientId).times(1));
    let reply = kit.post(APPS, &app_body("client.asked")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.body["credentials"]["oauthClient"]["client_id"],
        reply.body["id"]
    );
    assert!(
        kit.emulator
            .admin()
            .app_by_client_id("client.asked")
            .is_none()
    );
    let reply = kit.post(APPS, &app_body("client.asked")).await;
    assert_eq!(
        reply.body["credentials"]["oauthClient"]["client_id"],
        "client.asked"
    );
}

#[tokio::test]
async fn dropped_is_stopped() {
    let Kit { emulator, http } = Kit::start().await;
    let url = format!("{}/oauth2/default/v1/keys", emulator.url());
    assert!(http.get(&url).send().await.is_ok());
    drop(emulator);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(http.get(&url).send().await.is_err());
}
