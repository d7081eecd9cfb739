//! An authorization server on which people log in: the operator adds what is its
//! own and changes nothing for anybody else.

use std::sync::Arc;
use std::time::Duration;

use neo4j_okta_operator::plan::check::decode;
use okta_emulator::{Admin, Emulator};
use serde_json::{Value, json};

use crate::harness::{World, condition, message};
use crate::sharing::{policy_and_rules, text, token};

const MINUTE: Duration = Duration::from_secs(60);

/// A token of a client that is none of ours, as it asks for one: its claims but
/// for when it was issued.
async fn foreign_token(okta: &Emulator, server: &str, client: &Value) -> Value {
    let answer = reqwest::Client::new()
        .post(format!("{}/oauth2/{server}/v1/token", okta.url()))
        .basic_auth(text(&client["client_id"]), client["client_secret"].as_str())
        .form(&[("grant_type", "client_credentials"), ("scope", "read")])
        .send()
        .await
        .unwrap();
    let answer: Value = answer.json().await.unwrap();
    let mut claims = decode(answer["access_token"].as_str().expect("a token")).unwrap();
    claims.others.remove("jti");
    let life = claims.exp - claims.iat;
    json!([
        life,
        claims.aud,
        claims.sub,
        claims.cid,
        claims.others,
        answer["scope"]
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_on_which_people_log_in_nothing_changes_for_anybody_else() {
    let mut world = World::without_operator().await;
    let okta: Arc<Emulator> = world.okta.clone();
    let admin = okta.admin();
    let server = admin.create_authorization_server("people", "api://people");
    let root = format!("/api/v1/authorizationServers/{server}");
    admin.add_scope(&server, "read");
    admin.add_claim(&server, "groups", "\"everybody\"", &[]);
    let people = admin.add_policy(&server, "people", &["ALL_CLIENTS"], None);
    let login = json!({
        "type": "RESOURCE_ACCESS", "name": "login", "status": "ACTIVE",
        "conditions": {
            "people": { "groups": { "include": ["EVERYONE"] } },
            "grantTypes": { "include": ["authorization_code"] }, "scopes": { "include": ["*"] },
        },
        "actions": { "token": { "accessTokenLifetimeMinutes": 60, "refreshTokenLifetimeMinutes": 0, "refreshTokenWindowMinutes": 10080 } },
    });
    let rules = format!("{root}/policies/{people}/rules");
    admin.call("POST", &rules, Some(&login)).unwrap();
    admin.add_rule(&server, &people, "machines", &["read"], 15);
    let app = admin.create_app(&json!({
        "name": "oidc_client", "label": "reports", "signOnMode": "OPENID_CONNECT",
        "credentials": { "oauthClient": { "token_endpoint_auth_method": "client_secret_basic" } },
        "settings": { "oauthClient": { "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"] } },
    }));
    let client = &app["credentials"]["oauthClient"];
    let token_before = foreign_token(&okta, &server, client).await;
    let parts = |of: &Admin| {
        let foreign = |list: Vec<Value>, ours: &str| {
            list.into_iter()
                .filter(|part| part["name"] != ours)
                .collect::<Vec<_>>()
        };
        json!([
            foreign(of.scopes(&server), "neo4j_groups"),
            foreign(of.claims(&server), "neo4j_roles"),
            policy_and_rules(of, &server, &people),
        ])
    };
    let before = parts(&admin);

    // The claim of that name is others' and stays; so the issuer takes another.
    let wanted = |claim: &str| json!({ "authorizationServer": { "name": null, "id": server, "audience": "api://people", "groupsClaim": claim } });
    world.issuer(wanted("groups")).await;
    world.start_operator().await;
    world
        .issuer_has("AuthorizationServerReady", "False", "ClaimConflict")
        .await;
    world.issuer(wanted("neo4j_roles")).await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    let ours = token(&world, "etl").await;
    assert_eq!(ours.others["neo4j_roles"], json!(["neo4j_reader"]));
    assert_eq!(ours.exp - ours.iat, 3600);
    assert_eq!(admin.policies(&server)[1]["id"], json!(people));
    assert_eq!(parts(&admin), before);
    assert_eq!(foreign_token(&okta, &server, client).await, token_before);

    // A policy of others that answers in front of ours is named, not moved.
    let front = admin.add_policy(&server, "front", &["ALL_CLIENTS"], Some(1));
    admin.add_rule(&server, &front, "all", &["*"], 5);
    let kept = world.token("etl").await;
    world.pass(41 * MINUTE);
    let shadowed = world
        .has("etl", "TokenFresh", "False", "ShadowedByPolicy")
        .await;
    let said = message(&shadowed, "TokenFresh");
    assert!(said.contains("move it behind ours"), "{said}");
    assert_eq!(condition(&shadowed, "Ready").unwrap().0, "True");
    assert_eq!(world.token("etl").await, kept);
    world.pass(61 * Duration::from_secs(1));
    world.quiet().await;
    assert_eq!(admin.policies(&server)[0]["id"], json!(front));
    admin
        .call("DELETE", &format!("{root}/policies/{front}"), None)
        .unwrap();
    world.pass(5 * MINUTE);
    world.has("etl", "TokenFresh", "True", "TokenIssued").await;
    assert_eq!(parts(&admin), before);
}
