//! Whether this machine can have a node.
//!
//! It needs nothing. It refuses to install anything: it tells what is missing,
//! in one line that says what to do.

use std::process::{Command, Stdio};

/// The programs, and the Debian package that brings each.
const PROGRAMS: [(&str, &str); 9] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("unshare", "util-linux"),
    ("busybox", "busybox-static"),
    ("tar", "tar"),
];
/// Where that package puts its programs, which are on nobody's PATH.
pub(crate) const CNI: &str = "/usr/lib/cni";

/// Why there can be no node here, or `None` where there can.
#[must_use]
pub fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("a node needs Linux".to_owned());
    }
    // A kubelet may not be newer than its API server.
    if crate::binaries::other_minor().is_some() {
        return Some("a node needs the newest Kubernetes, without TESTBED_KUBERNETES".to_owned());
    }
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !on_path(program))
        .map(|(_, package)| *package)
        .collect();
    if !std::path::Path::new(CNI).join("bridge").is_file() {
        packages.push("containernetworking-plugins");
    }
    packages.dedup();
    if !packages.is_empty() {
        let packages = packages.join(" ");
        return Some(format!("a node needs the packages {packages}"));
    }
    if !may_unshare() {
        return Some("a node needs root, with the right to make namespaces".to_owned());
    }
    None
}

pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A container without privileges is root, too, and may not.
fn may_unshare() -> bool {
    Command::new("unshare")
        .args([
            "--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
