//! Okta away, Okta answering half, Okta lying; deletion in bad weather.

use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use neo4j_okta_operator::api::Neo4jServiceAccount;
use okta_emulator::{Fault, FaultKind};
use serde_json::json;

use crate::harness::{World, condition, message, until};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_within_the_promise_is_invisible_and_beyond_it_the_account_says_so_at_expiry() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let token = world.ready("etl").await.status.unwrap().token.unwrap();
    world.quiet().await;
    world.okta.stop_answering(true);
    world.pass(50 * MINUTE);
    let degraded = world
        .has("etl", "TokenFresh", "False", "OktaUnreachable")
        .await;
    assert_eq!(
        condition(&degraded, "Ready").unwrap().0,
        "True",
        "degraded, not dead"
    );
    assert!(
        message(&degraded, "TokenFresh").contains(&token.expires_at.0.to_string()),
        "{}",
        message(&degraded, "TokenFresh")
    );
    assert_eq!(condition(&degraded, "Reconciling"), None);
    // Five seconds before expiry it is still ready, five after it is not.
    let left = token
        .expires_at
        .0
        .duration_since(world.clock.now())
        .unsigned_abs();
    world.pass(left - Duration::from_secs(5));
    assert_eq!(
        condition(&world.accounts().get("etl").await.unwrap(), "Ready")
            .unwrap()
            .0,
        "True"
    );
    let expired = world.has("etl", "Ready", "False", "TokenExpired").await;
    assert!(world.clock.now() >= token.expires_at.0);
    assert!(
        message(&expired, "Ready").contains("expired at"),
        "{}",
        message(&expired, "Ready")
    );
    world.okta.stop_answering(false);
    world.pass(5 * MINUTE);
    world.ready("etl").await;
    world.claims("etl").await;
}

/// More accounts than are worked on at once: those that never get to ask Okta say
/// that their token ran out as well.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_line_while_okta_hangs_says_so_at_expiry() {
    let world = World::new().await;
    // By the first Okta tells its limits; until then others would be put off.
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let names: Vec<_> = (1..40).map(|n| format!("etl-{n}")).collect();
    for name in &names {
        world.account(name, json!({})).await;
    }
    for name in &names {
        world.ready(name).await;
    }
    let hangs = Fault::new(FaultKind::Latency(300_000));
    world
        .okta
        .inject(hangs.on("POST", "/oauth2/{authServerId}/v1/token"));
    world.pass(61 * MINUTE);
    until("all in line", async || {
        let accounts = world.accounts().list(&ListParams::default()).await.unwrap();
        let expired = |a: &&Neo4jServiceAccount| {
            condition(a, "Ready") == Some(("False".to_owned(), "TokenExpired".to_owned()))
                && message(a, "Ready").contains("waits for its turn")
        };
        match accounts.iter().filter(expired).count() {
            8 => Ok(()),
            other => Err(other),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_answer_is_lost_leads_to_one_app_even_if_the_label_is_edited_meanwhile() {
    let world = World::new().await;
    world.okta.inject(
        Fault::new(FaultKind::CutAfter)
            .on("POST", "/api/v1/apps")
            .times(1),
    );
    world.account("etl", json!({})).await;
    until("created", async || {
        if world.okta.admin().apps().len() == 1 {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    world
        .account("etl", json!({ "displayName": "Another label" }))
        .await;
    world.ready("etl").await;
    let apps = world.okta.admin().apps();
    assert_eq!(apps.len(), 1, "{apps:#?}");
    assert_eq!(apps[0]["label"], json!("Another label"));
    assert_eq!(world.okta.count("POST", "/api/v1/apps"), 1);
    assert!(world.signs_in("etl").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_never_arrived_is_repeated() {
    let world = World::new().await;
    world.okta.inject(
        Fault::new(FaultKind::CutBefore)
            .on("POST", "/api/v1/apps")
            .times(1),
    );
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    assert_eq!(world.okta.admin().apps().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_another_client_id_than_asked_is_removed_and_named() {
    let world = World::new().await;
    world.okta.inject(
        Fault::new(FaultKind::CreateAnswersOtherClientId)
            .on("POST", "/api/v1/apps")
            .times(1),
    );
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let apps = world.okta.admin().apps();
    assert_eq!(apps.len(), 1, "{apps:#?}");
    assert!(world.signs_in("etl").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_id_that_somebody_else_holds_is_left_to_them() {
    let mut world = World::without_operator().await;
    world.issuer(json!({})).await;
    world.account("etl", json!({})).await;
    let account = world.accounts().get("etl").await.unwrap();
    let uid: String = account.metadata.uid.unwrap().chars().take(8).collect();
    let client_id = format!("test.{}.etl.{uid}", world.namespace);
    let theirs = world.okta.admin().create_app(&json!({
        "name": "oidc_client", "label": "theirs", "signOnMode": "OPENID_CONNECT",
        "credentials": { "oauthClient": { "client_id": client_id, "token_endpoint_auth_method": "client_secret_basic" } },
        "settings": { "oauthClient": { "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"] } },
    }));
    world.start_operator().await;
    let status = world.ready("etl").await.status.unwrap();
    assert_eq!(status.client_id.unwrap(), format!("{client_id}-1"));
    let untouched = world
        .okta
        .admin()
        .app(theirs["id"].as_str().unwrap())
        .unwrap();
    assert_eq!(untouched["label"], json!("theirs"));
    assert_eq!(untouched["lastUpdated"], theirs["lastUpdated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn okta_that_shows_new_things_late_only_costs_time() {
    let world = World::new().await;
    world.okta.inject(Fault::new(FaultKind::Lag(4000)));
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world
        .account("etl", json!({ "groups": ["neo4j_publisher"] }))
        .await;
    world
        .account_is("etl", "publisher", |a| {
            a.status.as_ref().unwrap().token.as_ref().unwrap().groups == ["neo4j_publisher"]
        })
        .await;
    assert_eq!(
        world.claims("etl").await["groups"],
        json!(["neo4j_publisher"])
    );
    assert_eq!(world.okta.admin().apps().len(), 1);
    assert_eq!(
        world
            .okta
            .count("POST", "/api/v1/apps/{appId}/credentials/secrets"),
        0,
        "no secret was replaced in panic"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_and_refusals_end_in_a_token_once_okta_is_well() {
    let world = World::new().await;
    for kind in [
        FaultKind::Status {
            status: 500,
            error_code: None,
        },
        FaultKind::Status {
            status: 503,
            error_code: None,
        },
        FaultKind::Malformed,
        FaultKind::Truncated,
    ] {
        world.okta.inject(Fault::new(kind).times(1));
    }
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    assert_eq!(world.okta.admin().apps().len(), 1);
    assert!(world.signs_in("etl").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_waits_for_okta_and_then_goes_through() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    world.okta.stop_answering(true);
    world.delete("etl").await;
    let waiting = world.has("etl", "Ready", "False", "OktaUnreachable").await;
    assert!(
        message(&waiting, "Ready").contains("neo4j-okta.dev/abandon"),
        "{}",
        message(&waiting, "Ready")
    );
    assert_eq!(world.okta.admin().apps().len(), 1);
    world.okta.stop_answering(false);
    world.pass(5 * MINUTE);
    world.gone("etl").await;
    assert!(world.okta.admin().apps().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_the_status_names_but_that_is_not_ours_survives_the_deletion() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let ours = world.ready("etl").await.status.unwrap().app_id.unwrap();
    world.quiet().await;
    let mut world = world;
    world.stop_operators().await;
    let theirs = world.okta.admin().create_app(&json!({
        "name": "oidc_client", "label": "theirs", "signOnMode": "OPENID_CONNECT",
        "credentials": { "oauthClient": { "token_endpoint_auth_method": "client_secret_basic" } },
        "settings": { "oauthClient": { "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"] } },
    }));
    let forged = json!({ "status": { "appId": theirs["id"] } });
    let api: Api<Neo4jServiceAccount> = world.accounts();
    api.patch_status("etl", &PatchParams::default(), &Patch::Merge(&forged))
        .await
        .unwrap();
    api.delete("etl", &DeleteParams::default()).await.unwrap();
    world.start_operator().await;
    until("gone", async || {
        if api.get_opt("etl").await.unwrap().is_none() {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    let untouched = world
        .okta
        .admin()
        .app(theirs["id"].as_str().unwrap())
        .unwrap();
    assert_eq!(untouched["status"], json!("ACTIVE"));
    assert_ne!(ours, theirs["id"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_can_be_deleted_with_its_accounts() {
    let world = World::new().await;
    world.account("one", json!({})).await;
    world.account("two", json!({})).await;
    world.ready("one").await;
    world.ready("two").await;
    world.delete_namespace().await;
    assert!(world.okta.admin().apps().is_empty());
}
