//! A Prometheus of the test's own, on loopback.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testbed::{Child, free_port};

use crate::harness::until;
use crate::queries::ALERTS;

pub(crate) struct Prometheus {
    address: String,
    _child: Child,
}

impl Prometheus {
    /// Scrapes `target`, as fast as it can, and has the chart's rules loaded.
    pub(crate) async fn start(program: &PathBuf, directory: &Path, target: &str) -> Self {
        let directory = directory.join("prometheus");
        std::fs::create_dir_all(&directory).unwrap();
        let config = json!({
            "global": { "scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "1s" },
            "rule_files": [format!("{}/{ALERTS}", env!("CARGO_MANIFEST_DIR"))],
            "scrape_configs": [{
                "job_name": "operator",
                "honor_labels": true,
                "static_configs": [{ "targets": [target], "labels": { "namespace": "neo4j-okta-system", "pod": "operator-0" } }],
            }],
        });
        let file = directory.join("prometheus.yaml");
        // JSON is YAML.
        std::fs::write(&file, config.to_string()).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let child = Child::spawn(
            program,
            [
                format!("--config.file={}", file.display()),
                format!("--storage.tsdb.path={}", directory.join("data").display()),
                format!("--web.listen-address={address}"),
                "--log.level=warn".to_owned(),
            ],
            [("TZ", "UTC")],
            &directory.join("log"),
        )
        .unwrap();
        let prometheus = Self {
            address,
            _child: child,
        };
        until("scraping", async || {
            let targets = prometheus.get("targets", &[]).await?;
            match targets["activeTargets"][0]["health"].as_str() {
                Some("up") => Ok(()),
                _ => Err(targets.to_string()),
            }
        })
        .await;
        prometheus
    }

    /// What its API answers.
    pub(crate) async fn get(&self, what: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("http://{}/api/v1/{what}", self.address);
        let answer = reqwest::Client::new().get(url).query(query).send().await;
        let answer: Value = answer
            .map_err(|e| e.to_string())?
            .json()
            .await
            .map_err(|e| e.to_string())?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].clone()),
            _ => Err(format!("{}: {query:?}", answer["error"])),
        }
    }

    /// Labels and value of each series of a query.
    pub(crate) async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let data = self.get("query", &[("query", query)]).await.unwrap();
        let series = data["result"].as_array().unwrap();
        series
            .iter()
            .map(|s| {
                let value = s["value"][1].as_str().unwrap().parse().unwrap();
                (s["metric"].clone(), value)
            })
            .collect()
    }
}
