//! What the chart makes of values, and which it refuses with which words.

use kube::CustomResourceExt;
use kube::core::cel::Validator;
use neo4j_okta_operator::api::OktaIssuer;
use serde_json::{Value, json};

use crate::helm::{CHART, Helm, ISSUER, object, objects};

pub(crate) const FILES: [&str; 4] = ["minimal", "everything", "single", "nothing"];

pub(crate) fn file(name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("--values={root}/tests/chart/values/{name}.yaml")
}

#[tokio::test]
async fn every_kind_of_installation_is_lint_free_and_renders() {
    let Some(helm) = Helm::new().await else {
        return;
    };
    for name in FILES {
        helm.ok(&["lint", "--strict", CHART, &file(name)]);
        let objects = helm.objects(&[&file(name)]);
        for object in &objects {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            assert!(!name.is_empty(), "{object}");
        }
    }
}

#[tokio::test]
async fn an_url_and_a_secret_are_enough_for_an_issuer_that_the_types_take() {
    let Some(helm) = Helm::new().await else {
        return;
    };
    let definition = json!(OktaIssuer::crd());
    let schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    let issuer = |arguments: &[&str]| -> Value {
        let all = helm.objects(&[&ISSUER[..], arguments].concat());
        let map = object(&all, "ConfigMap", "neo4j-okta-operator-issuer");
        let text = map["data"]["issuer.yaml"].as_str().unwrap();
        let issuer = objects(text).remove(0);
        let _: OktaIssuer = serde_json::from_value(issuer.clone()).unwrap();
        let wrong = Validator::new().validate(&schema, &issuer, None);
        assert!(wrong.is_ok(), "{wrong:?}");
        issuer
    };
    let least = issuer(&[]);
    assert_eq!(
        least["spec"]["auth"],
        json!({ "apiToken": { "secretRef": { "name": "okta" } } })
    );
    let key = [
        "--set=issuer.clientId=0oa1operator",
        "--set=issuer.keyId=operator-1",
    ];
    assert_eq!(
        issuer(&key)["spec"]["auth"],
        json!({ "privateKeyJwt": { "clientId": "0oa1operator", "keyId": "operator-1", "secretRef": { "name": "okta" } } })
    );
    // A server that exists already has an id, and not also the default's name.
    let existing = issuer(&["--set=issuer.authorizationServer.id=default"]);
    assert_eq!(
        existing["spec"]["authorizationServer"],
        json!({ "id": "default", "audience": "neo4j", "management": "Managed" })
    );
    // What is said in full replaces what the short form says.
    let full = issuer(&[
        "--set=issuer.spec.auth.privateKeyJwt.clientId=0oa1operator",
        "--set=issuer.spec.auth.privateKeyJwt.keyId=operator-1",
        "--set=issuer.spec.auth.privateKeyJwt.secretRef.name=other",
        "--set=issuer.spec.onDelete=Deactivate",
    ]);
    assert_eq!(full["spec"]["auth"]["apiToken"], Value::Null);
    assert_eq!(full["spec"]["onDelete"], "Deactivate");
}

#[tokio::test]
async fn wrong_values_are_refused_with_the_name_of_the_value() {
    let Some(helm) = Helm::new().await else {
        return;
    };
    let cases = [
        (vec!["--set=replica=2"], "replica"),
        (vec!["--set-string=replicas=2"], "/replicas"),
        (vec!["--set=issuer.orgURL=https://acme.okta.com"], "orgURL"),
        (
            vec![
                "--set=issuer.orgUrl=http://acme.okta.com",
                "--set=issuer.secretName=okta",
            ],
            "/issuer/orgUrl",
        ),
        (
            vec!["--set=issuer.orgUrl=https://acme.okta.com"],
            "/issuer/secretName",
        ),
        (
            vec![ISSUER[0], ISSUER[1], "--set=issuer.clientId=0oa1operator"],
            "/issuer/keyId",
        ),
        (vec!["--set=issuer.clusterName=Prod"], "/issuer/clusterName"),
        (vec!["--set=image.digest=sha256:abc"], "/image/digest"),
        (vec!["--set=log.format=xml"], "/log/format"),
        (
            vec!["--set=leaderElection.leaseDuration=soon"],
            "/leaderElection/leaseDuration",
        ),
        (vec!["--set=extraArgs[0]=run"], "/extraArgs/0"),
        (vec!["--set=watchNamespaces[0]=A"], "/watchNamespaces/0"),
        (vec!["--set=watchNamespaces=payments"], "/watchNamespaces"),
        (
            vec!["--kube-version=1.35.9", "--set=admission.inject=true"],
            "admission.inject needs Kubernetes 1.36 or newer",
        ),
        (vec!["--set=resources.limit.memory=1Gi"], "limit"),
        (
            vec![
                "--set=metrics.serviceMonitor.enabled=true",
                "--set=metrics.service.enabled=false",
            ],
            "metrics.serviceMonitor needs metrics.service",
        ),
    ];
    for (arguments, word) in cases {
        let fixed = ["template", "release", CHART];
        let said = helm.refuses(&[&fixed[..], &arguments].concat());
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}
