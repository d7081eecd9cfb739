//! Programs built from the Go module proxy, once.
//!
//! What it needs: Go, and a folder with `go.mod` and `go.sum`, which say the
//! versions. What is built is kept under the target directory by the hash of the
//! two; the slow part is in Go's own build cache.
//!
//! What it refuses to do: leave something that looks finished and is not.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use crate::error::{Error, tail};
use crate::progress::Progress;
use crate::{Child, target};

/// The beginning of the name of a folder that a build is going on in.
const SCRATCH: &str = "building-";

/// A program: the name that it gets, and the Go package that it is built from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output<'a> {
    pub(crate) name: &'a str,
    pub(crate) package: &'a str,
}

/// How programs of one module are built.
pub(crate) struct Build<'a> {
    /// The folder of `go.mod`.
    pub(crate) module: &'a Path,
    /// The folder below the target directory.
    pub(crate) into: &'a str,
    pub(crate) ldflags: &'a str,
    /// How long it takes, for whoever waits.
    pub(crate) takes: &'a str,
}

impl Build<'_> {
    /// The folder that holds `wanted`, built by whoever comes first.
    pub(crate) async fn folder_with(&self, wanted: &[Output<'_>]) -> Result<PathBuf, Error> {
        let go_mod = read(&self.module.join("go.mod"))?;
        let go_sum = read(&self.module.join("go.sum"))?;
        let hash = target::hex(digest(&SHA256, format!("{go_mod}{go_sum}").as_bytes()).as_ref());
        let folder = target::directory().join(self.into).join(&hash[..16]);

        if missing(wanted, &folder).is_empty() {
            return Ok(folder);
        }
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        // Test binaries may run side by side; the second one waits and then finds
        // everything done. The lock goes when the file is closed.
        let _lock = lock(&folder.join("lock"), self.into).await?;
        let missing = missing(wanted, &folder);
        if !missing.is_empty() {
            remove_interrupted(&folder);
            self.build(&missing, &folder).await?;
        }
        Ok(folder)
    }

    /// Builds into a folder of its own and moves each finished program into place,
    /// so an interrupted build leaves nothing that looks finished.
    async fn build(&self, missing: &[Output<'_>], folder: &Path) -> Result<(), Error> {
        let names: Vec<&str> = missing.iter().map(|output| output.name).collect();
        let what = names.join(", ");
        let scratch = folder.join(format!("{SCRATCH}{}", target::random()));
        fs::create_dir_all(&scratch).map_err(Error::file(&scratch))?;
        let log = scratch.join("go.log");

        // The trailing slash tells Go that this is a folder.
        let output = format!("{}/", scratch.display());
        let ldflags = format!("-ldflags={}", self.ldflags);
        let module = self.module.display().to_string();
        let mut args = vec!["-C", &module, "build", "-trimpath", &ldflags, "-o", &output];
        args.extend(missing.iter().map(|output| output.package));
        // A workspace file or flags of the user's would change what is built.
        let env = [("CGO_ENABLED", "0"), ("GOWORK", "off"), ("GOFLAGS", "")];

        let mut go =
            Child::spawn("go", &args, env, &log).map_err(Error::file(Path::new("/bin/sh")))?;
        let mut progress = Progress::new(format!("building {what} once ({})", self.takes));
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
        for output in missing {
            let from = scratch.join(file_of(output.package));
            fs::rename(&from, folder.join(output.name)).map_err(Error::file(&from))?;
        }
        fs::remove_dir_all(&scratch).map_err(Error::file(&scratch))
    }
}

fn missing<'a>(wanted: &[Output<'a>], folder: &Path) -> Vec<Output<'a>> {
    wanted
        .iter()
        .filter(|output| !folder.join(output.name).is_file())
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

/// The name that `go build` gives a package's binary: its last path element,
/// but for the major version. So etcd's is called `server`.
pub(crate) fn file_of(package: &str) -> &str {
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

pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_named_as_go_names_them() {
        assert_eq!(file_of("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(file_of("k8s.io/kubernetes/cmd/kubectl"), "kubectl");
    }
}
