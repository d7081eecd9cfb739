//! The decision under everything that can happen to three replicas and one
//! lease: crashes, freezes, suspensions, clocks that are set, requests and
//! answers that are late or lost, a lease that is edited or deleted. Time is
//! simulated in steps; each replica has clocks of its own.
//!
//! Two things are shown of each history. No replica may send anything to Okta
//! while a request of another may still be under way. And once the weather is
//! fine, somebody leads within a lease.

mod world;

use std::time::Duration;

use proptest::prelude::*;

use super::timing::Timing;
use world::World;

const STEP: u64 = 100;
const OKTA_TIMEOUT: u64 = 5_000;
/// As tight as clocks of different speed and steps of time allow.
const TIMING: Timing = Timing {
    lease: Duration::from_millis(9_200),
    deadline: Duration::from_millis(4_000),
    retry: Duration::from_millis(400),
};
const REPLICAS: usize = 3;

#[derive(Clone, Debug)]
enum Event {
    /// The process ends without a word; another one starts after so long.
    Crash(u64),
    /// It releases the lease, and another one starts after so long.
    Stop(u64),
    /// SIGSTOP for so long.
    Freeze(u64),
    /// The machine sleeps for so long: its monotonic clock stands still.
    Suspend(u64),
    /// Its wall clock is set by so much.
    Set(i64),
    /// For so long its requests do not arrive.
    LoseRequests(u64),
    /// For so long its requests arrive and their answers do not.
    LoseAnswers(u64),
    /// For so long its messages take up to so long each way.
    Slow(u64, u64),
    /// Somebody edits the lease's labels.
    Edit,
    /// Somebody deletes the lease.
    Delete,
}

fn event() -> impl Strategy<Value = Event> {
    let time = 0..20_000_u64;
    prop_oneof![
        3 => time.clone().prop_map(Event::Crash),
        2 => time.clone().prop_map(Event::Stop),
        3 => time.clone().prop_map(Event::Freeze),
        2 => time.clone().prop_map(Event::Suspend),
        2 => (-30_000..30_000_i64).prop_map(Event::Set),
        4 => time.clone().prop_map(Event::LoseRequests),
        3 => time.clone().prop_map(Event::LoseAnswers),
        4 => (time, 0..3_000_u64).prop_map(|(time, delay)| Event::Slow(time, delay)),
        1 => Just(Event::Edit),
        1 => Just(Event::Delete),
    ]
}

fn steps(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("short") / STEP
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_do_two_write_at_once_and_always_does_somebody_take_over(
        random in any::<u64>(),
        history in prop::collection::vec((0..120_u64, 0..REPLICAS, event()), 0..40),
    ) {
        let mut world = World::new(random);
        for (pause, replica, event) in history {
            for _ in 0..pause {
                world.step()?;
            }
            world.happens(replica, &event);
        }
        world.fine_weather();
        // A lease counts from when it was read: after what is lost was given up.
        let read = TIMING.request_timeout() + 2 * TIMING.retry;
        for _ in 0..steps(read + TIMING.lease + TIMING.retry) {
            world.step()?;
        }
        let leader = world.leader();
        prop_assert!(leader.is_some(), "nobody leads");
        // And keeps leading.
        for _ in 0..steps(TIMING.lease * 2) {
            world.step()?;
            prop_assert_eq!(world.leader(), leader);
        }
    }
}
