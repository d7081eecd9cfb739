//! The folder in which a pod sees its token, swapped as the kubelet swaps it.
//!
//! Needs a POSIX file system. Refuses to change a file in place: each content is a
//! folder of its own, and one rename of a symbolic link makes it current.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use testbed::{Folder, random};

/// A mounted Secret.
pub(super) struct Mount {
    folder: Folder,
}

impl Mount {
    pub(super) fn new() -> Self {
        let folder = Folder::new().expect("a folder");
        Self { folder }
    }

    /// The path under which the program finds a key of the Secret.
    pub(super) fn path(&self, key: &str) -> PathBuf {
        self.folder.join("..data").join(key)
    }

    /// Puts these keys in the place of those that were there.
    pub(super) fn swap<'a>(&self, keys: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let version = format!("..{}", random());
        fs::create_dir(self.folder.join(&version)).unwrap();
        for (key, content) in keys {
            let name = format!("{version}/{key}");
            self.folder.write(&name, content).expect("a file");
        }
        let next = self.folder.join("..data_tmp");
        symlink(&version, &next).unwrap();
        let before = fs::read_link(self.folder.join("..data"));
        fs::rename(&next, self.folder.join("..data")).unwrap();
        if let Ok(before) = before {
            fs::remove_dir_all(self.folder.join(&before.to_string_lossy())).unwrap();
        }
    }

    pub(super) fn token(&self, token: &str) {
        self.swap([("token", token)]);
    }
}

/// A token that ended long ago. No server has to see it, so nobody has signed it.
pub(super) fn expired() -> String {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    format!(
        "{}.{}.{}",
        part(r#"{"alg":"RS256"}"#),
        part(r#"{"sub":"etl","exp":1700000000}"#),
        part("no signature")
    )
}
