//! The custom token endpoint: claims, refusals, introspection, key rotation.

use std::time::Duration;

use okta_emulator::{Behaviour, NullInClaims};
use serde_json::json;

use crate::kit::{Kit, SCOPE, SECRET, app_body, claims, text};

#[tokio::test]
async fn a_token_carries_the_groups_of_the_profile() {
    let kit = Kit::start().await;
    kit.open_default_server();
    kit.app("client.token").await;
    let reply = kit.token("client.token", SECRET).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.body["token_type"], "Bearer");
    assert_eq!(reply.body["expires_in"], 900);
    assert_eq!(reply.body["scope"], SCOPE);
    let token = claims(&reply.body["access_token"]);
    assert_eq!(
        token["iss"],
        format!("{}/oauth2/default", kit.emulator.url())
    );
    assert_eq!(token["aud"], "api://default");
    assert_eq!(
        (&token["cid"], &token["sub"]),
        (&json!("client.token"), &json!("client.token"))
    );
    assert_eq!(token["groups"], json!(["readers", "etl"]));
    assert_eq!(token["scp"], json!([SCOPE]));
    assert!(token["jti"].as_str().unwrap().starts_with("AT."));
    assert_eq!(
        token["exp"].as_u64().unwrap() - token["iat"].as_u64().unwrap(),
        900
    );
}

#[tokio::test]
async fn the_signature_is_one_of_the_published_keys_across_a_rotation() {
    let kit = Kit::start().await;
    kit.open_default_server();
    kit.app("client.keys").await;
    let published = |keys: &serde_json::Value| -> Vec<String> {
        keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| text(&key["kid"]))
            .collect()
    };
    let before = published(&kit.get("/oauth2/default/v1/keys").await.body);
    assert_eq!(before.len(), 2);
    let kid = |reply: &crate::kit::Reply| {
        text(
            &serde_json::to_value(
                jsonwebtoken::decode_header(text(&reply.body["access_token"])).unwrap(),
            )
            .unwrap()["kid"],
        )
    };
    let first = kit.token("client.keys", SECRET).await;
    assert_eq!(kid(&first), before[0]);
    kit.emulator.admin().rotate_keys("default");
    let second = kit.token("client.keys", SECRET).await;
    assert_eq!(
        kid(&second),
        before[1],
        "the next key was published before it signs"
    );
    let after = kit.get("/oauth2/default/v1/keys").await.body;
    assert!(published(&after).contains(&before[0]));
    let jwk = after["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == before[1].as_str())
        .unwrap();
    let key =
        jsonwebtoken::DecodingKey::from_rsa_components(&text(&jwk["n"]), &text(&jwk["e"])).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&["api://default"]);
    jsonwebtoken::decode::<serde_json::Value>(
        text(&second.body["access_token"]),
        &key,
        &validation,
    )
    .unwrap();
}

#[tokio::test]
async fn refusals_of_the_token_endpoint() {
    let kit = Kit::start().await;
    kit.open_default_server();
    let id = kit.app("client.refused").await;
    let form = |scope: &'static str| vec![("grant_type", "client_credentials"), ("scope", scope)];
    let error = |reply: &crate::kit::Reply| (reply.status, text(&reply.body["error"]));
    let is = |status: u16, error: &str| (status, error.to_owned());

    assert_eq!(
        error(&kit.token("client.refused", "wrong").await),
        is(401, "invalid_client")
    );
    assert_eq!(
        error(&kit.token("nobody.knows", SECRET).await),
        is(401, "invalid_client")
    );
    let reply = kit
        .token_with("client.refused", SECRET, &form("nowhere"))
        .await;
    assert_eq!(error(&reply), is(400, "invalid_scope"));
    let reply = kit
        .token_with("client.refused", SECRET, &form("openid"))
        .await;
    assert_eq!(error(&reply), is(400, "invalid_scope"));
    let reply = kit
        .token_with(
            "client.refused",
            SECRET,
            &[("grant_type", "client_credentials")],
        )
        .await;
    assert_eq!(error(&reply), is(400, "invalid_scope"));
    let reply = kit
        .token_with(
            "client.refused",
            SECRET,
            &[("grant_type", "password"), ("scope", SCOPE)],
        )
        .await;
    assert_eq!(error(&reply), is(400, "unsupported_grant_type"));
    let both = [
        ("grant_type", "client_credentials"),
        ("scope", SCOPE),
        ("client_id", "client.refused"),
        ("client_secret", SECRET),
    ];
    assert_eq!(
        error(&kit.token_with("client.refused", SECRET, &both).await),
        is(401, "invalid_request")
    );
    // The app is registered for Basic: the same secret in the form is refused.
    let reply = kit.form("/oauth2/default/v1/token", &both, None).await;
    assert_eq!(error(&reply), is(401, "invalid_client"));
    let reply = kit.form("/oauth2/nowhere/v1/token", &both, None).await;
    assert_eq!(error(&reply), is(400, "invalid_request"));
    kit.emulator.admin().deactivate_app(&id);
    assert_eq!(
        error(&kit.token("client.refused", SECRET).await),
        is(401, "invalid_client")
    );
}

#[tokio::test]
async fn claims_that_find_no_value() {
    let kit = Kit::start().await;
    kit.open_default_server();
    let admin = kit.emulator.admin();
    admin.add_claim("default", "none", "appuser.neo4j_groups", &[]);
    admin.add_claim(
        "default",
        "guarded",
        "app.profile.nothing != null ? app.profile.nothing : {}",
        &[],
    );
    admin.add_claim("default", "elsewhere", "app.clientId", &["device_sso"]);
    kit.app("client.claims").await;
    let token = claims(&kit.token("client.claims", SECRET).await.body["access_token"]);
    assert!(token.get("none").is_none() && token.get("elsewhere").is_none());
    assert_eq!(token["guarded"], json!([]));

    kit.emulator.set_behaviour(Behaviour {
        null_in_claims: NullInClaims::ServerError,
        ..Behaviour::default()
    });
    let reply = kit.token("client.claims", SECRET).await;
    assert_eq!(
        (reply.status, &reply.body["error"]),
        (400, &json!("server_error"))
    );
    let logs = admin.logs();
    assert!(
        logs.iter()
            .any(|event| event["eventType"] == "app.oauth2.as.evaluate.claim")
    );

    kit.emulator.set_behaviour(Behaviour::default());
    admin.add_claim("default", "broken", "this is (no expression", &[]);
    let reply = kit.token("client.claims", SECRET).await;
    assert_eq!(
        (reply.status, &reply.body["error"]),
        (400, &json!("server_error"))
    );
}

#[tokio::test]
async fn introspection_sees_expiry_revocation_and_deactivation() {
    let kit = Kit::start().await;
    kit.open_default_server();
    let id = kit.app("client.watched").await;
    let mut post = app_body("client.watcher");
    post["credentials"]["oauthClient"]["token_endpoint_auth_method"] = json!("client_secret_post");
    kit.post("/api/v1/apps", &post).await;
    let ask = async |token: &str, path: &str, secret_of: &str| {
        let form = [
            ("token", token),
            ("client_id", secret_of),
            ("client_secret", SECRET),
        ];
        kit.form(&format!("/oauth2/default/v1/{path}"), &form, None)
            .await
    };
    let mint = async || text(&kit.token("client.watched", SECRET).await.body["access_token"]);

    let token = mint().await;
    let seen = ask(&token, "introspect", "client.watcher").await.body;
    assert_eq!(
        (&seen["active"], &seen["client_id"]),
        (&json!(true), &json!("client.watched"))
    );
    // Another client's token is not revoked, and the answer does not say so.
    assert_eq!(ask(&token, "revoke", "client.watcher").await.status, 200);
    assert_eq!(
        ask(&token, "introspect", "client.watcher").await.body["active"],
        true
    );
    let url = format!("{}/oauth2/default/v1/revoke", kit.emulator.url());
    let own = kit
        .http
        .post(url)
        .basic_auth("client.watched", Some(SECRET))
        .form(&[("token", token.as_str())]);
    assert_eq!(crate::kit::reply(own).await.unwrap().status, 200);
    assert_eq!(
        ask(&token, "introspect", "client.watcher").await.body,
        json!({ "active": false })
    );

    let token = mint().await;
    kit.emulator.clock().advance(Duration::from_secs(901));
    assert_eq!(
        ask(&token, "introspect", "client.watcher").await.body["active"],
        false
    );
    let token = mint().await;
    kit.emulator.clock().advance(Duration::from_secs(2));
    kit.emulator.admin().deactivate_app(&id);
    kit.emulator.admin().activate_app(&id);
    assert_eq!(
        ask(&token, "introspect", "client.watcher").await.body["active"],
        false
    );
}

#[tokio::test]
async fn discovery_in_all_its_forms() {
    let kit = Kit::start().await;
    for path in [
        "/oauth2/default/.well-known/openid-configuration",
        "/oauth2/default/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/oauth2/default",
    ] {
        let reply = kit.get(path).await;
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.body["issuer"],
            format!("{}/oauth2/default", kit.emulator.url())
        );
        assert_eq!(
            reply.body["token_endpoint"],
            format!("{}/oauth2/default/v1/token", kit.emulator.url())
        );
        assert!(reply.headers.get("x-rate-limit-limit").is_none());
    }
}
