//! The program itself: its admin port, its stop on SIGTERM, its log.

use serde_json::{Value, json};
use testbed::{Child, OPERATOR_NAMESPACE, free_port};

use crate::harness::{PATIENCE, World, until};
use crate::program::{lines, program};

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tells_its_state_and_stops_in_order_on_sigterm() {
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let address = format!("127.0.0.1:{}", free_port());
    let kubeconfig = world.cluster.operator_kubeconfig().display().to_string();
    let log = world.cluster.directory().join("program.log");
    let mut child = Child::spawn(
        env!("CARGO_BIN_EXE_neo4j-okta-operator"),
        ["run", "--operator-namespace", OPERATOR_NAMESPACE],
        [
            ("KUBECONFIG", kubeconfig.as_str()),
            ("ADMIN_ADDRESS", &address),
        ],
        &log,
    )
    .unwrap();
    let get = async |path: &str| -> Result<(u16, String), String> {
        let answer = reqwest::get(format!("http://{address}{path}")).await;
        let answer = answer.map_err(|e| e.to_string())?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(|e| e.to_string())?))
    };
    until("ready", async || match get("/readyz").await {
        Ok((200, _)) => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(get("/livez").await.unwrap().0, 200);
    assert_eq!(get("/").await.unwrap().0, 404);
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let names = [
        "neo4j_okta_reconciles_total{kind=\"account\"",
        "neo4j_okta_api_calls_total{operation=\"create_app\",outcome=\"ok\"} 1",
        "neo4j_okta_api_rate_limit{",
        "neo4j_okta_account_ready{",
        "neo4j_okta_account_token_expiry_timestamp_seconds{",
        "neo4j_okta_first_token_duration_seconds_count 1",
        "\nneo4j_okta_leader 1\n",
    ];
    // The status is written before the gauges move.
    until("told in metrics", async || {
        let (_, metrics) = get("/metrics").await.unwrap();
        match names.iter().find(|name| !metrics.contains(**name)) {
            None => Ok(()),
            Some(name) => Err(format!("{name} is missing in\n{metrics}")),
        }
    })
    .await;
    let exit = child.terminate(PATIENCE).await;
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(exit.code, 0, "{said}");
    let lines: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    assert!(lines.iter().any(|l| l["message"] == "stopped"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_changes_with_a_file_and_without_a_restart() {
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let file = world.cluster.directory().join("log-filter");
    std::fs::write(&file, "info\n").unwrap();
    let path = file.display().to_string();
    let (mut program, log) = program(&world, "filtered", &[("LOG_FILTER_FILE", &path)]);
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let level = |line: &Value| line["level"] == "DEBUG";
    assert!(!lines(&log, "").iter().any(level), "nothing of the details");
    let told = async |words: &str| {
        until(words, async || match lines(&log, words).as_slice() {
            [.., last] => Ok(last.clone()),
            [] => Err(()),
        })
        .await
    };
    std::fs::write(&file, "info,neo4j_okta_operator=debug").unwrap();
    let changed = told("changed the log filter").await;
    assert_eq!(changed["before"], "info");
    world.annotate("etl", "neo4j-okta.dev/renew", "1").await;
    assert!(level(&told("done").await));
    std::fs::write(&file, "debgu").unwrap();
    let refused = told("refused the log filter").await;
    assert_eq!(refused["level"], "ERROR");
    assert_eq!(refused["filter"], "info,neo4j_okta_operator=debug");
    assert!(
        refused["why"]
            .as_str()
            .unwrap()
            .contains("`debgu` is no level")
    );
    assert_eq!(program.terminate(PATIENCE).await.code, 0);
}
