//! From apply to a token, through changes, and back.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::harness::{World, condition, until};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn an_applied_account_gets_an_app_credentials_and_a_token_that_neo4j_can_verify() {
    let world = World::new().await;
    world
        .account(
            "etl",
            json!({ "groups": ["neo4j_reader", "neo4j_publisher"] }),
        )
        .await;
    let status = world.ready("etl").await.status.unwrap();
    let client_id = status.client_id.unwrap();
    let claims = world.claims("etl").await;
    assert_eq!(claims["groups"], json!(["neo4j_publisher", "neo4j_reader"]));
    assert_eq!(claims["sub"], json!(client_id));
    assert!(
        client_id.starts_with(&format!("test.{}.etl.", world.namespace)),
        "{client_id}"
    );
    assert!(world.signs_in("etl").await);
    let apps = world.okta.admin().apps();
    assert_eq!(apps.len(), 1);
    assert_eq!(
        apps[0]["label"],
        json!(format!("test/{}/etl", world.namespace))
    );
    assert_eq!(status.binding.unwrap().name, "etl-neo4j-token");
    let keys: Vec<String> = world
        .data("etl-okta-credentials")
        .await
        .into_keys()
        .collect();
    assert!(!keys.iter().any(|k| k.starts_with("next_")), "{keys:?}");
    let quiet = condition(&world.ready("etl").await, "Reconciling");
    assert_eq!(quiet, None, "kstatus would never call it current");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_replaced_at_its_planned_instant_and_not_before() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let before = world.ready("etl").await.status.unwrap().token.unwrap();
    world.quiet().await;
    let asked = world.tokens_asked();
    let planned = before
        .next_refresh_at
        .0
        .duration_since(before.issued_at.0)
        .unsigned_abs();
    world.pass(planned - Duration::from_secs(30));
    world.quiet().await;
    assert_eq!(world.tokens_asked(), asked, "too early");
    world.pass(Duration::from_secs(40));
    let after = world
        .account_is("etl", "refreshed", |a| {
            a.status.as_ref().unwrap().token.as_ref().unwrap().issued_at > before.issued_at
        })
        .await;
    assert_eq!(world.tokens_asked(), asked + 1);
    assert_eq!(condition(&after, "Ready").unwrap().0, "True");
    assert!(world.claims("etl").await["exp"].as_i64().unwrap() > before.expires_at.0.as_second());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_change_reaches_the_next_token_at_once() {
    let world = World::new().await;
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
    let app = &world.okta.admin().apps()[0];
    assert_eq!(app["profile"]["neo4j_groups"], json!(["neo4j_publisher"]));
    assert_eq!(world.okta.count("PUT", "/api/v1/apps/{appId}"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_leaves_nothing_behind() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.delete("etl").await;
    world.gone("etl").await;
    assert_eq!(world.okta.admin().apps(), Vec::<serde_json::Value>::new());
    for secret in ["etl-okta-credentials", "etl-neo4j-token"] {
        until("collected", async || {
            if world.secrets().get_opt(secret).await.unwrap().is_none() {
                Ok(())
            } else {
                Err(secret)
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_loses_token_and_app_and_resumes() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.account("etl", json!({ "suspended": true })).await;
    let account = world.has("etl", "Ready", "False", "Suspended").await;
    assert_eq!(condition(&account, "Stalled").unwrap().1, "Suspended");
    assert!(
        world
            .secrets()
            .get_opt("etl-neo4j-token")
            .await
            .unwrap()
            .is_none()
    );
    let app = world.okta.admin().apps()[0].clone();
    assert_eq!(
        (app["status"].as_str(), &app["profile"]["neo4j_groups"]),
        (Some("INACTIVE"), &json!([]))
    );
    world.account("etl", json!({ "suspended": false })).await;
    world.ready("etl").await;
    assert_eq!(world.claims("etl").await["groups"], json!(["neo4j_reader"]));
    assert_eq!(world.okta.admin().apps().len(), 1);
    assert!(world.signs_in("etl").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_an_okta_admin_deactivates_stays_off_until_it_is_restored() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app_id = world.ready("etl").await.status.unwrap().app_id.unwrap();
    world.okta.admin().deactivate_app(&app_id);
    world.pass(HOUR * 2 / 3);
    world.has("etl", "Ready", "False", "DisabledInOkta").await;
    assert!(
        world
            .secrets()
            .get_opt("etl-neo4j-token")
            .await
            .unwrap()
            .is_none()
    );
    let asked = world.tokens_asked();
    world.pass(HOUR * 2);
    world.quiet().await;
    assert_eq!(world.tokens_asked(), asked, "no token is asked for");
    world.annotate("etl", "neo4j-okta.dev/restore", "1").await;
    world.ready("etl").await;
    world.claims("etl").await;
    world.quiet().await;
    world.okta.admin().deactivate_app(&app_id);
    world.pass(HOUR * 2 / 3);
    world.has("etl", "Ready", "False", "DisabledInOkta").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_an_okta_admin_deletes_is_registered_anew_only_when_restored() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app_id = world.ready("etl").await.status.unwrap().app_id.unwrap();
    world.quiet().await;
    world.okta.admin().delete_app(&app_id);
    world.pass(HOUR * 2 / 3);
    world.has("etl", "Ready", "False", "DeletedInOkta").await;
    world.quiet().await;
    assert!(world.okta.admin().apps().is_empty());
    world.annotate("etl", "neo4j-okta.dev/restore", "1").await;
    let status = world.ready("etl").await.status.unwrap();
    assert!(status.client_id.unwrap().ends_with("-1"));
    assert!(world.signs_in("etl").await);
    assert_eq!(world.okta.admin().apps().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_on_demand_gives_one_new_token() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    let (before, asked) = (world.token("etl").await, world.tokens_asked());
    world.annotate("etl", "neo4j-okta.dev/renew", "now").await;
    until("renewed", async || {
        if world.token("etl").await == before {
            Err("the same token")
        } else {
            Ok(())
        }
    })
    .await;
    world.quiet().await;
    assert_eq!(world.tokens_asked(), asked + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nothing_happens_nothing_is_written_and_nobody_is_asked() {
    let world = World::new().await;
    for name in ["one", "two", "three"] {
        world.account(name, json!({})).await;
        world.ready(name).await;
    }
    // The issuer tells the number of its accounts once a minute at most.
    world.quiet().await;
    world.pass(Duration::from_secs(61));
    world.quiet().await;
    let versions = async || -> Vec<Option<String>> {
        let accounts = world.accounts().list(&Default::default()).await.unwrap();
        let secrets = world.secrets().list(&Default::default()).await.unwrap();
        let issuer = world.issuers().get("default").await.unwrap();
        accounts
            .iter()
            .map(ResourceExt::resource_version)
            .chain(secrets.iter().map(ResourceExt::resource_version))
            .chain([issuer.resource_version()])
            .collect()
    };
    let before = (versions().await, world.okta.requests().len());
    // Nothing is what has to happen.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((versions().await, world.okta.requests().len()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_secret_is_never_overwritten_and_the_account_takes_over_once_it_is_gone() {
    let world = World::new().await;
    let foreign = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "etl-neo4j-token" }, "stringData": { "token": "theirs" } });
    let api: Api<Secret> = world.secrets();
    api.patch(
        "etl-neo4j-token",
        &PatchParams::apply("them").force(),
        &Patch::Apply(&foreign),
    )
    .await
    .unwrap();
    world.account("etl", json!({})).await;
    let account = world.has("etl", "Ready", "False", "SecretConflict").await;
    let stalled = account
        .status
        .unwrap()
        .conditions
        .into_iter()
        .find(|c| c.type_ == "Stalled")
        .unwrap();
    assert!(
        stalled.message.contains("etl-neo4j-token"),
        "{}",
        stalled.message
    );
    assert_eq!(world.token("etl").await, "theirs");
    api.delete("etl-neo4j-token", &DeleteParams::default())
        .await
        .unwrap();
    world.pass(HOUR / 10);
    world.ready("etl").await;
    world.claims("etl").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_two_hours_ahead_and_is_set_right_lets_no_token_go_stale() {
    let mut world = World::without_operator().await;
    world.clock.advance(HOUR * 2);
    world.issuer(json!({})).await;
    world.start_operator().await;
    world.issuer_has("Ready", "True", "ClockSkew").await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    let asked = world.tokens_asked();
    world.clock.turn_back(HOUR * 2);
    until("a new token", async || match world.tokens_asked() - asked {
        0 => Err(0),
        asked => Ok(asked),
    })
    .await;
    world.quiet().await;
    let token = world.ready("etl").await.status.unwrap().token.unwrap();
    let ends = world.claims("etl").await["exp"].as_i64().unwrap();
    assert!(token.next_refresh_at.0.as_second() < ends);
    assert_eq!(world.tokens_asked(), asked + 1);
}
