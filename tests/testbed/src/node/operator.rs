//! The operator's image: the static release build, in the very final stage of
//! the `Dockerfile`.
//!
//! It needs cargo with the target for musl, `musl-gcc` for the C parts, and
//! buildah. The stage that compiles is replaced by a folder with the same files,
//! so no base image is pulled. What it makes lies below the target directory,
//! and cargo decides what has to be built anew.
//!
//! It refuses to use another Dockerfile, or a build that is not the release.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::requirements::on_path;
use super::wire::output;
use crate::error::{Error, tail};
use crate::progress::Progress;
use crate::{Child, Folder, go, target};

/// Where the operator's sources and its Dockerfile are.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const PROGRAM: &str = "neo4j-okta-operator";
/// The certificates that Debian's `ca-certificates` brings.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// An image in an archive, as `docker save` writes it.
#[derive(Debug)]
pub struct OperatorImage {
    /// The archive.
    pub archive: PathBuf,
    /// What is in the image: its one program.
    pub program: PathBuf,
}

/// Why the operator's image cannot be built here, or `None` where it can.
#[must_use]
pub fn missing() -> Option<String> {
    let mut packages: Vec<&str> = [("buildah", "buildah"), ("musl-gcc", "musl-tools")]
        .iter()
        .filter(|(program, _)| !on_path(program))
        .map(|(_, package)| *package)
        .collect();
    if !Path::new("/").join(CERTIFICATES).is_file() {
        packages.push("ca-certificates");
    }
    if !packages.is_empty() {
        let packages = packages.join(" ");
        return Some(format!(
            "the operator's image needs the packages {packages}"
        ));
    }
    let installed = Command::new("rustc")
        .args(["--print=target-libdir", "--target", &triple()])
        .current_dir(ROOT)
        .output()
        .is_ok_and(|said| Path::new(String::from_utf8_lossy(&said.stdout).trim()).is_dir());
    (!installed).then(|| {
        format!(
            "the operator's image needs `rustup target add {}`",
            triple()
        )
    })
}

/// Builds the image and names it `reference`, such as `docker.io/local/operator:1`.
///
/// # Errors
///
/// When [`missing`] names something, or a program fails; the message then ends
/// with what it said.
pub async fn image(reference: &str) -> Result<OperatorImage, Error> {
    if let Some(missing) = missing() {
        return Err(Error::malformed("this machine", missing));
    }
    let folder = target::directory().join("image");
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    // Tests may run side by side.
    let _lock = go::lock(&folder.join("lock"), "the operator's image").await?;
    let program = build(&folder).await?;

    let scratch = Folder::new()?;
    let stage = scratch.join("stage");
    for (from, to) in [
        (program.as_path(), format!("out/{PROGRAM}")),
        (&Path::new("/").join(CERTIFICATES), CERTIFICATES.to_owned()),
    ] {
        let to = stage.join(to);
        let parent = to.parent().unwrap_or(&stage);
        fs::create_dir_all(parent).map_err(Error::file(parent))?;
        fs::copy(from, &to).map_err(Error::file(from))?;
    }
    let archive = folder.join(format!("{}.tar", reference.replace(['/', ':'], "-")));
    // It would be added to, not replaced.
    let _ = fs::remove_file(&archive);
    bud(&scratch, &stage, reference)?;
    let to = format!("docker-archive:{}:{reference}", archive.display());
    output(buildah(&scratch).args(["push", "--quiet", reference, &to]))?;
    // Files of the image's layers may belong to nobody else.
    let _ = output(buildah(&scratch).args(["rmi", "--all", "--force"]));
    Ok(OperatorImage { archive, program })
}

/// The release build, static. Cargo decides what of it is new.
async fn build(folder: &Path) -> Result<PathBuf, Error> {
    let manifest = Path::new(ROOT).join("Cargo.toml");
    // A folder of its own: whoever runs the tests may hold the lock of theirs.
    let into = folder.join("build");
    let (triple, log) = (triple(), folder.join("cargo.log"));
    let _ = fs::remove_file(&log);
    let program = ["--package", PROGRAM, "--bin", PROGRAM, "--target", &triple];
    let mut arguments: Vec<&OsStr> = ["build", "--release", "--locked"]
        .iter()
        .chain(&program)
        .map(AsRef::as_ref)
        .collect();
    arguments.push("--manifest-path".as_ref());
    arguments.push(manifest.as_os_str());
    arguments.push("--target-dir".as_ref());
    arguments.push(into.as_os_str());
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Child::spawn(cargo, arguments, [("", ""); 0], &log)
        .map_err(Error::file(Path::new("/bin/sh")))?;
    let mut progress =
        Progress::new("building the operator for its image (up to 8 minutes)".into());
    let exit = loop {
        if let Some(exit) = cargo.try_wait() {
            break exit;
        }
        progress.tick().await;
    };
    progress.end();
    if !exit.success() {
        let what = PROGRAM.to_owned();
        return Err(Error::Build {
            what,
            tail: tail(&log),
        });
    }
    Ok(into.join(triple).join("release").join(PROGRAM))
}

/// Builds the final stage from the Dockerfile.
fn bud(scratch: &Folder, stage: &Path, reference: &str) -> Result<(), Error> {
    let mut context = std::ffi::OsString::from("build=");
    context.push(stage);
    let mut bud = buildah(scratch);
    bud.args(["bud", "--isolation=chroot", "--quiet", "--tag", reference]);
    bud.arg("--build-arg=REVISION=test");
    bud.arg("--build-context").arg(context);
    bud.arg("--file").arg(Path::new(ROOT).join("Dockerfile"));
    output(bud.arg(scratch.path()))
}

/// Buildah, which keeps what it stores in this folder.
fn buildah(scratch: &Folder) -> Command {
    let mut buildah = Command::new("buildah");
    buildah.arg("--root").arg(scratch.join("storage"));
    buildah.arg("--runroot").arg(scratch.join("run"));
    buildah.arg("--storage-driver=vfs");
    buildah
}

fn triple() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}
