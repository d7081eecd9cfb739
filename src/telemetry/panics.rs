//! A panic is a flaw of the operator: it is logged as every other line, so that
//! whoever reads JSON can read it. Says where it was and what the code said, and
//! nothing of what was in memory.

use std::backtrace::{Backtrace, BacktraceStatus};

/// From now on panics are logged. Where errors are not logged, they are printed
/// as usual.
pub fn log() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !tracing::enabled!(tracing::Level::ERROR) {
            return usual(panic);
        }
        let payload = panic.payload_as_str().unwrap_or("no words");
        let location = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or_default();
        // Only with RUST_BACKTRACE.
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured)
            .then(|| tracing::field::display(&backtrace));
        tracing::error!(
            panic = payload,
            location,
            thread,
            backtrace,
            "panicked: this is a flaw of the operator, please report it"
        );
    }));
}
