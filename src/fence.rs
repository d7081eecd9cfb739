//! Whether this instance may still have effects. Looked at as late as possible:
//! not when an effect is decided on, but each time its request is driven on, so
//! that an instance that was frozen while it waited for a connection or a slot
//! sends nothing when it wakes up.
//!
//! It refuses to promise more: a process that is frozen after the look and
//! before the system call still sends what it had in hand. In Kubernetes that is
//! refused for its resourceVersion; at Okta it concerns the same client id, and
//! what it undoes of an access policy the next look puts right.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use axum::http::{Method, Request};
use kube::client::{Body, Client};
use tracing::Instrument;

use crate::telemetry::spans;

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

    /// Drives an effect on while this instance may have one, and drops it, with
    /// what it has not sent yet, as soon as it may not.
    ///
    /// # Errors
    /// [`Fenced`] when the effect was dropped.
    pub async fn guard<F: Future>(&self, effect: F) -> Result<F::Output, Fenced> {
        let mut effect = pin!(effect);
        poll_fn(|cx| match self.pass() {
            Ok(()) => effect.as_mut().poll(cx).map(Ok),
            Err(fenced) => Err(fenced).into(),
        })
        .await
    }

    /// The same client, whose writes are guarded and traced: no caller can forget
    /// to ask, and a retry deep inside of it is asked for again.
    pub fn client(&self, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let fence = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (client, fence) = (client.clone(), fence.clone());
            async move {
                if matches!(*request.method(), Method::GET | Method::HEAD) {
                    return client.send(request).await;
                }
                let span = spans::kubernetes(&request);
                let sent = fence.guard(client.send(request)).instrument(span.clone());
                match sent.await {
                    Ok(answer) => {
                        match &answer {
                            Ok(answer) => spans::answered(&span, answer.status().as_u16()),
                            Err(_) => spans::failed(&span, "kubernetes"),
                        }
                        answer
                    }
                    Err(fenced) => {
                        spans::failed(&span, "fenced");
                        Err(kube::Error::Service(fenced.into()))
                    }
                }
            }
        });
        Client::new(service, namespace)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn an_effect_that_waited_while_the_fence_closed_is_not_driven_on() {
        let open = Arc::new(AtomicBool::new(true));
        let looked = open.clone();
        let fence = Fence::new(move || looked.load(Ordering::Relaxed));
        let mut polls = 0;
        // It waits for its connection; meanwhile the process is frozen.
        let effect = poll_fn(|cx| {
            polls += 1;
            open.store(false, Ordering::Relaxed);
            cx.waker().wake_by_ref();
            if polls == 1 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        assert!(fence.guard(effect).await.is_err());
        assert_eq!(
            polls, 1,
            "it was asked for again after the fence had closed"
        );
    }
}
