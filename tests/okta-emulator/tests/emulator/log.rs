//! The System Log and how it is polled.

use serde_json::json;

use crate::kit::{Kit, SECRET};

#[tokio::test]
async fn a_poll_follows_next_for_ever() {
    let kit = Kit::start().await;
    kit.open_default_server();
    let first = kit.get("/api/v1/logs?since=2020-01-01T00:00:00Z&limit=1000&filter=eventType%20eq%20%22application.lifecycle.create%22%20or%20eventType%20eq%20%22app.oauth2.as.token.grant%22").await;
    assert_eq!((first.status, &first.body), (200, &json!([])));
    let next = first.link("next").unwrap();
    assert_eq!(kit.get(&next).await.body, json!([]));
    kit.app("client.logged").await;
    kit.token("client.logged", SECRET).await;
    kit.token("client.logged", "wrong-secret").await;
    let page = kit.get(&next).await;
    let kinds: Vec<(&str, &str)> = page
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            (
                event["eventType"].as_str().unwrap(),
                event["outcome"]["result"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("application.lifecycle.create", "SUCCESS"),
            ("app.oauth2.as.token.grant", "SUCCESS"),
            ("app.oauth2.as.token.grant", "FAILURE")
        ]
    );
    assert_eq!(page.body[1]["actor"]["id"], "client.logged");
    assert_eq!(page.body[2]["outcome"]["reason"], "invalid_client_secret");
    let created = kit
        .emulator
        .requests()
        .into_iter()
        .find(|request| request.path == "/api/v1/apps")
        .unwrap();
    assert_eq!(page.body[0]["transaction"]["id"], created.request_id);
    let end = page.link("next").unwrap();
    assert_ne!(end, next);
    assert_eq!(kit.get(&end).await.body, json!([]));
    let text = page.body.to_string();
    assert!(!text.contains(SECRET) && !text.contains("wrong-secret"));
}

#[tokio::test]
async fn pages_and_their_refusals() {
    let kit = Kit::start().await;
    for n in 0..3 {
        kit.app(&format!("client.{n}")).await;
    }
    let all = kit.get("/api/v1/logs").await.body.as_array().unwrap().len();
    let mut next = "/api/v1/logs?limit=2".to_owned();
    let mut seen = 0;
    loop {
        let page = kit.get(&next).await;
        let count = page.body.as_array().unwrap().len();
        seen += count;
        next = page.link("next").unwrap();
        if count < 2 {
            break;
        }
    }
    assert_eq!(seen, all);
    let newest = kit.get("/api/v1/logs?sortOrder=DESCENDING&limit=1").await;
    assert_eq!(
        newest.body[0]["eventType"],
        "application.lifecycle.activate"
    );
    for bad in [
        "limit=1001",
        "since=never",
        "sortOrder=UP",
        "filter=nonsense",
        "after=MQ&since=2020-01-01T00:00:00Z",
    ] {
        assert_eq!(
            kit.get(&format!("/api/v1/logs?{bad}")).await.status,
            400,
            "{bad}"
        );
    }
}
