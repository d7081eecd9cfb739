//! Credentials are replaced while workloads use them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use neo4j_okta_operator::controller::AfterStep;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::harness::{World, condition, message, until};
use crate::workload::Workload;

const HOUR: Duration = Duration::from_secs(3700);
const SECRET: &str = "etl-okta-credentials";

/// The operator dies after each of these in turn.
const DEATHS: [Option<&str>; 8] = [
    Some("Stage"),
    Some("ListCredentials"),
    Some("AddCredential"),
    Some("Mint"),
    Some("Promote"),
    Some("DeactivateCredential"),
    Some("DeleteCredential"),
    None,
];

/// Ends the operator, as a crash would, the first time that it did this step.
fn mortal(step: Option<&'static str>) -> (AfterStep, Arc<Notify>) {
    let dead = Arc::new(Notify::new());
    let once = Arc::new(AtomicBool::new(false));
    let hook: AfterStep = {
        let dead = dead.clone();
        Arc::new(move |_, done| {
            let dies = Some(done.name()) == step && !once.swap(true, Ordering::SeqCst);
            let dead = dead.clone();
            async move {
                if dies {
                    dead.notify_one();
                    std::future::pending::<()>().await;
                }
            }
            .boxed()
        })
    };
    (hook, dead)
}

/// The app's secrets, or its keys, that may sign in.
fn active(world: &World, app_id: &str, kind: &str) -> usize {
    let list = world
        .okta
        .admin()
        .call(
            "GET",
            &format!("/api/v1/apps/{app_id}/credentials/{kind}"),
            None,
        )
        .expect("a list");
    let list = list.as_array().cloned().unwrap_or_default();
    list.iter().filter(|c| c["status"] == "ACTIVE").count()
}

async fn annotation(world: &World, key: &str) -> Option<String> {
    let secret = world.secrets().get(SECRET).await.expect("the Secret");
    secret.metadata.annotations?.get(key).cloned()
}

async fn twenty_rotations(method: &str, kind: &str, value: &str) {
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let mut operator = world.operator(None).await;
    world
        .account("etl", json!({ "authentication": method }))
        .await;
    let app_id = world.ready("etl").await.status.unwrap().app_id.unwrap();
    let workload = Workload::start(&world, "etl");
    let mut most = 0;
    for round in 0..20 {
        let death = DEATHS[round % DEATHS.len()];
        operator.kill().await;
        let (hook, dead) = mortal(death);
        operator = world.operator(Some(hook)).await;
        let before = world.data(SECRET).await[value].clone();
        world
            .annotate("etl", "neo4j-okta.dev/rotate", &round.to_string())
            .await;
        workload.pass(&world, HOUR).await;
        let rotated = until("rotated", async || {
            let now = world.data(SECRET).await[value].clone();
            if now == before { Err(round) } else { Ok(now) }
        });
        tokio::select! {
            _ = rotated => {}
            () = dead.notified(), if death.is_some() => {
                operator.kill().await;
                operator = world.operator(None).await;
                until("rotated after a crash", async || {
                    let now = world.data(SECRET).await[value].clone();
                    if now == before { Err(round) } else { Ok(()) }
                })
                .await;
            }
        }
        // Within the overlap: the most there will be of this round.
        most = most.max(active(&world, &app_id, kind));
    }
    operator.kill().await;
    let operator = world.operator(None).await;
    workload.pass(&world, HOUR).await;
    until("the last former one is gone", async || {
        match annotation(&world, "neo4j-okta.dev/retire").await {
            None => Ok(()),
            Some(retire) => Err(retire),
        }
    })
    .await;
    let report = workload.report().await;
    println!(
        "{method}: 20 rotations, {} logins, {} refused, {most} active {kind} at most, {} when settled",
        report.logins,
        report.refusals,
        active(&world, &app_id, kind)
    );
    assert_eq!(report.refusals, 0, "{report:?}");
    assert_eq!((most, active(&world, &app_id, kind)), (2, 1));
    assert!(report.logins > 20);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_rotations_of_a_client_secret_with_crashes_refuse_nobody() {
    twenty_rotations("ClientSecretBasic", "secrets", "client_secret").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_rotations_of_a_key_with_crashes_refuse_nobody() {
    twenty_rotations("PrivateKeyJwt", "jwks", "private_key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_rotate_by_themselves_and_the_status_says_when() {
    let world = World::new().await;
    let rotation = json!({ "interval": "10h", "overlap": "30m" });
    world.account("etl", json!({ "rotation": rotation })).await;
    let account = world.ready("etl").await;
    let credentials = account.status.unwrap().credentials.unwrap();
    let (at, next) = (
        credentials.rotated_at.unwrap().0,
        credentials.next_rotation_at.unwrap().0,
    );
    assert_eq!(next.duration_since(at).as_secs(), 36_000);
    let before = world.data(SECRET).await["client_secret"].clone();
    world.pass(Duration::from_secs(36_100));
    until("rotated", async || {
        let now = world.data(SECRET).await["client_secret"].clone();
        if now == before { Err(()) } else { Ok(()) }
    })
    .await;
    let account = world
        .account_is("etl", "told of the next one", |a| {
            let credentials = a.status.as_ref().and_then(|s| s.credentials.as_ref());
            credentials
                .and_then(|c| c.next_rotation_at.as_ref())
                .is_some_and(|t| t.0 > next)
        })
        .await;
    assert!(
        message(&account, "CredentialsReady").contains("the former ones work until"),
        "{}",
        message(&account, "CredentialsReady")
    );
    assert!(old_signs_in(&world, &before).await, "within the overlap");
    world.pass(Duration::from_secs(1900));
    until("the former secret is refused", async || {
        if old_signs_in(&world, &before).await {
            Err(())
        } else {
            Ok(())
        }
    })
    .await;
    assert!(world.signs_in("etl").await);
}

async fn old_signs_in(world: &World, secret: &str) -> bool {
    let data = world.data(SECRET).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", &data["scope"]),
    ];
    let answer = reqwest::Client::new()
        .post(&data["token_endpoint"])
        .basic_auth(&data["client_id"], Some(secret))
        .form(&form)
        .send()
        .await
        .unwrap();
    answer.status().is_success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_secret_in_the_second_slot_blocks_the_rotation_and_nothing_else() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app_id = world.ready("etl").await.status.unwrap().app_id.unwrap();
    let before = world.data(SECRET).await["client_secret"].clone();
    let foreign = world
        .okta
        .admin()
        .add_secret(&app_id, "somebody-elses-secret-0123456789");
    world.annotate("etl", "neo4j-okta.dev/rotate", "1").await;
    world.pass(HOUR);
    let account = world
        .has("etl", "CredentialsReady", "False", "SlotsFull")
        .await;
    assert!(message(&account, "CredentialsReady").contains(&app_id));
    // Groups change and tokens refresh all the same.
    world
        .account("etl", json!({ "groups": ["neo4j_writer"] }))
        .await;
    until("the new group is in the token", async || {
        let claims = world.claims("etl").await;
        if claims["groups"] == json!(["neo4j_writer"]) {
            Ok(())
        } else {
            Err(claims)
        }
    })
    .await;
    let account = world.accounts().get("etl").await.unwrap();
    assert_eq!(condition(&account, "Ready").unwrap().0, "True");
    assert_eq!(world.data(SECRET).await["client_secret"], before);
    // An inactive one of others makes room.
    let target = format!(
        "/api/v1/apps/{app_id}/credentials/secrets/{}/lifecycle/deactivate",
        foreign["id"].as_str().unwrap()
    );
    world.okta.admin().call("POST", &target, None).unwrap();
    world.pass(Duration::from_secs(301));
    until("rotated", async || {
        let now = world.data(SECRET).await["client_secret"].clone();
        if now == before { Err(()) } else { Ok(()) }
    })
    .await;
    world
        .has("etl", "CredentialsReady", "True", "CredentialsProved")
        .await;
    assert!(world.signs_in("etl").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_method_never_interrupts_the_token_in_the_secret() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let methods = [
        ("ClientSecretBasic", "PrivateKeyJwt", "private_key_jwt"),
        ("PrivateKeyJwt", "ClientSecretPost", "client_secret_post"),
        ("ClientSecretPost", "PrivateKeyJwt", "private_key_jwt"),
        ("PrivateKeyJwt", "ClientSecretBasic", "client_secret_basic"),
        (
            "ClientSecretBasic",
            "ClientSecretPost",
            "client_secret_post",
        ),
        (
            "ClientSecretPost",
            "ClientSecretBasic",
            "client_secret_basic",
        ),
    ];
    for (from, to, name) in methods {
        let workload = Workload::start(&world, "etl");
        world.account("etl", json!({ "authentication": to })).await;
        until(to, async || {
            let account = world.accounts().get("etl").await.unwrap();
            assert_eq!(
                condition(&account, "Ready").unwrap().0,
                "True",
                "{from} to {to}"
            );
            world.claims("etl").await; // the Secret is there, and Neo4j accepts what it holds
            let data = world.data(SECRET).await;
            let staged = data.keys().any(|k| k.starts_with("next_"));
            if data["token_endpoint_auth_method"] == name && !staged {
                Ok(())
            } else {
                Err(())
            }
        })
        .await;
        // The workload goes on for a while, so that a refusal would show its end.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let report = workload.report().await;
        println!(
            "{from} to {to}: {} logins, {} refused, for {:?} at most",
            report.logins, report.refusals, report.longest
        );
        assert!(works(&world).await, "{from} to {to}");
    }
}

/// Whether the published credentials sign in by the method that they name.
async fn works(world: &World) -> bool {
    let workload = Workload::start(world, "etl");
    let report = workload.report().await;
    report.refusals == 0 && report.logins > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_key_stays_in_the_cluster_and_is_named_by_its_thumbprint() {
    let world = World::new().await;
    world
        .account("etl", json!({ "authentication": "PrivateKeyJwt" }))
        .await;
    let app_id = world.ready("etl").await.status.unwrap().app_id.unwrap();
    let data = world.data(SECRET).await;
    let private: Value = serde_json::from_str(&data["private_key_jwk"]).unwrap();
    let app = world.okta.admin().app(&app_id).unwrap();
    let key = &app["settings"]["oauthClient"]["jwks"]["keys"][0];
    for part in ["kid", "x", "y", "crv"] {
        assert_eq!(key[part], private[part], "{part}");
    }
    assert!(key.get("d").is_none());
    assert_eq!(private["kid"], data["key_id"]);
    assert_eq!(key["alg"], "ES256");
    assert!(data["private_key"].starts_with("-----BEGIN PRIVATE KEY-----"));
}
