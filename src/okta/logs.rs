//! Okta's System Log, polled (System Log API, "Polling requests"): ascending,
//! without an end, from an opaque link on. Needs `okta.logs.read`.

use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::budget::{Bucket, Turn};
use super::error::Error;
use super::http::{Org, Request};
use k8s_openapi::jiff::Timestamp;

/// Events of one page at most, which is Okta's own maximum.
pub const PAGE: usize = 1000;

/// Where to go on in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// At this instant.
    Since(Timestamp),
    /// At the link that the last page ended with.
    Next(Url),
}

/// One page.
#[derive(Debug)]
pub struct Page {
    /// The events, oldest first.
    pub events: Vec<Value>,
    /// Where the next page begins; `None` when Okta gave no link.
    pub next: Option<Cursor>,
}

impl Org {
    /// `GET /api/v1/logs` with `filter`.
    ///
    /// # Errors
    /// See [`Error`]; `Rejected` when Okta does not know the cursor any more.
    pub async fn read_log(
        &self,
        cursor: &Cursor,
        filter: &str,
        turn: &Turn,
    ) -> Result<Page, Error> {
        let request = Request::new(
            Method::GET,
            "read_log",
            Bucket::Logs,
            &["api", "v1", "logs"],
        );
        let answer = match cursor {
            Cursor::Since(at) => {
                let request = request
                    .query("since", at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string())
                    .query("sortOrder", "ASCENDING")
                    .query("limit", PAGE.to_string())
                    .query("filter", filter);
                self.call(request, turn).await?
            }
            Cursor::Next(url) => self.call_url(&request, url.clone(), turn).await?,
        };
        let Value::Array(events) = answer.body else {
            return Err(Error::transient("Okta's log is not a list"));
        };
        Ok(Page {
            events,
            next: answer.next.map(Cursor::Next),
        })
    }

    /// Reads a link that was kept; `None` when it does not lead to this org.
    #[must_use]
    pub fn cursor(&self, kept: &str) -> Option<Cursor> {
        let url = Url::parse(kept).ok()?;
        (url.origin() == self.base.origin()).then_some(Cursor::Next(url))
    }
}
