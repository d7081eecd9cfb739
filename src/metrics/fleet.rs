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
    objects: Mutex<HashMap<String, Vec<Shown>>>,
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
        let shown: Vec<Shown> = conditions.iter().filter_map(known).collect();
        let is_true = |type_: &str| {
            shown
                .iter()
                .any(|s| s.condition == type_ && s.status == "True")
        };
        let verdict = Verdict {
            ready: is_true(READY),
            token_fresh: is_true(TOKEN_FRESH),
        };
        let mut objects = lock(&self.objects);
        for now in &shown {
            self.counts.get_or_create(now).inc();
        }
        self.take_back(objects.insert(object.to_owned(), shown));
        verdict
    }

    /// The object is gone.
    pub(super) fn forget(&self, object: &str) {
        let mut objects = lock(&self.objects);
        self.take_back(objects.remove(object));
    }

    fn take_back(&self, shown: Option<Vec<Shown>>) {
        for before in shown.into_iter().flatten() {
            self.counts.get_or_create(&before).dec();
        }
    }
}

fn known(condition: &Condition) -> Option<Shown> {
    let status = match condition.status.as_str() {
        "True" => "True",
        "False" => "False",
        _ => "Unknown",
    };
    let reason = Reason::ALL
        .iter()
        .map(|reason| reason.as_str())
        .find(|reason| *reason == condition.reason)?;
    Some(Shown {
        condition: COUNTED.into_iter().find(|t| *t == condition.type_)?,
        status,
        reason,
    })
}
