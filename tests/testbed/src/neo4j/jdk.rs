//! Finds a JDK that can run Neo4j, and Maven.
//!
//! It looks where `JAVA_HOME` says, then where packages put JDKs. It refuses to
//! download one, and to run a program to learn its version: each JDK says it in a
//! file.

use std::fmt;
use std::path::{Path, PathBuf};

/// The least version that Neo4j 2026 runs on.
const LEAST: u32 = 21;

/// Where packages of Linux and macOS put JDKs.
const FOLDERS: [&str; 3] = [
    "/usr/lib/jvm",
    "/opt/java",
    "/Library/Java/JavaVirtualMachines",
];

/// A JDK and Maven.
#[derive(Clone, Debug)]
pub(super) struct Jdk {
    pub(super) home: PathBuf,
    pub(super) maven: PathBuf,
}

impl Jdk {
    pub(super) fn java(&self) -> PathBuf {
        self.home.join("bin/java")
    }
}

/// What is not there.
#[derive(Debug)]
pub(super) enum Missing {
    Jdk,
    Maven,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jdk => write!(
                f,
                "there is no JDK {LEAST} or newer; install one, or let JAVA_HOME name it"
            ),
            Self::Maven => write!(f, "there is no mvn on PATH; install Maven"),
        }
    }
}

pub(super) fn find() -> Result<Jdk, Missing> {
    let named = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    let listed = FOLDERS.iter().flat_map(|folder| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut homes: Vec<PathBuf> = entries
            .flat_map(|entry| [entry.path(), entry.path().join("Contents/Home")])
            .collect();
        homes.sort();
        homes
    });
    let home = named
        .into_iter()
        .chain(listed)
        .find(|home| is_jdk(home))
        .ok_or(Missing::Jdk)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let maven = std::env::split_paths(&path)
        .map(|folder| folder.join("mvn"))
        .find(|program| program.is_file())
        .ok_or(Missing::Maven)?;
    Ok(Jdk { home, maven })
}

fn is_jdk(home: &Path) -> bool {
    let release = std::fs::read_to_string(home.join("release")).unwrap_or_default();
    home.join("bin/javac").is_file() && version(&release).is_some_and(|v| v >= LEAST)
}

/// The major version that a JDK's `release` file tells.
fn version(release: &str) -> Option<u32> {
    let line = release
        .lines()
        .find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    let digits = line.trim_matches('"').split('.').next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_old_and_new_jdks() {
        assert_eq!(version("A=1\nJAVA_VERSION=\"25.0.3\"\n"), Some(25));
        assert_eq!(version("JAVA_VERSION=\"1.8.0_402\""), Some(1));
        assert_eq!(version("JAVA_VERSION=\"21\""), Some(21));
        assert_eq!(version(""), None);
    }
}
