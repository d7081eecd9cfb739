//! A program of the control plane that can be ended and started again as it was.
//!
//! It needs its folder and its command line. It refuses to say when it is ready:
//! how that shows is different for each.

use std::path::{Path, PathBuf};

use crate::Child;
use crate::error::Error;
use crate::folder::Folder;
use crate::start::run;

#[derive(Debug)]
pub(crate) struct Component {
    binary: PathBuf,
    arguments: Vec<String>,
    pub(crate) child: Child,
}

impl Component {
    pub(crate) fn start(
        folder: &Folder,
        binary: &Path,
        arguments: Vec<String>,
    ) -> Result<Self, Error> {
        Ok(Self {
            binary: binary.to_owned(),
            child: run(folder, binary, arguments.clone())?,
            arguments,
        })
    }

    /// SIGKILL, as a lost node would end it. Nothing happens when it has ended.
    pub(crate) fn kill(&mut self) {
        self.child.kill_now();
    }

    /// Starts it with the same command line, on what it left behind.
    pub(crate) fn start_again(&mut self, folder: &Folder) -> Result<(), Error> {
        self.kill();
        self.child = run(folder, &self.binary, self.arguments.clone())?;
        Ok(())
    }
}
