//! What stays at Okta when objects go: deletion both ways, abandoned apps, issuers
//! that are gone, orphans, and apps of former installations.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use neo4j_okta_operator::controller::AfterStep;
use serde_json::{Value, json};
use testbed::OPERATOR_NAMESPACE;
use tokio::sync::Notify;

use crate::harness::{World, condition, until};

async fn noted(world: &World, app_id: &str) -> Option<Value> {
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let map = maps
        .get_opt("neo4j-okta-operator-leftovers")
        .await
        .unwrap()?;
    let text = map.data?.get(app_id)?.clone();
    Some(serde_json::from_str(&text).unwrap())
}

async fn app_id(world: &World, account: &str) -> String {
    world.ready(account).await.status.unwrap().app_id.unwrap()
}

/// As somebody does who is tired of waiting.
async fn tear_out(world: &World, account: &str) {
    world.delete(account).await;
    let patch = json!({ "metadata": { "finalizers": null } });
    let _ = world
        .accounts()
        .patch(account, &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    world.gone(account).await;
}

async fn annotate_issuer(world: &World, key: &str, value: &str) {
    let patch = json!({ "metadata": { "annotations": { key: value } } });
    world
        .issuers()
        .patch("default", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
}

/// A deletion that the API server had begun before the finalizer was set goes
/// through, and so does one by somebody who takes the finalizer away.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_vanishes_in_spite_of_its_finalizer_gets_no_app() {
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let (staged, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hook: AfterStep = {
        let (staged, go_on) = (staged.clone(), go_on.clone());
        Arc::new(move |account, step| {
            let waits = account.name == "etl" && step.name() == "Stage";
            let (staged, go_on) = (staged.clone(), go_on.clone());
            async move {
                if waits {
                    staged.notify_one();
                    go_on.notified().await;
                }
            }
            .boxed()
        })
    };
    let operator = world.operator(Some(hook)).await;
    world.account("etl", json!({})).await;
    staged.notified().await;
    tear_out(&world, "etl").await;
    go_on.notify_one();
    // What it must not do leaves no trace: another account shows that it went on.
    world.account("other", json!({})).await;
    world.ready("other").await;
    world.quiet().await;
    let apps = world.okta.admin().apps();
    assert_eq!(apps.len(), 1, "{apps:#?}");
    operator.stop().await;
}

/// Waits until the operator has acted on the annotation and taken it away, so that
/// the same number deletes nothing later.
async fn answered(world: &World) {
    until("the annotation is taken away", async || {
        let issuer = world.issuers().get("default").await.unwrap();
        let annotations = issuer.metadata.annotations.unwrap_or_default();
        annotations
            .get("neo4j-okta.dev/delete-orphans")
            .map_or(Ok(()), |number| Err(number.clone()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_says_deactivate_keeps_the_app_without_groups() {
    let world = World::new().await;
    world.issuer(json!({ "onDelete": "Deactivate" })).await;
    world.account("etl", json!({})).await;
    let app = app_id(&world, "etl").await;
    world.delete("etl").await;
    world.gone("etl").await;
    let app = world.okta.admin().app(&app).unwrap();
    assert_eq!(app["status"], "INACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_abandoned_while_okta_is_away_is_noted() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app = app_id(&world, "etl").await;
    world.quiet().await;
    world.okta.stop_answering(true);
    world.delete("etl").await;
    world
        .account_is("etl", "waiting for Okta", |a| {
            condition(a, "Ready").is_some_and(|(_, r)| r == "OktaUnreachable")
        })
        .await;
    world
        .annotate("etl", "neo4j-okta.dev/abandon", "true")
        .await;
    world.pass(Duration::from_secs(301));
    world.gone("etl").await;
    world.okta.stop_answering(false);
    let note = until("noted", async || noted(&world, &app).await.ok_or(())).await;
    assert_eq!(note["account"], format!("{}/etl", world.namespace));
    assert_eq!(note["orgUrl"], world.okta.url());
    assert_eq!(note["why"], "abandoned");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_issuer_is_gone_for_a_day_is_let_go_of_and_its_app_noted() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app = app_id(&world, "etl").await;
    world.quiet().await;
    // The issuer outlives its accounts unless somebody tears its finalizer out.
    world
        .issuers()
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    let patch = json!({ "metadata": { "finalizers": null } });
    until("the issuer is gone", async || {
        let _ = world
            .issuers()
            .patch("default", &PatchParams::default(), &Patch::Merge(&patch))
            .await;
        let left = world.issuers().get_opt("default").await.unwrap();
        left.map_or(Ok(()), |_| Err(()))
    })
    .await;
    // Until the operator has heard of it, it serves on.
    world.quiet().await;
    world.delete("etl").await;
    world.has("etl", "Ready", "False", "OktaUnreachable").await;
    world.pass(Duration::from_secs(12 * 3600));
    world.quiet().await;
    assert!(world.accounts().get_opt("etl").await.unwrap().is_some());
    for _ in 0..2 {
        world.pass(Duration::from_secs(6 * 3600 + 301));
    }
    world.gone("etl").await;
    let note = until("noted", async || noted(&world, &app).await.ok_or(())).await;
    assert_eq!(note["why"], "issuer gone");
    assert!(
        world.okta.admin().app(&app).is_some(),
        "nobody could remove it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_loses_groups_and_admission_and_is_deleted_when_told() {
    let mut world = World::new().await;
    world.account("etl", json!({})).await;
    world.account("stays", json!({})).await;
    let orphan = app_id(&world, "etl").await;
    let stays = app_id(&world, "stays").await;
    world.quiet().await;
    let data = world.data("etl-okta-credentials").await;
    world.stop_operators().await;
    tear_out(&world, "etl").await;
    // Another cluster's app of the same names is none of our business.
    let mut foreign = world.okta.admin().app(&orphan).unwrap();
    foreign["label"] = json!("foreign");
    foreign["credentials"]["oauthClient"] = json!({ "client_id": "another-cluster", "token_endpoint_auth_method": "client_secret_basic" });
    foreign["profile"]["neo4j_okta_operator"]["installation"] = json!("another-cluster");
    let foreign = world.okta.admin().create_app(&foreign)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.okta.clear_requests();
    world.start_operator().await;
    until("it has looked at the server", async || {
        if world.okta.requests().is_empty() {
            Err(())
        } else {
            Ok(())
        }
    })
    .await;
    world.quiet().await;
    world.pass(Duration::from_secs(601));
    world.issuer_has("Ready", "True", "OrphanedApps").await;
    let app = world.okta.admin().app(&orphan).unwrap();
    assert_eq!(app["profile"]["neo4j_groups"], json!([]));
    until("it is not listed", async || {
        let answer = reqwest::Client::new()
            .post(&data["token_endpoint"])
            .basic_auth(&data["client_id"], data.get("client_secret"))
            .form(&[
                ("grant_type", "client_credentials"),
                ("scope", &data["scope"]),
            ])
            .send()
            .await
            .unwrap();
        if answer.status().is_success() {
            Err(())
        } else {
            Ok(())
        }
    })
    .await;
    assert_eq!(noted(&world, &orphan).await.unwrap()["why"], "orphan");
    // A wrong number deletes nothing; the right one deletes exactly those.
    annotate_issuer(&world, "neo4j-okta.dev/delete-orphans", "2").await;
    answered(&world).await;
    assert!(world.okta.admin().app(&orphan).is_some());
    annotate_issuer(&world, "neo4j-okta.dev/delete-orphans", "1").await;
    until("deleted", async || {
        world.okta.admin().app(&orphan).map_or(Ok(()), |_| Err(()))
    })
    .await;
    answered(&world).await;
    until("no note is left", async || {
        noted(&world, &orphan).await.map_or(Ok(()), Err)
    })
    .await;
    for (app, groups) in [
        (stays, json!(["neo4j_reader"])),
        (foreign, json!(["neo4j_reader"])),
    ] {
        let app = world.okta.admin().app(&app).unwrap();
        assert_eq!(
            (&app["status"], &app["profile"]["neo4j_groups"]),
            (&json!("ACTIVE"), &groups)
        );
    }
    assert!(world.signs_in("stays").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_move_to_another_cluster_an_account_takes_its_app_over() {
    let mut world = World::new().await;
    world.account("etl", json!({})).await;
    world.account("other", json!({})).await;
    let (app, other) = (app_id(&world, "etl").await, app_id(&world, "other").await);
    world.quiet().await;
    world.stop_operators().await;
    // The objects come back from a backup, with new uids, and the apps bear the
    // marker of the cluster that was.
    for (account, app) in [("etl", &app), ("other", &other)] {
        tear_out(&world, account).await;
        let mut theirs = world.okta.admin().app(app).unwrap();
        theirs["profile"]["neo4j_okta_operator"]["installation"] = json!("the-cluster-that-was");
        world.okta.admin().replace_app(app, &theirs);
    }
    until("their Secrets are collected", async || {
        let left = world
            .secrets()
            .get_opt("etl-okta-credentials")
            .await
            .unwrap();
        left.map_or(Ok(()), |_| Err(()))
    })
    .await;
    // Without the word of the platform team it stays the other cluster's.
    world.start_operator().await;
    world.account("other", json!({})).await;
    assert_ne!(app_id(&world, "other").await, other);
    world
        .issuer(json!({ "formerInstallations": ["the-cluster-that-was"] }))
        .await;
    world.quiet().await;
    world.account("etl", json!({})).await;
    assert_eq!(app_id(&world, "etl").await, app, "taken over");
    assert!(world.signs_in("etl").await);
    world.claims("etl").await;
    world.quiet().await;
    let marker = world.okta.admin().app(&app).unwrap()["profile"]["neo4j_okta_operator"].clone();
    let account = world.accounts().get("etl").await.unwrap();
    assert_eq!(marker["uid"], json!(account.metadata.uid));
    assert_ne!(marker["installation"], "the-cluster-that-was");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_written_meanwhile_is_answered_all_the_same() {
    let world = World::new().await;
    for number in 1..=12 {
        let told = number.to_string();
        annotate_issuer(&world, "neo4j-okta.dev/delete-orphans", &told).await;
        // The operator may act on what was before this.
        annotate_issuer(&world, "example.com/note", &told).await;
        answered(&world).await;
    }
}
