//! What a process takes, as Linux counts it.
//!
//! It needs `/proc`, and a process of the same user. It refuses to guess where
//! there is none: then a benchmark has nothing to say.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// `USER_HZ`, in which Linux tells processes their times, whatever its own clock.
const TICKS_PER_SECOND: u64 = 100;
const QUIET_WITHIN: Duration = Duration::from_secs(300);

/// A process by its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

/// Resident memory in KiB: now, and at most since [`Process::reset_peak`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

impl Process {
    pub(crate) fn memory(self) -> Result<Memory> {
        memory(&self.read("status")?).context("VmRSS and VmHWM of a process")
    }

    /// User and system time since its start.
    pub(crate) fn cpu(self) -> Result<Duration> {
        cpu(&self.read("stat")?).context("the times of a process")
    }

    /// Lets the peak begin anew at what is resident now.
    pub(crate) fn reset_peak(self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.0);
        fs::write(&path, "5").with_context(|| path)
    }

    /// Waits until it does next to nothing: a fiftieth of a core, for a second.
    pub(crate) async fn quiet(self) -> Result<()> {
        for _ in 0..QUIET_WITHIN.as_secs() {
            let before = self.cpu()?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if self.cpu()?.saturating_sub(before) <= Duration::from_millis(20) {
                return Ok(());
            }
        }
        bail!("process {} is busy for {QUIET_WITHIN:?}", self.0)
    }

    fn read(self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).with_context(|| path)
    }
}

fn memory(status: &str) -> Option<Memory> {
    let kibibytes = |field: &str| {
        let line = status.lines().find(|line| line.starts_with(field))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some(Memory {
        resident: kibibytes("VmRSS:")?,
        peak: kibibytes("VmHWM:")?,
    })
}

fn cpu(stat: &str) -> Option<Duration> {
    // The name of the program may hold anything, spaces and parentheses too.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(Duration::from_millis(
        (user + system) * 1000 / TICKS_PER_SECOND,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_times_are_read_whatever_the_program_is_called() {
        let status = "Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        let expected = Memory {
            resident: 1024,
            peak: 2048,
        };
        assert_eq!(memory(status), Some(expected));
        assert_eq!(memory("Name:\tx\n"), None);

        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 3 0 100 1 2 3";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
    }
}
