//! What the operator's pods take: printed, and held against the chart's limit.

use std::path::Path;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::json;

use crate::helm::NAMESPACE;
use crate::helpers::until;
use crate::installation::Installation;

/// Secrets of others, each as large as an API server takes.
const FOREIGN: usize = 300;
const SIZE: usize = 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_the_chart_holds_beside_large_secrets_of_others() {
    let Some(installation) = Installation::new(&json!({})).await else {
        return;
    };
    let machine = &installation.machine;
    machine.restricted("payments").await;
    let mut seen = vec![("idle", resident(&installation))];

    let secrets: Api<Secret> = Api::namespaced(machine.client.clone(), "payments");
    for number in 0..FOREIGN {
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(format!("foreign-{number}")),
                ..ObjectMeta::default()
            },
            data: Some([("blob".to_owned(), ByteString(vec![b'x'; SIZE]))].into()),
            ..Secret::default()
        };
        secrets
            .create(&PostParams::default(), &secret)
            .await
            .unwrap();
    }
    seen.push(("300 foreign Secrets of 1 MB", resident(&installation)));
    let mut there = 0;
    for (many, what) in [(100, "100 accounts"), (1000, "1 000 accounts")] {
        let names = (there..many).map(|n| format!("etl-{n}"));
        installation.accounts("payments", names);
        there = many;
        registered(&installation, many).await;
        installation.all_ready("payments", 300);
        seen.push((what, resident(&installation)));
    }
    // All is read anew, the foreign Secrets first.
    let restart = format!("delete pod -n {NAMESPACE} -l app.kubernetes.io/component=operator");
    machine.kubectl(&restart).unwrap();
    let rollout = format!("rollout status deployment/neo4j-okta-operator -n {NAMESPACE}");
    machine.kubectl(&rollout).unwrap();
    until("led by one", async || {
        let ready = resident(&installation);
        if ready.len() == 2 { Ok(()) } else { Err(ready) }
    })
    .await;
    installation.leader().await;
    seen.push(("after a restart", resident(&installation)));

    for (what, pods) in &seen {
        println!("{what}: RSS and its peak, in MiB: {pods:?}");
    }
    assert_eq!(installation.restarts().await, 0, "nobody was out of memory");
}

async fn registered(installation: &Installation, many: usize) {
    loop {
        if installation.okta.apps() >= many {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

/// RSS and its peak of each of the operator's processes on this node, in MiB.
fn resident(installation: &Installation) -> Vec<(u64, u64)> {
    let node = installation.machine.node.name();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut found: Vec<_> = processes
        .filter_map(|process| of_operator(&process.path(), node))
        .collect();
    found.sort_unstable();
    found
}

fn of_operator(process: &Path, node: &str) -> Option<(u64, u64)> {
    let read = |name: &str| std::fs::read_to_string(process.join(name)).ok();
    let is_ours =
        read("cgroup")?.contains(node) && read("cmdline")?.starts_with("/neo4j-okta-operator");
    let status = is_ours.then(|| read("status"))??;
    let mebibytes = |field: &str| {
        let line = status.lines().find(|line| line.starts_with(field))?;
        let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kibibytes / 1024)
    };
    Some((mebibytes("VmRSS:")?, mebibytes("VmHWM:")?))
}
