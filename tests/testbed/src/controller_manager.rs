//! The controller manager, started anew when there are new kinds.
//!
//! It needs a ready API server. It refuses to say when it is ready, since it
//! answers to nobody: its deeds have to tell.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::folder::Folder;
use crate::start::run;
use crate::{Child, components};

/// The controller manager, and the CRDs that it found when it started.
#[derive(Debug)]
pub(crate) struct ControllerManager {
    binary: PathBuf,
    arguments: Vec<String>,
    pub(crate) child: Child,
    crds: BTreeSet<String>,
}

impl ControllerManager {
    /// Starts it; only CRDs that exist by now are known to it.
    pub(crate) fn start(folder: &Folder, binary: &Path, node: bool) -> Result<Self, Error> {
        let arguments = components::controller_manager(folder.path(), node);
        Ok(Self {
            binary: binary.to_owned(),
            child: run(folder, binary, arguments.clone())?,
            arguments,
            crds: BTreeSet::new(),
        })
    }

    /// Starts it anew when it does not know one of `names`: its garbage
    /// collector looks for new kinds every 30 s only, so a test that deletes
    /// an owner would wait that long.
    pub(crate) fn learn(&mut self, folder: &Folder, names: &[&str]) -> Result<(), Error> {
        let before = self.crds.len();
        self.crds
            .extend(names.iter().map(|name| (*name).to_owned()));
        if self.crds.len() > before {
            self.start_again(folder)?;
        }
        Ok(())
    }

    /// Starts it anew. After an outage, too: it would look at what it missed only
    /// when its own watches have waited long enough, up to a minute each.
    pub(crate) fn start_again(&mut self, folder: &Folder) -> Result<(), Error> {
        self.child.kill_now();
        self.child = run(folder, &self.binary, self.arguments.clone())?;
        Ok(())
    }
}
