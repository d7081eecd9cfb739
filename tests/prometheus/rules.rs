//! The rules alone, without an operator: valid, and each fires when it should
//! and not when it should not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::queries::{ALERTS, alerts, text};
use crate::tools::{succeeds, tool};

const CASES: &str = "tests/prometheus/alerts.test.yaml";

#[test]
fn each_alert_fires_when_it_should_and_not_when_it_should_not() {
    let Some(promtool) = tool("promtool") else {
        return;
    };
    succeeds(&promtool, &["check", "rules", "--lint-fatal", ALERTS], "");
    succeeds(&promtool, &["test", "rules", CASES], "");
}

#[test]
fn no_alert_is_without_a_case_of_either_kind() {
    let cases: Value = serde_saphyr::from_str(&text(CASES)).unwrap();
    let mut seen: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for case in cases["tests"].as_array().unwrap() {
        for look in case["alert_rule_test"].as_array().unwrap() {
            let fires = !look["exp_alerts"].as_array().unwrap().is_empty();
            let alert = look["alertname"].as_str().unwrap();
            seen.entry(alert).or_default().insert(fires);
        }
    }
    for (alert, _) in alerts() {
        assert_eq!(
            seen.get(alert.as_str()).map_or(0, BTreeSet::len),
            2,
            "{alert} needs a case in which it fires and one in which it does not"
        );
    }
}
