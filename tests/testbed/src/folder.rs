//! A folder that goes away with us.
//!
//! It needs a POSIX `/bin/sh`: a small shell waits on a pipe from this process
//! and removes the folder when the pipe closes, because destructors of statics
//! never run and a killed process runs none at all. It refuses to remove
//! anything if `TESTBED_KEEP` is set, for whoever wants to read the logs.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::target;

/// Programs that still write have three seconds to end (see `guardian.sh`).
const JANITOR: &str = r#"cat >/dev/null
for attempt in 1 2 3 4 5 6; do sleep 1; rm -rf "$1" && exit; done"#;

/// A folder below the cargo target directory that only this user can look into.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    janitor: Option<std::process::Child>,
}

impl Folder {
    /// A new folder that only this user can look into: it will hold tokens.
    ///
    /// # Errors
    ///
    /// When it cannot be created, or `/bin/sh` cannot be started.
    pub fn new() -> Result<Self, Error> {
        let path = target::directory().join("testbed").join(target::random());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(Error::file(&path))?;
        // Programs that we start may have another working directory.
        let path = path.canonicalize().map_err(Error::file(&path))?;

        let keep = std::env::var_os("TESTBED_KEEP").is_some_and(|value| !value.is_empty());
        let janitor = if keep { None } else { Some(janitor(&path)?) };
        Ok(Self { path, janitor })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, and tells its path.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, Error> {
        let path = self.join(name);
        fs::write(&path, content).map_err(Error::file(&path))?;
        Ok(path)
    }
}

fn janitor(path: &Path) -> Result<std::process::Child, Error> {
    Command::new("/bin/sh")
        .args(["-c", JANITOR, "janitor"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A Ctrl-C in the terminal must not end it before its work.
        .process_group(0)
        .spawn()
        .map_err(Error::file(Path::new("/bin/sh")))
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(mut janitor) = self.janitor.take() {
            // If this fails, the janitor tries again; it ends by itself, later.
            let _ = fs::remove_dir_all(&self.path);
            drop(janitor.stdin.take());
        }
    }
}
