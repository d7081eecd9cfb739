//! The management API: every call that the operator makes, and some more.

use serde_json::json;

use crate::checked::Checked;
use crate::contract;
use crate::kit::{Key, Kit, SCOPE, SECRET, app_body, text};

#[tokio::test]
async fn the_management_api() {
    let Some(contract) = contract() else { return };
    let checked = Checked::new(Kit::start().await, contract);
    apps(&checked).await;
    keys(&checked).await;
    let server = authorization_server(&checked).await;
    policies(&checked, &server).await;
    errors_and_logs(&checked).await;
    checked.conclude(50);
}

async fn apps(checked: &Checked) {
    let (status, app) = checked
        .api(
            "POST",
            "/api/v1/apps",
            &[],
            "?activate=true",
            Some(app_body("client.spec")),
        )
        .await;
    assert_eq!(status, 200);
    let id = &text(&app["id"]);
    let one = "/api/v1/apps/{}";
    checked.api("GET", one, &[id], "", None).await;
    checked
        .api("GET", "/api/v1/apps", &[], "?limit=1&q=neo4j", None)
        .await;
    let mut body = app_body("client.spec");
    body["profile"]["neo4j_groups"] = json!(["other"]);
    checked.api("PUT", one, &[id], "", Some(body)).await;
    let secrets = "/api/v1/apps/{}/credentials/secrets";
    checked.api("GET", secrets, &[id], "", None).await;
    let (status, secret) = checked
        .api(
            "POST",
            secrets,
            &[id],
            "",
            Some(json!({ "client_secret": "a-second-secret-1234", "status": "ACTIVE" })),
        )
        .await;
    assert_eq!(status, 201);
    let secret = &text(&secret["id"]);
    let one_secret = "/api/v1/apps/{}/credentials/secrets/{}";
    checked
        .api("GET", one_secret, &[id, secret], "", None)
        .await;
    checked
        .api(
            "POST",
            "/api/v1/apps/{}/credentials/secrets/{}/lifecycle/deactivate",
            &[id, secret],
            "",
            None,
        )
        .await;
    checked
        .api(
            "POST",
            "/api/v1/apps/{}/credentials/secrets/{}/lifecycle/activate",
            &[id, secret],
            "",
            None,
        )
        .await;
    checked
        .api("DELETE", one_secret, &[id, secret], "", None)
        .await;
    checked
        .api(
            "POST",
            "/api/v1/apps/{}/credentials/secrets/{}/lifecycle/deactivate",
            &[id, secret],
            "",
            None,
        )
        .await;
    checked
        .api("DELETE", one_secret, &[id, secret], "", None)
        .await;
    checked.api("DELETE", one, &[id], "", None).await;
    checked
        .api(
            "POST",
            "/api/v1/apps/{}/lifecycle/deactivate",
            &[id],
            "",
            None,
        )
        .await;
    checked
        .api(
            "POST",
            "/api/v1/apps/{}/lifecycle/activate",
            &[id],
            "",
            None,
        )
        .await;
    let grant = json!({ "scopeId": "okta.apps.manage", "issuer": checked.kit.emulator.url() });
    checked
        .api("POST", "/api/v1/apps/{}/grants", &[id], "", Some(grant))
        .await;
    checked
        .api(
            "POST",
            "/api/v1/apps/{}/lifecycle/deactivate",
            &[id],
            "",
            None,
        )
        .await;
    checked.api("DELETE", one, &[id], "", None).await;
    checked.api("GET", one, &[id], "", None).await;
}

async fn keys(checked: &Checked) {
    let mut body = app_body("client.keyspec");
    body["credentials"]["oauthClient"]["token_endpoint_auth_method"] = json!("private_key_jwt");
    body["credentials"]["oauthClient"]
        .as_object_mut()
        .expect("an object")
        .remove("client_secret");
    body["settings"]["oauthClient"]["jwks"] = json!({ "keys": [Key::new().jwk_named("k1")] });
    let (status, app) = checked
        .api("POST", "/api/v1/apps", &[], "", Some(body))
        .await;
    assert_eq!(status, 200, "{app}");
    let id = &text(&app["id"]);
    checked.api("GET", "/api/v1/apps/{}", &[id], "", None).await;
    let jwks = "/api/v1/apps/{}/credentials/jwks";
    checked.api("GET", jwks, &[id], "", None).await;
    let mut jwk = Key::new().jwk_named("k2");
    jwk["status"] = json!("ACTIVE");
    let (status, key) = checked.api("POST", jwks, &[id], "", Some(jwk)).await;
    assert_eq!(status, 201);
    let key = &text(&key["id"]);
    checked
        .api(
            "GET",
            "/api/v1/apps/{}/credentials/jwks/{}",
            &[id, key],
            "",
            None,
        )
        .await;
    checked
        .api(
            "DELETE",
            "/api/v1/apps/{}/credentials/jwks/{}",
            &[id, key],
            "",
            None,
        )
        .await;
    checked
        .api(
            "POST",
            "/api/v1/apps/{}/credentials/jwks/{}/lifecycle/deactivate",
            &[id, key],
            "",
            None,
        )
        .await;
    checked
        .api(
            "POST",
            "/api/v1/apps/{}/credentials/jwks/{}/lifecycle/activate",
            &[id, key],
            "",
            None,
        )
        .await;
    checked
        .api(
            "POST",
            "/api/v1/apps/{}/credentials/jwks/{}/lifecycle/deactivate",
            &[id, key],
            "",
            None,
        )
        .await;
    checked
        .api(
            "DELETE",
            "/api/v1/apps/{}/credentials/jwks/{}",
            &[id, key],
            "",
            None,
        )
        .await;
}

async fn authorization_server(checked: &Checked) -> String {
    let base = "/api/v1/authorizationServers";
    let one = "/api/v1/authorizationServers/{}";
    let body = json!({ "name": "neo4j", "description": "Neo4j access", "audiences": ["neo4j"], "issuerMode": "ORG_URL" });
    let (status, server) = checked.api("POST", base, &[], "", Some(body.clone())).await;
    assert_eq!(status, 201);
    let id = text(&server["id"]);
    checked.api("GET", base, &[], "?limit=10", None).await;
    checked.api("GET", one, &[&id], "", None).await;
    checked.api("PUT", one, &[&id], "", Some(body)).await;
    checked
        .api(
            "POST",
            "/api/v1/authorizationServers/{}/lifecycle/deactivate",
            &[&id],
            "",
            None,
        )
        .await;
    checked
        .api(
            "POST",
            "/api/v1/authorizationServers/{}/lifecycle/activate",
            &[&id],
            "",
            None,
        )
        .await;
    checked
        .api(
            "GET",
            "/api/v1/authorizationServers/{}/credentials/keys",
            &[&id],
            "",
            None,
        )
        .await;
    checked
        .api(
            "POST",
            "/api/v1/authorizationServers/{}/credentials/lifecycle/keyRotate",
            &[&id],
            "",
            Some(json!({ "use": "sig" })),
        )
        .await;

    let scope = json!({ "name": SCOPE, "description": "Neo4j group membership", "consent": "IMPLICIT", "metadataPublish": "NO_CLIENTS", "default": false });
    let scopes = "/api/v1/authorizationServers/{}/scopes";
    let (status, created) = checked
        .api("POST", scopes, &[&id], "", Some(scope.clone()))
        .await;
    assert_eq!(status, 201);
    let scope_id = text(&created["id"]);
    checked.api("GET", scopes, &[&id], "", None).await;
    checked
        .api(
            "GET",
            "/api/v1/authorizationServers/{}/scopes/{}",
            &[&id, &scope_id],
            "",
            None,
        )
        .await;
    checked
        .api(
            "PUT",
            "/api/v1/authorizationServers/{}/scopes/{}",
            &[&id, &scope_id],
            "",
            Some(scope),
        )
        .await;

    let claim = json!({ "name": "groups", "status": "ACTIVE", "claimType": "RESOURCE", "valueType": "EXPRESSION",
        "value": "app.profile.neo4j_groups", "alwaysIncludeInToken": true, "conditions": { "scopes": [SCOPE] } });
    let claims = "/api/v1/authorizationServers/{}/claims";
    let (status, created) = checked
        .api("POST", claims, &[&id], "", Some(claim.clone()))
        .await;
    assert_eq!(status, 201);
    let claim_id = text(&created["id"]);
    checked.api("GET", claims, &[&id], "", None).await;
    checked
        .api(
            "GET",
            "/api/v1/authorizationServers/{}/claims/{}",
            &[&id, &claim_id],
            "",
            None,
        )
        .await;
    checked
        .api(
            "PUT",
            "/api/v1/authorizationServers/{}/claims/{}",
            &[&id, &claim_id],
            "",
            Some(claim),
        )
        .await;
    checked
        .api(
            "DELETE",
            "/api/v1/authorizationServers/{}/claims/{}",
            &[&id, &claim_id],
            "",
            None,
        )
        .await;
    checked
        .api(
            "DELETE",
            "/api/v1/authorizationServers/{}/scopes/{}",
            &[&id, &scope_id],
            "",
            None,
        )
        .await;
    id
}

async fn policies(checked: &Checked, server: &str) {
    let policy = json!({ "type": "OAUTH_AUTHORIZATION_POLICY", "name": "neo4j-m2m", "description": "Neo4j service accounts",
        "status": "ACTIVE", "priority": 1, "conditions": { "clients": { "include": ["ALL_CLIENTS"] } } });
    let policies = "/api/v1/authorizationServers/{}/policies";
    let one = "/api/v1/authorizationServers/{}/policies/{}";
    let (status, created) = checked
        .api("POST", policies, &[server], "", Some(policy.clone()))
        .await;
    assert_eq!(status, 201);
    let id = &text(&created["id"]);
    checked.api("GET", policies, &[server], "", None).await;
    checked.api("GET", one, &[server, id], "", None).await;
    checked
        .api("PUT", one, &[server, id], "", Some(policy))
        .await;
    checked
        .api(
            "POST",
            "/api/v1/authorizationServers/{}/policies/{}/lifecycle/deactivate",
            &[server, id],
            "",
            None,
        )
        .await;
    checked
        .api(
            "POST",
            "/api/v1/authorizationServers/{}/policies/{}/lifecycle/activate",
            &[server, id],
            "",
            None,
        )
        .await;

    let rule = json!({ "type": "RESOURCE_ACCESS", "name": "m2m", "status": "ACTIVE", "priority": 1,
        "conditions": { "grantTypes": { "include": ["client_credentials"] }, "scopes": { "include": ["neo4j_groups"] } },
        "actions": { "token": { "accessTokenLifetimeMinutes": 15, "refreshTokenLifetimeMinutes": 0, "refreshTokenWindowMinutes": 10080 } } });
    let rules = "/api/v1/authorizationServers/{}/policies/{}/rules";
    let one_rule = "/api/v1/authorizationServers/{}/policies/{}/rules/{}";
    let (status, created) = checked
        .api("POST", rules, &[server, id], "", Some(rule.clone()))
        .await;
    assert_eq!(status, 201);
    let rule_id = &text(&created["id"]);
    checked.api("GET", rules, &[server, id], "", None).await;
    checked
        .api("GET", one_rule, &[server, id, rule_id], "", None)
        .await;
    checked
        .api("PUT", one_rule, &[server, id, rule_id], "", Some(rule))
        .await;
    checked
        .api(
            "POST",
            "/api/v1/authorizationServers/{}/policies/{}/rules/{}/lifecycle/deactivate",
            &[server, id, rule_id],
            "",
            None,
        )
        .await;
    checked
        .api(
            "POST",
            "/api/v1/authorizationServers/{}/policies/{}/rules/{}/lifecycle/activate",
            &[server, id, rule_id],
            "",
            None,
        )
        .await;
    checked
        .api("DELETE", one_rule, &[server, id, rule_id], "", None)
        .await;
    checked.api("DELETE", one, &[server, id], "", None).await;
    checked.api("GET", one, &[server, id], "", None).await;
}

async fn errors_and_logs(checked: &Checked) {
    let setting = "/api/v1/org/settings/clientPrivilegesSetting";
    let (status, setting) = checked.api("GET", setting, &[], "", None).await;
    assert_eq!(
        (status, &setting["clientPrivilegesSetting"]),
        (200, &json!(false))
    );
    let mut bad = app_body("client.bad");
    bad["label"] = json!("");
    checked
        .api("POST", "/api/v1/apps", &[], "", Some(bad))
        .await;
    checked.kit.open_default_server();
    checked.kit.app("client.logs").await;
    checked.kit.token("client.logs", SECRET).await;
    checked.kit.token("client.logs", "a-wrong-secret").await;
    let (status, events) = checked
        .api("GET", "/api/v1/logs", &[], "?limit=1000", None)
        .await;
    assert_eq!(status, 200);
    assert!(events.as_array().is_some_and(|events| events.len() > 20));
    checked.kit.emulator.admin().set_api_token_rights(&[]);
    checked.api("GET", "/api/v1/apps", &[], "", None).await;
    checked.api("GET", "/api/v1/logs", &[], "", None).await;
}
