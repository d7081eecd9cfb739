//! A real node: kubelet, containerd, pods. It lives in namespaces of its own
//! (network, mounts, processes, host name) and talks to the control plane over
//! a wire, as another machine would.
//!
//! What it needs: root on Linux, and the packages that `requirements.rs` names.
//! What it refuses to do: pull an image, change a setting of this machine, or
//! leave anything behind. When its first process ends, so does every process,
//! mount and network device of the node, whatever way this process went; only
//! its cgroups have to be removed, which `cgroups.rs` sees to.

mod cgroups;
mod files;
pub(crate) mod image;
pub(crate) mod operator;
pub(crate) mod requirements;
mod wire;

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use k8s_openapi::api::core::v1;
use kube::Api;

use crate::binaries::node_binaries;
use crate::error::Error;
use crate::start::{ready, run};
use crate::{Child, ControlPlane, Folder};

use cgroups::Cgroups;
use wire::Wire;

pub(crate) use files::for_apiserver;

/// The name of the node.
pub const NODE: &str = "node";
/// What holds a pod's namespaces open.
const PAUSE: &str = "docker.io/local/pause:1";
/// As whom its kubelet talks to the API server.
pub(crate) const USER: &str = "system:node:node";

/// A running node and its control plane.
#[derive(Debug)]
pub struct Node {
    _scheduler: Child,
    cluster: ControlPlane,
    init: Child,
    // After the processes that are in them.
    _cgroups: Cgroups,
    wire: Wire,
    folder: Folder,
}

impl Node {
    /// Starts a control plane with one node that is ready for pods.
    ///
    /// # Errors
    ///
    /// When [`node_needs`](crate::node_needs) names something, or a program does
    /// not become ready; the message then ends with the last lines of its log.
    pub async fn start() -> Result<Self, Error> {
        if let Some(missing) = requirements::missing() {
            return Err(Error::malformed("this machine", missing));
        }
        let (scheduler, kubelet) = node_binaries().await?;
        let folder = Folder::new()?;
        let wire = Wire::new();
        let cgroups = Cgroups::new(wire.name())?;
        let mut init = files::start(&folder, &wire, &cgroups, &kubelet)?;
        let born = folder.join("born");
        ready(&mut init, || async { born.exists() }).await?;
        wire.connect(init.id())?;

        let cluster = ControlPlane::start_at(wire.here()).await?;
        let arguments = files::scheduler(&cluster);
        let scheduler = run(cluster.folder(), &scheduler, arguments)?;
        files::hand_over(&folder, &cluster, &wire)?;
        let nodes: Api<v1::Node> = Api::all(cluster.client());
        ready(&mut init, || async {
            nodes.get(NODE).await.is_ok_and(|node| is_ready(&node))
        })
        .await?;
        Ok(Self {
            cluster,
            _scheduler: scheduler,
            init,
            _cgroups: cgroups,
            wire,
            folder,
        })
    }

    /// Its control plane.
    #[must_use]
    pub fn cluster(&self) -> &ControlPlane {
        &self.cluster
    }

    /// What its network device and its cgroups on this machine are called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.wire.name()
    }

    /// The address of this machine that pods reach.
    #[must_use]
    pub fn host(&self) -> Ipv4Addr {
        self.wire.here()
    }

    /// Its own address, where what [`Node::spawn`] started listens.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.wire.there()
    }

    /// Starts a program of this machine in the node's network, where it reaches pods.
    ///
    /// # Errors
    ///
    /// When `/bin/sh` cannot be started.
    pub fn spawn<A>(&self, program: &Path, args: A, log: &Path) -> std::io::Result<Child>
    where
        A: IntoIterator<Item = String>,
    {
        let network = format!("--net=/proc/{}/ns/net", self.init.id());
        let program = program.display().to_string();
        let args = [network, program].into_iter().chain(args);
        Child::spawn("nsenter", args, [("", ""); 0], log)
    }

    /// The folder with the logs of containerd, kubelet and pods.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.folder.path()
    }

    /// Makes an image known, so that a pod that names it needs no registry.
    ///
    /// # Errors
    ///
    /// When containerd refuses it.
    pub fn import(&self, archive: &Path) -> Result<(), Error> {
        let socket = self.folder.join("containerd.sock");
        let mut ctr = Command::new("ctr");
        ctr.arg("--address").arg(socket);
        ctr.args(["--namespace=k8s.io", "images", "import"]);
        wire::output(ctr.arg(archive))
    }
}

/// Ready, and without the taint that the first seconds bring.
fn is_ready(node: &v1::Node) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|c| c.type_ == "Ready" && c.status == "True");
    let tainted = node.spec.as_ref().is_some_and(|s| s.taints.is_some());
    ready && !tainted
}

impl Drop for Node {
    /// Ends the node as a loss of power would, before anybody starts its pods
    /// anew; its processes, mounts and devices are gone on return.
    fn drop(&mut self) {
        self.init.kill_now();
    }
}
