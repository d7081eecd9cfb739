//! Apps: create, the traps of PUT, lists, lifecycle.

use serde_json::{Value, json};

use crate::kit::{Kit, SECRET, app_body, text};

#[tokio::test]
async fn a_create_answers_200_with_the_secret_and_a_get_without() {
    let kit = Kit::start().await;
    let reply = kit.post("/api/v1/apps", &app_body("cluster.ns.app")).await;
    assert_eq!(reply.status, 200);
    let client = &reply.body["credentials"]["oauthClient"];
    assert_eq!(client["client_id"], "cluster.ns.app");
    assert_eq!(client["client_secret"], SECRET);
    assert_eq!(reply.body["status"], "ACTIVE");
    assert!(!reply.header("x-okta-request-id").is_empty());
    assert_eq!(reply.header("x-rate-limit-limit"), "1000000");
    assert!(!reply.header("x-rate-limit-reset").is_empty());
    let got = kit
        .get(&format!("/api/v1/apps/{}", text(&reply.body["id"])))
        .await;
    assert_eq!(got.status, 200);
    assert!(
        got.body["credentials"]["oauthClient"]
            .get("client_secret")
            .is_none()
    );
    assert_eq!(
        got.body["profile"]["neo4j_groups"],
        json!(["readers", "etl"])
    );
}

#[tokio::test]
async fn bodies_that_okta_refuses() {
    let kit = Kit::start().await;
    kit.app("Taken.Client").await;
    let change = |path: &str, value: Value| {
        let mut body = app_body("fresh.client");
        *body.pointer_mut(path).expect("the path") = value;
        body
    };
    let client_id = "/credentials/oauthClient/client_id";
    let secret = "/credentials/oauthClient/client_secret";
    let cases = [
        change(client_id, json!("tAkEn.cLiEnT")),
        change(client_id, json!("short")),
        change(client_id, json!("ALL_CLIENTS")),
        change(client_id, json!("with space")),
        change(client_id, json!("x".repeat(101))),
        change(secret, json!("too-short")),
        change(secret, json!("x".repeat(101))),
        change(secret, json!("pässwörter-sind-schön")),
        change("/label", json!("")),
        change("/label", json!("x".repeat(101))),
        change("/label", json!("rocket 🚀")),
        change("/name", json!("something_else")),
        change("/credentials", Value::Null),
        change("/settings/oauthClient/grant_types", json!([])),
        change(
            "/settings/oauthClient/grant_types",
            json!(["authorization_code"]),
        ),
        change("/settings/oauthClient/response_types", json!(["code"])),
        change("/settings/oauthClient/application_type", json!("robot")),
        change(
            "/credentials/oauthClient/token_endpoint_auth_method",
            json!("private_key_jwt"),
        ),
    ];
    for case in cases {
        let reply = kit.post("/api/v1/apps", &case).await;
        assert_eq!(
            (reply.status, &reply.body["errorCode"]),
            (400, &json!("E0000001")),
            "{case}"
        );
        assert!(reply.cause().contains(": "), "{}", reply.body);
    }
    assert_eq!(kit.emulator.admin().apps().len(), 1);
    // An umlaut in a label is fine, and so is a second app of the same label.
    let mut body = change("/label", json!("Größe"));
    assert_eq!(kit.post("/api/v1/apps", &body).await.status, 200);
    body["credentials"]["oauthClient"]["client_id"] = json!("another.one");
    assert_eq!(kit.post("/api/v1/apps", &body).await.status, 200);
}

#[tokio::test]
async fn put_forgets_what_the_body_leaves_out_but_not_the_secret() {
    let kit = Kit::start().await;
    let mut body = app_body("client.put");
    body["settings"]["oauthClient"]["dpop_bound_access_tokens"] = json!(true);
    let id = text(&kit.post("/api/v1/apps", &body).await.body["id"]);
    let target = format!("/api/v1/apps/{id}");

    body.as_object_mut().unwrap().remove("profile");
    body["settings"]["oauthClient"]
        .as_object_mut()
        .unwrap()
        .remove("dpop_bound_access_tokens");
    body["credentials"]["oauthClient"]
        .as_object_mut()
        .unwrap()
        .remove("client_secret");
    let reply = kit.api("PUT", &target, Some(&body)).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.get("profile").is_none());
    assert_eq!(
        reply.body["settings"]["oauthClient"]["dpop_bound_access_tokens"],
        false
    );
    assert_eq!(
        reply.body["credentials"]["oauthClient"]["client_secret"],
        SECRET
    );

    body["credentials"]["oauthClient"]["client_secret"] = json!("another-secret-of-mine");
    let reply = kit.api("PUT", &target, Some(&body)).await;
    assert_eq!(
        reply.body["credentials"]["oauthClient"]["client_secret"],
        "another-secret-of-mine"
    );
    let secrets = kit.emulator.admin().secrets(&id);
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0]["client_secret"], "another-secret-of-mine");
}

#[tokio::test]
async fn put_with_another_method_ends_the_secrets() {
    let kit = Kit::start().await;
    let id = kit.app("client.method").await;
    let target = format!("/api/v1/apps/{id}");
    let mut body = app_body("client.method");
    body["credentials"]["oauthClient"]
        .as_object_mut()
        .unwrap()
        .remove("client_secret");
    body["credentials"]["oauthClient"]["token_endpoint_auth_method"] = json!("client_secret_post");
    let reply = kit.api("PUT", &target, Some(&body)).await;
    let fresh = text(&reply.body["credentials"]["oauthClient"]["client_secret"]);
    assert_eq!(fresh.len(), 64);
    assert_ne!(fresh, SECRET);

    let key = crate::kit::Key::new();
    body["credentials"]["oauthClient"]["token_endpoint_auth_method"] = json!("private_key_jwt");
    body["settings"]["oauthClient"]["jwks"] = json!({ "keys": [key.jwk_named("k1")] });
    let reply = kit.api("PUT", &target, Some(&body)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(
        reply.body["credentials"]["oauthClient"]
            .get("client_secret")
            .is_none()
    );
    assert!(kit.emulator.admin().secrets(&id).is_empty());
    let refused = kit
        .post(&format!("{target}/credentials/secrets"), &json!({}))
        .await;
    assert_eq!(refused.status, 400);

    body["credentials"]["oauthClient"]["client_id"] = json!("client.other");
    assert_eq!(kit.api("PUT", &target, Some(&body)).await.status, 400);
    body["credentials"]["oauthClient"]["client_id"] = json!("client.method");
    body["settings"]["oauthClient"]["application_type"] = json!("web");
    body["settings"]["oauthClient"]["redirect_uris"] = json!(["https://localhost/"]);
    assert_eq!(kit.api("PUT", &target, Some(&body)).await.status, 400);
}

#[tokio::test]
async fn an_active_app_is_not_deleted_and_a_deleted_one_is_gone() {
    let kit = Kit::start().await;
    let id = kit.app("client.delete").await;
    let target = format!("/api/v1/apps/{id}");
    let reply = kit.api("DELETE", &target, None).await;
    assert_eq!(
        (reply.status, &reply.body["errorCode"]),
        (403, &json!("E0000056"))
    );
    assert_eq!(
        kit.api("POST", &format!("{target}/lifecycle/deactivate"), None)
            .await
            .status,
        200
    );
    assert_eq!(kit.get(&target).await.body["status"], "INACTIVE");
    assert_eq!(kit.api("DELETE", &target, None).await.status, 204);
    let reply = kit.get(&target).await;
    assert_eq!(
        (reply.status, &reply.body["errorCode"]),
        (404, &json!("E0000007"))
    );
    assert!(reply.body["errorCauses"].is_array() && reply.body["errorId"].is_string());
    assert_eq!(
        kit.get("/oauth2/v1/clients/client.delete").await.status,
        404
    );
}

#[tokio::test]
async fn lists_page_by_link_and_search_by_prefix() {
    let kit = Kit::start().await;
    for n in 0..5 {
        kit.app(&format!("client.{n}")).await;
    }
    let mut seen = Vec::new();
    let mut next = Some("/api/v1/apps?limit=2&filter=name%20eq%20%22oidc_client%22".to_owned());
    let mut pages = 0;
    while let Some(target) = next {
        let page = kit.get(&target).await;
        assert_eq!(page.status, 200);
        assert!(page.link("self").is_some());
        for app in page.body.as_array().unwrap() {
            assert!(
                app["credentials"]["oauthClient"]
                    .get("client_secret")
                    .is_none()
            );
            seen.push(text(&app["credentials"]["oauthClient"]["client_id"]));
        }
        next = page.link("next");
        pages += 1;
    }
    assert_eq!(pages, 3);
    assert_eq!(
        seen,
        ["client.0", "client.1", "client.2", "client.3", "client.4"]
    );
    let found = |reply: crate::kit::Reply| reply.body.as_array().unwrap().len();
    assert_eq!(found(kit.get("/api/v1/apps?q=NEO4J-sa").await), 5);
    assert_eq!(found(kit.get("/api/v1/apps?q=client.3").await), 0);
    assert_eq!(
        found(
            kit.get("/api/v1/apps?filter=status%20eq%20%22INACTIVE%22")
                .await
        ),
        0
    );
    let refused = kit.get("/api/v1/apps?filter=label%20eq%20%22x%22").await;
    assert_eq!(
        (refused.status, &refused.body["errorCode"]),
        (400, &json!("E0000031"))
    );
    assert_eq!(kit.get("/api/v1/apps?limit=201").await.status, 400);
}

#[tokio::test]
async fn clients_know_no_profile_and_no_app_id() {
    let kit = Kit::start().await;
    kit.app("client.seven").await;
    let reply = kit.get("/oauth2/v1/clients/client.seven").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["client_name"], "neo4j-sa client.seven");
    assert!(reply.body.get("profile").is_none() && reply.body.get("id").is_none());
    assert!(reply.body.get("client_secret").is_none());
}

#[tokio::test]
async fn what_is_not_served_says_so() {
    let kit = Kit::start().await;
    assert_eq!(kit.get("/api/v1/users").await.status, 404);
    let reply = kit
        .api("PATCH", "/api/v1/apps/0oa1", Some(&json!({})))
        .await;
    assert_eq!(
        (reply.status, &reply.body["errorCode"]),
        (405, &json!("E0000022"))
    );
    let url = format!("{}/api/v1/apps", kit.emulator.url());
    let wrong = kit.http.get(&url).header("authorization", "SSWS wrong");
    let reply = crate::kit::reply(wrong).await.unwrap();
    assert_eq!(
        (reply.status, &reply.body["errorCode"]),
        (401, &json!("E0000011"))
    );
    kit.emulator
        .admin()
        .set_api_token_rights(&["API_ACCESS_MANAGEMENT_ADMIN"]);
    let reply = kit.post("/api/v1/apps", &app_body("client.role")).await;
    assert_eq!(
        (reply.status, &reply.body["errorCode"]),
        (403, &json!("E0000006"))
    );
    assert_eq!(kit.get("/api/v1/authorizationServers").await.status, 200);
    kit.emulator.admin().revoke_api_token();
    assert_eq!(kit.get("/api/v1/authorizationServers").await.status, 401);
}

#[tokio::test]
async fn a_post_without_a_length_is_411() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let kit = Kit::start().await;
    let address = kit.emulator.url().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /api/v1/apps HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: SSWS {}\r\n\r\n",
        kit.emulator.api_token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 411 "), "{answer}");
}
