//! private_key_jwt and the keys of a client.

use serde_json::json;

use crate::kit::{Key, Kit, SCOPE, app_body, text};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

async fn key_app(kit: &Kit, key: &Key) -> String {
    let mut body = app_body("client.signs");
    body["credentials"]["oauthClient"]
        .as_object_mut()
        .expect("an object")
        .remove("client_secret");
    body["credentials"]["oauthClient"]["token_endpoint_auth_method"] = json!("private_key_jwt");
    body["settings"]["oauthClient"]["jwks"] = json!({ "keys": [key.jwk_named("k1")] });
    let reply = kit.post("/api/v1/apps", &body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    text(&reply.body["id"])
}

async fn sign_in(kit: &Kit, assertion: &str) -> crate::kit::Reply {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", SCOPE),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    kit.form("/oauth2/default/v1/token", &form, None).await
}

#[tokio::test]
async fn an_assertion_is_good_once_for_one_endpoint_and_one_hour() {
    let kit = Kit::start().await;
    kit.open_default_server();
    let key = Key::new();
    key_app(&kit, &key).await;
    let url = format!("{}/oauth2/default/v1/token", kit.emulator.url());
    let now = kit.emulator.clock().now();
    let good = key.assertion("k1", "client.signs", &url, now, "one");
    assert_eq!(sign_in(&kit, &good).await.status, 200);
    let refused = [
        good,
        key.assertion("k1", "client.signs", kit.emulator.url(), now, "two"),
        key.assertion("k2", "client.signs", &url, now, "three"),
        key.assertion("k1", "client.signs", &url, now - 301, "four"),
        Key::new().assertion("k1", "client.signs", &url, now, "five"),
        key.sign(
            &json!({ "alg": "ES256", "kid": "k1" }),
            &json!({ "iss": "client.signs", "sub": "client.signs", "aud": url, "exp": now + 3700 }),
        ),
        "not.a.jwt".to_owned(),
    ];
    for assertion in refused {
        let reply = sign_in(&kit, &assertion).await;
        assert_eq!(
            (reply.status, &reply.body["error"]),
            (401, &json!("invalid_client")),
            "{assertion}"
        );
    }
}

#[tokio::test]
async fn keys_rotate_and_refuse() {
    let kit = Kit::start().await;
    kit.open_default_server();
    let (one, two) = (Key::new(), Key::new());
    let id = key_app(&kit, &one).await;
    let jwks = format!("/api/v1/apps/{id}/credentials/jwks");
    let first = text(&kit.get(&jwks).await.body[0]["id"]);
    let reply = kit
        .api(
            "POST",
            &format!("{jwks}/{first}/lifecycle/deactivate"),
            None,
        )
        .await;
    assert_eq!(reply.status, 400, "the only active key");
    assert_eq!(
        kit.post(&jwks, &two.jwk_named("k1")).await.status,
        400,
        "the kid is taken"
    );
    let mut nameless = two.jwk();
    assert_eq!(kit.post(&jwks, &nameless).await.status, 400);
    nameless["kid"] = json!("k2");
    nameless["d"] = json!("private");
    assert_eq!(kit.post(&jwks, &nameless).await.status, 400);
    let reply = kit.post(&jwks, &two.jwk_named("k2")).await;
    assert_eq!(
        (reply.status, &reply.body["status"]),
        (201, &json!("ACTIVE"))
    );
    assert!(text(&reply.body["id"]).starts_with("pks"));

    let url = format!("{}/oauth2/default/v1/token", kit.emulator.url());
    let now = kit.emulator.clock().now();
    assert_eq!(
        sign_in(&kit, &one.assertion("k1", "client.signs", &url, now, "a"))
            .await
            .status,
        200
    );
    assert_eq!(
        sign_in(&kit, &two.assertion("k2", "client.signs", &url, now, "b"))
            .await
            .status,
        200
    );
    assert_eq!(
        kit.api("DELETE", &format!("{jwks}/{first}"), None)
            .await
            .status,
        400
    );
    let reply = kit
        .api(
            "POST",
            &format!("{jwks}/{first}/lifecycle/deactivate"),
            None,
        )
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        sign_in(&kit, &one.assertion("k1", "client.signs", &url, now, "c"))
            .await
            .status,
        401
    );
    assert_eq!(
        kit.api("DELETE", &format!("{jwks}/{first}"), None)
            .await
            .status,
        204
    );
    let app = kit.get(&format!("/api/v1/apps/{id}")).await.body;
    assert_eq!(
        app["settings"]["oauthClient"]["jwks"]["keys"][0]["kid"],
        "k2"
    );
}

#[tokio::test]
async fn a_first_key_without_a_name_blocks_the_second() {
    let kit = Kit::start().await;
    let mut body = app_body("client.nameless");
    body["credentials"]["oauthClient"]
        .as_object_mut()
        .unwrap()
        .remove("client_secret");
    body["credentials"]["oauthClient"]["token_endpoint_auth_method"] = json!("private_key_jwt");
    body["settings"]["oauthClient"]["jwks"] = json!({ "keys": [Key::new().jwk()] });
    let id = text(&kit.post("/api/v1/apps", &body).await.body["id"]);
    let reply = kit
        .post(
            &format!("/api/v1/apps/{id}/credentials/jwks"),
            &Key::new().jwk_named("k2"),
        )
        .await;
    assert_eq!(reply.status, 400);
}
