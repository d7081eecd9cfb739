//! etcd, kube-apiserver and kube-controller-manager: started, waited for, ended.
//!
//! What it needs: the binaries (see `binaries.rs`) and free ports on loopback.
//! What it refuses to do: run pods (that takes a node, see `node/`), or outlive
//! this process.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Config};
use tokio::sync::Mutex;

use crate::audit::{self, AuditEvent};
use crate::binaries::{Binaries, binaries};
use crate::component::Component;
use crate::components::{self, AUDIT_POLICY, Ports};
use crate::controller_manager::ControllerManager;
use crate::credentials::{Identity, service_account_key};
use crate::error::Error;
use crate::folder::Folder;
use crate::start::{config, is_ready, new_client, ready};
use crate::{apply, net};

/// The user whose rights are those of the operator: the service account of an
/// installation by the chart.
pub const OPERATOR_USER: &str = "system:serviceaccount:neo4j-okta-system:neo4j-okta-operator";
/// The namespace that the operator keeps its own things in.
pub const OPERATOR_NAMESPACE: &str = "neo4j-okta-system";

const OPERATOR_RBAC: &str = include_str!("../manifests/operator-rbac.yaml");

/// A running control plane; it ends when dropped or when this process ends.
#[derive(Debug)]
pub struct ControlPlane {
    // Dropped in this order: each ends before what it depends on.
    controller_manager: Mutex<ControllerManager>,
    apiserver: Mutex<Component>,
    etcd: Mutex<Component>,
    etcd_port: u16,
    apiserver_port: u16,
    folder: Folder,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    operator_kubeconfig: PathBuf,
    admin: Config,
    operator: Config,
}

impl ControlPlane {
    /// Starts a control plane of its own, with the operator's rights applied.
    ///
    /// The first call on a machine builds the binaries, which takes minutes.
    ///
    /// # Errors
    ///
    /// When a binary cannot be built or does not become ready; the message
    /// then ends with the last lines of its log.
    pub async fn start() -> Result<Self, Error> {
        Self::start_at(Ipv4Addr::LOCALHOST).await
    }

    /// The same for a node that finds the API server at `address`; on loopback
    /// there can be no node.
    pub(crate) async fn start_at(address: Ipv4Addr) -> Result<Self, Error> {
        // Whoever was first has chosen the provider, and any will do.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let binaries = binaries().await?;
        for _ in 0..2 {
            match Self::start_once(&binaries, address).await {
                Err(error) if error.is_taken_port() => {}
                result => return result,
            }
        }
        Self::start_once(&binaries, address).await
    }

    async fn start_once(binaries: &Binaries, address: Ipv4Addr) -> Result<Self, Error> {
        let folder = Folder::new()?;
        let ports = Ports::free(address);
        let kubeconfigs = write_files(&folder, &ports)?;
        let node = !address.is_loopback();

        let arguments = components::etcd(folder.path(), &ports);
        let mut etcd = Component::start(&folder, &binaries.etcd, arguments)?;
        ready(&mut etcd.child, || net::answers_200(ports.etcd, "/readyz")).await?;

        let mut arguments = components::apiserver(folder.path(), &ports);
        if node {
            arguments.extend(crate::node::for_apiserver(&folder)?);
        }
        let mut apiserver = Component::start(&folder, &binaries.apiserver, arguments)?;
        ready(&mut apiserver.child, || is_ready(&kubeconfigs.admin)).await?;

        let mut controller_manager =
            ControllerManager::start(&folder, &binaries.controller_manager, node)?;
        let admin = config(&kubeconfigs.admin).await?;
        let client = new_client(&admin);
        apply::yaml(&client, &namespace_manifest(OPERATOR_NAMESPACE)).await?;
        apply::yaml(&client, OPERATOR_RBAC).await?;
        // It answers to nobody, so its first deed has to tell.
        let accounts: Api<ServiceAccount> = Api::namespaced(client, OPERATOR_NAMESPACE);
        ready(&mut controller_manager.child, || async {
            accounts.get("default").await.is_ok()
        })
        .await?;

        Ok(Self {
            controller_manager: Mutex::new(controller_manager),
            apiserver: Mutex::new(apiserver),
            etcd: Mutex::new(etcd),
            etcd_port: ports.etcd,
            apiserver_port: ports.apiserver,
            folder,
            kubectl: binaries.kubectl.clone(),
            operator: config(&kubeconfigs.operator).await?,
            admin,
            kubeconfig: kubeconfigs.admin,
            operator_kubeconfig: kubeconfigs.operator,
        })
    }

    /// Of its programs, logs and credentials.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn apiserver_port(&self) -> u16 {
        self.apiserver_port
    }

    /// Ends the API server by SIGKILL: connections break, watches with them.
    pub async fn kill_apiserver(&self) {
        self.apiserver.lock().await.kill();
    }

    /// Starts the API server again, at the same address and with the same
    /// credentials, and waits until it is ready; the controller manager anew.
    ///
    /// # Errors
    ///
    /// When it does not become ready.
    pub async fn start_apiserver(&self) -> Result<(), Error> {
        let mut apiserver = self.apiserver.lock().await;
        apiserver.start_again(&self.folder)?;
        self.serves_again(&mut apiserver).await
    }

    /// Ends etcd by SIGKILL. The API server goes on, and answers with errors.
    pub async fn kill_etcd(&self) {
        self.etcd.lock().await.kill();
    }

    /// Starts etcd again on its data, and waits until it and the API server are
    /// ready; the controller manager anew.
    ///
    /// # Errors
    ///
    /// When one of them does not become ready.
    pub async fn start_etcd(&self) -> Result<(), Error> {
        let mut etcd = self.etcd.lock().await;
        etcd.start_again(&self.folder)?;
        let port = self.etcd_port;
        ready(&mut etcd.child, || net::answers_200(port, "/readyz")).await?;
        let mut apiserver = self.apiserver.lock().await;
        self.serves_again(&mut apiserver).await
    }

    async fn serves_again(&self, apiserver: &mut Component) -> Result<(), Error> {
        ready(&mut apiserver.child, || is_ready(&self.kubeconfig)).await?;
        let mut controller_manager = self.controller_manager.lock().await;
        controller_manager.start_again(&self.folder)
    }

    /// Forgets what the API server has answered so far, for tests that go on for
    /// hours. Nobody else may be about to read it.
    ///
    /// # Errors
    ///
    /// When the file cannot be emptied.
    pub fn forget_audit(&self) -> Result<(), Error> {
        let path = self.folder.join("audit.log");
        // The API server appends, so it goes on at the beginning.
        std::fs::File::create(&path).map_err(Error::file(&path))?;
        Ok(())
    }

    /// A new client that may do everything.
    ///
    /// New on each call, because a client belongs to the runtime that made it,
    /// and each `#[tokio::test]` has its own.
    #[must_use]
    pub fn client(&self) -> Client {
        new_client(&self.admin)
    }

    /// A new client with exactly the rights that the chart gives the operator.
    pub async fn operator_client(&self) -> Client {
        new_client(&self.operator)
    }

    /// The kubeconfig file of the cluster's administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The kubeconfig file of the operator's user.
    #[must_use]
    pub fn operator_kubeconfig(&self) -> &Path {
        &self.operator_kubeconfig
    }

    /// The kubectl that belongs to this control plane.
    #[must_use]
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    /// The folder with logs and credentials; it goes away at the end, unless
    /// the variable `TESTBED_KEEP` is set.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.folder.path()
    }

    /// What the API server has answered so far.
    ///
    /// An event comes a moment after its answer, and a watch only when it
    /// ends: wait for what must be there before judging what is not.
    #[must_use]
    pub fn audit(&self) -> Vec<AuditEvent> {
        audit::read(&self.folder.join("audit.log"))
    }

    /// Creates a namespace and returns its name: `prefix`, a hyphen and
    /// something random.
    ///
    /// # Panics
    ///
    /// When the API server refuses it.
    pub async fn namespace(&self, prefix: &str) -> String {
        let namespace = Namespace {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-")),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let namespaces: Api<Namespace> = Api::all(self.client());
        match namespaces.create(&PostParams::default(), &namespace).await {
            Ok(created) => created.metadata.name.unwrap_or_default(),
            Err(error) => panic!("creating a namespace {prefix}-…: {error}"),
        }
    }

    /// Applies each document of `yaml` server-side, as the administrator.
    ///
    /// # Errors
    ///
    /// When a document is malformed, its kind unknown, or the server refuses it.
    pub async fn apply_yaml(&self, yaml: &str) -> Result<(), Error> {
        apply::yaml(&self.client(), yaml).await
    }

    /// Waits until objects of these CRDs can be created.
    ///
    /// For names that are new it restarts the controller manager, so that the
    /// garbage collector follows their owner references at once and not only
    /// after its next look at the kinds, up to 40 s later.
    ///
    /// # Errors
    ///
    /// When one of them is not `Established` within 30 seconds.
    pub async fn wait_for_crds(&self, names: &[&str]) -> Result<(), Error> {
        apply::crds_served(&self.client(), names).await?;
        self.controller_manager
            .lock()
            .await
            .learn(&self.folder, names)
    }
}

struct Kubeconfigs {
    admin: PathBuf,
    operator: PathBuf,
}

/// Everything that the programs read when they start.
fn write_files(folder: &Folder, ports: &Ports) -> Result<Kubeconfigs, Error> {
    let admin = Identity::new("admin", "system:masters");
    let operator = Identity::new(OPERATOR_USER, "");
    // A name of its own, so that the audit log tells its requests from the tests'.
    let controller_manager = Identity::new("system:kube-controller-manager", "system:masters");
    let scheduler = Identity::new("system:kube-scheduler", "");
    // A name that the Node authorizer knows: it sees the Secrets of its own pods
    // and no others.
    let kubelet = Identity::new(crate::node::USER, "system:nodes");

    folder.write(
        "tokens.csv",
        &[&admin, &operator, &controller_manager, &scheduler, &kubelet]
            .map(Identity::csv)
            .concat(),
    )?;
    folder.write("service-account.key", &service_account_key()?)?;
    folder.write("audit-policy.yaml", AUDIT_POLICY)?;

    // The API server writes this one; its chain ends with the authority.
    let authority = folder.join("certs/apiserver.crt");
    let kubeconfig = |name: &str, identity: &Identity| {
        let server = (ports.address, ports.apiserver);
        folder.write(name, &identity.kubeconfig(server, &authority)?)
    };
    kubeconfig("controller-manager.kubeconfig", &controller_manager)?;
    kubeconfig("scheduler.kubeconfig", &scheduler)?;
    kubeconfig("kubelet.kubeconfig", &kubelet)?;
    Ok(Kubeconfigs {
        admin: kubeconfig("admin.kubeconfig", &admin)?,
        operator: kubeconfig("operator.kubeconfig", &operator)?,
    })
}

fn namespace_manifest(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n")
}
