//! The only place that asks for the time. Everything else is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::Stream;
use futures::stream;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// How often the wall clock is compared with the monotonic one.
const LOOK: Duration = Duration::from_secs(5);
/// A difference beyond this is a jump: a suspended machine, a clock set anew.
const JUMP: i64 = 5_000;

/// The wall clock, with an offset that tests can move.
#[derive(Clone, Debug)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
    moved: Arc<watch::Sender<()>>,
}

/// Which way the clock jumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// Time passed that timers did not see.
    Ahead,
    /// The clock had been ahead and was set right.
    Back,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self {
            offset_ms: Arc::default(),
            moved: Arc::new(watch::Sender::new(())),
        }
    }

    /// Now.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one place")]
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.offset_ms.load(Ordering::Relaxed));
        let now = Timestamp::now();
        now.checked_add(offset).unwrap_or(now)
    }

    /// A monotonic reading for measuring how long something took.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one place")]
    pub fn stopwatch(&self) -> std::time::Instant {
        std::time::Instant::now()
    }

    /// Moves the clock on, as if that much time had passed.
    pub fn advance(&self, by: Duration) {
        self.shift(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Sets the clock back, as if it had been ahead by that much.
    pub fn turn_back(&self, by: Duration) {
        self.shift(-i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    fn shift(&self, ms: i64) {
        self.offset_ms.fetch_add(ms, Ordering::Relaxed);
        self.moved.send_replace(());
    }

    /// Yields whenever the wall clock jumped relative to the monotonic one, so
    /// that what was planned for an instant is planned anew: timers know
    /// durations only.
    #[must_use = "a stream does nothing unless polled"]
    pub fn jumps(&self) -> impl Stream<Item = Jump> + Send + use<> {
        let clock = self.clone();
        let moved = self.moved.subscribe();
        let reading = clock.reading();
        stream::unfold(
            (clock, moved, reading),
            |(clock, mut moved, mut last)| async move {
                loop {
                    let told = tokio::time::timeout(LOOK, moved.changed()).await.is_ok();
                    let reading = clock.reading();
                    let by = reading - last;
                    last = reading;
                    if by < -JUMP {
                        return Some((Jump::Back, (clock, moved, last)));
                    }
                    if told || by > JUMP {
                        return Some((Jump::Ahead, (clock, moved, last)));
                    }
                }
            },
        )
    }

    /// Wall clock minus monotonic clock, in milliseconds: constant, unless one
    /// of them jumps.
    fn reading(&self) -> i64 {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let start = *START.get_or_init(|| self.stopwatch());
        let monotonic = i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.now().as_millisecond().saturating_sub(monotonic)
    }
}
