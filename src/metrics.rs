//! Prometheus metrics. Labels are bounded by construction: outcomes are
//! `&'static str`, orgs are as many as issuers name, and names of accounts appear
//! on the per-account gauges alone.

mod accounts;
mod classic;
mod fleet;
mod neo4j;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::api::{Neo4jServiceAccountStatus, OktaIssuerStatus};
use crate::okta::budget::Level;
use crate::plan::identity::AccountRef;
use accounts::{Accounts, Token, Told};
pub use classic::classic;
use fleet::Fleet;
use neo4j::AtNeo4j;

macro_rules! labels {
    ($($name:ident { $($field:ident: $type:ty),+ })+) => {
        $(#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
        struct $name { $($field: $type),+ })+
    };
}

labels! {
    Kind { kind: &'static str }
    KindOutcome { kind: &'static str, outcome: &'static str }
    Operation { operation: &'static str, outcome: &'static str }
    BucketName { bucket: &'static str }
    OrgBucket { org: String, bucket: &'static str }
    Outcome { outcome: &'static str }
    Org { org: String }
}

impl Org {
    fn named(org: &str) -> Self {
        Self {
            org: org.to_owned(),
        }
    }
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All metrics; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    per_account: bool,
    reconciles: Family<KindOutcome, Counter>,
    reconcile_seconds: Histograms<Kind>,
    okta_calls: Family<Operation, Counter>,
    okta_seconds: Histograms<BucketName>,
    limit: Family<OrgBucket, Gauge>,
    remaining: Family<OrgBucket, Gauge>,
    waiting: Family<OrgBucket, Gauge>,
    clears: Family<OrgBucket, Gauge>,
    refreshes: Family<Outcome, Counter>,
    first_token: Histogram,
    each_account: Arc<Accounts>,
    accounts: Fleet,
    issuers: Fleet,
    objects: Family<Kind, Gauge>,
    log_read: Family<Org, Gauge>,
    skew: Family<Org, Gauge>,
    backoff: Family<Kind, Gauge>,
    watch_errors: Family<Kind, Counter>,
    leader: Gauge,
    orphans: Family<Org, Gauge>,
    neo4j: AtNeo4j,
}

/// 1 ms to about 65 s.
fn short() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 17))
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(true)
    }
}

impl Metrics {
    /// New metrics, all at zero. Without `per_account` the gauges that name
    /// accounts stay empty, for fleets that would be too many series.
    #[must_use]
    pub fn new(per_account: bool) -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("neo4j_okta"),
            per_account,
            reconciles: Family::default(),
            reconcile_seconds: Family::new_with_constructor(short),
            okta_calls: Family::default(),
            okta_seconds: Family::new_with_constructor(short),
            limit: Family::default(),
            remaining: Family::default(),
            waiting: Family::default(),
            clears: Family::default(),
            refreshes: Family::default(),
            // A quarter of a second to over four hours.
            first_token: Histogram::new(exponential_buckets(0.25, 2.0, 17)),
            each_account: Arc::default(),
            accounts: Fleet::default(),
            issuers: Fleet::default(),
            objects: Family::default(),
            log_read: Family::default(),
            skew: Family::default(),
            backoff: Family::default(),
            watch_errors: Family::default(),
            leader: Gauge::default(),
            orphans: Family::default(),
            neo4j: AtNeo4j::default(),
        };
        // A rate needs to have seen the zero.
        for kind in ["account", "issuer"] {
            let _ = inner.watch_errors.get_or_create(&Kind { kind });
            let _ = inner.backoff.get_or_create(&Kind { kind });
        }
        let r = &mut inner.registry;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        r.register("build", "What runs", Info::new(version));
        r.register(
            "reconciles",
            "Reconciles by kind and outcome",
            inner.reconciles.clone(),
        );
        r.register(
            "reconcile_duration_seconds",
            "Time that a reconcile took",
            inner.reconcile_seconds.clone(),
        );
        r.register(
            "api_calls",
            "Requests to Okta by operation and outcome",
            inner.okta_calls.clone(),
        );
        r.register(
            "api_call_duration_seconds",
            "Time to Okta's answer",
            inner.okta_seconds.clone(),
        );
        r.register(
            "api_rate_limit",
            "Requests a window that Okta allows the org",
            inner.limit.clone(),
        );
        r.register(
            "api_rate_limit_remaining",
            "Requests left in the window",
            inner.remaining.clone(),
        );
        r.register(
            "api_rate_limit_waiting",
            "Callers that wait for their turn",
            inner.waiting.clone(),
        );
        r.register(
            "api_rate_limit_clear_seconds",
            "Time until all who wait have had their turn",
            inner.clears.clone(),
        );
        r.register(
            "token_requests",
            "Tokens asked for by outcome",
            inner.refreshes.clone(),
        );
        r.register(
            "first_token_duration_seconds",
            "Time from an account's creation to its first token",
            inner.first_token.clone(),
        );
        r.register_collector(Box::new(inner.each_account.clone()));
        r.register("accounts", "Accounts by condition", inner.accounts.counts());
        r.register("issuers", "Issuers by condition", inner.issuers.counts());
        r.register(
            "objects",
            "Objects that the operator looks after",
            inner.objects.clone(),
        );
        r.register(
            "log_read_timestamp_seconds",
            "When the org's System Log was last read; at first, when that was tried",
            inner.log_read.clone(),
        );
        r.register(
            "clock_skew_seconds",
            "How far Okta's clock is ahead of the operator's",
            inner.skew.clone(),
        );
        r.register(
            "objects_in_backoff",
            "Objects that failed and wait for their next try",
            inner.backoff.clone(),
        );
        r.register(
            "watch_errors",
            "Errors of watches",
            inner.watch_errors.clone(),
        );
        r.register(
            "leader",
            "1 while this instance may write",
            inner.leader.clone(),
        );
        r.register(
            "orphaned_apps",
            "Apps of this installation whose account is gone",
            inner.orphans.clone(),
        );
        inner.neo4j.register(r);
        Self(Arc::new(inner))
    }

    /// What `/metrics` serves (OpenMetrics text).
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }

    pub(crate) fn reconciled(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        self.0
            .reconciles
            .get_or_create(&KindOutcome { kind, outcome })
            .inc();
        self.0
            .reconcile_seconds
            .get_or_create(&Kind { kind })
            .observe(took.as_secs_f64());
    }

    pub(crate) fn okta_call(&self, operation: &'static str, outcome: &'static str) {
        self.0
            .okta_calls
            .get_or_create(&Operation { operation, outcome })
            .inc();
    }

    pub(crate) fn okta_latency(&self, bucket: &'static str, took: Duration) {
        self.0
            .okta_seconds
            .get_or_create(&BucketName { bucket })
            .observe(took.as_secs_f64());
    }

    pub(crate) fn budget(&self, org: &str, bucket: &'static str, level: Level) {
        let labels = OrgBucket {
            org: org.to_owned(),
            bucket,
        };
        self.0.limit.get_or_create(&labels).set(level.limit.into());
        self.0
            .remaining
            .get_or_create(&labels)
            .set(level.remaining.into());
        let waiting = i64::try_from(level.waiting).unwrap_or(i64::MAX);
        self.0.waiting.get_or_create(&labels).set(waiting);
        let clears = i64::try_from(level.clears_in.as_secs()).unwrap_or(i64::MAX);
        self.0.clears.get_or_create(&labels).set(clears);
    }

    pub(crate) fn token_request(&self, outcome: &'static str) {
        self.0.refreshes.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn first_token(&self, after: Duration) {
        self.0.first_token.observe(after.as_secs_f64());
    }

    pub(crate) fn account(&self, account: &AccountRef, status: &Neo4jServiceAccountStatus) {
        let shown = self.0.accounts.show(&account.uid, &status.conditions);
        if !self.0.per_account {
            return;
        }
        let token = status.token.as_ref().map(|token| Token {
            issued_at: token.issued_at.0.as_second(),
            expires_at: token.expires_at.0.as_second(),
            fresh: shown.token_fresh,
        });
        let ready = shown.ready;
        self.0.each_account.tell(account, Told { ready, token });
    }

    pub(crate) fn forget_account(&self, account: &AccountRef) {
        self.0.accounts.forget(&account.uid);
        self.0.each_account.forget(account);
    }

    pub(crate) fn issuer(&self, name: &str, status: &OktaIssuerStatus) {
        self.0.issuers.show(name, &status.conditions);
    }

    pub(crate) fn forget_issuer(&self, name: &str) {
        self.0.issuers.forget(name);
    }

    /// How many there are, looked at or not.
    pub(crate) fn objects(&self, kind: &'static str, found: usize) {
        let found = i64::try_from(found).unwrap_or(i64::MAX);
        self.0.objects.get_or_create(&Kind { kind }).set(found);
    }

    /// The System Log was read at `now`, or could not be.
    pub(crate) fn log_read(&self, org: &str, read: bool, now: Timestamp) {
        let gauge = self.0.log_read.get_or_create_owned(&Org::named(org));
        if read || gauge.get() == 0 {
            gauge.set(now.as_second());
        }
    }

    pub(crate) fn skew(&self, org: &str, seconds: i64) {
        self.0.skew.get_or_create(&Org::named(org)).set(seconds);
    }

    pub(crate) fn in_backoff(&self, kind: &'static str, objects: usize) {
        let objects = i64::try_from(objects).unwrap_or(i64::MAX);
        self.0.backoff.get_or_create(&Kind { kind }).set(objects);
    }

    pub(crate) fn watch_error(&self, kind: &'static str) {
        self.0.watch_errors.get_or_create(&Kind { kind }).inc();
    }

    /// Apps of this installation whose account is gone.
    pub fn orphans(&self, org: &str, found: usize) {
        let found = i64::try_from(found).unwrap_or(i64::MAX);
        self.0.orphans.get_or_create(&Org::named(org)).set(found);
    }

    /// Whether this instance may write.
    pub fn set_leader(&self, leader: bool) {
        self.0.leader.set(leader.into());
    }
}
