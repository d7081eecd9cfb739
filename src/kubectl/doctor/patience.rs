//! Waiting for Okta's rate limit, within bounds, and for somebody to stop it all.
//! Sleeps; decides nothing else.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::okta::{Class, Error};
use crate::plan::schedule::{after, until};

/// How long to wait, and for what.
#[derive(Clone)]
pub(super) struct Patience {
    clock: Clock,
    ends: Timestamp,
    interrupt: Option<Interrupt>,
}

impl Patience {
    pub(super) fn new(clock: &Clock, time: Duration) -> Self {
        Self {
            ends: after(clock.now(), time),
            clock: clock.clone(),
            interrupt: None,
        }
    }

    /// The same, ended by an interrupt while it waits.
    pub(super) fn until(&self, interrupt: &Interrupt) -> Self {
        Self {
            interrupt: Some(interrupt.clone()),
            ..self.clone()
        }
    }

    /// As long as this from now on, whoever interrupts.
    pub(super) fn anew(&self, time: Duration) -> Self {
        Self::new(&self.clock, time)
    }

    /// Asks, and again at the instant that the rate limit names, as long as that
    /// is near enough.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let error = match question().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.class {
                Class::RateLimited { until: at, .. } if at <= self.ends => {
                    let pause = tokio::time::sleep(until(self.clock.now(), at));
                    match &self.interrupt {
                        None => pause.await,
                        Some(interrupt) if interrupt.or(pause).await.is_some() => {}
                        Some(_) => return Err(error),
                    }
                }
                _ => return Err(error),
            }
        }
    }
}

/// Ctrl-C, a wish to end, or a terminal that is gone. From the first call on these
/// do not end the process by themselves.
#[derive(Clone)]
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not let it.
    pub(super) fn listen() -> std::io::Result<Self> {
        let (told, tell) = watch::channel(false);
        let mut signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        tokio::spawn(async move {
            let [a, b, c] = &mut signals;
            loop {
                tokio::select! {
                    _ = a.recv() => {}
                    _ = b.recv() => {}
                    _ = c.recv() => {}
                }
                told.send_replace(true);
            }
        });
        Ok(Self(tell))
    }

    pub(super) fn came(&self) -> bool {
        *self.0.borrow()
    }

    /// What came of `work`; `None` when somebody stopped it before.
    pub(super) async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut came = self.0.clone();
        tokio::select! {
            biased;
            // An error is a sender that is gone, which lives as long as the runtime.
            _ = came.wait_for(|came| *came) => None,
            done = work => Some(done),
        }
    }
}
