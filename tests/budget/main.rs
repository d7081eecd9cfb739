//! Many accounts under an org's rate limits, over hours that pass in seconds.
//! `cargo test --test budget -- --nocapture` prints the table of
//! `docs/okta/limits.md`.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a simulation"
)]

mod account;
mod case;
mod issuer;
mod org;
mod random;
mod simulation;

use std::time::Duration;

use account::LIFETIME;
use case::{Case, Figures, MINUTE, SECOND};
use neo4j_okta_operator::plan::schedule::KUBELET_DELAY;
use okta_emulator::Limits;
use org::Others;
use simulation::Simulation;

/// A refresh takes a request or two. What is later than this waited.
const PROMPT: Duration = Duration::from_secs(30);

/// What holds for every case without an outage.
fn check(case: &Case, sim: &Simulation) -> Figures {
    let figures = Figures::of(case, sim);
    assert_eq!(figures.expired, 0, "{}: {figures:?}", case.name);
    assert!(figures.latest < PROMPT, "{}: {figures:?}", case.name);
    figures
}

/// Those that were suspended at `when` are so.
fn suspended_within_seconds(sim: &Simulation, when: u64) {
    for account in sim.accounts.iter().filter(|a| a.is_suspended()) {
        let took = account.stopped_at.unwrap() - when;
        assert!(took <= 5 * SECOND, "suspended after {took} ms");
    }
}

/// Of accounts of namespaces with that prefix: how many are registered by then.
fn registered(sim: &Simulation, prefix: &str, by: u64) -> usize {
    sim.accounts
        .iter()
        .filter(|a| a.desired.account.namespace.starts_with(prefix))
        .filter(|a| a.registered_at.is_some_and(|at| at <= by))
        .count()
}

#[test]
fn ten_thousand_new_accounts_use_the_share_and_disturb_nobody() {
    let when = 60 * MINUTE;
    let case = Case {
        suspended_at: Some(when),
        ..Case::new("100/min", Limits::one_app(), 2_000, 10_000)
    };
    let sim = case.run();
    let figures = check(&case, &sim);
    assert_eq!(figures.refused, 0);
    assert!(figures.used >= 90, "{figures:?}");
    assert!(figures.misjudged <= 10, "{figures:?}");

    suspended_within_seconds(&sim, when);

    // Fifty namespaces of a hundred take turns with one of five thousand: all
    // have had a hundred turns after 51 * 100 / 50 minutes.
    let turns = 102 * MINUTE;
    assert!(registered(&sim, "small", turns * 110 / 100) >= 4_990);
    assert!(registered(&sim, "large", turns * 110 / 100) >= 90);
    assert!(registered(&sim, "large", turns * 90 / 100) <= 110);
}

#[test]
fn others_who_use_half_of_the_org_cost_no_refusal() {
    for (name, others, new) in [
        ("100/min, others use half", Others::Steady(50), 10_000),
        (
            "100/min, others use half at once",
            Others::Bursts(50),
            5_000,
        ),
    ] {
        let mut case = Case::new(name, Limits::one_app(), 2_000, new);
        case.weather.others = others;
        let figures = check(&case, &case.run());
        assert_eq!(figures.refused, 0);
        assert!(figures.used >= 90, "{figures:?}");
        assert!(figures.misjudged <= 15, "{figures:?}");
    }
}

#[test]
fn others_who_use_more_than_their_half_cost_a_handful() {
    for (name, others) in [
        ("100/min, others use half, more or less", Others::Random(50)),
        ("100/min, others use three quarters", Others::Random(75)),
    ] {
        let mut case = Case::new(name, Limits::one_app(), 2_000, 2_000);
        case.weather.others = others;
        let figures = check(&case, &case.run());
        assert!(figures.refused <= 10, "{figures:?}");
    }
}

#[test]
fn one_request_too_many_at_a_time_does_not_stop_the_others() {
    let mut case = Case::new(
        "100/min, one in twenty is one too many at a time",
        Limits::one_app(),
        2_000,
        10_000,
    );
    case.weather.concurrency = 0.05;
    let figures = check(&case, &case.run());
    assert_eq!(figures.refused, 0);
    assert!(figures.crowded > 1_000);
    // A permit that Okta did not count is lost, no more.
    assert!(figures.used >= 90, "{figures:?}");
    assert!(figures.misjudged <= 15, "{figures:?}");
}

#[test]
fn two_issuers_of_one_org_share_its_budget() {
    let case = Case {
        issuers: 2,
        ..Case::new("100/min, two issuers", Limits::one_app(), 2_000, 2_000)
    };
    let figures = check(&case, &case.run());
    assert_eq!(figures.refused, 0);
    assert!(figures.used >= 90, "{figures:?}");
}

#[test]
fn a_free_org_takes_its_time() {
    for new in [100, 1_000] {
        let case = Case {
            suspended_at: (new == 1_000).then_some(30 * MINUTE),
            ..Case::new("20/min", Limits::integrator(), 200, new)
        };
        let sim = case.run();
        let figures = check(&case, &sim);
        assert_eq!(figures.refused, 0);
        assert!(figures.used >= 90, "{figures:?}");
        suspended_within_seconds(&sim, 30 * MINUTE);
    }
}

#[test]
fn after_an_outage_the_tokens_that_end_first_are_refreshed_first() {
    let outage = 17 * MINUTE;
    let mut case = Case {
        at_least: 120 * MINUTE,
        ..Case::new("100/min, 17 minutes away", Limits::one_app(), 10_000, 0)
    };
    case.weather.outage = Some((30 * MINUTE, 30 * MINUTE + outage));
    let figures = Figures::of(&case, &case.run());
    assert_eq!((figures.expired, figures.refused), (0, 0), "{figures:?}");
    // In the order of asking some two dozen would have ended.
    assert!(
        figures.latest + KUBELET_DELAY <= LIFETIME / 3,
        "{figures:?}"
    );
}

#[test]
fn smaller_fleets() {
    for new in [100, 1_000] {
        let case = Case::new("100/min", Limits::one_app(), 200, new);
        let figures = check(&case, &case.run());
        assert_eq!(figures.refused, 0);
    }
}
