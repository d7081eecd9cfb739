//! The program, started as a pod starts it, and what its log says. Needs a world
//! without an operator of its own. Logs JSON, one file for each name.

use std::path::PathBuf;

use serde_json::Value;
use testbed::{Child, OPERATOR_NAMESPACE};

use crate::harness::World;

/// The program with these variables; its log.
pub(crate) fn program(world: &World, name: &str, variables: &[(&str, &str)]) -> (Child, PathBuf) {
    let log = world.cluster.directory().join(format!("{name}.log"));
    let kubeconfig = world.cluster.operator_kubeconfig().display().to_string();
    let usual = [
        ("KUBECONFIG", kubeconfig.as_str()),
        ("ADMIN_ADDRESS", "127.0.0.1:0"),
    ];
    let child = Child::spawn(
        env!("CARGO_BIN_EXE_neo4j-okta-operator"),
        ["run", "--operator-namespace", OPERATOR_NAMESPACE],
        usual.iter().chain(variables).copied(),
        &log,
    );
    (child.unwrap(), log)
}

/// The lines of a log whose message holds these words.
pub(crate) fn lines(log: &PathBuf, words: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"].as_str().is_some_and(|m| m.contains(words)))
        .collect()
}
