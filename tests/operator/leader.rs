//! Replicas take turns: killed, stopped, frozen, cut off, with clocks that are
//! wrong. No two of them ever speak to Okta in turns.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use neo4j_okta_operator::clock::Clock;
use neo4j_okta_operator::controller::{Operator, Settings};
use neo4j_okta_operator::leader::{Election, Ended, LEASE, Timing};
use neo4j_okta_operator::metrics::Metrics;
use neo4j_okta_operator::okta::TIMEOUT;
use okta_emulator::{Fault, FaultKind};
use serde_json::json;
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{PATIENCE, World, until};
use crate::proxy::Proxy;
use crate::replicas::{LONG, Replica, SHORT, client_of};

/// Exit code of a replica that lost its lease, as docs/operations.md says.
const LEASE_LOST: i32 = 75;

async fn world() -> World {
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_followed_by_one_of_the_two_that_stood_by_ready() {
    let world = world().await;
    let mut replicas = Vec::new();
    for name in ["one", "two", "three"] {
        replicas.push(Replica::start(&world, name, &SHORT).await);
    }
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    assert_eq!(world.holder().await.as_deref(), Some("one"));
    for replica in &replicas {
        assert_eq!(replica.says_it_leads().await, replica.name == "one");
        assert_eq!(replica.get("/readyz").await.unwrap().0, 200);
    }
    replicas[0].child.kill_now();
    world.account("report", json!({})).await;
    let next = world.successor("one").await;
    world.ready("report").await;
    world.one_after_the_other(&["one", &next]);
    for replica in &replicas[1..] {
        assert_eq!(replica.says_it_leads().await, replica.name == next);
    }
    assert_eq!(world.okta.admin().apps().len(), 2);
    // One that stands by has nothing to finish and nothing to release.
    let stands_by = replicas[1..].iter_mut().find(|r| r.name != next).unwrap();
    let exit = stands_by.child.terminate(PATIENCE).await;
    assert_eq!(exit.code, 0, "{}", stands_by.said());
    assert_eq!(world.holder().await, Some(next));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_leader_ends_its_work_and_hands_the_lease_over_without_waiting_for_its_end() {
    let world = world().await;
    let mut one = Replica::start(&world, "one", &LONG).await;
    let two = Replica::start(&world, "two", &LONG).await;
    world.okta.inject(
        Fault::new(FaultKind::Latency(1_000))
            .on("POST", "/api/v1/apps")
            .times(1),
    );
    world.account("etl", json!({})).await;
    until("staged", async || {
        let name = "etl-okta-credentials";
        let staged = world.secrets().get_opt(name).await.unwrap();
        staged.map(drop).ok_or(())
    })
    .await;
    let exit = one.child.terminate(PATIENCE).await;
    assert_eq!(exit.code, 0, "{}", one.said());
    assert!(one.said().contains("released the lease"), "{}", one.said());
    assert_eq!(world.successor("one").await, "two");
    world.account("report", json!({})).await;
    world.ready("report").await;
    world.ready("etl").await;
    world.one_after_the_other(&["one", "two"]);
    assert_eq!(world.okta.count("POST", "/api/v1/apps"), 2);
    assert!(two.says_it_leads().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_frozen_past_its_lease_does_nothing_more_when_it_wakes() {
    let world = world().await;
    let mut one = Replica::start(&world, "one", &SHORT).await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let _two = Replica::start(&world, "two", &SHORT).await;
    // It freezes in the middle of a registration, with the answer on its way.
    world.okta.inject(
        Fault::new(FaultKind::Latency(1_500))
            .on("POST", "/api/v1/apps")
            .times(1),
    );
    world.account("report", json!({})).await;
    until("staged", async || {
        let name = "report-okta-credentials";
        let staged = world.secrets().get_opt(name).await.unwrap();
        staged.map(drop).ok_or(())
    })
    .await;
    one.child.signal("STOP");
    assert_eq!(world.successor("one").await, "two");
    world.ready("report").await;
    assert_eq!(world.okta.admin().apps().len(), 2);
    // Something to do is waiting for it.
    world.annotate("etl", "neo4j-okta.dev/renew", "1").await;
    world.account("ingest", json!({})).await;
    world.ready("ingest").await;
    let before = (world.requests_at_okta_of("one"), world.writes_of("one"));
    assert!(
        before.0 > 0 && before.1 > 0,
        "{before:?} are not told apart"
    );
    one.child.signal("CONT");
    let exit = tokio::time::timeout(PATIENCE, one.child.wait()).await;
    let exit = exit.unwrap_or_else(|_| panic!("it lives on: {}", one.said()));
    assert_eq!(exit.code, LEASE_LOST, "{}", one.said());
    world.account("late", json!({})).await;
    world.ready("late").await;
    let after = (world.requests_at_okta_of("one"), world.writes_of("one"));
    assert_eq!(before, after, "requests at Okta, writes in Kubernetes");
    world.one_after_the_other(&["one", "two"]);
}

/// So many registrations go through at once before Okta has told a new leader its
/// limits; others are put off for up to a minute, which is not what is tested.
const BEFORE_TOLD: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_from_the_api_server_drops_its_work_before_another_begins() {
    let world = world().await;
    let kubeconfig = std::fs::read_to_string(world.cluster.operator_kubeconfig()).unwrap();
    let server = kubeconfig.split("https://").nth(1).unwrap();
    let server = server.split(['"', '\n', '/']).next().unwrap().trim();
    let proxy = Proxy::start(server.parse().unwrap()).await;
    let behind = kubeconfig.replace(server, &proxy.address.to_string());
    let mut one = Replica::start_with(&world, "one", &SHORT, &behind).await;
    let _two = Replica::start(&world, "two", &SHORT).await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    // So that there is work under way when it is cut off.
    world
        .okta
        .inject(Fault::new(FaultKind::Latency(1_000)).on("POST", "/api/v1/apps"));
    for i in 0..BEFORE_TOLD {
        world.account(&format!("etl-{i}"), json!({})).await;
    }
    until("staged", async || {
        let name = "etl-0-okta-credentials";
        let staged = world.secrets().get_opt(name).await.unwrap();
        staged.map(drop).ok_or(())
    })
    .await;
    proxy.cut();
    let exit = tokio::time::timeout(PATIENCE, one.child.wait()).await;
    let exit = exit.unwrap_or_else(|_| panic!("it lives on: {}", one.said()));
    assert_eq!(exit.code, LEASE_LOST, "{}", one.said());
    assert_eq!(world.successor("one").await, "two");
    world.okta.clear_faults();
    for i in 0..BEFORE_TOLD {
        world.ready(&format!("etl-{i}")).await;
    }
    world.one_after_the_other(&["one", "two"]);
    assert_eq!(
        world.okta.admin().apps().len(),
        BEFORE_TOLD + 1,
        "one app for each"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_nobody_stops_does_nothing_after_its_deadline_though_there_is_much_to_do() {
    let world = world().await;
    let timing = Timing {
        lease: Duration::from_secs(1200),
        deadline: Duration::from_secs(600),
        retry: Duration::from_secs(1),
    };
    let client = client_of(&world, "one").await;
    let mut election = Election::new(
        client.clone(),
        OPERATOR_NAMESPACE,
        "one",
        timing,
        world.clock.clone(),
        Metrics::default(),
    );
    assert!(election.acquire(std::future::pending()).await);
    let settings = Settings {
        namespace: OPERATOR_NAMESPACE.to_owned(),
        watch_namespaces: Default::default(),
        instance: "one".to_owned(),
        clock: world.clock.clone(),
        fence: election.fence(),
        okta_timeout: TIMEOUT,
        metrics: Metrics::default(),
        after_step: None,
    };
    let operator = Operator::new(client, settings, std::future::pending());
    let running = tokio::spawn(operator.await.unwrap().run());
    world.account("etl", json!({})).await;
    let token = world.ready("etl").await.status.unwrap().token.unwrap();
    world.quiet().await;
    let before = (world.requests_at_okta_of("one"), world.writes_of("one"));
    assert!(
        before.0 > 0 && before.1 > 0,
        "{before:?} are not told apart"
    );

    // Nobody renews; the token is due, and somebody wants another account.
    world.pass(Duration::from_secs(50 * 60));
    world.account("report", json!({})).await;
    let other = world.operator(None).await;
    world.ready("report").await;
    world
        .account_is("etl", "refreshed", |account| {
            let status = account.status.as_ref();
            let now = status.and_then(|s| s.token.as_ref());
            now.is_some_and(|now| now.expires_at.0 > token.expires_at.0)
        })
        .await;
    world.quiet().await;
    let after = (world.requests_at_okta_of("one"), world.writes_of("one"));
    assert_eq!(before, after, "requests at Okta, writes in Kubernetes");
    running.abort();
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_hours_apart_change_nothing_and_one_that_jumps_closes_the_fence() {
    let world = World::without_operator().await;
    let timing = Timing {
        lease: Duration::from_secs(6),
        deadline: Duration::from_secs(4),
        retry: Duration::from_millis(500),
    };
    let hour = Duration::from_secs(3600);
    let behind = Clock::system();
    behind.turn_back(hour);
    let ahead = Clock::system();
    ahead.advance(hour);
    let election = async |name: &str, clock: &Clock| {
        let client = world.cluster.operator_client().await;
        let (clock, metrics) = (clock.clone(), Metrics::default());
        Election::new(client, OPERATOR_NAMESPACE, name, timing, clock, metrics)
    };
    let mut one = election("one", &behind).await;
    assert!(one.acquire(std::future::pending()).await);
    let fence = one.fence();
    assert!(fence.pass().is_ok());
    let holding = tokio::spawn(one.hold(std::future::pending()));
    let mut two = election("two", &ahead).await;
    let waits = two.fence();
    let taking = tokio::spawn(async move { two.acquire(std::future::pending()).await });

    // By its own account of time, the lease of the first ended an hour ago.
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let version = async || leases.get(LEASE).await.unwrap().metadata.resource_version;
    for _ in 0..14 {
        let last = version().await;
        until("renewed", async || {
            if version().await == last {
                Err(())
            } else {
                Ok(())
            }
        })
        .await;
    }
    assert_eq!(world.holder().await.as_deref(), Some("one"));
    assert!(fence.pass().is_ok() && waits.pass().is_err());

    behind.advance(hour);
    assert!(fence.pass().is_err(), "an hour may have passed");
    assert_eq!(holding.await.unwrap(), Ended::Lost);
    assert!(
        tokio::time::timeout(PATIENCE, taking)
            .await
            .unwrap()
            .unwrap()
    );
    assert!(waits.pass().is_ok() && fence.pass().is_err());
    assert_eq!(world.holder().await.as_deref(), Some("two"));
}
