//! Pods of the tests: as the documentation has them, and as a restricted
//! namespace wants them.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{LogParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::helpers::{merge, until};
use crate::machine::BUSYBOX;

const DOCUMENTED: &str = include_str!("../../docs/operations.md");

/// The pod that the documentation shows, with this image and command, and what
/// the strictest Pod Security asks of any pod.
pub(crate) fn documented(script: &str) -> Value {
    let block = DOCUMENTED
        .split("```yaml\n")
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .find(|block| block.contains("kind: Pod\n"))
        .expect("the documentation shows a pod");
    let mut pod: Value = serde_saphyr::from_str(block).expect("it is YAML");
    let change = json!({
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": 65534, "fsGroup": 65534,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "terminationGracePeriodSeconds": 0,
    });
    merge(&mut pod["spec"], &change);
    let container = json!({
        "image": BUSYBOX,
        "command": ["/bin/sh", "-c", script],
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
    });
    merge(&mut pod["spec"]["containers"][0], &container);
    pod
}

/// The same, doing nothing and with no Secret.
pub(crate) fn idle() -> Value {
    let mut pod = documented("sleep 1000");
    merge(&mut pod["spec"], &json!({ "volumes": null }));
    merge(
        &mut pod["spec"]["containers"][0],
        &json!({ "volumeMounts": null }),
    );
    pod
}

/// Creates it, and waits until it runs.
pub(crate) async fn run(client: &Client, pod: Value) -> Api<Pod> {
    let pod: Pod = serde_json::from_value(pod).expect("a pod");
    let namespace = pod.metadata.namespace.clone().expect("a namespace");
    let name = pod.metadata.name.clone().expect("a name");
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    // The service account comes a moment after its namespace.
    until("created", async || {
        let created = pods.create(&PostParams::default(), &pod).await;
        created.map(drop).map_err(|error| error.to_string())
    })
    .await;
    until("running", async || {
        let status = pods.get(&name).await.expect("the pod").status;
        match status.as_ref().and_then(|s| s.phase.as_deref()) {
            Some("Running") => Ok(()),
            _ => Err(status),
        }
    })
    .await;
    pods
}

/// The lines that it has printed.
pub(crate) async fn lines(pods: &Api<Pod>, name: &str) -> Vec<String> {
    let logs = pods.logs(name, &LogParams::default()).await;
    logs.expect("logs").lines().map(str::to_owned).collect()
}
