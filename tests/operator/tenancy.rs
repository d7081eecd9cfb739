//! Who may have what, and what strangers do to Secrets and objects.

use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use neo4j_okta_operator::api::Neo4jServiceAccount;
use serde_json::{Value, json};
use testbed::OPERATOR_USER;

use crate::harness::{World, apply, condition, message, until};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn two_namespaces_share_an_issuer_and_each_gets_only_what_is_allowed_there() {
    let world = World::new().await;
    let other = world.cluster.namespace("billing").await;
    world
        .issuer(json!({ "allow": [
        { "namespaces": [world.namespace.clone()], "groups": ["neo4j_publisher"] },
        { "namespaces": [other.clone()], "groups": ["neo4j_reader"] },
    ] }))
        .await;
    world
        .account("etl", json!({ "groups": ["neo4j_publisher"] }))
        .await;
    world.ready("etl").await;
    let accounts: Api<Neo4jServiceAccount> = Api::namespaced(world.client.clone(), &other);
    let greedy = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": "greedy", "namespace": other }, "spec": { "groups": ["neo4j_reader", "neo4j_publisher"] },
    });
    apply(&accounts, "greedy", &greedy).await;
    let refused = until("refused", async || {
        let account = accounts.get("greedy").await.unwrap();
        if condition(&account, "Ready").is_some_and(|(_, r)| r == "NotAllowed") {
            Ok(account)
        } else {
            Err(account.status)
        }
    })
    .await;
    assert!(
        message(&refused, "Ready").contains("neo4j_publisher"),
        "{}",
        message(&refused, "Ready")
    );
    assert_eq!(
        world.okta.admin().apps().len(),
        1,
        "nothing is registered for it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_taken_away_stops_the_account_after_a_minute_and_given_back_resumes_it()
 {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    world
        .issuer(json!({ "allow": [{ "namespaces": ["elsewhere"], "groups": ["neo4j_*"] }] }))
        .await;
    world.has("etl", "Ready", "False", "NotAllowed").await;
    assert!(
        world
            .secrets()
            .get_opt("etl-neo4j-token")
            .await
            .unwrap()
            .is_some(),
        "a minute of grace"
    );
    world.pass(MINUTE + Duration::from_secs(1));
    until("withdrawn", async || {
        if world
            .secrets()
            .get_opt("etl-neo4j-token")
            .await
            .unwrap()
            .is_none()
        {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    until("inactive", async || {
        let app = world.okta.admin().apps()[0].clone();
        if app["status"] == "INACTIVE" && app["profile"]["neo4j_groups"] == json!([]) {
            Ok(())
        } else {
            Err(app)
        }
    })
    .await;
    world.issuer(json!({})).await;
    world.ready("etl").await;
    assert_eq!(world.claims("etl").await["groups"], json!(["neo4j_reader"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_no_longer_allowed_can_still_be_deleted_and_its_namespace_too() {
    let world = World::new().await;
    for name in ["one", "two"] {
        world.account(name, json!({})).await;
        world.ready(name).await;
    }
    world.issuer(json!({ "allow": [] })).await;
    world.has("one", "Ready", "False", "NotAllowed").await;
    world
        .accounts()
        .delete("one", &DeleteParams::default())
        .await
        .unwrap();
    until("gone", async || {
        if world.accounts().get_opt("one").await.unwrap().is_none() {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(world.client.clone());
    namespaces
        .delete(&world.namespace, &DeleteParams::default())
        .await
        .unwrap();
    until("gone", async || {
        if namespaces
            .get_opt(&world.namespace)
            .await
            .unwrap()
            .is_none()
        {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    assert!(world.okta.admin().apps().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_allowed_by_its_label_and_loses_that_with_the_label() {
    let world = World::new().await;
    world.issuer(json!({ "allow": [{ "namespaceSelector": { "matchLabels": { "team": "data" } }, "groups": ["neo4j_*"] }] })).await;
    world.account("etl", json!({})).await;
    world.has("etl", "Ready", "False", "NotAllowed").await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(world.client.clone());
    let label = async |value: Value| {
        let patch = json!({ "metadata": { "labels": { "team": value } } });
        namespaces
            .patch(
                &world.namespace,
                &PatchParams::default(),
                &Patch::Merge(&patch),
            )
            .await
            .unwrap();
    };
    label(json!("data")).await;
    world.ready("etl").await;
    label(Value::Null).await;
    world.has("etl", "Ready", "False", "NotAllowed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_and_edited_secrets_are_put_right() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    let token = world.token("etl").await;
    world
        .secrets()
        .delete("etl-neo4j-token", &DeleteParams::default())
        .await
        .unwrap();
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
    world
        .secrets()
        .patch(
            "etl-neo4j-token",
            &PatchParams::default(),
            &Patch::Merge(&patch),
        )
        .await
        .unwrap();
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
    world
        .secrets()
        .patch(
            "etl-okta-credentials",
            &PatchParams::default(),
            &Patch::Merge(&patch),
        )
        .await
        .unwrap();
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
    world
        .secrets()
        .delete("etl-okta-credentials", &DeleteParams::default())
        .await
        .unwrap();
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
    world
        .secrets()
        .delete("etl-okta-credentials", &DeleteParams::default())
        .await
        .unwrap();
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
        world
            .secrets()
            .patch(secret, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
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
    world
        .secrets()
        .patch(
            "etl-neo4j-token",
            &PatchParams::default(),
            &Patch::Merge(&patch),
        )
        .await
        .unwrap();
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
async fn kubectl_shows_readiness_groups_and_expiry_and_never_invalid() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let output = std::process::Command::new(world.cluster.kubectl())
        .args([
            "--kubeconfig",
            &world.cluster.kubeconfig().display().to_string(),
            "get",
            "n4jsa,oktaiss",
            "-A",
            "-o",
            "wide",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("<invalid>"), "{text}");
    for word in [
        "READY",
        "GROUPS",
        "EXPIRES",
        "NEXT-REFRESH",
        "neo4j_reader",
        "True",
        "TokenIssued",
    ] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    let accounts = world
        .accounts()
        .list(&ListParams::default().fields("spec.issuerRef.name=default"))
        .await
        .unwrap();
    assert_eq!(accounts.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slip_in_allow_that_would_stop_many_accounts_waits_for_a_confirmation() {
    let world = World::new().await;
    for i in 0..12 {
        world.account(&format!("etl-{i}"), json!({})).await;
    }
    for i in 0..12 {
        world.ready(&format!("etl-{i}")).await;
    }
    world.quiet().await;
    world.issuer(json!({ "allow": [] })).await;
    let issuer = world.issuer_has("Ready", "False", "MassRemoval").await;
    let said = format!("{:?}", issuer.status);
    assert!(said.contains("confirm-removals=12"), "{said}");
    world.pass(MINUTE * 3);
    world.quiet().await;
    let tokens = async || {
        let secrets = world.secrets().list(&ListParams::default()).await.unwrap();
        secrets
            .iter()
            .filter(|s| s.type_.as_deref() == Some("servicebinding.io/neo4j"))
            .count()
    };
    assert_eq!(tokens().await, 12, "nobody lost a token");
    world.pass(MINUTE * 40);
    world.quiet().await;
    world.ready("etl-0").await;
    let confirm =
        json!({ "metadata": { "annotations": { "neo4j-okta.dev/confirm-removals": "12" } } });
    world
        .issuers()
        .patch("default", &PatchParams::default(), &Patch::Merge(&confirm))
        .await
        .unwrap();
    world.has("etl-0", "Ready", "False", "NotAllowed").await;
    world.pass(MINUTE * 2);
    until("all withdrawn", async || match tokens().await {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
}
