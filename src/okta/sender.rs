//! In whose name requests leave, and within which bounds. Needs nothing; knows
//! no secret.

use std::time::Duration;

use reqwest::header::HeaderValue;

use crate::fence::Fence;

/// Okta has answered an app's PUT after 30 s before now.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// In whose name requests leave, and within which bounds.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Which instance this is; Okta's System Log shows it.
    pub instance: String,
    /// Passed by each request when it leaves.
    pub fence: Fence,
    /// A request ends after this, one way or another.
    pub timeout: Duration,
}

impl Default for Sender {
    fn default() -> Self {
        Self {
            instance: String::new(),
            fence: Fence::open(),
            timeout: TIMEOUT,
        }
    }
}

impl Sender {
    /// The `User-Agent` of each request.
    pub(super) fn user_agent(&self) -> HeaderValue {
        let name = concat!("neo4j-okta-operator/", env!("CARGO_PKG_VERSION"));
        let whole = match self.instance.as_str() {
            "" => name.to_owned(),
            instance => format!("{name} ({instance})"),
        };
        HeaderValue::from_str(&whole).unwrap_or(HeaderValue::from_static(name))
    }
}
