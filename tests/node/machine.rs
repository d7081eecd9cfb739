//! A node for each test, one after the other.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Once;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{Api, Client};
use serde_json::json;
use testbed::{Image, Node, OPERATOR_NAMESPACE, busybox, node_needs};
use tokio::sync::{Mutex, MutexGuard};

use crate::helpers::apply;

/// What pods of the tests run.
pub(crate) const BUSYBOX: &str = "docker.io/local/busybox:1";

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A node with the image that pods of the tests run.
pub(crate) struct Machine {
    pub(crate) node: Node,
    pub(crate) client: Client,
    _turn: MutexGuard<'static, ()>,
}

impl Machine {
    /// A new one, or `None` where there can be none.
    pub(crate) async fn new() -> Option<Self> {
        if skipped(node_needs()) {
            return None;
        }
        if let Ok(filter) = std::env::var("LOG") {
            let format = neo4j_okta_operator::cli::LogFormat::Text;
            neo4j_okta_operator::telemetry::init(format, &filter);
        }
        let turn = ONE_AT_A_TIME.lock().await;
        let node = Node::start().await.expect("a node");
        let client = node.cluster().client();
        let image = Image {
            reference: BUSYBOX,
            root: &busybox(node.directory()).unwrap(),
            entrypoint: &["/bin/sh"],
        };
        let archive = image.archive(node.directory()).unwrap();
        node.import(&archive).unwrap();
        Some(Self {
            node,
            client,
            _turn: turn,
        })
    }

    /// A namespace whose pods have to be restricted.
    pub(crate) async fn restricted(&self, name: &str) {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
        });
        let api: Api<Namespace> = Api::all(self.client.clone());
        apply(&api, name, &namespace).await;
    }

    /// The sign-in of an issuer whose org is at `host`.
    pub(crate) async fn sign_in(&self, host: &str, token: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "okta", "annotations": { "neo4j-okta.dev/allow-host": host } },
            "stringData": { "token": token },
        });
        let api: Api<Secret> = Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        apply(&api, "okta", &secret).await;
    }

    /// kubectl, as the administrator; what it said.
    pub(crate) fn kubectl(&self, arguments: &str) -> Result<String, String> {
        self.kubectl_with(arguments.split(' '), "")
    }

    /// kubectl with something to read on standard input.
    pub(crate) fn kubectl_with<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        input: &str,
    ) -> Result<String, String> {
        let cluster = self.node.cluster();
        let mut kubectl = Command::new(cluster.kubectl())
            .arg("--kubeconfig")
            .arg(cluster.kubeconfig())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut to = kubectl.stdin.take().expect("it is piped");
        // One that does not read has something to say.
        let _ = to.write_all(input.as_bytes());
        drop(to);
        let output = kubectl.wait_with_output();
        let output = output.map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }
}

/// Whether something is missing, which one line then tells; in CI it fails.
pub(crate) fn skipped(missing: Option<String>) -> bool {
    static SAID: Once = Once::new();
    let Some(missing) = missing else {
        return false;
    };
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    // The harness keeps back what `eprintln!` says.
    SAID.call_once(|| drop(writeln!(std::io::stderr(), "skipped: {missing}")));
    true
}
