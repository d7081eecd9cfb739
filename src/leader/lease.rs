//! A `coordination.k8s.io/v1` Lease as the decision sees it, and as a claim of
//! ours makes it. Labels, annotations and owners of others stay. Pure.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::core::ObjectMeta;

use super::decide::{Candidate, Claim, Record, UNKNOWN};

/// What matters of a lease.
pub(super) fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        version: lease.resource_version().unwrap_or_default(),
        lease: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
        transitions: spec.lease_transitions.unwrap_or_default(),
        acquired_at: spec.acquire_time.map(|at| at.0),
    }
}

/// The lease as `claim` makes it, out of the object that was read.
pub(super) fn claimed(
    name: &str,
    before: Option<&Lease>,
    claim: &Claim,
    candidate: &Candidate,
    now: Timestamp,
) -> Lease {
    Lease {
        metadata: metadata(name, before, claim.over.as_deref()),
        spec: Some(LeaseSpec {
            holder_identity: Some(candidate.identity().to_owned()),
            lease_duration_seconds: Some(whole_seconds(candidate.timing().lease)),
            lease_transitions: Some(claim.transitions),
            acquire_time: Some(MicroTime(claim.acquired_at.unwrap_or(now))),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }),
    }
}

/// A lease in the place of one that was deleted.
pub(super) fn restored(name: &str, candidate: &Candidate, now: Timestamp) -> Lease {
    Lease {
        metadata: metadata(name, None, None),
        spec: Some(LeaseSpec {
            holder_identity: Some(UNKNOWN.to_owned()),
            lease_duration_seconds: Some(whole_seconds(candidate.timing().lease)),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }),
    }
}

/// The same lease, held by nobody.
pub(super) fn released(before: &Lease, version: &str, now: Timestamp) -> Lease {
    let spec = before.spec.clone().unwrap_or_default();
    Lease {
        metadata: metadata(&before.name_any(), Some(before), Some(version)),
        spec: Some(LeaseSpec {
            holder_identity: Some(String::new()),
            renew_time: Some(MicroTime(now)),
            ..spec
        }),
    }
}

fn metadata(name: &str, before: Option<&Lease>, version: Option<&str>) -> ObjectMeta {
    let before = before
        .map(|lease| lease.metadata.clone())
        .unwrap_or_default();
    ObjectMeta {
        name: Some(name.to_owned()),
        resource_version: version.map(str::to_owned),
        // Of an object that was deleted nothing is kept.
        uid: version.and(before.uid),
        labels: before.labels,
        annotations: before.annotations,
        owner_references: before.owner_references,
        finalizers: before.finalizers,
        ..ObjectMeta::default()
    }
}

/// Rounded up: who waits must not wait for less.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::timing::Timing;

    #[test]
    fn a_claim_is_read_as_ours_and_keeps_what_others_wrote_beside_it() {
        let timing = Timing {
            lease: Duration::from_millis(9_500),
            deadline: Duration::from_secs(3),
            retry: Duration::from_secs(1),
        };
        let candidate = Candidate::new("pod_1".into(), timing);
        let labels = [("team".to_owned(), "graph".to_owned())];
        let before = Lease {
            metadata: ObjectMeta {
                name: Some("l".into()),
                uid: Some("u".into()),
                labels: Some(labels.clone().into()),
                ..ObjectMeta::default()
            },
            spec: None,
        };
        let claim = Claim {
            over: Some("7".into()),
            transitions: 3,
            acquired_at: None,
        };
        let now = Timestamp::from_second(1_700_000_000).expect("in range");
        let lease = claimed("l", Some(&before), &claim, &candidate, now);
        let read = record(&lease);
        assert_eq!((read.holder.as_str(), read.transitions), ("pod_1", 3));
        assert_eq!(
            read.version, "7",
            "it replaces what was read and nothing else"
        );
        assert!(read.lease >= timing.lease, "{:?}", read.lease);
        assert_eq!(lease.metadata.labels, Some(labels.into()));
        assert_eq!(record(&released(&lease, "8", now)).holder, "");
    }
}
