//! Says on standard error that something long is going on.
//!
//! It needs nothing: in a terminal the line counts the seconds in place, in a
//! log file a line comes each minute. It refuses to use `eprintln!`, which the
//! test harness keeps back until the test has failed.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

/// One long activity.
pub(crate) struct Progress {
    what: String,
    seconds: u64,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(what: String) -> Self {
        let terminal = stderr().is_terminal();
        let end = if terminal { "" } else { "\n" };
        say(&format!("testbed: {what} …{end}"));
        Self {
            what,
            seconds: 0,
            terminal,
        }
    }

    /// Waits a second and tells that it has passed.
    pub(crate) async fn tick(&mut self) {
        // The clock that it shows has seconds.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.seconds += 1;
        let time = format!("{}:{:02}", self.seconds / 60, self.seconds % 60);
        if self.terminal {
            say(&format!("\rtestbed: {} … {time}", self.what));
        } else if self.seconds.is_multiple_of(60) {
            say(&format!("testbed: {} … {time}\n", self.what));
        }
    }

    /// Leaves the line, so that what follows starts on one of its own.
    pub(crate) fn end(self) {
        if self.terminal {
            say("\n");
        }
    }
}

/// One line on standard error.
pub(crate) fn note(text: &str) {
    say(&format!("testbed: {text}\n"));
}

/// A closed standard error is no reason to fail.
fn say(text: &str) {
    let mut stderr = stderr();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
