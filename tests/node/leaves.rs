//! What a node leaves behind: nothing.

use std::path::Path;
use std::process::Command;

use crate::machine::Machine;
use crate::pod;

/// Settings of the kernel that a kubelet changes where it may.
const SETTINGS: [&str; 5] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_node_changes_nothing_of_its_machine_and_leaves_nothing_behind() {
    let settings = || SETTINGS.map(|s| std::fs::read(Path::new("/proc/sys").join(s)).ok());
    let before = settings();
    let Some(machine) = Machine::new().await else {
        return;
    };
    machine.restricted("payments").await;
    let pods = pod::run(&machine.client, pod::idle()).await;
    drop(pods);
    let name = machine.node.name().to_owned();
    assert!(found(&name).len() > 2, "the node is somewhere");
    assert_eq!(settings(), before);
    drop(machine);
    assert_eq!(found(&name), "");
    assert_eq!(settings(), before);
}

/// Devices, cgroups, mounts and processes of a node.
fn found(name: &str) -> String {
    let script = r#"ip -brief link | grep -- "$1"
        find /sys/fs/cgroup -path "*$1*"
        grep -- "$1" /proc/[0-9]*/cgroup /proc/self/mounts"#;
    let output = Command::new("sh")
        .args(["-c", script, "sh", name])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
