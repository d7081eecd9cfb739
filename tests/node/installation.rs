//! The operator as a platform team installs it: the image that the Dockerfile
//! makes, the chart, `helm install --wait`, pods on a node.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use neo4j_okta_operator::clock::Clock;
use serde_json::{Value, json};
use testbed::{OperatorImage, operator_image, operator_image_needs};

use crate::helm::{CHART, Helm, NAMESPACE, RELEASE};
use crate::machine::{Machine, skipped};
use crate::okta::Okta;

/// What the chart is told about the image; its tag is that of no release.
const REPOSITORY: &str = "docker.io/local/neo4j-okta-operator";
const TAG: &str = "1";

/// What an installation is and runs on. The pods go first.
pub(crate) struct Installation {
    pub(crate) helm: Helm,
    pub(crate) machine: Machine,
    pub(crate) okta: Okta,
    pub(crate) image: OperatorImage,
}

impl Installation {
    /// A node that has the image, and an Okta; nothing is installed yet. `None`
    /// where there can be none.
    pub(crate) async fn prepare() -> Option<Self> {
        if skipped(operator_image_needs()) {
            return None;
        }
        let helm = Helm::new().await?;
        let image = operator_image(&format!("{REPOSITORY}:{TAG}")).await;
        let image = image.expect("the image is built");
        let machine = Machine::new().await?;
        machine.node.import(&image.archive).expect("imported");
        // The testbed gives the operator its rights; here the chart does.
        for kind in ["clusterrole", "clusterrolebinding", "role", "rolebinding"] {
            let delete = format!("delete {kind} {RELEASE} -n {NAMESPACE}");
            machine.kubectl(&delete).expect("deleted");
        }
        let restrict = "pod-security.kubernetes.io/enforce=restricted";
        let restrict = format!("label namespace {NAMESPACE} {restrict}");
        machine.kubectl(&restrict).expect("labelled");
        let okta = Okta::at(&machine.node).await;
        let helm = helm.at(machine.node.cluster().kubeconfig());
        Some(Self {
            helm,
            machine,
            okta,
            image,
        })
    }

    /// With the chart; the namespace `payments` may have accounts.
    pub(crate) async fn new(values: &Value) -> Option<Self> {
        let this = Self::prepare().await?;
        this.sign_in().await;
        let took = this.helm_with("install", Path::new(CHART), values);
        println!("helm install --wait: {:.1} s", took.as_secs_f64());
        Some(this)
    }

    pub(crate) async fn sign_in(&self) {
        let token = self.okta.emulator.api_token();
        self.machine.sign_in(&self.okta.host, token).await;
    }

    /// Installs or upgrades, and waits until the pods are ready.
    pub(crate) fn helm_with(&self, verb: &str, chart: &Path, values: &Value) -> Duration {
        let mut all = json!({
            "image": { "repository": REPOSITORY, "tag": TAG },
            "issuer": {
                "orgUrl": self.okta.emulator.url(),
                "secretName": "okta",
                "clusterName": "test",
                "allow": [{ "namespaces": ["payments"], "groups": ["neo4j_*"], "maxAccounts": 10_000 }],
                "spec": { "caBundle": self.okta.ca },
            },
        });
        crate::helpers::merge(&mut all, values);
        let file = self.machine.node.directory().join("values.yaml");
        std::fs::write(&file, all.to_string()).unwrap();
        let began = Clock::system().stopwatch();
        self.helm.ok(&[
            verb,
            RELEASE,
            &chart.display().to_string(),
            "--namespace",
            NAMESPACE,
            "--values",
            &file.display().to_string(),
            "--wait",
            "--timeout=120s",
        ]);
        began.elapsed()
    }

    /// The operator's pods that run.
    pub(crate) async fn pods(&self) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.machine.client.clone(), NAMESPACE);
        let selector = ListParams::default().labels("app.kubernetes.io/component=operator");
        let pods = pods.list(&selector).await.expect("pods").items;
        let there = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
        pods.into_iter().filter(there).collect()
    }

    /// The name of the pod that leads. One that was told to stop finishes what is
    /// under way before it hands over.
    pub(crate) async fn leader(&self) -> String {
        let get = format!(
            "get lease neo4j-okta-operator -o jsonpath={{.spec.holderIdentity}} -n {NAMESPACE}"
        );
        for _ in 0..600 {
            let holder = self.machine.kubectl(&get).unwrap_or_default();
            let pods = self.pods().await;
            let leads = |pod: &&Pod| !holder.is_empty() && holder.starts_with(&pod.name_any());
            if let Some(pod) = pods.iter().find(leads) {
                return pod.name_any();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("nobody leads");
    }

    /// How often containers of the operator ended, for whatever reason.
    pub(crate) async fn restarts(&self) -> i32 {
        let pods = self.pods().await;
        let statuses = pods.iter().filter_map(|pod| pod.status.as_ref());
        statuses
            .flat_map(|status| status.container_statuses.iter().flatten())
            .map(|container| container.restart_count)
            .sum()
    }

    /// Applies accounts as the administrator does.
    pub(crate) fn accounts(&self, namespace: &str, names: impl Iterator<Item = String>) {
        let items: Vec<Value> = names.map(|name| account(&name)).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        let create = ["create", "-n", namespace, "-f", "-"];
        let applied = self.machine.kubectl_with(create, &list.to_string());
        applied.expect("accounts are accepted");
    }

    /// Waits until all accounts of a namespace are ready.
    pub(crate) fn all_ready(&self, namespace: &str, seconds: u32) {
        let wait =
            format!("wait n4jsa --all -n {namespace} --for=condition=Ready --timeout={seconds}s");
        self.machine.kubectl(&wait).expect("all are ready");
    }
}

pub(crate) fn account(name: &str) -> Value {
    json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": name }, "spec": { "groups": ["neo4j_publisher"] },
    })
}
