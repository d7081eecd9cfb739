//! The command lines of the three programs.
//!
//! It needs the folder they write to. It refuses to listen on anything but
//! loopback, or the wire to a node on this machine. Each flag that is not plain
//! plumbing says why it is there.

use std::net::Ipv4Addr;
use std::path::Path;

use crate::net::free_port;

/// Where one control plane listens.
#[derive(Debug)]
pub(crate) struct Ports {
    /// Of the API server: loopback, or where a node finds it.
    pub(crate) address: Ipv4Addr,
    pub(crate) etcd: u16,
    peer: u16,
    pub(crate) apiserver: u16,
}

impl Ports {
    pub(crate) fn free(address: Ipv4Addr) -> Self {
        Self {
            address,
            etcd: free_port(),
            peer: free_port(),
            apiserver: free_port(),
        }
    }

    /// The Node authorizer has somebody to judge only where there is a node.
    fn authorization(&self) -> &'static str {
        if self.address.is_loopback() {
            "RBAC"
        } else {
            "Node,RBAC"
        }
    }
}

/// What is recorded of each request: who did what to which object, never a body.
/// Only the finished request, so one request is one event.
pub(crate) const AUDIT_POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  # The API server's requests to itself would be most of the file.
  - level: None
    users: ["system:apiserver"]
  - level: Metadata
"#;

/// What the controllers do that tests rely on. Without a node the others would
/// only cost memory: there are no pods.
const CONTROLLERS: [&str; 6] = [
    // Deletes what an owner left behind, as with the Secrets of an account.
    "garbage-collector-controller",
    // Empties a deleted namespace.
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "clusterrole-aggregation-controller",
    // Type-checks the expressions of an admission policy into its status.
    "validatingadmissionpolicy-status-controller",
];

pub(crate) fn etcd(folder: &Path, ports: &Ports) -> Vec<String> {
    let Ports { etcd, peer, .. } = ports;
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls=http://127.0.0.1:{etcd}"),
        format!("--advertise-client-urls=http://127.0.0.1:{etcd}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-cluster=default=http://127.0.0.1:{peer}"),
        // What it holds is thrown away at the end: durability buys nothing.
        "--unsafe-no-fsync".to_owned(),
        // Tests of size put hundreds of large Secrets in.
        format!("--quota-backend-bytes={}", 4_u64 << 30),
        "--log-level=warn".to_owned(),
    ]
}

pub(crate) fn apiserver(folder: &Path, ports: &Ports) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        format!("--secure-port={}", ports.apiserver),
        format!("--bind-address={}", ports.address),
        // Otherwise it looks for the address of the default route, and a
        // machine without a network has none.
        format!("--advertise-address={}", ports.address),
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // It makes a certificate of its own there.
        format!("--cert-dir={}", file("certs")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("service-account.key")),
        format!(
            "--service-account-signing-key-file={}",
            file("service-account.key")
        ),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--anonymous-auth=false".to_owned(),
        format!("--authorization-mode={}", ports.authorization()),
        format!("--audit-policy-file={}", file("audit-policy.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
        // Never rotated: `audit` reads one file. (Zero would mean 100.)
        "--audit-log-maxsize=100000".to_owned(),
        // Tests measure the operator, not how the server defends itself.
        "--max-requests-inflight=4000".to_owned(),
        "--max-mutating-requests-inflight=2000".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

/// All controllers where there is a node, otherwise those that matter.
pub(crate) fn controller_manager(folder: &Path, node: bool) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let controllers = if node {
        "*".to_owned()
    } else {
        CONTROLLERS.join(",")
    };
    vec![
        format!("--kubeconfig={}", file("controller-manager.kubeconfig")),
        format!("--controllers={controllers}"),
        // What pods are given to know the API server by.
        format!("--root-ca-file={}", file("certs/apiserver.crt")),
        format!(
            "--service-account-private-key-file={}",
            file("service-account.key")
        ),
        "--use-service-account-credentials=false".to_owned(),
        "--leader-elect=false".to_owned(),
        // Its default of 20 requests a second makes the start take 10 s.
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=1000".to_owned(),
        // Nobody asks it anything.
        "--secure-port=0".to_owned(),
        "--profiling=false".to_owned(),
    ]
}
