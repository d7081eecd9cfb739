//! What can go wrong before a test can begin.
//!
//! Each error prints as one clear line that says what to do; where a program
//! failed, the end of its log follows.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control plane is built from source, and there is no compiler for it.
    #[error(
        "Go is not installed: install it from https://go.dev/dl/ (tests/kubernetes/go.mod says \
         which version), or let KUBEBUILDER_ASSETS name a folder with etcd, kube-apiserver and kubectl"
    )]
    NoGo,

    /// `KUBEBUILDER_ASSETS` is set, but does not hold what it should.
    #[error("KUBEBUILDER_ASSETS is {}, where {missing} is missing: correct it, or unset it to build the binaries", folder.display())]
    Assets {
        /// What the variable names.
        folder: PathBuf,
        /// The first binary that is not there.
        missing: &'static str,
    },

    /// `go build` failed.
    #[error("building {what} failed: {}\n{tail}", hint(.tail))]
    Build {
        /// The binaries that were asked for.
        what: String,
        /// The end of what Go said.
        tail: String,
    },

    /// Maven failed.
    #[error("building Neo4j (tests/neo4j) failed; Maven said:\n{tail}")]
    Maven {
        /// The end of what Maven said.
        tail: String,
    },

    /// A program ended when it should have stayed.
    #[error("{program} ended while starting ({exit}); the end of its log:\n{tail}")]
    Ended {
        /// Which program.
        program: String,
        /// How it ended.
        exit: crate::Exit,
        /// The end of its log.
        tail: String,
    },

    /// A program runs but never became ready.
    #[error("{program} was not ready within {seconds} s; the end of its log:\n{tail}")]
    NotReady {
        /// Which program.
        program: String,
        /// How long we waited.
        seconds: u64,
        /// The end of its log.
        tail: String,
    },

    /// A file of ours cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// The API server refused something, or cannot be reached.
    #[error("{what}: {source}")]
    Api {
        /// What we were doing.
        what: String,
        /// Its answer.
        source: Box<kube::Error>,
    },

    /// A manifest or a file is not what it should be.
    #[error("{what}: {why}")]
    Malformed {
        /// Which one.
        what: String,
        /// What is wrong with it.
        why: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// For `map_err` on file operations.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// For `map_err` on calls to the API server.
    pub(crate) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api {
            what,
            source: Box::new(source),
        }
    }

    pub(crate) fn malformed(
        what: impl Into<String>,
        why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Malformed {
            what: what.into(),
            why: why.into(),
        }
    }

    /// Somebody took a port between our choosing it and its use: another try helps.
    pub(crate) fn is_taken_port(&self) -> bool {
        match self {
            Self::Ended { tail, .. } => tail.to_lowercase().contains("address already in use"),
            _ => false,
        }
    }
}

/// The commonest cause by far, recognised so that nobody has to read Go's output.
fn hint(tail: &str) -> &'static str {
    if tail.contains("dial tcp") || tail.contains("i/o timeout") {
        "the Go module proxy cannot be reached (GOPROXY names another one); Go said:"
    } else {
        "Go said:"
    }
}

/// The last lines of a log, for a message.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    let text = match std::fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("({}: {error})", log.display()),
    };
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return "(it said nothing)".to_owned();
    }
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
