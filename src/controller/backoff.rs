//! Failures in a row, per object; kube has none. Kept until a success or until
//! the object is gone.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::sync::lock;

/// Counts failures by uid.
#[derive(Debug, Default)]
pub(super) struct Backoff(Mutex<HashMap<String, u32>>);

impl Backoff {
    /// One more failure; how many there are now in a row.
    pub(super) fn failed(&self, uid: &str) -> u32 {
        let mut counts = lock(&self.0);
        let count = counts.entry(uid.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// How many failures in a row there were.
    pub(super) fn failures(&self, uid: &str) -> u32 {
        lock(&self.0).get(uid).copied().unwrap_or(0)
    }

    /// How many there are now.
    pub(super) fn set(&self, uid: &str, failures: u32) {
        if failures == 0 {
            return self.reset(uid);
        }
        lock(&self.0).insert(uid.to_owned(), failures);
    }

    /// A success, or the object is gone.
    pub(super) fn reset(&self, uid: &str) {
        lock(&self.0).remove(uid);
    }

    /// How many objects wait for their next try.
    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }
}
