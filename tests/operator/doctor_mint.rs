//! `kubectl neo4jsa doctor --mint`: a token proves a server that is somebody else's,
//! and the app that asked for it is gone afterwards, whatever befalls it.

use std::process::Stdio;
use std::time::Duration;

use okta_emulator::{Fault, FaultKind};
use serde_json::Value;
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, until};

const MINT: (&str, &str) = ("POST", "/oauth2/{authServerId}/v1/token");
const CREATE: (&str, &str) = ("POST", "/api/v1/apps");

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_somebody_elses_is_proved_by_a_token_and_each_fault_of_it_is_named() {
    let world = World::without_operator().await;
    let admin = world.okta.admin();
    let server = world.external("neo4j", None, 30).await;
    let found = world.doctor(&["--mint"]).await;
    found.ends_with(2);
    found.says(
        "claim",
        "Failed",
        &["no access-token claim groups", "graph › Claims"],
    );
    found.says(
        "rule",
        "Passed",
        &["rule tokens of policy machines", "30 min"],
    );
    found.says(
        "mint",
        "Failed",
        &["the token's claim groups is null", "graph › Claims"],
    );
    assert_eq!(world.left(), Vec::<Value>::new());

    // It looks right, and only a token shows that it is not.
    let wrong = "appuser.neo4j_groups";
    admin.add_claim(&server, "groups", wrong, &["neo4j_groups"]);
    let found = world.doctor(&["--mint"]).await;
    found.says("claim", "Passed", &[wrong]);
    found.says("mint", "Failed", &["graph › Claims"]);
    assert_eq!(world.left(), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_audience_and_a_server_in_order_are_told_apart() {
    let world = World::without_operator().await;
    world
        .external("api://other", Some("app.profile.neo4j_groups"), 60)
        .await;
    let found = world.doctor(&["--mint"]).await;
    found.ends_with(2);
    let both = [
        "spec.authorizationServer.audience is neo4j",
        "api://other",
        "Authorization Servers",
    ];
    found.says("server", "Failed", &both);
    found.says(
        "mint",
        "Failed",
        &["audience", "api://other", "expected neo4j"],
    );

    let other = World::external(&world, "neo4j", Some("app.profile.neo4j_groups"), 60);
    // The issuer's server is immutable: another issuer.
    world
        .issuers()
        .delete("default", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    other.await;
    world.okta.clear_requests();
    let found = world.doctor(&["--mint"]).await;
    found.says("server", "Passed", &["audience neo4j"]);
    found.says("mint", "Passed", &["a token of 1h", "exactly its groups"]);
    found.says("limit of token", "Passed", &["a minute"]);
    assert_eq!(world.left(), Vec::<Value>::new());
    // What docs/okta/calls.md says that it costs.
    for (method, route) in [
        CREATE,
        ("GET", "/api/v1/apps"),
        ("GET", "/oauth2/v1/clients/{clientId}"),
        ("GET", "/api/v1/logs"),
        ("GET", "/api/v1/apps/{appId}/credentials/secrets"),
        ("GET", "/api/v1/apps/{appId}"),
        ("POST", "/api/v1/apps/{appId}/lifecycle/deactivate"),
        ("DELETE", "/api/v1/apps/{appId}"),
        MINT,
    ] {
        assert_eq!(world.okta.count(method, route), 1, "{method} {route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_creation_was_not_answered_is_found_and_deleted() {
    let world = World::without_operator().await;
    world
        .external("neo4j", Some("app.profile.neo4j_groups"), 60)
        .await;
    let cut = Fault::new(FaultKind::CutAfter);
    world.okta.inject(cut.on(CREATE.0, CREATE.1).times(1));
    let found = world.doctor(&["--mint"]).await;
    found.ends_with(2);
    found.says("mint", "Failed", &["no answer from Okta"]);
    assert_eq!(world.okta.count(CREATE.0, CREATE.1), 1);
    assert_eq!(world.left(), Vec::<Value>::new());

    // Okta is slow to show what it has: neither the sign-in nor the deletion of the
    // new app is taken for done.
    world.okta.clock().advance(Duration::from_secs(20));
    world.okta.inject(Fault::new(FaultKind::Lag(3000)));
    let found = world.doctor(&["--mint"]).await;
    found.says("mint", "Passed", &["exactly its groups"]);
    assert_eq!(world.left(), Vec::<Value>::new());
    world.okta.clear_faults();

    // It cannot be deleted, and is named.
    let down = Fault::new(FaultKind::Status {
        status: 403,
        error_code: Some("E0000056".to_owned()),
    });
    world.okta.inject(down.on("DELETE", "/api/v1/apps/{appId}"));
    let found = world.doctor(&["--mint"]).await;
    found.ends_with(2);
    let left = world.left();
    let id = left[0]["id"].as_str().unwrap();
    found.says("leftover", "Failed", &[id, "kubectl neo4jsa orphans"]);
    // It is inactive by then, and bears the mark by which the operator finds it.
    assert_eq!(left[0]["status"], "INACTIVE");
    assert_eq!(
        left[0]["profile"]["neo4j_okta_operator"]["namespace"],
        OPERATOR_NAMESPACE
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_no_app_behind() {
    let world = World::without_operator().await;
    world
        .external("neo4j", Some("app.profile.neo4j_groups"), 60)
        .await;
    let slow = Fault::new(FaultKind::Latency(50_000));
    world.okta.inject(slow.on(MINT.0, MINT.1));
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_kubectl-neo4jsa"))
        .arg("--kubeconfig")
        .arg(world.cluster.kubeconfig())
        .args([
            "doctor",
            "--mint",
            "--operator-namespace",
            OPERATOR_NAMESPACE,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("registered", async || match world.left().len() {
        1 => Ok(()),
        other => Err(other),
    })
    .await;
    let pid = child.id().unwrap().to_string();
    let ended = tokio::process::Command::new("bash")
        .args(["-c", &format!("kill -INT {pid}")])
        .status()
        .await
        .unwrap();
    assert!(ended.success());
    let status = tokio::time::timeout(Duration::from_secs(30), child.wait()).await;
    assert_eq!(status.expect("it ends").unwrap().code(), Some(1));
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("interrupted"), "{said}");
    assert_eq!(world.left(), Vec::<Value>::new());
    assert!(world.okta.count("DELETE", "/api/v1/apps/{appId}") >= 1);
}
