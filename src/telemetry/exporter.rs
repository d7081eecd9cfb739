//! Brings traces to the collector, on the runtime and with the HTTP client that
//! everything else uses, and says when that fails.
//!
//! Needs a runtime that goes on until the last trace was flushed. Refuses to
//! fill the log: a collector that is away is a line, and one that is back is
//! another. Names neither the collector's URL nor headers, which may hold
//! credentials, and follows no redirect, which would carry them elsewhere.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::StatusCode;
use tokio::runtime::Handle;

use crate::okta::root_cause;
use crate::sync::lock;

/// A collector's answer is a few bytes; the rest of a longer one is not read.
const LONGEST_ANSWER: usize = 64 * 1024;
/// A collector that fails every now and then is not called well in between.
const GOOD_AGAIN: u32 = 12;

/// Sends what the exporter hands over.
#[derive(Clone, Debug)]
pub(super) struct Courier {
    http: reqwest::Client,
    runtime: Handle,
    timeout: Duration,
    delivery: Arc<Mutex<Delivery>>,
}

impl Courier {
    pub(super) fn new(http: reqwest::Client, runtime: Handle, timeout: Duration) -> Self {
        Self {
            http,
            runtime,
            timeout,
            delivery: Arc::default(),
        }
    }

    async fn send(self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let exchange = async {
            let request = request.try_into().map_err(|e| root_cause(&e))?;
            let answer = self.http.execute(request).await;
            let mut answer = answer.map_err(|e| root_cause(&e))?;
            let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|e| root_cause(&e))? {
                if body.len() + chunk.len() > LONGEST_ANSWER {
                    return Err("its answer is too long to be a collector's".to_owned());
                }
                body.extend_from_slice(&chunk);
            }
            let mut answer = Response::new(Bytes::from(body));
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok(answer)
        };
        let outcome = tokio::time::timeout(self.timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} ms", self.timeout.as_millis())));
        self.note(&outcome);
        outcome
    }

    fn note(&self, outcome: &Result<Response<Bytes>, String>) {
        let failure = match outcome {
            Ok(answer) => refusal(answer.status()),
            Err(why) => Some(why.clone()),
        };
        let news = lock(&self.delivery).note(failure.is_none());
        match (news, failure) {
            (Some(News::Fails), Some(why)) => tracing::warn!(
                why,
                "the collector takes no traces; they are dropped until it does, and nothing else is affected"
            ),
            (Some(News::Works), _) => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

fn refusal(status: StatusCode) -> Option<String> {
    (!status.is_success()).then(|| format!("it answered {}", status.as_u16()))
}

impl HttpClient for Courier {
    // As `#[async_trait]` would have it.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> BoxFuture<'b, Result<Response<Bytes>, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        // The exporter waits on a thread of its own, which no runtime drives.
        let sent = self.runtime.spawn(self.clone().send(request));
        async move { Ok(sent.await??) }.boxed()
    }
}

/// What is known of the way to the collector.
#[derive(Debug, Default)]
enum Delivery {
    #[default]
    Works,
    /// And how many times in a row it worked since.
    Fails(u32),
}

#[derive(Debug, PartialEq, Eq)]
enum News {
    Fails,
    Works,
}

impl Delivery {
    fn note(&mut self, worked: bool) -> Option<News> {
        let (next, news) = match (&*self, worked) {
            (Self::Works, true) => (Self::Works, None),
            (Self::Works, false) => (Self::Fails(0), Some(News::Fails)),
            (Self::Fails(_), false) => (Self::Fails(0), None),
            (Self::Fails(times), true) if times + 1 < GOOD_AGAIN => (Self::Fails(times + 1), None),
            (Self::Fails(_), true) => (Self::Works, Some(News::Works)),
        };
        *self = next;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_that_comes_and_goes_is_two_lines() {
        let mut delivery = Delivery::default();
        let mut news = |worked: bool, times: usize| -> Vec<News> {
            (0..times).filter_map(|_| delivery.note(worked)).collect()
        };
        assert_eq!(news(true, 100), []);
        assert_eq!(news(false, 100), [News::Fails]);
        for _ in 0..100 {
            assert_eq!(news(true, 3), []);
            assert_eq!(news(false, 1), []);
        }
        assert_eq!(news(true, 100), [News::Works]);
        assert_eq!(news(false, 1), [News::Fails]);
    }
}
