//! How many objects have which condition, without their names. Keeps what each
//! object showed last, because a count has to be taken back when that changes.
//! Refuses labels that the code does not know.

use std::collections::HashMap;
use std::sync::Mutex;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::api::conditions::{
    AUTHENTICATED, AUTHORIZATION_SERVER_READY, NEO4J_VERIFIED, POLICY_SYNCED, READY, Reason,
    SESSIONS_ENDABLE, STALLED, TOKEN_FRESH,
};
use crate::sync::lock;

/// The conditions that are counted; the others repeat what these say.
const COUNTED: [&str; 8] = [
    READY,
    TOKEN_FRESH,
    STALLED,
    AUTHENTICATED,
    AUTHORIZATION_SERVER_READY,
    POLICY_SYNCED,
    NEO4J_VERIFIED,
    SESSIONS_ENDABLE,
];

const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

/// What one condition shows: which of `COUNTED`, of `STATUSES` and of the reasons.
/// As small as this, because each object has several.
#[derive(Clone, Copy, Debug)]
struct Known {
    condition: u8,
    status: u8,
    reason: u8,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
pub(super) struct Shown {
    condition: &'static str,
    status: &'static str,
    reason: &'static str,
}

/// The objects of one kind.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    counts: Family<Shown, Gauge>,
    objects: Mutex<HashMap<Box<str>, Box<[Known]>>>,
}

/// What the gauges of one object need.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict {
    pub(super) ready: bool,
    pub(super) token_fresh: bool,
}

impl Fleet {
    pub(super) fn counts(&self) -> Family<Shown, Gauge> {
        self.counts.clone()
    }

    /// The object has these conditions now.
    pub(super) fn show(&self, object: &str, conditions: &[Condition]) -> Verdict {
        let known: Box<[Known]> = conditions.iter().filter_map(Known::of).collect();
        let is_true = |type_: &str| {
            let shown = known.iter().map(|known| known.shown());
            let mut of_type = shown.filter(|shown| shown.condition == type_);
            of_type.any(|shown| shown.status == "True")
        };
        let verdict = Verdict {
            ready: is_true(READY),
            token_fresh: is_true(TOKEN_FRESH),
        };
        let mut objects = lock(&self.objects);
        for shown in known.iter().map(|known| known.shown()) {
            self.counts.get_or_create(&shown).inc();
        }
        self.take_back(objects.insert(object.into(), known));
        verdict
    }

    /// The object is gone.
    pub(super) fn forget(&self, object: &str) {
        let mut objects = lock(&self.objects);
        self.take_back(objects.remove(object));
    }

    fn take_back(&self, known: Option<Box<[Known]>>) {
        for before in known.into_iter().flatten() {
            self.counts.get_or_create(&before.shown()).dec();
        }
    }
}

impl Known {
    /// None of what is not counted, or is no reason of the code's.
    fn of(condition: &Condition) -> Option<Self> {
        let place = |at: Option<usize>| u8::try_from(at?).ok();
        let status = STATUSES.iter().position(|s| *s == condition.status);
        let mut reasons = Reason::ALL.iter();
        Some(Self {
            condition: place(COUNTED.iter().position(|t| *t == condition.type_))?,
            status: place(status.or(Some(STATUSES.len() - 1)))?,
            reason: place(reasons.position(|r| r.as_str() == condition.reason))?,
        })
    }

    fn shown(self) -> Shown {
        Shown {
            condition: COUNTED[usize::from(self.condition)],
            status: STATUSES[usize::from(self.status)],
            reason: Reason::ALL[usize::from(self.reason)].as_str(),
        }
    }
}
