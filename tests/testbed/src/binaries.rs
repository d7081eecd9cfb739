//! The real binaries: found where `KUBEBUILDER_ASSETS` says, or built once.
//!
//! What it needs: nothing in the first case, Go and the Go module proxy in the
//! second. The versions are those of `tests/kubernetes/go.mod` and written
//! nowhere else; with `TESTBED_KUBERNETES=1.34` API server and controller manager
//! are those of `tests/kubernetes/1.34/go.mod`.
//!
//! What it refuses to do: download a binary, or use one from `PATH`, whose
//! version nobody chose.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::go::{Build, Output, read};

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kubernetes");
/// Names another minor version of Kubernetes, one that has a folder in [`MODULE`].
const MINOR: &str = "TESTBED_KUBERNETES";

/// A binary's name and the Go package that it is built from.
type Binary = (&'static str, &'static str);

const ETCD: Binary = ("etcd", "go.etcd.io/etcd/server/v3");
const APISERVER: Binary = ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver");
const CONTROLLER_MANAGER: Binary = (
    "kube-controller-manager",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
);
const KUBECTL: Binary = ("kubectl", "k8s.io/kubernetes/cmd/kubectl");
const SCHEDULER: Binary = ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler");
const KUBELET: Binary = ("kubelet", "k8s.io/kubernetes/cmd/kubelet");

/// Where each binary is.
#[derive(Debug)]
pub(crate) struct Binaries {
    pub(crate) etcd: PathBuf,
    pub(crate) apiserver: PathBuf,
    pub(crate) controller_manager: PathBuf,
    pub(crate) kubectl: PathBuf,
}

/// Finds the binaries, and builds those that are missing.
pub(crate) async fn binaries() -> Result<Binaries, Error> {
    if let Some(minor) = other_minor() {
        let module = Path::new(MODULE).join(&minor);
        let tools = built(Path::new(MODULE), &[ETCD, KUBECTL]).await?;
        let built = built(&module, &[APISERVER, CONTROLLER_MANAGER]).await?;
        return Ok(Binaries {
            apiserver: built.join(APISERVER.0),
            ..Binaries::below(&tools, &built)
        });
    }
    let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty())
    else {
        let all = [ETCD, APISERVER, CONTROLLER_MANAGER, KUBECTL];
        let built = built(Path::new(MODULE), &all).await?;
        return Ok(Binaries::below(&built, &built));
    };

    let assets = PathBuf::from(assets);
    for (name, _) in [ETCD, APISERVER, KUBECTL] {
        if !assets.join(name).is_file() {
            return Err(Error::Assets {
                folder: assets,
                missing: name,
            });
        }
    }
    // envtest's own archives leave the controller manager out.
    if assets.join(CONTROLLER_MANAGER.0).is_file() {
        return Ok(Binaries::below(&assets, &assets));
    }
    let built = built(Path::new(MODULE), &[CONTROLLER_MANAGER]).await?;
    Ok(Binaries::below(&assets, &built))
}

impl Binaries {
    fn below(assets: &Path, controller_manager: &Path) -> Self {
        Self {
            etcd: assets.join(ETCD.0),
            apiserver: assets.join(APISERVER.0),
            controller_manager: controller_manager.join(CONTROLLER_MANAGER.0),
            kubectl: assets.join(KUBECTL.0),
        }
    }
}

/// The minor version that is asked for instead of the newest.
pub(crate) fn other_minor() -> Option<String> {
    std::env::var(MINOR).ok().filter(|minor| !minor.is_empty())
}

/// What a node needs besides: scheduler and kubelet. No archive of envtest's
/// holds them.
pub(crate) async fn node_binaries() -> Result<(PathBuf, PathBuf), Error> {
    let built = built(Path::new(MODULE), &[SCHEDULER, KUBELET]).await?;
    Ok((built.join(SCHEDULER.0), built.join(KUBELET.0)))
}

/// The folder that holds `wanted`, built by whoever comes first.
async fn built(module: &Path, wanted: &[Binary]) -> Result<PathBuf, Error> {
    let version = version(&read(&module.join("go.mod"))?)?;
    let wanted: Vec<Output<'_>> = wanted
        .iter()
        .map(|(name, package)| Output { name, package })
        .collect();
    Build {
        module,
        into: "kubernetes",
        ldflags: &ldflags(&version),
        takes: "about 8 minutes on 2 cores",
    }
    .folder_with(&wanted)
    .await
}

/// Stamps the version, as Kubernetes' own build does. Without it the server
/// calls itself `v0.0.0-master+$Format:%H$`, which kubectl and Helm cannot parse.
fn ldflags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    [
        "k8s.io/component-base/version",
        "k8s.io/client-go/pkg/version",
    ]
    .iter()
    .flat_map(|package| {
        [
            format!("-X {package}.gitVersion={version}"),
            format!("-X {package}.gitMajor={major}"),
            format!("-X {package}.gitMinor={minor}"),
        ]
    })
    .fold("-s -w".to_owned(), |flags, flag| format!("{flags} {flag}"))
}

/// The version of Kubernetes that `go.mod` requires.
fn version(go_mod: &str) -> Result<String, Error> {
    go_mod
        .lines()
        .find_map(|line| {
            line.trim()
                .trim_start_matches("require ")
                .strip_prefix("k8s.io/kubernetes v")
        })
        .and_then(|rest| rest.split_whitespace().next())
        .map(|number| format!("v{number}"))
        .ok_or_else(|| {
            Error::malformed(
                "tests/kubernetes/go.mod",
                "does not require k8s.io/kubernetes",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_stamped_from_go_mod() {
        let version = version("require (\n\tk8s.io/kubernetes v1.37.2 // indirect\n)").unwrap();
        assert_eq!(version, "v1.37.2");
        let flags = ldflags(&version);
        assert!(
            flags.contains("-X k8s.io/component-base/version.gitVersion=v1.37.2"),
            "{flags}"
        );
        assert!(
            flags.contains("-X k8s.io/client-go/pkg/version.gitMinor=37"),
            "{flags}"
        );
    }

    #[test]
    fn the_committed_module_says_its_version() {
        let go_mod = read(&Path::new(MODULE).join("go.mod")).unwrap();
        assert!(version(&go_mod).unwrap().starts_with("v1."));
    }
}
