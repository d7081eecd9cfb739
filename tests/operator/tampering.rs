//! What strangers do to Secrets.

use std::time::Duration;

use serde_json::json;
use testbed::OPERATOR_USER;

use crate::harness::{World, until};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn deleted_and_edited_secrets_are_put_right() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    let token = world.token("etl").await;
    world.delete_secret("etl-neo4j-token").await;
    until("a new token", async || {
        match world.secrets().get_opt("etl-neo4j-token").await.unwrap() {
            Some(_) => Ok(()),
            None => Err(()),
        }
    })
    .await;
    assert_ne!(world.token("etl").await, token);
    world.quiet().await;
    let patch = json!({ "stringData": { "token": "forged" } });
    world.edit_secret("etl-neo4j-token", &patch).await;
    until("repaired", async || {
        if world.token("etl").await == "forged" {
            Err(())
        } else {
            Ok(())
        }
    })
    .await;
    world.claims("etl").await;
    world.quiet().await;
    let patch = json!({ "stringData": { "client_secret": "forged" } });
    world.edit_secret("etl-okta-credentials", &patch).await;
    until("repaired", async || {
        if world.data("etl-okta-credentials").await["client_secret"] == "forged" {
            Err(())
        } else {
            Ok(())
        }
    })
    .await;
    assert!(world.signs_in("etl").await);
    world.quiet().await;
    world.delete_secret("etl-okta-credentials").await;
    until("back", async || {
        if world
            .secrets()
            .get_opt("etl-okta-credentials")
            .await
            .unwrap()
            .is_some()
        {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    assert!(world.signs_in("etl").await);
    assert_eq!(world.okta.admin().apps().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_lost_while_the_operator_was_away_are_replaced_through_a_second_secret() {
    let mut world = World::new().await;
    world.account("etl", json!({})).await;
    let app_id = world.ready("etl").await.status.unwrap().app_id.unwrap();
    world.quiet().await;
    let lost = world.data("etl-okta-credentials").await["client_secret"].clone();
    world.stop_operators().await;
    world.delete_secret("etl-okta-credentials").await;
    world.start_operator().await;
    until("new credentials", async || {
        let secrets = world.okta.admin().secrets(&app_id);
        let data = world
            .secrets()
            .get_opt("etl-okta-credentials")
            .await
            .unwrap();
        let promoted =
            data.is_some_and(|s| s.data.unwrap_or_default().contains_key("client_secret"));
        if promoted && secrets.len() == 1 {
            Ok(())
        } else {
            Err(secrets.len())
        }
    })
    .await;
    let found = world.data("etl-okta-credentials").await["client_secret"].clone();
    assert_ne!(found, lost);
    assert!(world.signs_in("etl").await);
    assert_eq!(
        world.okta.admin().secrets(&app_id)[0]["client_secret"],
        json!(found)
    );
    assert_eq!(world.okta.admin().apps().len(), 1, "never a second app");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_label_on_a_secret_stays_and_causes_no_read() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let token = world.ready("etl").await.status.unwrap().token.unwrap();
    world.quiet().await;
    let reads = || {
        world
            .cluster
            .audit()
            .iter()
            .filter(|e| {
                e.user == OPERATOR_USER
                    && e.resource == "secrets"
                    && e.verb == "get"
                    && e.namespace.as_deref() == Some(&world.namespace)
            })
            .count()
    };
    let before = reads();
    let patch = json!({ "metadata": { "labels": { "team": "data" }, "annotations": { "note": "theirs" } } });
    for secret in ["etl-neo4j-token", "etl-okta-credentials"] {
        world.edit_secret(secret, &patch).await;
    }
    world.quiet().await;
    assert_eq!(reads(), before);
    world.pass(MINUTE * 50);
    world
        .account_is("etl", "refreshed", |a| {
            a.status.as_ref().unwrap().token.as_ref().unwrap().issued_at > token.issued_at
        })
        .await;
    let secret = world.secrets().get("etl-neo4j-token").await.unwrap();
    assert_eq!(secret.metadata.labels.unwrap()["team"], "data");
    assert_eq!(secret.metadata.annotations.unwrap()["note"], "theirs");
    world.quiet().await;
    assert_eq!(reads(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expiry_that_somebody_pushed_out_does_not_let_the_token_go_stale() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    let before = world.token("etl").await;
    let far = "2999-01-01T00:00:00Z";
    let patch = json!({ "metadata": { "annotations": { "neo4j-okta.dev/expires-at": far, "neo4j-okta.dev/refresh-at": far } } });
    world.edit_secret("etl-neo4j-token", &patch).await;
    until("put right", async || {
        if world.token("etl").await == before {
            Err(())
        } else {
            Ok(())
        }
    })
    .await;
    let account = world.ready("etl").await;
    assert!(
        account
            .status
            .unwrap()
            .token
            .unwrap()
            .expires_at
            .0
            .to_string()
            .as_str()
            < "2990"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_signature_alone_was_damaged_is_replaced() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    let mut damaged = world.token("etl").await;
    damaged.truncate(damaged.len() - 8);
    damaged.push_str("AAAAAAAA");
    let patch = json!({ "stringData": { "token": damaged } });
    world.edit_secret("etl-neo4j-token", &patch).await;
    until("replaced", async || {
        if world.token("etl").await == damaged {
            Err("still damaged")
        } else {
            Ok(())
        }
    })
    .await;
    world.claims("etl").await;
}
