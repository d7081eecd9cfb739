//! The one place of this program that asks for the time: what it measures is real
//! time. It needs nothing, and refuses to be moved.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

/// A monotonic reading.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, to compare with instants that others wrote down.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn wall() -> Timestamp {
    Timestamp::now()
}

/// How much later than `planned` it is now, in seconds; negative if it is early.
pub(crate) fn late(planned: &str) -> Option<f64> {
    let planned: Timestamp = planned.parse().ok()?;
    Some(wall().duration_since(planned).as_secs_f64())
}

/// Asks `done` ten times a second until it says yes; what is awaited is in `what`.
pub(crate) async fn until(
    what: &str,
    patience: Duration,
    mut done: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let start = now();
    while !done().await? {
        let waited = start.elapsed();
        anyhow::ensure!(
            waited < patience,
            "not within {} s: {what}",
            waited.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
