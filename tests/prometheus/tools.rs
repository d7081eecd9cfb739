//! Where Prometheus' programs are, and what they say.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The program of that name; `None`, and a line on standard error, where the
/// machine has none.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI is set, and there is no {name} on PATH"
        );
        // Not by a macro: the harness of tests would swallow it.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: there is no {name} on PATH (Debian: apt-get install prometheus)"
        );
    }
    found
}

/// Runs it in the repository and fails with what it said.
pub(crate) fn succeeds(program: &PathBuf, arguments: &[&str], input: &str) {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // In a thread of its own: it may talk before it has read everything.
    let fed = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    fed.join().unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success() && !arguments.is_empty(),
        "{} {arguments:?}: {}\n{}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&said)
    );
}
