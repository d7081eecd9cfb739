//! The cgroups of the node's pods: below one of our own name, and gone with us.
//!
//! They are the one thing that outlives the node's processes. It needs a POSIX
//! `/bin/sh`, which removes them also when this process is killed (see
//! `folder.rs`). It refuses to touch a cgroup of another name.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::Error;

/// A cgroup can be removed when it is empty, so from the leaves; and a killed
/// process leaves it a moment later.
const JANITOR: &str = r#"cat >/dev/null
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    find /sys/fs/cgroup -depth -type d \( -path "*/$1" -o -path "*/$1/*" \) \
        -exec rmdir {} + 2>/dev/null && exit
    sleep 1
done"#;

/// A cgroup of this name in every hierarchy.
#[derive(Debug)]
pub(crate) struct Cgroups {
    name: String,
    janitor: Child,
}

impl Cgroups {
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        let janitor = Command::new("/bin/sh")
            .args(["-c", JANITOR, "janitor", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C in the terminal must not end it before its work.
            .process_group(0)
            .spawn()
            .map_err(Error::file(Path::new("/bin/sh")))?;
        Ok(Self {
            name: name.to_owned(),
            janitor,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        // It tries for ten seconds at most.
        let _ = self.janitor.wait();
    }
}
