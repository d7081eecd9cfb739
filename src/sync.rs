//! A mutex whose poisoning is ignored: what it guards here is consistent after
//! each statement, and one panicked task must not stop all others.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
