//! The operator's own sign-in changes under way: renewed, revoked, replaced by a
//! key, deprived of a right. Each trouble is named, accounts go on, and the
//! repair needs no restart.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use neo4j_okta_operator::api::OktaIssuer;
use neo4j_okta_operator::okta::jose::SigningKey;
use okta_emulator::{Fault, FaultKind};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, apply, condition, until};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const SCOPES: [&str; 7] = [
    "okta.apps.manage",
    "okta.apps.read",
    "okta.clients.read",
    "okta.authorizationServers.read",
    "okta.authorizationServers.manage",
    "okta.logs.read",
    "okta.orgs.read",
];
pub(crate) const ROLES: [&str; 2] = ["APP_ADMIN", "API_ACCESS_MANAGEMENT_ADMIN"];
pub(crate) const SIGN_INS: (&str, &str) = ("POST", "/oauth2/v1/token");

pub(crate) fn says(issuer: &OktaIssuer, type_: &str) -> String {
    let conditions = issuer.status.clone().unwrap_or_default().conditions;
    let found = conditions.into_iter().find(|c| c.type_ == type_);
    found.map(|c| c.message).unwrap_or_default()
}

fn since(issuer: &OktaIssuer, type_: &str) -> Timestamp {
    let conditions = issuer.status.clone().unwrap_or_default().conditions;
    let found = conditions.into_iter().find(|c| c.type_ == type_);
    found.unwrap().last_transition_time.0
}

/// Waits until the issuer's sign-in is refused in words that hold `wanted`.
async fn refused(world: &World, reason: &str, wanted: &[&str]) {
    until(&format!("{reason} naming {wanted:?}"), async || {
        let issuer = world.issuers().get("default").await.unwrap();
        let conditions = issuer.status.clone().unwrap_or_default().conditions;
        let found = conditions.iter().any(|c| {
            c.type_ == "Authenticated"
                && c.status == "False"
                && c.reason == reason
                && wanted.iter().all(|w| c.message.contains(w))
        });
        if found { Ok(()) } else { Err(conditions) }
    })
    .await;
}

async fn key_secret(world: &World, name: &str, pem: &secrecy::SecretString) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "annotations": { "neo4j-okta.dev/allow-host": "127.0.0.1" } },
        "stringData": { "private-key": pem.expose_secret() },
    });
    let api = Api::<Secret>::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    apply(&api, name, &secret).await;
}

pub(crate) fn by_key(secret: &str, kid: &str) -> Value {
    json!({ "auth": { "apiToken": null, "privateKeyJwt": {
        "clientId": "operator-app", "secretRef": { "name": secret }, "keyId": kid,
    } } })
}

/// Registers the operator's app and writes its key; returns the app's id.
pub(crate) async fn service_app(
    world: &World,
    scopes: &[&str],
    roles: &[&str],
) -> (String, SigningKey) {
    let (key, pem) = SigningKey::generate().unwrap();
    let jwks = json!({ "keys": [key.public_jwk()] });
    let admin = world.okta.admin();
    let app = admin.add_service_app_for_operator("operator-app", &jwks, scopes, false, roles);
    key_secret(world, "okta-key", &pem).await;
    (app, key)
}

/// A world whose operator signs in with a key, its app's id, and the key.
pub(crate) async fn world_with_a_key(
    scopes: &[&str],
    roles: &[&str],
) -> (World, String, SigningKey) {
    let mut world = World::without_operator().await;
    let (app, key) = service_app(&world, scopes, roles).await;
    world.issuer(by_key("okta-key", key.kid())).await;
    world.start_operator().await;
    (world, app, key)
}

pub(crate) async fn publishes(world: &World, group: &str) {
    world.account("etl", json!({ "groups": [group] })).await;
    world
        .account_is("etl", group, |a| {
            let token = a.status.as_ref().and_then(|s| s.token.as_ref());
            token.is_some_and(|t| t.groups == [group])
        })
        .await;
}

/// Everything of the account that could have been written.
async fn versions(world: &World) -> Vec<Option<String>> {
    let account = world.accounts().get("etl").await.unwrap();
    let mut all = vec![account.resource_version()];
    for secret in ["etl-okta-credentials", "etl-neo4j-token"] {
        all.push(
            world
                .secrets()
                .get(secret)
                .await
                .unwrap()
                .resource_version(),
        );
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_api_token_and_the_move_to_a_key_cost_the_accounts_nothing() {
    let world = World::new().await;
    let (_, key) = service_app(&world, &SCOPES, &ROLES).await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    let before = versions(&world).await;
    world.okta.clear_requests();
    world
        .sign_in_secret(&world.okta.admin().renew_api_token())
        .await;
    until("a look with the new token", async || {
        let seen = world.okta.requests();
        if seen.iter().any(|r| r.status == 200) {
            Ok(())
        } else {
            Err(seen.len())
        }
    })
    .await;
    world.issuer(by_key("okta-key", key.kid())).await;
    let issuer = world.issuer_has("Authenticated", "True", "SignedIn").await;
    assert!(says(&issuer, "Authenticated").contains("private_key_jwt"));
    world.quiet().await;
    assert_eq!(versions(&world).await, before);
    assert_eq!(world.tokens_asked(), 0);
    // Nobody holds the old sign-in any more.
    world.okta.admin().revoke_api_token();
    publishes(&world, "neo4j_publisher").await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_api_token_is_named_at_once_while_tokens_go_on_and_heals_with_the_secret() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let first = world.ready("etl").await.status.unwrap().token.unwrap();
    world.quiet().await;
    let admin = world.okta.admin();
    admin.revoke_api_token();
    // The issuer is not due for a look; a new account's failure brings it on.
    world.pass(MINUTE);
    world.account("second", json!({})).await;
    refused(
        &world,
        "Unauthorized",
        &[
            "E0000011",
            "make a new API token",
            "Secret that spec.auth names, okta",
        ],
    )
    .await;
    world.has("second", "Ready", "False", "Unauthorized").await;
    world.pass(45 * MINUTE);
    let etl = world
        .account_is("etl", "refreshed", |a| {
            let token = a.status.as_ref().and_then(|s| s.token.as_ref());
            token.is_some_and(|t| t.issued_at > first.issued_at)
        })
        .await;
    assert_eq!(condition(&etl, "Ready").unwrap().0, "True");
    // Each try that fails makes the next pause longer than this test is patient.
    for _ in 0..7 {
        world.pass(6 * MINUTE);
        world.quiet().await;
    }
    world.sign_in_secret(&admin.renew_api_token()).await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
    world.ready("second").await;

    let secrets = Api::<Secret>::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    secrets
        .delete("okta", &DeleteParams::default())
        .await
        .unwrap();
    let missing = ("Authenticated", "False", "SignInSecretNotFound");
    world.issuer_has(missing.0, missing.1, missing.2).await;
    let last = world.ready("etl").await.status.unwrap().token.unwrap();
    world.pass(45 * MINUTE);
    world
        .account_is("etl", "refreshed", |a| {
            let token = a.status.as_ref().and_then(|s| s.token.as_ref());
            token.is_some_and(|t| t.issued_at > last.issued_at)
        })
        .await;
    world.quiet().await;
    // A second look says the same.
    world.issuer_has(missing.0, missing.1, missing.2).await;
    world.sign_in_secret(&admin.renew_api_token()).await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_taken_up_and_a_key_that_is_not_the_apps_is_named() {
    let (world, app, old) = world_with_a_key(&SCOPES, &ROLES).await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let admin = world.okta.admin();
    let (new, pem) = SigningKey::generate().unwrap();
    admin.add_key(&app, &new.public_jwk());
    key_secret(&world, "okta-key-2", &pem).await;
    world.issuer(by_key("okta-key-2", new.kid())).await;
    world.quiet().await;
    admin.remove_key(&app, old.kid());
    world.pass(2 * HOUR);
    publishes(&world, "neo4j_publisher").await;
    world.issuer_has("Ready", "True", "IssuerReady").await;

    world.issuer(by_key("okta-key-2", "no-such-kid")).await;
    let app_and_kid = ["operator-app", "no-such-kid", "must be active"];
    refused(&world, "Unauthorized", &app_and_kid).await;
    // The right name, the private key of another app.
    world.issuer(by_key("okta-key", new.kid())).await;
    refused(
        &world,
        "Unauthorized",
        &["signature", new.kid(), "okta-key"],
    )
    .await;
    world.issuer(by_key("okta-key-2", new.kid())).await;
    world.issuer_has("Ready", "True", "IssuerReady").await;

    admin.deactivate_app(&app);
    world.pass(11 * MINUTE);
    refused(&world, "Unauthorized", &["operator-app", "must be active"]).await;
    world.ready("etl").await;
    admin.activate_app(&app);
    world.pass(11 * MINUTE);
    world.issuer_has("Ready", "True", "IssuerReady").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_or_admin_role_is_named_exactly() {
    let (world, app, _) = world_with_a_key(&SCOPES[1..4], &ROLES).await;
    let admin = world.okta.admin();
    refused(
        &world,
        "MissingPermission",
        &["okta.apps.manage, okta.authorizationServers.manage;"],
    )
    .await;
    admin.set_app_rights(&app, &SCOPES, &["APP_ADMIN"]);
    world.pass(11 * MINUTE);
    let role = "API Access Management Administrator";
    refused(
        &world,
        "MissingPermission",
        &["E0000006", role, "okta.authzServers"],
    )
    .await;
    // Only an account finds out that apps cannot be created.
    admin.set_app_rights(&app, &SCOPES, &["API_ACCESS_MANAGEMENT_ADMIN"]);
    world.pass(11 * MINUTE);
    world.issuer_has("Ready", "True", "IssuerReady").await;
    world.pass(MINUTE);
    world.account("etl", json!({})).await;
    world
        .has("etl", "Ready", "False", "MissingPermission")
        .await;
    refused(
        &world,
        "MissingPermission",
        &[
            "create_app",
            "Application Administrator",
            "okta.apps.manage",
        ],
    )
    .await;
    admin.set_app_rights(&app, &SCOPES, &ROLES);
    world.pass(11 * MINUTE);
    world.ready("etl").await;
    world.pass(11 * MINUTE);
    world.issuer_has("Ready", "True", "IssuerReady").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refusal_of_a_good_sign_in_does_not_turn_the_issuer() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let good = ("Authenticated", "True", "ApiTokenInUse");
    let before = world.issuer_has(good.0, good.1, good.2).await;
    let fault = Fault::new(FaultKind::Status {
        status: 401,
        error_code: None,
    });
    let put = ("PUT", "/api/v1/apps/{appId}");
    world.okta.inject(fault.on(put.0, put.1).times(1));
    world.pass(MINUTE);
    publishes(&world, "neo4j_publisher").await;
    world.quiet().await;
    let after = world.issuer_has(good.0, good.1, good.2).await;
    assert_eq!(since(&after, good.0), since(&before, good.0));
    assert!(world.okta.count(put.0, put.1) >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_in_is_not_shown_once_for_each_account() {
    let (world, app, key) = world_with_a_key(&SCOPES, &ROLES).await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
    let admin = world.okta.admin();
    admin.deactivate_app(&app);
    admin.end_management_tokens();
    world.quiet().await;
    world.okta.clear_requests();
    let names: Vec<String> = (0..20).map(|n| format!("a{n}")).collect();
    for name in &names {
        world.account(name, json!({})).await;
    }
    for name in &names {
        world.has(name, "Ready", "False", "Unauthorized").await;
    }
    let shown = world.okta.count(SIGN_INS.0, SIGN_INS.1);
    assert!((1..10).contains(&shown), "{shown}");
    // The issuer was seen in order a moment ago; that stands for half a minute.
    world.pass(MINUTE);
    refused(&world, "Unauthorized", &["operator-app", key.kid()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_may_not_read_client_secrets_names_that_very_permission() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let rights = ["okta.apps.manage", "okta.authzServers.manage"];
    world.okta.admin().set_api_token_rights(&rights);
    world.pass(HOUR);
    world.annotate("etl", "neo4j-okta.dev/rotate", "1").await;
    let wanted = ["okta.apps.clientCredentials.read"];
    refused(&world, "MissingPermission", &wanted).await;
    let before = world.data("etl-okta-credentials").await;
    world.okta.admin().set_api_token_rights(&["SUPER_ADMIN"]);
    world.pass(6 * MINUTE);
    until("rotated", async || {
        let now = world.data("etl-okta-credentials").await;
        let same = now["client_secret"] == before["client_secret"];
        if same { Err(now.len()) } else { Ok(()) }
    })
    .await;
    // The issuer hears of it when it looks at the log next.
    world.pass(MINUTE + MINUTE / 10);
    world
        .issuer_has("Authenticated", "True", "ApiTokenInUse")
        .await;
}
