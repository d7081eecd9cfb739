//! kube-score knows what is usually forgotten in a manifest. What is not followed
//! is named here, with the reason.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::helm::{Helm, ISSUER, fed, needed};

/// Checks that the chart does not pass, and why.
const NOT_FOLLOWED: [(&str, &str); 2] = [
    (
        "container-image-pull-policy",
        "the default tag is a version, which is never moved; Always would keep a replica \
         from starting while the registry is away",
    ),
    (
        "container-ephemeral-storage-request-and-limit",
        "the root is read-only and there is no volume: nothing is written but logs, \
         which the kubelet rotates, and a limit would evict the pod because of them",
    ),
];

/// The checks that an installation does not pass.
fn failed(program: &Path, manifests: &str) -> BTreeSet<String> {
    let arguments = [
        "score",
        "-",
        "--output-format=json",
        "--kubernetes-version=v1.37",
        // Throttling delays refreshes, and nobody gains by it.
        "--ignore-container-cpu-limit",
    ];
    let output = fed(Command::new(program).args(arguments), manifests);
    let objects: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let deployments = |o: &&Value| o["type_meta"]["kind"] == "Deployment";
    assert_eq!(objects.iter().filter(deployments).count(), 1);
    // 10 is all right, 5 a warning, 1 critical.
    let below = |check: &&Value| check["skipped"] == false && check["grade"] != 10;
    objects
        .iter()
        .flat_map(|object| object["checks"].as_array().into_iter().flatten())
        .filter(below)
        .map(|check| check["check"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn nothing_is_forgotten_that_has_no_reason() {
    let (Some(helm), Some(program)) = (Helm::new().await, needed("kube-score").await) else {
        return;
    };
    // A NetworkPolicy is off by default: it needs a network that knows it, and an
    // API server whose port it names.
    let manifests = helm.text(&[&ISSUER[..], &["--set=networkPolicy.enabled=true"]].concat());
    let not_followed = NOT_FOLLOWED.map(|(check, _)| check.to_owned());
    assert_eq!(failed(&program, &manifests), BTreeSet::from(not_followed));
}
