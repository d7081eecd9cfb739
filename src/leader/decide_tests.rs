//! The decision, one rule at a time; all together are in `model`.

use super::*;

const TIMING: Timing = Timing {
    lease: Duration::from_secs(90),
    deadline: Duration::from_secs(25),
    retry: Duration::from_secs(5),
};

fn at(seconds: u64) -> Elapsed {
    let time = Duration::from_secs(seconds);
    Elapsed {
        at_least: time,
        at_most: time,
    }
}

fn record(holder: &str, version: &str) -> Record {
    Record {
        holder: holder.to_owned(),
        version: version.to_owned(),
        lease: TIMING.lease,
        transitions: 1,
        acquired_at: None,
    }
}

/// Leads since its first second.
fn leader() -> Candidate {
    let mut me = Candidate::new("me".into(), TIMING);
    me.read(None, at(0));
    me.wrote(record("me", "1"), at(0), at(1));
    assert_eq!(me.leads_until(), Some(TIMING.deadline));
    me
}

#[test]
fn a_leader_that_finds_another_in_the_lease_stands_down_at_once() {
    let mut me = leader();
    me.refused(at(5));
    me.read(Some(record("you", "7")), at(6));
    assert_eq!(me.next(at(6)), Act::StandDown(Loss::Taken("you".into())));
}

#[test]
fn a_renewal_whose_answer_comes_after_the_deadline_is_none() {
    let mut me = leader();
    me.wrote(record("me", "2"), at(24), at(26));
    assert_eq!(me.next(at(26)), Act::StandDown(Loss::Expired));
}

#[test]
fn a_claim_that_was_answered_too_late_to_be_held_is_made_again() {
    let mut me = Candidate::new("me".into(), TIMING);
    me.read(None, at(0));
    me.wrote(record("me", "1"), at(0), at(25));
    assert_eq!(me.leads_until(), None);
    assert!(matches!(me.next(at(25)), Act::Write(Claim { over: Some(v), .. }) if v == "1"));
}

#[test]
fn a_lease_of_a_longer_duration_than_ours_is_waited_for_as_its_holder_was_told() {
    let mut me = Candidate::new("me".into(), TIMING);
    let long = Record {
        lease: Duration::from_secs(300),
        ..record("you", "1")
    };
    me.read(Some(long), at(0));
    assert!(matches!(me.next(at(299)), Act::Read));
    assert!(matches!(me.next(at(301)), Act::Write(_)));
}

#[test]
fn what_is_not_known_to_be_ours_is_not_released() {
    let mut me = leader();
    me.failed(at(5));
    assert_eq!(me.resign(), None, "the renewal may have arrived, or not");
    assert_eq!(leader().resign(), Some("1".into()));
}
