//! What the headers of Okta's answers teach: limits, the clock, the next page,
//! when to come back after a refusal.

use k8s_openapi::jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, LINK};
use url::Url;

use super::budget::{Bucket, Told, Turn};
use super::error::{Class, Error};
use super::http::Org;
use crate::sync::lock;

impl Org {
    pub(super) fn learn(&self, headers: &HeaderMap, bucket: Bucket, now: Timestamp) {
        let told = told(headers);
        if let Some(okta_now) = told.date {
            let skew = okta_now.as_millisecond() - now.as_millisecond();
            // The header has whole seconds: within one of them there is no skew.
            let skew = if (-1000..=0).contains(&skew) { 0 } else { skew };
            self.skew_ms
                .store(skew, std::sync::atomic::Ordering::Relaxed);
        }
        lock(&self.limits.budget).learn(bucket, &told, now);
        self.report_level(bucket);
    }

    pub(super) fn too_many(
        &self,
        headers: &HeaderMap,
        bucket: Bucket,
        turn: &Turn,
        now: Timestamp,
    ) -> Error {
        let until = lock(&self.limits.budget).refused(bucket, turn, &told(headers), now);
        let id = request_id(headers);
        if let Some(id) = &id {
            let mut retries = lock(&self.retries);
            let entry = retries
                .entry(turn.key.clone())
                .or_insert_with(|| (id.clone(), 0));
            entry.1 += 1;
        }
        Error {
            class: Class::RateLimited {
                until,
                by_okta: true,
            },
            message: "Okta's rate limit is used up".to_owned(),
            request_id: id,
        }
    }

    /// The next page. A link to another origin would carry our credentials
    /// there, and to leave it out would be to take half a list for the whole.
    pub(super) fn next_page(&self, headers: &HeaderMap) -> Result<Option<Url>, Error> {
        let next = headers
            .get_all(LINK)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(", <"))
            .find_map(|link| {
                let (url, parameters) = link.trim_start_matches('<').split_once('>')?;
                parameters
                    .contains("rel=\"next\"")
                    .then(|| Url::parse(url).ok())?
            });
        match next {
            Some(url) if url.origin() != self.base.origin() => Err(Error {
                request_id: request_id(headers),
                ..Error::transient(format!(
                    "the next page of a list is said to be on another host ({}), which is not asked, because that would carry credentials there",
                    url.host_str().unwrap_or("none")
                ))
            }),
            next => Ok(next),
        }
    }
}

fn told(headers: &HeaderMap) -> Told {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let number = |name: &str| text(name)?.parse::<i64>().ok();
    let count = |name: &str| Some(u32::try_from(number(name)?).unwrap_or(0));
    Told {
        limit: count("x-rate-limit-limit"),
        remaining: count("x-rate-limit-remaining"),
        reset: number("x-rate-limit-reset"),
        // What something else says in Okta's place is not Okta's time.
        date: request_id(headers)
            .and_then(|_| text(DATE.as_str()))
            .and_then(|v| httpdate::parse_http_date(v).ok())
            .and_then(|d| Timestamp::try_from(d).ok()),
    }
}

pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    headers
        .get("x-okta-request-id")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned)
}

/// The innermost cause: "connection refused" says more than "error sending
/// request".
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}
