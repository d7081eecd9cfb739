//! Whether this instance may still have effects. Looked at before each one, so
//! that an instance that lost its leadership while it was frozen does nothing.

use std::fmt;
use std::sync::Arc;

/// Asked before every effect.
#[derive(Clone)]
pub struct Fence(Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fence({})", if (self.0)() { "open" } else { "closed" })
    }
}

/// This instance must not have effects any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this instance is no longer the leader")]
pub struct Fenced;

impl Fence {
    /// For the only instance there is.
    #[must_use]
    pub fn open() -> Self {
        Self::new(|| true)
    }

    /// Open as long as `may_write` says so.
    #[must_use]
    pub fn new(may_write: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_write))
    }

    /// Passes while this instance may have effects.
    ///
    /// # Errors
    /// [`Fenced`] when it may not.
    pub fn pass(&self) -> Result<(), Fenced> {
        if (self.0)() { Ok(()) } else { Err(Fenced) }
    }
}
