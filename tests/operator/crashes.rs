//! The operator dies, freezes, or starts again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use kube::api::ListParams;
use neo4j_okta_operator::clock::Clock;
use neo4j_okta_operator::controller::{AfterStep, Fence, Operator, Settings};
use neo4j_okta_operator::metrics::Metrics;
use serde_json::json;
use testbed::{Child, OPERATOR_NAMESPACE, OPERATOR_USER};
use tokio::sync::Notify;

use crate::harness::{World, until};

const FAULT: &str = "TEST_DIE_AFTER_STEP";

/// Not a test by itself: this binary, started again with [`FAULT`], is the
/// operator that ends by SIGKILL after that step.
#[tokio::test(flavor = "multi_thread")]
async fn operator_process() {
    let Ok(step) = std::env::var(FAULT) else {
        return;
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = kube::Client::try_default().await.expect("a cluster");
    let after_step: AfterStep = Arc::new(move |_, done| {
        let die = done.name() == step;
        async move {
            if die {
                let me = std::process::id().to_string();
                let _ = std::process::Command::new("kill")
                    .args(["-9", &me])
                    .status();
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    });
    let settings = Settings {
        namespace: OPERATOR_NAMESPACE.to_owned(),
        watch_namespaces: Default::default(),
        instance: "doomed".to_owned(),
        clock: Clock::system(),
        fence: Fence::open(),
        okta_timeout: neo4j_okta_operator::okta::TIMEOUT,
        metrics: Metrics::default(),
        after_step: Some(after_step),
    };
    Operator::new(client, settings, std::future::pending())
        .await
        .expect("an operator")
        .run()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_step_of_the_first_registration_it_ends_with_one_app_and_a_working_secret()
{
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let exe = std::env::current_exe().unwrap();
    let steps = [
        "AddFinalizer",
        "Stage",
        "ConfirmAccount",
        "CreateApp",
        "Admit",
        "Mint",
        "Promote",
        "Publish",
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let account = format!("killed-{}", step.to_lowercase());
        world.account(&account, json!({})).await;
        let kubeconfig = world.cluster.operator_kubeconfig().display().to_string();
        let log = world.cluster.directory().join(format!("{account}.log"));
        let mut child = Child::spawn(
            &exe,
            ["--exact", "crashes::operator_process", "--nocapture"],
            [(FAULT, step), ("KUBECONFIG", kubeconfig.as_str())],
            &log,
        )
        .unwrap();
        let exit = tokio::time::timeout(crate::harness::PATIENCE, child.wait())
            .await
            .unwrap_or_else(|_| panic!("{step} is never done"));
        assert_eq!(
            exit.code,
            128 + 9,
            "{step}: {}",
            std::fs::read_to_string(&log).unwrap_or_default()
        );
        let operator = world.operator(None).await;
        world.ready(&account).await;
        assert!(world.signs_in(&account).await, "after {step}");
        world.claims(&account).await;
        assert_eq!(
            world.okta.admin().apps().len(),
            number + 1,
            "after {step}: one app for each account"
        );
        let keys = world.data(&format!("{account}-okta-credentials")).await;
        assert!(!keys.keys().any(|k| k.starts_with("next_")), "after {step}");
        operator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_200_accounts_asks_for_no_token_and_reads_no_secret() {
    let mut world = World::new().await;
    world.issuer(json!({ "allow": [{ "namespaces": [world.namespace.clone()], "groups": ["neo4j_*"], "maxAccounts": 1000 }] })).await;
    for i in 0..200 {
        world.account(&format!("etl-{i}"), json!({})).await;
    }
    until("all ready", async || {
        let accounts = world.accounts().list(&ListParams::default()).await.unwrap();
        let ready = accounts
            .iter()
            .filter(|a| crate::harness::condition(a, "Ready").is_some_and(|c| c.0 == "True"))
            .count();
        if ready == 200 { Ok(()) } else { Err(ready) }
    })
    .await;
    // Right after all were created, and once it is noted how far the log was read:
    // before that it is read again, and the apps in it are looked at.
    for noted in [false, true] {
        for _ in 0..if noted { 2 } else { 0 } {
            world.quiet().await;
            world.pass(Duration::from_secs(65));
        }
        world.quiet().await;
        world.stop_operators().await;
        world.okta.clear_requests();
        let before = reads(&world).await;
        world.start_operator().await;
        until("looked", async || {
            if world.okta.requests().is_empty() {
                Err(())
            } else {
                Ok(())
            }
        })
        .await;
        world.quiet().await;
        assert_eq!(world.tokens_asked(), 0, "noted: {noted}");
        let requests = world.okta.requests();
        let of_apps = requests
            .iter()
            .filter(|r| r.route.starts_with("/api/v1/apps"));
        assert!(of_apps.clone().all(|r| r.method == "GET"));
        assert!(!noted || of_apps.count() == 0);
        assert_eq!(reads(&world).await - before, 0, "Secrets read");
    }
}

/// Values of accounts' Secrets read by the operator so far. A marker request of
/// our own shows that the audit log has come that far.
async fn reads(world: &World) -> usize {
    let marker = format!("marker-{}", world.okta.clock().now_ms());
    let _ = world.secrets().get_opt(&marker).await;
    until("audited", async || {
        if world
            .cluster
            .audit()
            .iter()
            .any(|e| e.name.as_deref() == Some(&marker))
        {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    let audit = world.cluster.audit();
    audit
        .iter()
        .filter(|e| {
            e.user == OPERATOR_USER
                && e.resource == "secrets"
                && e.verb == "get"
                && e.namespace.as_deref() == Some(&world.namespace)
        })
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_was_frozen_while_another_promoted_destroys_nothing() {
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let (frozen, wake) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let hook: AfterStep = {
        let (frozen, wake) = (frozen.clone(), wake.clone());
        Arc::new(move |_, step| {
            let freeze = step.name() == "Mint" && !frozen.swap(true, Ordering::SeqCst);
            let wake = wake.clone();
            async move {
                if freeze {
                    wake.notified().await;
                }
            }
            .boxed()
        })
    };
    let first = world.operator(Some(hook)).await;
    world.account("etl", json!({})).await;
    until("frozen before it promotes", async || {
        if frozen.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    let second = world.operator(None).await;
    world.ready("etl").await;
    world.quiet().await;
    let data = world.data("etl-okta-credentials").await;
    second.stop().await;
    wake.notify_one();
    // What it must not do leaves no trace to wait for.
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.quiet().await;
    assert_eq!(
        world.data("etl-okta-credentials").await,
        data,
        "the newer secret stands"
    );
    assert!(world.signs_in("etl").await);
    assert_eq!(world.okta.admin().apps().len(), 1);
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registration_and_a_refresh_cost_is_as_promised() {
    let world = World::new().await;
    world.account("warm-up", json!({})).await;
    world.ready("warm-up").await;
    world.quiet().await;
    let audit = async || {
        reads(&world).await;
        world
            .cluster
            .audit()
            .into_iter()
            .filter(|e| e.user == OPERATOR_USER && e.namespace.as_deref() == Some(&world.namespace))
            .collect::<Vec<_>>()
    };
    let writes = |events: &[testbed::AuditEvent]| {
        events
            .iter()
            .filter(|e| {
                ["create", "update", "patch", "delete"].contains(&e.verb.as_str())
                    && e.resource != "events"
            })
            .count()
    };
    let gets = |events: &[testbed::AuditEvent]| {
        events
            .iter()
            .filter(|e| ["get", "list"].contains(&e.verb.as_str()))
            .count()
    };
    let (before, okta_before) = (audit().await, world.okta.requests().len());
    world.account("etl", json!({})).await;
    let token = world.ready("etl").await.status.unwrap().token.unwrap();
    world.quiet().await;
    let (registered, okta_registered) = (audit().await, world.okta.requests().len());
    println!(
        "registration: {} Kubernetes writes, {} reads, {} Okta requests (the issuer's look at its policy included)",
        writes(&registered) - writes(&before),
        gets(&registered) - gets(&before),
        okta_registered - okta_before,
    );
    let app_calls = |from: usize| {
        world.okta.requests()[from..]
            .iter()
            .filter(|r| r.route.starts_with("/api/v1/apps"))
            .count()
    };
    assert_eq!(app_calls(okta_before), 1, "one call creates the app");
    let planned = token
        .next_refresh_at
        .0
        .duration_since(world.clock.now())
        .unsigned_abs();
    world.okta.clear_requests();
    world.pass(planned + Duration::from_secs(400));
    for name in ["etl", "warm-up"] {
        world
            .account_is(name, "refreshed", |a| {
                a.status.as_ref().unwrap().token.as_ref().unwrap().issued_at > token.issued_at
            })
            .await;
    }
    world.quiet().await;
    let refreshed = audit().await;
    let (w, r, t) = (
        writes(&refreshed) - writes(&registered),
        gets(&refreshed) - gets(&registered),
        world.tokens_asked(),
    );
    println!("two refreshes: {w} Kubernetes writes, {r} reads, {t} token requests");
    assert_eq!(
        (w, r, t),
        (4, 0, 2),
        "design: 2 writes, 0 reads, 1 token request each"
    );
}
