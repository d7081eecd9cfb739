//! Keeping within an org's rate limits, whatever they are: after an answer that
//! leaves less than half of a bucket, the next request to that bucket waits for
//! its reset. Half, because that is what Okta allows to one principal.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::{Sleep, sleep};

/// Okta's windows are a minute; a reset further away is not believed.
const LONGEST: u64 = 120;

/// The pauses that are due.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pauses: HashMap<&'static str, Pin<Box<Sleep>>>,
}

impl Pace {
    /// Waits until the bucket of `path` may be asked again.
    pub(super) async fn wait(&mut self, path: &str) {
        let bucket = bucket(path);
        if let Some(pause) = self.pauses.get_mut(bucket) {
            if !pause.is_elapsed() {
                eprintln!("waiting for the rate limit of {bucket}");
            }
            pause.as_mut().await;
        }
        self.pauses.remove(bucket);
    }

    /// Learns from an answer. True when it was a refusal for the rate limit.
    pub(super) fn learn(&mut self, path: &str, status: u16, headers: &HeaderMap) -> bool {
        if let Some(pause) = pause(status, headers) {
            self.pauses.insert(bucket(path), Box::pin(sleep(pause)));
        }
        status == 429
    }
}

/// The group of routes that share a budget, by Okta's published tables.
fn bucket(path: &str) -> &'static str {
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["api", "v1", "apps", _] => "app",
        ["api", "v1", "apps", ..] => "apps",
        ["api", "v1", "logs", ..] => "logs",
        ["oauth2", "v1", "clients", ..] => "clients",
        ["oauth2", .., "token"] => "token",
        _ => "other",
    }
}

/// How long to stay away, by Okta's own clock: Reset − Date + 1 s.
fn pause(status: u16, headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let number = |name: &str| text(name)?.parse::<u64>().ok();
    let limit = number("x-rate-limit-limit");
    if status == 429 && limit.is_none_or(|limit| limit == 0) {
        // Too many at once, not too many a minute.
        return Some(Duration::from_secs(2));
    }
    let spent = number("x-rate-limit-remaining")? <= limit? / 2;
    if !spent && status != 429 {
        return None;
    }
    let date = httpdate::parse_http_date(text("date")?).ok()?;
    let date = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    let left = number("x-rate-limit-reset")?.saturating_sub(date) + 1;
    Some(Duration::from_secs(left.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(limit: &str, remaining: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("date", "Sat, 25 Jul 2026 17:20:00 GMT"),
            ("x-rate-limit-limit", limit),
            ("x-rate-limit-remaining", remaining),
            ("x-rate-limit-reset", "1785000040"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn half_a_bucket_is_left_to_others() {
        assert_eq!(pause(200, &headers("20", "11")), None);
        let reset = Some(Duration::from_secs(41));
        assert_eq!(pause(200, &headers("20", "10")), reset);
        // One principal's half can be used up while the org's bucket is not.
        assert_eq!(pause(429, &headers("20", "15")), reset);
        assert_eq!(pause(429, &headers("0", "0")), Some(Duration::from_secs(2)));
    }

    #[test]
    fn the_scarce_buckets_are_told_apart() {
        assert_eq!(bucket("/api/v1/apps?limit=1"), "apps");
        assert_eq!(bucket("/api/v1/apps/0oa1"), "app");
        assert_eq!(bucket("/api/v1/apps/0oa1/credentials/secrets"), "apps");
        assert_eq!(bucket("/oauth2/default/v1/token"), "token");
        assert_eq!(bucket("/api/v1/authorizationServers"), "other");
    }
}
