//! The real binaries: found where `KUBEBUILDER_ASSETS` says, or built once.
//!
//! What it needs: nothing in the first case, Go and the Go module proxy in the
//! second. The versions are those of `tests/kubernetes/go.mod` and written
//! nowhere else. What is built is kept under the target directory by the hash
//! of `go.mod` and `go.sum`; the slow part is in Go's own build cache.
//!
//! What it refuses to do: download a binary, or use one from `PATH`, whose
//! version nobody chose.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use crate::error::{Error, tail};
use crate::progress::Progress;
use crate::{Child, target};

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kubernetes");

/// The beginning of the name of a folder that a build is going on in.
const SCRATCH: &str = "building-";

/// A binary's name and the Go package that it is built from.
type Binary = (&'static str, &'static str);

const ETCD: Binary = ("etcd", "go.etcd.io/etcd/server/v3");
const APISERVER: Binary = ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver");
const CONTROLLER_MANAGER: Binary = (
    "kube-controller-manager",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
);
const KUBECTL: Binary = ("kubectl", "k8s.io/kubernetes/cmd/kubectl");

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
    let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty())
    else {
        let built = built(&[ETCD, APISERVER, CONTROLLER_MANAGER, KUBECTL]).await?;
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
    let built = built(&[CONTROLLER_MANAGER]).await?;
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

/// The folder that holds `wanted`, built by whoever comes first.
async fn built(wanted: &[Binary]) -> Result<PathBuf, Error> {
    let module = Path::new(MODULE);
    let go_mod = read(&module.join("go.mod"))?;
    let go_sum = read(&module.join("go.sum"))?;
    let hash = target::hex(digest(&SHA256, format!("{go_mod}{go_sum}").as_bytes()).as_ref());
    let folder = target::directory().join("kubernetes").join(&hash[..16]);

    if missing(wanted, &folder).is_empty() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    // Test binaries may run side by side; the second one waits and then finds
    // everything done. The lock goes when the file is closed.
    let _lock = lock(&folder.join("lock"), "Kubernetes").await?;
    let missing = missing(wanted, &folder);
    if !missing.is_empty() {
        remove_interrupted(&folder);
        build(&missing, &version(&go_mod)?, &folder).await?;
    }
    Ok(folder)
}

fn missing(wanted: &[Binary], folder: &Path) -> Vec<Binary> {
    wanted
        .iter()
        .filter(|(name, _)| !folder.join(name).is_file())
        .copied()
        .collect()
}

/// What a build left that was ended with its owner.
fn remove_interrupted(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(SCRATCH)) {
        // What stays is only in nobody's way.
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Builds into a folder of its own and moves each finished binary into place,
/// so an interrupted build leaves nothing that looks finished.
async fn build(missing: &[Binary], version: &str, folder: &Path) -> Result<(), Error> {
    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
    let what = names.join(", ");
    let scratch = folder.join(format!("{SCRATCH}{}", target::random()));
    fs::create_dir_all(&scratch).map_err(Error::file(&scratch))?;
    let log = scratch.join("go.log");

    // The trailing slash tells Go that this is a folder.
    let output = format!("{}/", scratch.display());
    let ldflags = format!("-ldflags={}", ldflags(version));
    let mut args = vec!["-C", MODULE, "build", "-trimpath", &ldflags, "-o", &output];
    args.extend(missing.iter().map(|(_, package)| *package));
    // A workspace file or flags of the user's would change what is built.
    let env = [("CGO_ENABLED", "0"), ("GOWORK", "off"), ("GOFLAGS", "")];

    let mut go = Child::spawn("go", &args, env, &log).map_err(Error::file(Path::new("/bin/sh")))?;
    let mut progress = Progress::new(format!("building {what} once (about 8 minutes on 2 cores)"));
    let exit = loop {
        if let Some(exit) = go.try_wait() {
            break exit;
        }
        progress.tick().await;
    };
    progress.end();

    if exit.code == 127 {
        let _ = fs::remove_dir_all(&scratch);
        return Err(Error::NoGo);
    }
    if !exit.success() {
        let tail = tail(&log);
        let _ = fs::remove_dir_all(&scratch);
        return Err(Error::Build { what, tail });
    }
    for (name, package) in missing {
        let from = scratch.join(file_of(package));
        fs::rename(&from, folder.join(name)).map_err(Error::file(&from))?;
    }
    fs::remove_dir_all(&scratch).map_err(Error::file(&scratch))
}

/// The name that `go build` gives a package's binary: its last path element,
/// but for the major version. So etcd's is called `server`.
fn file_of(package: &str) -> &str {
    let mut elements = package.rsplit('/');
    let last = elements.next().unwrap_or(package);
    let is_major = last
        .strip_prefix('v')
        .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
    if is_major {
        elements.next().unwrap_or(last)
    } else {
        last
    }
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

/// Waits until nobody else builds this.
pub(crate) async fn lock(path: &Path, what: &str) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::file(path))?;
    let mut progress = None;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                let message =
                    || Progress::new(format!("waiting for another test that builds {what}"));
                progress.get_or_insert_with(message).tick().await;
            }
            Err(TryLockError::Error(error)) => return Err(Error::file(path)(error)),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if let Some(progress) = progress {
        progress.end();
    }
    Ok(file)
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_named_as_go_names_them() {
        assert_eq!(file_of(ETCD.1), "server");
        assert_eq!(file_of(KUBECTL.1), "kubectl");
    }

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
