//! The OAuth API: token endpoints, metadata, clients.

use serde_json::json;

use crate::contract;
use crate::kit::{self, Key, Kit, SECRET, text};

#[tokio::test]
async fn the_oauth_api() {
    let Some(contract) = contract() else { return };
    let kit = Kit::start().await;
    kit.open_default_server();
    kit.app("client.oauth").await;
    let mut wrong = Vec::new();
    let mut check = |method: &str, template: &str, reply: &kit::Reply| {
        for error in contract.answer(method, template, reply.status, &reply.body) {
            wrong.push(format!(
                "{} {method} {template}: {error}\n    {}",
                reply.status, reply.body
            ));
        }
    };
    let token = kit.token("client.oauth", SECRET).await;
    assert_eq!(token.status, 200);
    check("POST", "/oauth2/{}/v1/token", &token);
    check(
        "POST",
        "/oauth2/{}/v1/token",
        &kit.token("client.oauth", "a-wrong-secret").await,
    );
    let form = [("grant_type", "client_credentials"), ("scope", "nothing")];
    check(
        "POST",
        "/oauth2/{}/v1/token",
        &kit.token_with("client.oauth", SECRET, &form).await,
    );
    check(
        "GET",
        "/oauth2/{}/v1/keys",
        &kit.get("/oauth2/default/v1/keys").await,
    );
    check(
        "GET",
        "/oauth2/{}/.well-known/openid-configuration",
        &kit.get("/oauth2/default/.well-known/openid-configuration")
            .await,
    );
    check(
        "GET",
        "/oauth2/{}/.well-known/oauth-authorization-server",
        &kit.get("/oauth2/default/.well-known/oauth-authorization-server")
            .await,
    );
    check(
        "GET",
        "/oauth2/v1/clients/{}",
        &kit.get("/oauth2/v1/clients/client.oauth").await,
    );
    check(
        "GET",
        "/oauth2/v1/clients/{}",
        &kit.get("/oauth2/v1/clients/nobody").await,
    );
    check(
        "GET",
        "/oauth2/v1/clients",
        &kit.get("/oauth2/v1/clients").await,
    );
    let access_token = text(&token.body["access_token"]);
    let url = format!("{}/oauth2/default/v1/introspect", kit.emulator.url());
    let request = kit
        .http
        .post(url)
        .basic_auth("client.oauth", Some(SECRET))
        .form(&[("token", access_token.as_str())]);
    check(
        "POST",
        "/oauth2/{}/v1/introspect",
        &kit::reply(request).await.expect("an answer"),
    );
    let key = Key::new();
    let jwks = json!({ "keys": [key.jwk_named("op")] });
    kit.emulator.admin().add_service_app_for_operator(
        "operator.app",
        &jwks,
        &["okta.apps.read"],
        false,
        &["APP_ADMIN"],
    );
    let audience = format!("{}/oauth2/v1/token", kit.emulator.url());
    let assertion = key.assertion(
        "op",
        "operator.app",
        &audience,
        kit.emulator.clock().now(),
        "one",
    );
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "okta.apps.read"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion.as_str()),
    ];
    let reply = kit.form("/oauth2/v1/token", &form, None).await;
    assert_eq!(reply.status, 200);
    check("POST", "/oauth2/v1/token", &reply);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
