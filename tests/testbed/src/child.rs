//! A program that ends when we end.
//!
//! What it needs: a POSIX `/bin/sh`. Each program runs under a small shell
//! script (`guardian.sh`) that watches a pipe held by this process. The kernel
//! closes that pipe however this process ends, so a panic, a Ctrl-C or a
//! SIGKILL leaves nothing running, and no destructor has to run for it: that
//! matters because statics in Rust are never dropped.
//!
//! What it refuses to do: send a signal to a process id. The guardian is the
//! program's parent and sends it, so a recycled id is never hit.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

/// How often a waiting caller looks whether the program is gone.
const POLL: Duration = Duration::from_millis(10);

/// How long a program may take after SIGTERM when its owner is gone.
const GRACE: Duration = Duration::from_secs(3);

/// A running program that ends when this value is dropped or this process ends.
#[derive(Debug)]
pub struct Child {
    name: String,
    id: u32,
    log: PathBuf,
    guardian: std::process::Child,
    report: BufReader<ChildStdout>,
    exit: Option<Exit>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exit {
    /// The exit code as a shell sees it: 128 + n after signal n, 127 when the
    /// program does not exist.
    pub code: i32,
}

impl Exit {
    /// Whether the program ended by itself with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self.code == 0
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            127 => write!(f, "not found (exit code 127)"),
            code if code > 128 => write!(f, "ended by signal {}", code - 128),
            code => write!(f, "exit code {code}"),
        }
    }
}

impl Child {
    /// Starts `program` with `args`; `env` is added to our own environment.
    ///
    /// What it prints is appended to the file `log`. A program that does not
    /// exist shows as [`Exit`] with code 127 and a line in the log.
    ///
    /// # Errors
    ///
    /// When `/bin/sh` cannot be started.
    pub fn spawn<P, A, E, K, V>(program: P, args: A, env: E, log: &Path) -> io::Result<Self>
    where
        P: AsRef<OsStr>,
        A: IntoIterator<Item: AsRef<OsStr>>,
        E: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let mut guardian = Command::new("/bin/sh");
        guardian
            .arg("-c")
            .arg(include_str!("guardian.sh"))
            .arg("guardian")
            .arg(GRACE.as_secs().to_string())
            .arg(log)
            .arg(program.as_ref())
            .args(args)
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut guardian = guardian.spawn()?;
        let report = guardian
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("the guardian has no standard output"))?;

        let mut report = BufReader::new(report);
        let mut line = String::new();
        report.read_line(&mut line)?;
        let id = line.trim().parse().map_err(|_| {
            io::Error::other(format!("the guardian said {line:?}, not a process id"))
        })?;

        let name = Path::new(program.as_ref())
            .file_name()
            .unwrap_or(program.as_ref())
            .to_string_lossy()
            .into_owned();
        Ok(Self {
            name,
            id,
            log: log.to_owned(),
            guardian,
            report,
            exit: None,
        })
    }

    /// The process id of the program itself, not of its guardian.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The program's file name, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file with everything that the program printed.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How the program ended, or `None` while it runs.
    pub fn try_wait(&mut self) -> Option<Exit> {
        if self.exit.is_none() && !matches!(self.guardian.try_wait(), Ok(None)) {
            self.exit = Some(self.read_exit());
        }
        self.exit
    }

    /// Waits until the program has ended by itself.
    pub async fn wait(&mut self) -> Exit {
        loop {
            if let Some(exit) = self.try_wait() {
                return exit;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// SIGKILL, as a crash or a lost node would end it. It is gone on return.
    pub fn kill_now(&mut self) -> Exit {
        self.signal("KILL");
        self.join()
    }

    /// SIGTERM, then waits; after `limit` SIGKILL.
    pub async fn terminate(&mut self, limit: Duration) -> Exit {
        self.signal("TERM");
        match tokio::time::timeout(limit, self.wait()).await {
            Ok(exit) => exit,
            Err(_) => self.kill_now(),
        }
    }

    /// Sends a signal by its name without `SIG`: `STOP` and `CONT` freeze and
    /// thaw the program. Nothing happens when it has ended.
    pub fn signal(&mut self, name: &str) {
        if let Some(orders) = &mut self.guardian.stdin {
            // The only error is a guardian that is gone, and its program with it.
            let _ = writeln!(orders, "{name}");
        }
    }

    /// Closes the pipe and blocks until the guardian is gone.
    fn join(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        drop(self.guardian.stdin.take());
        // An error means that there is nothing to wait for any more.
        let _ = self.guardian.wait();
        let exit = self.read_exit();
        self.exit = Some(exit);
        exit
    }

    /// The code is missing only if somebody killed the guardian itself.
    fn read_exit(&mut self) -> Exit {
        let mut rest = String::new();
        let _ = self.report.read_to_string(&mut rest);
        Exit {
            code: rest.trim().parse().unwrap_or(128 + 9),
        }
    }
}

impl Drop for Child {
    /// SIGTERM, then SIGKILL after a few seconds; blocks until it is gone.
    fn drop(&mut self) {
        self.join();
    }
}
