//! An issuer that is not in order names its repair, and is in order once that
//! was done.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use neo4j_okta_operator::api::OktaIssuer;
use neo4j_okta_operator::okta::jose::SigningKey;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, apply, until};

fn message(issuer: &OktaIssuer, type_: &str) -> String {
    let conditions = issuer.status.clone().unwrap_or_default().conditions;
    conditions
        .into_iter()
        .find(|c| c.type_ == type_)
        .map(|c| c.message)
        .unwrap_or_default()
}

async fn world(change: Value) -> World {
    let mut world = World::without_operator().await;
    world.issuer(change).await;
    world.start_operator().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_api_token_is_named_and_a_right_one_is_taken_up_at_once() {
    let mut world = World::without_operator().await;
    world.sign_in_secret("00wrong").await;
    world.issuer(json!({})).await;
    world.start_operator().await;
    let issuer = world
        .issuer_has("Authenticated", "False", "Unauthorized")
        .await;
    assert!(
        message(&issuer, "Ready").contains("Secret that spec.auth names"),
        "{}",
        message(&issuer, "Ready")
    );
    assert!(!format!("{issuer:?}").contains("00wrong"));
    world.account("etl", json!({})).await;
    world.has("etl", "Ready", "False", "IssuerNotReady").await;
    world.sign_in_secret(world.okta.api_token()).await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
    world
        .issuer_has("Authenticated", "True", "ApiTokenInUse")
        .await;
    world.ready("etl").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_secret_that_is_missing_or_not_marked_for_the_host_is_never_sent() {
    let mut world = World::without_operator().await;
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    secrets
        .delete("okta", &DeleteParams::default())
        .await
        .unwrap();
    world.issuer(json!({})).await;
    world.start_operator().await;
    world
        .issuer_has("Authenticated", "False", "SignInSecretNotFound")
        .await;
    world.sign_in_secret(world.okta.api_token()).await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
    let elsewhere =
        json!({ "metadata": { "annotations": { "neo4j-okta.dev/allow-host": "acme.okta.com" } } });
    secrets
        .patch("okta", &PatchParams::default(), &Patch::Merge(&elsewhere))
        .await
        .unwrap();
    let issuer = world
        .issuer_has("Authenticated", "False", "SignInHostNotAllowed")
        .await;
    assert!(
        message(&issuer, "Authenticated").contains("kubectl annotate secret okta"),
        "{}",
        message(&issuer, "Authenticated")
    );
    world.quiet().await;
    world.okta.clear_requests();
    // Nothing is what has to happen.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(world.okta.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_authorization_server_is_named() {
    let world = world(json!({ "authorizationServer": { "name": null, "id": "ausnope", "management": "External", "audience": null } })).await;
    let issuer = world
        .issuer_has(
            "AuthorizationServerReady",
            "False",
            "AuthorizationServerNotFound",
        )
        .await;
    assert!(message(&issuer, "Ready").contains("ausnope"));
    assert!(
        issuer
            .status
            .unwrap()
            .conditions
            .iter()
            .any(|c| c.type_ == "Stalled" && c.status == "True")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_server_is_checked_piece_by_piece_and_never_written() {
    let world = world(json!({ "authorizationServer": { "name": null, "id": "default", "management": "External", "audience": null } })).await;
    let admin = world.okta.admin();
    let issuer = world
        .issuer_has("AuthorizationServerReady", "False", "ScopeMissing")
        .await;
    assert!(message(&issuer, "Ready").contains("neo4j_groups"));
    admin.add_scope("default", "neo4j_groups");
    world.pass(std::time::Duration::from_secs(600));
    world
        .issuer_has("AuthorizationServerReady", "False", "ClaimMissing")
        .await;
    admin.add_claim(
        "default",
        "groups",
        "app.profile.neo4j_groups",
        &["neo4j_groups"],
    );
    world.pass(std::time::Duration::from_secs(600));
    let issuer = world
        .issuer_has("PolicySynced", "False", "PolicyMissing")
        .await;
    assert!(message(&issuer, "Ready").contains("client_credentials"));
    let policy = admin.add_policy("default", "m2m", &["ALL_CLIENTS"], None);
    admin.add_rule("default", &policy, "m2m", &["neo4j_groups"], 30);
    world.pass(std::time::Duration::from_secs(600));
    world.issuer_has("Ready", "True", "IssuerReady").await;
    let writes = world
        .okta
        .requests()
        .iter()
        .filter(|r| r.method != "GET" && r.route.contains("authorizationServers"))
        .count();
    assert_eq!(writes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_others_with_another_value_is_a_conflict_and_stays_as_it_is() {
    let mut world = World::without_operator().await;
    let admin = world.okta.admin();
    let server = admin.create_authorization_server("neo4j", "neo4j");
    admin.add_scope(&server, "neo4j_groups");
    let claim = admin.add_claim(&server, "groups", "app.profile.other", &[]);
    world.issuer(json!({})).await;
    world.start_operator().await;
    world
        .issuer_has("AuthorizationServerReady", "False", "ClaimConflict")
        .await;
    let found = admin
        .claims(&server)
        .into_iter()
        .find(|c| c["id"] == json!(claim))
        .unwrap();
    assert_eq!(found["value"], json!("app.profile.other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_with_a_key_works_with_and_without_dpop_and_a_missing_scope_is_named() {
    for dpop in [false, true] {
        let mut world = World::without_operator().await;
        let (key, pem) = SigningKey::generate().unwrap();
        let admin = world.okta.admin();
        let scopes = [
            "okta.apps.manage",
            "okta.apps.read",
            "okta.clients.read",
            "okta.authorizationServers.read",
        ];
        let app = admin.add_service_app_for_operator(
            "operator-app",
            &json!({ "keys": [key.public_jwk()] }),
            &scopes,
            dpop,
            &["SUPER_ADMIN"],
        );
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "okta-key", "annotations": { "neo4j-okta.dev/allow-host": "127.0.0.1" } },
            "stringData": { "private-key": pem.expose_secret() },
        });
        apply(
            &Api::<Secret>::namespaced(world.client.clone(), OPERATOR_NAMESPACE),
            "okta-key",
            &secret,
        )
        .await;
        world.issuer(json!({ "auth": { "apiToken": null, "privateKeyJwt": { "clientId": "operator-app", "secretRef": { "name": "okta-key" }, "keyId": key.kid() } } })).await;
        world.start_operator().await;
        let issuer = world
            .issuer_has("Authenticated", "False", "MissingPermission")
            .await;
        assert!(
            message(&issuer, "Authenticated").contains("okta.authorizationServers.manage"),
            "{}",
            message(&issuer, "Authenticated")
        );
        let all = [&scopes[..], &["okta.authorizationServers.manage"]].concat();
        admin.set_app_rights(&app, &all, &["SUPER_ADMIN"]);
        world.pass(std::time::Duration::from_secs(600));
        world.issuer_has("Authenticated", "True", "SignedIn").await;
        world.account("etl", json!({})).await;
        world.ready("etl").await;
        // The operator's own token ends after an hour; nobody notices.
        world.pass(std::time::Duration::from_secs(2 * 3600));
        world.ready("etl").await;
        world
            .account("etl", json!({ "groups": ["neo4j_publisher"] }))
            .await;
        world
            .account_is("etl", "publisher", |a| {
                a.status.as_ref().unwrap().token.as_ref().unwrap().groups == ["neo4j_publisher"]
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_in_use_outlives_its_deletion_until_the_last_account_is_gone() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world
        .issuers()
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    world
        .account("etl", json!({ "groups": ["neo4j_publisher"] }))
        .await;
    world
        .account_is("etl", "still served", |a| {
            a.status.as_ref().unwrap().token.as_ref().unwrap().groups == ["neo4j_publisher"]
        })
        .await;
    world.delete("etl").await;
    until("both gone", async || {
        let left = (
            world.accounts().get_opt("etl").await.unwrap().is_some(),
            world.issuers().get_opt("default").await.unwrap().is_some(),
        );
        if left == (false, false) {
            Ok(())
        } else {
            Err(left)
        }
    })
    .await;
    assert!(world.okta.admin().apps().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_an_issuer_says_so_and_can_be_deleted() {
    let mut world = World::without_operator().await;
    world.start_operator().await;
    world
        .account("etl", json!({ "issuerRef": { "name": "nowhere" } }))
        .await;
    world.has("etl", "Ready", "False", "IssuerNotFound").await;
    world.delete("etl").await;
    world.gone("etl").await;
}
