//! The chart's own suites (`charts/neo4j-okta-operator/tests/`), run by
//! helm-unittest; and that they set every value that there is.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testbed::Folder;

use crate::helm::{CHART, needed};
use crate::readme::described;

#[tokio::test]
async fn the_suites_of_the_chart_pass() {
    let Some(program) = needed("helm-unittest").await else {
        return;
    };
    let home = Folder::new().unwrap();
    // It makes a folder for snapshots beside the suites.
    let chart = home.path().join("chart");
    copy(Path::new(CHART), &chart);
    let output = Command::new(program)
        .arg("--strict")
        .arg(chart)
        .env("HELM_CACHE_HOME", home.path())
        .env("HELM_CONFIG_HOME", home.path())
        .env("HELM_DATA_HOME", home.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let suites = suites().len();
    let ran = format!("{suites} passed, {suites} total");
    assert!(said.contains(&ran), "not {ran}: {said}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn suites() -> Vec<Value> {
    let folder = Path::new(CHART).join("tests");
    let files = std::fs::read_dir(folder).unwrap();
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        serde_saphyr::from_str(&text).unwrap()
    };
    files.map(read).collect()
}

/// The paths that the suites set, as `metrics.service.enabled`.
fn set() -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for suite in suites() {
        let tests = suite["tests"].as_array().unwrap().iter();
        for set in tests.chain([&suite]).map(|test| &test["set"]) {
            collect("", set, &mut paths);
        }
    }
    paths
}

fn collect(path: &str, value: &Value, paths: &mut BTreeSet<String>) {
    if !path.is_empty() {
        paths.insert(path.to_owned());
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        collect(path.trim_start_matches('.'), value, paths);
    }
}

#[test]
fn the_suites_set_every_value() {
    let set = set();
    let missed: Vec<String> = described()
        .into_iter()
        .map(|value| value.path)
        .filter(|path| !set.contains(path))
        .collect();
    assert!(missed.is_empty(), "no suite sets {missed:#?}");
}
