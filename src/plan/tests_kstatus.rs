//! What Flux, and whatever else asks kstatus, makes of an account: the real one,
//! for each status that histories reach.
//!
//! It needs Go, by which `tests/tools/kstatus` is built; where there is none it
//! says so in a line, and with `CI` set it fails.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::acts::{perform, settle};
use super::model::Model;
use super::model::rules::Health;

const HISTORIES: usize = 400;

/// Statuses that differ in more than their times, with what a person says.
fn reached() -> Vec<(Value, Health)> {
    let mut runner = TestRunner::deterministic();
    let histories = proptest::collection::vec(super::act(), 0..30);
    let mut found = BTreeMap::new();
    for number in 0..HISTORIES {
        let acts = histories.new_tree(&mut runner).expect("a history");
        let mut model = match number % 3 {
            0 => Model::new(),
            kind => Model::with_neo4j(kind == 1),
        };
        for act in acts.current() {
            perform(&mut model, &act);
        }
        settle(&mut model);
        for (status, health) in model.said {
            let conditions = status.conditions.iter();
            let kind: Vec<_> = conditions
                .map(|c| (c.type_.clone(), c.status.clone(), c.reason.clone()))
                .collect();
            let status = serde_json::to_value(status).expect("JSON");
            found.entry((kind, health)).or_insert((status, health));
        }
    }
    found.into_values().collect()
}

#[tokio::test]
async fn kstatus_says_of_each_status_what_a_person_would() {
    let kstatus = match testbed::tool("kstatus").await {
        Ok(kstatus) => kstatus,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped, as there is no kstatus: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let reached = reached();
    let healths = [
        Health::Current,
        Health::Serves,
        Health::InProgress,
        Health::Failed,
    ];
    for health in healths {
        assert!(reached.iter().any(|(_, h)| *h == health), "{health:?}");
    }
    let objects: Vec<Value> = reached.iter().map(|(status, _)| object(status)).collect();
    let mut child = Command::new(kstatus)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = child.stdin.take().expect("it is piped");
    let objects = serde_json::to_vec(&objects).expect("JSON");
    input.write_all(&objects).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("an answer");
    let said: Vec<String> = serde_json::from_slice(&output.stdout).expect("statuses");
    assert_eq!(said.len(), reached.len());
    for (said, (status, health)) in said.iter().zip(&reached) {
        let right: &[&str] = match health {
            Health::Current => &["Current"],
            Health::Serves => &["Current", "InProgress"],
            Health::InProgress => &["InProgress"],
            Health::Failed => &["Failed"],
        };
        assert!(
            right.contains(&said.as_str()),
            "{said} of {health:?}: {status:#}"
        );
    }
}

fn object(status: &Value) -> Value {
    let generation = status["observedGeneration"].clone();
    json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": "etl", "namespace": "payments", "generation": generation },
        "status": status,
    })
}
