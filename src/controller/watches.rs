//! The watches. Each retries at a pace of its own: a controller of kube's stops
//! everything that wakes it while one of its watches waits for its next try, the
//! watches that work and the operator's own wake-ups with it. And none waits for
//! long: each start of an API server costs a watch several failures in a row (no
//! connection, no permission yet, a version too old), after which kube's own pace
//! would leave the operator blind for up to a minute, and nobody revoked. None of
//! them ever gives up.

use std::fmt::Debug;
use std::time::Duration;

use futures::Stream;
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

/// Below the idle limit of the usual load balancers (240 s), which would cut a
/// silent watch without telling.
const TIMEOUT: u32 = 200;

/// The longest from one failure to the next try. One leader's few watches are no load,
/// and their first waits have spread them.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all watches have in common.
pub(super) fn config() -> watcher::Config {
    watcher::Config::default().timeout(TIMEOUT).any_semantic()
}

/// A watch that waits longer from one failure in a row to the next.
pub(super) fn watch<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watcher(api, config).backoff(Pace::default())
}

/// kube's pace (that of client-go), up to [`PATIENCE`].
#[derive(Default)]
struct Pace(DefaultBackoff);

impl Iterator for Pace {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|wait| wait.min(PATIENCE))
    }
}

impl Backoff for Pace {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// For a controller whose streams are all of [`watch`]: it never waits itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct EachByItself;

impl Iterator for EachByItself {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl Backoff for EachByItself {
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::{Duration, EachByItself, PATIENCE, Pace};

    #[test]
    fn no_outage_is_so_long_that_a_watch_gives_up_or_sleeps_through_its_end() {
        let waits: Vec<_> = Pace::default().take(10_000).collect();
        assert_eq!(waits.len(), 10_000);
        assert!(waits.iter().all(|wait| *wait <= PATIENCE));
        assert!(waits[0] >= Duration::from_millis(500));
        assert_eq!(waits[9_999], PATIENCE);
        assert_eq!(EachByItself.take(10_000).count(), 10_000);
    }
}
