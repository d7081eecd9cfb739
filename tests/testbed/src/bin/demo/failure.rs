//! Why the story cannot go on, in words for whoever watches it.

use std::fmt;

/// One message; it says what did not happen and what was seen instead.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// For `map_err`: `what` we did, and why it failed, down to the root cause.
    pub(crate) fn because<E: std::error::Error>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| {
            let mut message = format!("{what}: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                let text = inner.to_string();
                if !message.contains(&text) {
                    message = format!("{message}: {text}");
                }
                cause = inner.source();
            }
            Self(message)
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<testbed::Error> for Failure {
    fn from(error: testbed::Error) -> Self {
        Self(error.to_string())
    }
}
