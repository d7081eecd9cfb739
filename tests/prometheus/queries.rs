//! What the chart's files ask Prometheus.

use serde_json::Value;

pub(crate) const ALERTS: &str = "charts/neo4j-okta-operator/files/alerts.yaml";
const DASHBOARD: &str = "charts/neo4j-okta-operator/files/dashboard.json";

pub(crate) fn text(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Name and expression of each alert.
pub(crate) fn alerts() -> Vec<(String, String)> {
    let rules: Value = serde_saphyr::from_str(&text(ALERTS)).unwrap();
    let groups = rules["groups"].as_array().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap());
    let of = |rule: &Value, field: &str| rule[field].as_str().unwrap().trim().to_owned();
    rules
        .map(|rule| (of(rule, "alert"), of(rule, "expr")))
        .collect()
}

/// The expression of an alert, at the instant `now`: time passes for the operator
/// alone when a test moves its clock.
pub(crate) fn alert_at(name: &str, now: i64) -> String {
    let (_, expression) = alerts().into_iter().find(|(n, _)| n == name).unwrap();
    expression.replace("time()", &format!("scalar(vector({now}))"))
}

/// Title and expression of each query of the dashboard, with Grafana's variables
/// filled in.
pub(crate) fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).unwrap();
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        if panel["type"] == "row" {
            continue;
        }
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"]
                .as_str()
                .unwrap()
                .replace("$__rate_interval", "2m")
                .replace("$namespace", ".*");
            assert!(!query.contains('$'), "{title}: {query}");
            found.push((title.to_owned(), query));
        }
    }
    found
}
