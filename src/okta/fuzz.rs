//! A door for `fuzz/`: what reads Okta's headers and refusals, which is private
//! otherwise. Built with `--cfg fuzzing` alone; nothing is sent.

use std::sync::LazyLock;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::budget::{Bucket, Turn};
use super::error::{Class, ErrorBody, classify};
use super::http::Org;
use super::limits::Orgs;
use super::signin::SignIn;
use crate::api::RateLimit;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::plan::lane::Lane;

/// Never asked for anything; reading the system's roots takes its time.
static HTTP: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);

/// Reads the lines of `text` as headers of an answer and learns from them.
/// Panics when that leads away from the org, or far into the future.
pub fn headers(text: &str) {
    let mut headers = HeaderMap::new();
    for line in text.lines().take(64) {
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            headers.append(name, value);
        }
    }
    let clock = Clock::system();
    let base = Url::parse("https://acme.okta.com").expect("a constant URL");
    let signin = SignIn::Missing("nobody signs in here".to_owned());
    let share = RateLimit::default();
    let limits = Orgs::default().limits(&base, share);
    let org = Org::new(
        HTTP.clone(),
        base,
        signin,
        limits,
        clock,
        Metrics::default(),
    );
    let now = Timestamp::from_second(1_785_000_000).expect("an instant");
    let turn = Turn::of_operator(Lane::New, "somebody".to_owned());
    org.learn(&headers, Bucket::Apps, now);
    let _ = org.skew();
    let _ = org.permit(Bucket::Apps, &turn);
    if let Ok(Some(next)) = org.next_page(&headers) {
        assert_eq!(next.host_str(), Some("acme.okta.com"), "{next}");
        assert_eq!(next.scheme(), "https", "{next}");
    }
    let refused = org.too_many(&headers, Bucket::Token, &turn, now);
    let Class::RateLimited { until, .. } = refused.class else {
        panic!("{refused}");
    };
    let pause = until.duration_since(now);
    assert!(pause <= SignedDuration::from_secs(602), "{pause}");
}

/// Reads a refusal of the management API.
pub fn refusal(status: u16, body: &[u8]) -> String {
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let class = classify(status, &body.error_code);
    let status = reqwest::StatusCode::from_u16(status).unwrap_or_default();
    format!("{} {}", class.as_str(), body.words(status))
}
