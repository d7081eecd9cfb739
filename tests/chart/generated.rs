//! What of the chart is generated from the code, and what of the tests from the
//! chart, so that each thing is said once.

use std::path::Path;

use neo4j_okta_operator::api::crds_yaml;
use serde_json::{Value, json};

use crate::helm::{Helm, ISSUER, object};

pub(crate) fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Compares a file of the repository with what it should be.
pub(crate) fn committed(file: &str, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        std::fs::write(path, text).unwrap();
    }
    assert!(
        read(file) == text,
        "{file} is not what it is generated from: run BLESS=1 cargo test --test chart"
    );
}

#[test]
fn the_chart_has_the_version_of_the_code() {
    let chart: Value =
        serde_saphyr::from_str(&read("charts/neo4j-okta-operator/Chart.yaml")).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn the_definitions_of_the_chart_are_those_of_the_code() {
    for (name, text) in crds_yaml() {
        let file = name.trim_start_matches("neo4j-okta.dev_");
        committed(
            &format!("charts/neo4j-okta-operator/templates/crd-{file}"),
            &template(&text),
        );
    }
    let Some(helm) = Helm::new().await else {
        return;
    };
    let kept = helm.objects(&[]);
    let left = helm.objects(&["--set=crds.keep=false"]);
    for (_, text) in crds_yaml() {
        let definition: Value = serde_saphyr::from_str(&text).unwrap();
        let name = definition["metadata"]["name"].as_str().unwrap();
        let ours = object(&kept, "CustomResourceDefinition", name);
        assert_eq!(ours["spec"], definition["spec"]);
        let keep = json!({ "helm.sh/resource-policy": "keep" });
        assert_eq!(ours["metadata"]["annotations"], keep);
        let ours = object(&left, "CustomResourceDefinition", name);
        assert_eq!(ours["metadata"]["annotations"], Value::Null);
    }
    let none = helm.objects(&["--set=crds.install=false"]);
    assert!(none.iter().all(|o| o["kind"] != "CustomResourceDefinition"));
}

/// A definition as a template, which is kept when the release goes.
fn template(definition: &str) -> String {
    // What is between braces would be evaluated.
    assert!(!definition.contains("{{"), "it has to be escaped");
    let body = definition.split_once('\n').unwrap().1;
    let (before, after) = body.split_once("metadata:\n").unwrap();
    format!(
        "{{{{- if .Values.crds.install }}}}\n\
         # Generated from crds/ by a test; do not edit.\n\
         {before}metadata:\n  \
         labels: {{{{- include \"operator.labels\" . | nindent 4 }}}}\n  \
         {{{{- if .Values.crds.keep }}}}\n  \
         annotations:\n    \
         helm.sh/resource-policy: keep\n  \
         {{{{- end }}}}\n\
         {after}{{{{- end }}}}\n"
    )
}

#[tokio::test]
async fn all_tests_run_with_the_rights_that_the_chart_gives() {
    let Some(helm) = Helm::new().await else {
        return;
    };
    let rendered = helm.text(&[&ISSUER[..], &["--show-only=templates/rbac.yaml"]].concat());
    committed(
        "tests/testbed/manifests/operator-rbac.yaml",
        &format!("# Generated from the chart; run BLESS=1 cargo test --test chart.\n{rendered}"),
    );
}
