//! A real Prometheus scrapes the operator's pods where the chart says: by their
//! annotations, and by its ServiceMonitor. It runs beside the node, in its network,
//! as a pod would.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testbed::Child;

use crate::helm::{NAMESPACE, RELEASE};
use crate::helpers::until;
use crate::installation::Installation;

/// Free there, as the node's network is its own.
const PORT: u16 = 9090;

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_all_replicas_by_annotations_and_by_the_service_monitor() {
    let Some(program) = prometheus() else {
        return;
    };
    let Some(installation) = Installation::new(&json!({})).await else {
        return;
    };
    let machine = &installation.machine;
    machine.restricted("payments").await;
    installation.accounts("payments", ["etl".to_owned()].into_iter());
    installation.all_ready("payments", 60);

    let config = json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s" },
        "scrape_configs": [by_annotations(&installation).await, by_monitor(&installation).await],
    });
    let directory = machine.node.directory();
    let file = directory.join("prometheus.yaml");
    // JSON is YAML.
    std::fs::write(&file, config.to_string()).unwrap();
    let address = format!("{}:{PORT}", machine.node.address());
    let arguments = [
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", directory.join("series").display()),
        format!("--web.listen-address={address}"),
    ];
    let log = directory.join("prometheus.log");
    let _prometheus: Child = machine.node.spawn(&program, arguments, &log).unwrap();

    for job in ["annotations", "monitor"] {
        for (query, wanted) in [
            (format!("sum(up{{job=\"{job}\"}})"), 2.0),
            (format!("sum(neo4j_okta_leader{{job=\"{job}\"}})"), 1.0),
            // By the namespace of the account, which is not that of the operator.
            (
                format!(
                    "count(neo4j_okta_account_token_expiry_timestamp_seconds{{job=\"{job}\",namespace=\"payments\",name=\"etl\"}})"
                ),
                1.0,
            ),
        ] {
            until(&query, async || {
                let value = ask(&address, &query).await?;
                if value == Some(wanted) {
                    Ok(())
                } else {
                    Err(format!("{value:?}"))
                }
            })
            .await;
        }
    }
}

/// Debian's; `None`, and a line, where there is none.
fn prometheus() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("prometheus"))
        .find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "there is no prometheus");
        let line = "skipped: there is no prometheus on PATH";
        // The harness keeps back what `eprintln!` says.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    found
}

/// As the usual configuration of Prometheus reads annotations of pods. Debian's
/// Prometheus has no discovery of its own for Kubernetes.
async fn by_annotations(installation: &Installation) -> Value {
    let mut paths = BTreeSet::new();
    let mut targets = Vec::new();
    for pod in installation.pods().await {
        let annotation = |name: &str| pod.annotations()[&format!("prometheus.io/{name}")].clone();
        assert_eq!(annotation("scrape"), "true");
        let address = pod.status.as_ref().and_then(|s| s.pod_ip.clone());
        targets.push(format!("{}:{}", address.unwrap(), annotation("port")));
        paths.insert(annotation("path"));
    }
    job(
        "annotations",
        paths.first().unwrap(),
        false,
        &targets,
        &json!({}),
    )
}

/// As the Prometheus operator reads the ServiceMonitor: Services by their labels,
/// then the port of that name.
async fn by_monitor(installation: &Installation) -> Value {
    let objects = installation.helm.objects(&[
        "--set=metrics.serviceMonitor.enabled=true",
        "--api-versions=monitoring.coreos.com/v1",
    ]);
    let monitor = crate::helm::object(&objects, "ServiceMonitor", RELEASE);
    let labels = monitor["spec"]["selector"]["matchLabels"].as_object();
    let labels = labels.unwrap().iter();
    let selector: Vec<String> = labels
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap()))
        .collect();
    let client = installation.machine.client.clone();
    let slices: Api<EndpointSlice> = Api::namespaced(client, NAMESPACE);
    // A Service hands its labels on to its slices.
    let selected = ListParams::default().labels(&selector.join(","));
    let endpoint = &monitor["spec"]["endpoints"][0];
    let mut targets = Vec::new();
    for slice in slices.list(&selected).await.unwrap() {
        let mut ports = slice.ports.iter().flatten();
        let port = ports.find(|port| port.name.as_deref() == endpoint["port"].as_str());
        let port = port.and_then(|port| port.port).unwrap();
        let addresses = slice.endpoints.iter().flat_map(|e| &e.addresses);
        targets.extend(addresses.map(|address| format!("{address}:{port}")));
    }
    let path = endpoint["path"].as_str().unwrap();
    let honors = endpoint["honorLabels"] == true;
    // What the Prometheus operator adds to each target.
    let labels = json!({ "namespace": NAMESPACE });
    job("monitor", path, honors, &targets, &labels)
}

fn job(name: &str, path: &str, honors: bool, targets: &[String], labels: &Value) -> Value {
    json!({
        "job_name": name, "metrics_path": path, "honor_labels": honors,
        "static_configs": [{ "targets": targets, "labels": labels }],
    })
}

/// The one value that the query has.
async fn ask(address: &str, query: &str) -> Result<Option<f64>, String> {
    let url = format!("http://{address}/api/v1/query");
    let answer = reqwest::Client::new()
        .get(url)
        .query(&[("query", query)])
        .send()
        .await;
    let answer: Value = answer
        .map_err(|error| error.to_string())?
        .json()
        .await
        .map_err(|error| error.to_string())?;
    let value = answer["data"]["result"][0]["value"][1].as_str();
    Ok(value.and_then(|value| value.parse().ok()))
}
