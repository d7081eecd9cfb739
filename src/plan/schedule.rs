//! When things happen: refresh, retries, limits on what a tenant may cause.
//! Pure arithmetic on instants that the caller hands in.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Settled objects are looked at again this often although nothing happened,
/// because a watch event can be lost.
pub const SAFETY_NET: Duration = Duration::from_secs(3600);
/// For this long after a write of our own to Okta, refusals and old answers are
/// taken for Okta's own delay.
pub const SETTLING: Duration = Duration::from_secs(60);
/// Instants this far in the future are still taken for the present.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
/// How soon to look again while Okta settles.
pub const SETTLING_RETRY: Duration = Duration::from_secs(2);
/// How soon to look at first whether the access policy admits a client …
pub const ADMISSION_RETRY: Duration = Duration::from_millis(200);
/// … and at last.
pub const ADMISSION_RETRY_CAP: Duration = Duration::from_secs(2);
/// How long a lost permission is left in place, against slips of the pen.
pub const PERMISSION_GRACE: Duration = Duration::from_secs(60);
/// A published token with a group that the spec lost is withdrawn after this
/// time even if no new one can be had.
pub const LOST_GROUP_GRACE: Duration = Duration::from_secs(300);
/// Longest pause between two tries of something that fails.
pub const BACKOFF_CAP: Duration = Duration::from_secs(300);
/// A tenant causes one token a minute in the long run …
pub const TENANT_MINT_INTERVAL: Duration = Duration::from_secs(60);
/// … and this many at once.
pub const TENANT_MINT_BURST: u32 = 3;
/// A tenant, or a broken Okta, causes one new set of credentials an hour.
pub const TENANT_CREDENTIALS_INTERVAL: Duration = Duration::from_secs(3600);

/// How long what wakes an issuer's accounts, or an issuer, is gathered …
pub const GATHER: Duration = Duration::from_millis(100);
/// … and how much longer an issuer gathers for each account there is.
const GATHER_PER_ACCOUNT: Duration = Duration::from_micros(50);
/// … at most.
const GATHER_CAP: Duration = Duration::from_secs(1);

/// How long an issuer gathers who comes and goes before it writes its access policy,
/// with so many accounts. It reads, compares and writes all of its clients each time:
/// were the pause always the same, registering N would cost N².
#[must_use]
pub fn gather(accounts: usize) -> Duration {
    let accounts = u32::try_from(accounts).unwrap_or(u32::MAX);
    let more = GATHER_PER_ACCOUNT.saturating_mul(accounts);
    GATHER.saturating_add(more).min(GATHER_CAP)
}

/// `at + duration`, at most the end of time.
#[must_use]
pub fn after(at: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| at.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}

/// How long from `now` until `at`; zero if that has passed.
#[must_use]
pub fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// A number in `0.0..1.0` that is always the same for the same `key`.
pub(super) fn fraction(key: &str) -> f64 {
    let hash = digest(&SHA256, key.as_bytes());
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&hash.as_ref()[..4]);
    f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// The life of a token, in the operator's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLife {
    /// When the request for it was sent.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it will be replaced: after 2/3 of its lifetime, less up to a tenth
    /// of it, the same tenth for the same account each time, so that a fleet
    /// that was created at once does not refresh at once.
    pub refresh_at: Timestamp,
}

impl TokenLife {
    /// Computes the one absolute instant of the refresh, once.
    #[must_use]
    pub fn new(sent_at: Timestamp, lifetime: Duration, account_uid: &str) -> Self {
        // Whole seconds, because that is what Kubernetes stores.
        let issued_at = Timestamp::from_second(sent_at.as_second()).unwrap_or(sent_at);
        let jitter = lifetime.mul_f64(0.1 * fraction(account_uid));
        let refresh_after = (lifetime / 3).saturating_mul(2).saturating_sub(jitter);
        Self {
            issued_at,
            expires_at: after(issued_at, lifetime),
            refresh_at: after(issued_at, Duration::from_secs(refresh_after.as_secs())),
        }
    }
}

/// When to try again after the `failures`-th failure in a row (from 1): 1 s,
/// doubled each time up to [`BACKOFF_CAP`], spread by up to a half by `key`,
/// and never more than a quarter of what is left of the token.
#[must_use]
pub fn retry_at(
    now: Timestamp,
    failures: u32,
    key: &str,
    expires_at: Option<Timestamp>,
) -> Timestamp {
    let exponent = failures.saturating_sub(1).min(16);
    let base = Duration::from_secs(1u64 << exponent).min(BACKOFF_CAP);
    let pause = base.mul_f64(1.0 - 0.5 * fraction(&format!("{key}/{failures}")));
    let quarter = expires_at
        .filter(|expiry| *expiry > now)
        .map_or(Duration::MAX, |expiry| until(now, expiry) / 4);
    after(now, pause.min(quarter).max(Duration::from_millis(250)))
}

/// How soon to look again whether the access policy admits a client that has
/// `waited` so far: a quarter of that, because one policy is written for many
/// and under a burst that takes a while.
#[must_use]
pub fn admission_retry(waited: Duration) -> Duration {
    (waited / 4).clamp(ADMISSION_RETRY, ADMISSION_RETRY_CAP)
}

/// A generic cell rate algorithm: `None` when one more is allowed at `now`
/// (then `tat` has moved on), else the instant from which it is.
#[must_use]
pub fn allow_at(
    tat: &mut Timestamp,
    now: Timestamp,
    interval: Duration,
    burst: u32,
) -> Option<Timestamp> {
    let window = interval * burst.saturating_sub(1);
    let earliest = tat
        .checked_sub(SignedDuration::try_from(window).unwrap_or_default())
        .unwrap_or(Timestamp::MIN);
    if now < earliest {
        return Some(earliest);
    }
    *tat = after((*tat).max(now), interval);
    None
}

/// How long the kubelet may take to deliver a changed Secret, measured with its
/// defaults.
pub const KUBELET_DELAY: Duration = Duration::from_secs(80);

/// How many seconds it takes to serve so many accounts with one request each.
#[must_use]
pub fn catch_up(accounts: usize, per_minute: u32) -> u64 {
    accounts as u64 * 60 / u64::from(per_minute.max(1))
}

/// The longest outage of Okta that no workload notices: a third of a token's
/// lifetime, less the kubelet's delay, less the time that it takes to refresh
/// all `overdue_seconds` of accounts afterwards. `None` when it is negative.
#[must_use]
pub fn promise(lifetime: Duration, overdue_seconds: u64) -> Option<Duration> {
    (lifetime / 3)
        .checked_sub(KUBELET_DELAY)?
        .checked_sub(Duration::from_secs(overdue_seconds))
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
