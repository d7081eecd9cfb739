//! What the programs of a node read, and the command lines that name it.
//!
//! It needs a folder for the node and one of the control plane. It refuses to
//! configure what the defaults do as well; what is not plain plumbing says why.

use std::path::Path;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use serde_json::json;

use super::cgroups::Cgroups;
use super::image::{Image, busybox};
use super::requirements::CNI;
use super::wire::Wire;
use super::{NODE, PAUSE};
use crate::error::Error;
use crate::{Child, ControlPlane, Folder};

/// Where pods live; only the node knows these addresses.
const PODS: &str = "10.244.0.0/24";
/// The Service `kubernetes`, the first of the range in `components.rs`.
const SERVICE: &str = "10.0.0.1";
/// By what the kubelet knows the API server, which asks it for logs and exec.
const CLIENT_CERTIFICATE: &str = "kubelet-client.crt";
const CLIENT_KEY: &str = "kubelet-client.key";

/// Starts the node's first process; containerd runs soon, the kubelet after
/// [`hand_over`].
pub(crate) fn start(
    folder: &Folder,
    wire: &Wire,
    cgroups: &Cgroups,
    kubelet: &Path,
) -> Result<Child, Error> {
    folder.write("containerd.toml", &containerd())?;
    let network = folder.join("network");
    std::fs::create_dir(&network).map_err(Error::file(&network))?;
    folder.write("network/pods.conflist", &network_of_pods().to_string())?;
    let kubelet_yaml = kubelet_configuration(wire.name());
    folder.write("kubelet.yaml", &kubelet_yaml.to_string())?;
    let pause = Image {
        reference: PAUSE,
        root: &busybox(folder.path())?,
        entrypoint: &["/bin/busybox", "sleep", "2147483647"],
    };
    pause.archive(folder.path())?;

    let unshare = [
        "--net",
        "--mount",
        "--pid",
        "--ipc",
        "--uts",
        "--mount-proc",
        "--fork",
        "--kill-child",
        "/bin/sh",
        "-c",
        include_str!("node.sh"),
        "node",
    ];
    let mut arguments: Vec<&std::ffi::OsStr> = unshare.iter().map(AsRef::as_ref).collect();
    arguments.push(folder.path().as_os_str());
    arguments.push(cgroups.name().as_ref());
    arguments.push(kubelet.as_os_str());
    arguments.push(NODE.as_ref());
    let log = folder.join("node.log");
    Child::spawn("unshare", arguments, [("", ""); 0], &log)
        .map_err(Error::file(Path::new("/bin/sh")))
}

/// Gives the node what it lacks to join: who it is, and where the API server is.
pub(crate) fn hand_over(folder: &Folder, cluster: &ControlPlane, wire: &Wire) -> Result<(), Error> {
    for name in ["kubelet.kubeconfig", CLIENT_CERTIFICATE] {
        let from = cluster.folder().join(name);
        std::fs::copy(&from, folder.join(name)).map_err(Error::file(&from))?;
    }
    let (here, there) = (wire.here(), wire.there());
    let port = cluster.apiserver_port();
    let go = format!("HERE={here}\nTHERE={there}\nSERVICE={SERVICE}\nSERVER={here}:{port}\n");
    // Found whole or not at all.
    let written = folder.write("go.part", &go)?;
    std::fs::rename(&written, folder.join("go")).map_err(Error::file(&written))
}

/// The command line of the scheduler.
pub(crate) fn scheduler(cluster: &ControlPlane) -> Vec<String> {
    let kubeconfig = cluster.folder().join("scheduler.kubeconfig");
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        "--leader-elect=false".to_owned(),
        // Nobody asks it anything.
        "--secure-port=0".to_owned(),
    ]
}

/// What the API server needs besides, to ask a kubelet. The certificate signs
/// itself: the kubelet knows this one and no other.
pub(crate) fn for_apiserver(folder: &Folder) -> Result<Vec<String>, Error> {
    let malformed = |error: rcgen::Error| Error::malformed(CLIENT_CERTIFICATE, error);
    let key = KeyPair::generate().map_err(malformed)?;
    let mut params = CertificateParams::new(Vec::new()).map_err(malformed)?;
    let subject = &mut params.distinguished_name;
    subject.push(DnType::OrganizationName, "system:masters");
    subject.push(DnType::CommonName, "kube-apiserver-kubelet-client");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&key).map_err(malformed)?;
    let certificate = folder.write(CLIENT_CERTIFICATE, &certificate.pem())?;
    let key = folder.write(CLIENT_KEY, &key.serialize_pem())?;
    Ok(vec![
        format!("--kubelet-client-certificate={}", certificate.display()),
        format!("--kubelet-client-key={}", key.display()),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        // A kubelet may change its own node and the pods on it.
        "--enable-admission-plugins=NodeRestriction".to_owned(),
    ])
}

fn containerd() -> String {
    format!(
        r#"version = 2
root = "/mnt/memory/containerd"
state = "/run/containerd"

[grpc]
address = "/mnt/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI}"
conf_dir = "/mnt/network"
"#
    )
}

fn network_of_pods() -> serde_json::Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": true,
            // This machine knows the node's address and no pod's.
            "ipMasq": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{ "subnet": PODS }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    })
}

/// JSON, which is YAML.
fn kubelet_configuration(cgroup: &str) -> serde_json::Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///mnt/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{cgroup}"),
        "failCgroupV1": false,
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": format!("/mnt/{CLIENT_CERTIFICATE}") },
        },
        "authorization": { "mode": "Webhook" },
        // How soon a pod sees a changed Secret: within a second rather than a
        // minute, so that a test of it takes seconds.
        "syncFrequency": "1s",
        "configMapAndSecretChangeDetectionStrategy": "Watch",
        "podLogsDir": "/mnt/pods",
        "volumePluginDir": "/mnt/memory/volume-plugins",
        "nodeStatusUpdateFrequency": "5s",
        // How full the disk of this machine is has nothing to do with a test.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%",
            "imagefs.available": "0%", "imagefs.inodesFree": "0%",
        },
        "failSwapOn": false,
        "makeIPTablesUtilChains": false,
        "resolvConf": "",
    })
}
