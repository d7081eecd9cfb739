//! What a lost pod of the operator costs those whom it serves: nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::helm::NAMESPACE;
use crate::helpers::until;
use crate::installation::Installation;

/// The shortest that go together, so that another takes over soon.
fn brisk() -> Value {
    json!({
        "oktaTimeout": "3s",
        "leaderElection": { "leaseDuration": "8s", "renewDeadline": "4s", "retryPeriod": "1s" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_are_killed_while_they_register_lose_and_double_nothing() {
    const ACCOUNTS: usize = 60;
    let Some(installation) = Installation::new(&brisk()).await else {
        return;
    };
    let machine = &installation.machine;
    machine.restricted("payments").await;
    let names = (0..ACCOUNTS).map(|n| format!("etl-{n}"));
    installation.accounts("payments", names);

    // Deleted, as a drained node does it, and killed, as a lost node does.
    for (so_many, how) in [(10, "--grace-period=30"), (30, "--grace-period=0 --force")] {
        until("some are registered", async || {
            let apps = installation.okta.apps();
            if apps >= so_many { Ok(()) } else { Err(apps) }
        })
        .await;
        let leader = installation.leader().await;
        let delete = format!("delete pod {leader} -n {NAMESPACE} --wait=false {how}");
        machine.kubectl(&delete).unwrap();
        let next = installation.leader().await;
        assert_ne!(next, leader);
    }
    installation.all_ready("payments", 120);

    // One app for each, and each signs in with what its Secret holds.
    let admin = installation.okta.emulator.admin();
    let mut apps: BTreeMap<String, usize> = BTreeMap::new();
    for app in admin.apps() {
        let name = app["profile"]["neo4j_okta_operator"]["name"].as_str();
        *apps
            .entry(name.unwrap_or("not ours").to_owned())
            .or_default() += 1;
    }
    let expected = (0..ACCOUNTS).map(|n| (format!("etl-{n}"), 1)).collect();
    assert_eq!(apps, expected);
    let refused = installation.okta.emulator.requests();
    let refused: Vec<_> = refused.iter().filter(|r| r.status == 429).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_serves_when_the_leader_is_lost() {
    let Some(installation) = Installation::new(&brisk()).await else {
        return;
    };
    let machine = &installation.machine;
    machine.restricted("payments").await;
    installation.accounts("payments", ["etl".to_owned()].into_iter());
    installation.all_ready("payments", 60);

    let leader = installation.leader().await;
    let kill = format!("delete pod {leader} -n {NAMESPACE} --grace-period=0 --force");
    machine.kubectl(&kill).unwrap();
    installation.accounts("payments", ["new".to_owned()].into_iter());
    installation.all_ready("payments", 60);
    assert_ne!(installation.leader().await, leader);

    // The Deployment has replaced it, and nobody asks for what is there already.
    let rollout = "rollout status deployment/neo4j-okta-operator --timeout=60s";
    machine
        .kubectl(&format!("{rollout} -n {NAMESPACE}"))
        .unwrap();
    // A request too many leaves no trace to wait for until it comes.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let requests = installation.okta.emulator.requests();
    let created = |r: &&okta_emulator::Request| r.method == "POST" && r.path == "/api/v1/apps";
    assert_eq!(requests.iter().filter(created).count(), 2);
}
