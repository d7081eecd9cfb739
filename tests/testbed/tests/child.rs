//! A program under a guardian ends with its owner, however that one ends.
//!
//! No cluster is needed. The program under test appends to a file all the
//! time: when the file stops growing it is gone, even where nobody reaps it
//! and its process id lives on as a zombie.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::Child;
use tokio::time::{sleep, timeout};

/// Tells the re-executed test binary to be the owner, and where to write.
const HEARTBEAT: &str = "TESTBED_TEST_HEARTBEAT";
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_child_ends_with_its_killed_owner() {
    let heartbeat = scratch("killed");
    let mut owner = owner(&heartbeat);
    beats(&heartbeat).await;

    owner.kill().unwrap();
    owner.wait().unwrap();
    stops(&heartbeat).await;
}

#[tokio::test]
async fn a_child_ends_with_its_interrupted_owner() {
    let heartbeat = scratch("interrupted");
    let mut owner = owner(&heartbeat);
    beats(&heartbeat).await;

    // What Ctrl-C does to a process whose destructors do not run.
    let kill = Command::new("kill")
        .args(["-s", "INT", &owner.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    owner.wait().unwrap();
    stops(&heartbeat).await;
}

#[tokio::test]
async fn a_child_that_ignores_sigterm_ends_too() {
    let heartbeat = scratch("stubborn");
    let child = spawn("trap '' TERM;", &heartbeat);
    beats(&heartbeat).await;
    drop(child);
    stops(&heartbeat).await;
}

#[tokio::test]
async fn kill_now_is_sigkill() {
    let heartbeat = scratch("kill");
    let mut child = spawn("trap '' TERM;", &heartbeat);
    beats(&heartbeat).await;
    assert_eq!(child.try_wait(), None);
    assert_eq!(child.kill_now().code, 128 + 9);
    assert_eq!(child.try_wait().unwrap().code, 128 + 9);
    stops(&heartbeat).await;
}

#[tokio::test]
async fn terminate_lets_the_child_end_in_order() {
    let heartbeat = scratch("terminate");
    let mut child = spawn("trap 'exit 7' TERM;", &heartbeat);
    beats(&heartbeat).await;
    assert_eq!(child.terminate(LIMIT).await.code, 7);
}

#[tokio::test]
async fn terminate_kills_after_its_limit() {
    let heartbeat = scratch("limit");
    let mut child = spawn("trap '' TERM;", &heartbeat);
    beats(&heartbeat).await;
    assert_eq!(
        child.terminate(Duration::from_millis(300)).await.code,
        128 + 9
    );
}

#[tokio::test]
async fn a_stopped_child_goes_on_after_cont() {
    let heartbeat = scratch("frozen");
    let mut child = spawn("", &heartbeat);
    beats(&heartbeat).await;
    child.signal("STOP");
    stops(&heartbeat).await;
    assert_eq!(child.try_wait(), None);
    child.signal("CONT");
    beats(&heartbeat).await;
}

#[tokio::test]
async fn wait_tells_the_exit_code_and_the_log_what_was_said() {
    let log = scratch("code");
    let env = [("GREETING", "hello")];
    let mut child = Child::spawn("sh", ["-c", "echo $GREETING $$; exit 3"], env, &log).unwrap();
    assert_eq!(child.wait().await.code, 3);
    assert_eq!(
        std::fs::read_to_string(&log).unwrap(),
        format!("hello {}\n", child.id())
    );
}

#[tokio::test]
async fn a_program_that_does_not_exist_says_so() {
    let mut child =
        Child::spawn("no-such-program", [""; 0], [("", ""); 0], &scratch("none")).unwrap();
    assert_eq!(child.wait().await.to_string(), "not found (exit code 127)");
}

/// The owner in the tests above: this test binary once more, held until it is
/// killed. Does nothing in an ordinary run.
#[tokio::test]
async fn owner_process() {
    let Some(heartbeat) = std::env::var_os(HEARTBEAT) else {
        return;
    };
    // Its own `sh` ignores SIGTERM: the worst case.
    let _child = spawn("trap '' TERM;", Path::new(&heartbeat));
    // Whoever started these tests may have had SIGINT ignored, as shells do for
    // commands in the background; then its default action would be none.
    tokio::select! {
        // Ends by itself, should nobody ever interrupt or kill it.
        () = sleep(Duration::from_secs(600)) => {}
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.unwrap();
            std::process::exit(130); // without running destructors
        }
    }
}

fn owner(heartbeat: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner_process"])
        .env(HEARTBEAT, heartbeat)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn spawn(prelude: &str, heartbeat: &Path) -> Child {
    let script = format!("{prelude} while :; do echo beat; sleep 0.05; done");
    Child::spawn("sh", ["-c", &script], [("", ""); 0], heartbeat).unwrap()
}

fn scratch(name: &str) -> PathBuf {
    let file =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&file);
    file
}

fn size(heartbeat: &Path) -> u64 {
    std::fs::metadata(heartbeat).map_or(0, |file| file.len())
}

/// Waits until the file has grown by a few beats.
async fn beats(heartbeat: &Path) {
    let from = size(heartbeat);
    let grown = async {
        while size(heartbeat) < from + 15 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, grown).await.expect("the child beats");
}

/// Waits until the file has not grown for many beats.
async fn stops(heartbeat: &Path) {
    let quiet = async {
        let mut last = size(heartbeat);
        loop {
            // Twenty beats: silence is what has to be seen.
            sleep(Duration::from_secs(1)).await;
            let now = size(heartbeat);
            if now == last {
                return;
            }
            last = now;
        }
    };
    timeout(LIMIT, quiet).await.expect("the child has ended");
}
