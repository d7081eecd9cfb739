//! Images without a registry: an archive as `docker save` writes it, made of
//! files of this machine.
//!
//! It needs `tar`, and for [`busybox`] a static busybox. It refuses to write
//! anywhere but into the folder that it is given.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;

use super::wire::output;
use crate::error::Error;
use crate::target;

/// An image to be made.
#[derive(Debug)]
pub struct Image<'a> {
    /// As `docker.io/local/busybox:1`. With a tag other than `latest` a pod
    /// takes it as it is and asks no registry.
    pub reference: &'a str,
    /// Its only layer.
    pub root: &'a Path,
    /// What it runs unless the pod says otherwise.
    pub entrypoint: &'a [&'a str],
}

impl Image<'_> {
    /// Writes the archive into `folder`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written.
    pub fn archive(&self, folder: &Path) -> Result<PathBuf, Error> {
        let name = self.reference.replace(['/', ':'], "-");
        let parts = folder.join(&name);
        fs::create_dir_all(&parts).map_err(Error::file(&parts))?;
        let layer = parts.join("layer.tar");
        tar(self.root, &layer, ".")?;
        let bytes = fs::read(&layer).map_err(Error::file(&layer))?;
        let id = target::hex(digest(&SHA256, &bytes).as_ref());
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": { "Entrypoint": self.entrypoint, "Env": ["PATH=/bin"] },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{id}")] },
        });
        let manifest = json!([{
            "Config": "config.json", "RepoTags": [self.reference], "Layers": ["layer.tar"],
        }]);
        for (name, content) in [("config.json", config), ("manifest.json", manifest)] {
            let path = parts.join(name);
            fs::write(&path, content.to_string()).map_err(Error::file(&path))?;
        }
        let archive = folder.join(format!("{name}.tar"));
        tar(&parts, &archive, ".")?;
        fs::remove_dir_all(&parts).map_err(Error::file(&parts))?;
        Ok(archive)
    }
}

/// Busybox and a link for each of its commands, in `folder`.
///
/// # Errors
///
/// When there is no busybox, or a file cannot be written.
pub fn busybox(folder: &Path) -> Result<PathBuf, Error> {
    let root = folder.join("busybox");
    let bin = root.join("bin");
    if bin.exists() {
        return Ok(root);
    }
    fs::create_dir_all(&bin).map_err(Error::file(&bin))?;
    let program = bin.join("busybox");
    let found = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
    let found = found
        .iter()
        .find(|path| path.is_file())
        .unwrap_or(&found[0]);
    fs::copy(found, &program).map_err(Error::file(found))?;
    let list = Command::new(&program)
        .arg("--list")
        .output()
        .map_err(Error::file(&program))?;
    for name in String::from_utf8_lossy(&list.stdout).lines() {
        let link = bin.join(name);
        if name != "busybox" {
            symlink("busybox", &link).map_err(Error::file(&link))?;
        }
    }
    Ok(root)
}

fn tar(from: &Path, to: &Path, what: &str) -> Result<(), Error> {
    let mut tar = Command::new("tar");
    tar.arg("-C")
        .arg(from)
        .arg("--owner=0")
        .arg("--group=0")
        .arg("-cf")
        .arg(to)
        .arg(what);
    output(&mut tar)
}

/// As Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
