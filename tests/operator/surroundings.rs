//! What else in the org concerns the accounts' apps, said before the first of them
//! is registered.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use neo4j_okta_operator::okta::jose::SigningKey;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, apply};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test(flavor = "multi_thread")]
async fn other_servers_that_issue_tokens_to_any_client_are_named_until_that_is_mended() {
    let mut world = World::without_operator().await;
    let admin = world.okta.admin();
    let policy = admin.add_policy("default", "all", &["ALL_CLIENTS"], None);
    let rule = admin.add_rule("default", &policy, "machines", &["*"], 60);
    // Servers that let in only those that they name, or people, are none of them.
    let listed = admin.create_authorization_server("listed", "api://listed");
    let client = admin.create_app(&json!({
        "name": "oidc_client", "label": "reports", "signOnMode": "OPENID_CONNECT",
        "credentials": { "oauthClient": { "client_id": "reports", "token_endpoint_auth_method": "client_secret_basic" } },
        "settings": { "oauthClient": { "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"] } },
    }));
    assert_eq!(client["label"], "reports");
    let theirs = admin.add_policy(&listed, "theirs", &["reports"], None);
    admin.add_rule(&listed, &theirs, "machines", &["*"], 60);
    world.issuer(json!({})).await;
    world.start_operator().await;
    let issuer = world.issuer_has("Ready", "True", "OtherServersAdmit").await;
    let said = said(&json!(issuer), "Ready");
    assert!(said.contains("any client of the org: default;"), "{said}");
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    let target = format!("/api/v1/authorizationServers/default/policies/{policy}/rules/{rule}");
    admin.call("DELETE", &target, None).unwrap();
    world.pass(DAY);
    world.issuer_has("Ready", "True", "IssuerReady").await;
    let written = world.okta.requests();
    let written = written
        .iter()
        .filter(|r| r.method != "GET" && r.path.contains("authorizationServers/default"));
    assert_eq!(written.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_makes_new_clients_super_admins_is_named_as_far_as_the_sign_in_may_know() {
    let mut world = World::without_operator().await;
    let admin = world.okta.admin();
    admin.set_client_privileges(true);
    let (key, pem) = SigningKey::generate().unwrap();
    let scopes = [
        "okta.apps.manage",
        "okta.apps.read",
        "okta.clients.read",
        "okta.authorizationServers.read",
        "okta.authorizationServers.manage",
        "okta.logs.read",
    ];
    let keys = json!({ "keys": [key.public_jwk()] });
    let app =
        admin.add_service_app_for_operator("operator-app", &keys, &scopes, true, &["SUPER_ADMIN"]);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "okta-key", "annotations": { "neo4j-okta.dev/allow-host": "127.0.0.1" } },
        "stringData": { "private-key": pem.expose_secret() },
    });
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    apply(&secrets, "okta-key", &secret).await;
    world.issuer(json!({ "auth": { "apiToken": null, "privateKeyJwt": { "clientId": "operator-app", "secretRef": { "name": "okta-key" }, "keyId": key.kid() } } })).await;
    world.start_operator().await;
    // It may not look, and says nothing of it.
    world.issuer_has("Authenticated", "True", "SignedIn").await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
    let all = [&scopes[..], &["okta.orgs.read"]].concat();
    admin.set_app_rights(&app, &all, &["SUPER_ADMIN"]);
    world.pass(DAY);
    let issuer = world
        .issuer_has("Ready", "True", "NewClientsAreAdmins")
        .await;
    let said = said(&json!(issuer), "Ready");
    assert!(said.contains("Public client app admins"), "{said}");
    admin.set_client_privileges(false);
    world.pass(DAY);
    world.issuer_has("Ready", "True", "IssuerReady").await;
}

fn said(issuer: &Value, type_: &str) -> String {
    let conditions = issuer["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|c| c["type"] == type_).unwrap();
    found["message"].as_str().unwrap().to_owned()
}
