//! A mass creation never starves a refresh, a namespace never another, and
//! nobody wakes together.

use std::collections::BTreeMap;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn turn(lane: Lane, key: &str, namespace: &str) -> Turn {
    Turn {
        lane,
        key: key.into(),
        namespace: namespace.into(),
        expires_at: None,
    }
}

/// What an answer of this moment says of a window that ends at second 60.
fn told(limit: u32, remaining: u32, now: Timestamp) -> Told {
    Told {
        limit: Some(limit),
        remaining: Some(remaining),
        reset: Some(at(59).as_second()),
        date: Some(now),
    }
}

/// Asks for a permit, and returns it at once.
fn ask(budget: &mut Budget, turn: &Turn, now: Timestamp) -> Result<(), Timestamp> {
    budget.reserve(Bucket::Apps, turn, now)?;
    budget.returned(Bucket::Apps);
    Ok(())
}

fn taught(limit: u32) -> Budget {
    let mut budget = Budget::new(RateLimit::default());
    budget.learn(Bucket::Apps, &told(limit, limit, at(0)), at(0));
    budget
}

#[test]
fn new_accounts_leave_the_reserve_to_refreshes() {
    let mut budget = taught(100);
    let granted = (0..100)
        .filter(|i| ask(&mut budget, &turn(Lane::New, &format!("n{i}"), "ns"), at(0)).is_ok())
        .count();
    assert_eq!(
        granted, 36,
        "50 % of 100, less 30 % of that, which is held back until shortly before the end"
    );
    let refreshed = (0..100)
        .filter(|i| {
            ask(
                &mut budget,
                &turn(Lane::Expiring, &format!("r{i}"), "ns"),
                at(0),
            )
            .is_ok()
        })
        .count();
    assert_eq!(refreshed, 14, "the reserve");
}

#[test]
fn ten_thousand_callers_get_slots_of_their_own_and_all_are_served_in_the_foreseen_time() {
    let mut budget = taught(100);
    let mut due: BTreeMap<Timestamp, Vec<usize>> = BTreeMap::new();
    let mut served = 0;
    let mut most_at_once = 0;
    for i in 0..10_000 {
        match ask(&mut budget, &turn(Lane::New, &format!("n{i}"), "ns"), at(0)) {
            Ok(()) => served += 1,
            Err(when) => due.entry(when).or_default().push(i),
        }
    }
    let mut last = at(0);
    let mut asked = 0;
    while let Some((now, callers)) = due.pop_first() {
        most_at_once = most_at_once.max(callers.len());
        last = now;
        for i in callers {
            asked += 1;
            assert!(asked < 100_000, "callers ask again and again");
            match ask(&mut budget, &turn(Lane::New, &format!("n{i}"), "ns"), now) {
                Ok(()) => served += 1,
                Err(when) => {
                    assert!(when > now);
                    due.entry(when).or_default().push(i);
                }
            }
        }
    }
    assert_eq!(served, 10_000);
    assert!(most_at_once <= 3, "{most_at_once} wake together");
    let minutes = (last.as_second() - at(0).as_second()) / 60;
    assert!(
        minutes <= 10_000 / 50 * 110 / 100 + 2,
        "took {minutes} minutes instead of {}",
        10_000 / 50
    );
}

#[test]
fn a_second_namespace_is_served_in_the_next_window_although_the_first_holds_a_thousand_slots() {
    let mut budget = taught(100);
    for i in 0..1000 {
        let _ = ask(
            &mut budget,
            &turn(Lane::New, &format!("n{i}"), "flood"),
            at(0),
        );
    }
    let when = ask(&mut budget, &turn(Lane::New, "small", "small"), at(1)).unwrap_err();
    assert!(when <= at(125), "{when}");
    assert_eq!(
        ask(&mut budget, &turn(Lane::New, "small", "small"), when),
        Ok(())
    );
}

#[test]
fn a_refusal_closes_the_bucket_and_what_others_eat_is_seen() {
    let mut budget = taught(100);
    let reset = Told {
        reset: Some(at(29).as_second()),
        ..told(100, 0, at(0))
    };
    budget.refused(
        Bucket::Apps,
        &turn(Lane::New, "refused", "ns"),
        &reset,
        at(0),
    );
    let when = ask(&mut budget, &turn(Lane::Expiring, "a", "ns"), at(1)).unwrap_err();
    assert!(when >= at(30));
    let mut eaten = Budget::new(RateLimit::default());
    eaten.learn(Bucket::Apps, &told(100, 10, at(50)), at(50));
    let granted = (0..20)
        .filter(|i| {
            ask(
                &mut eaten,
                &turn(Lane::Expiring, &format!("{i}"), "ns"),
                at(50),
            )
            .is_ok()
        })
        .count();
    assert_eq!(granted, 9, "they will eat one before it is there");
}

#[test]
fn a_clock_that_is_set_right_starves_nobody() {
    let mut budget = taught(100);
    for i in 0..200 {
        let _ = ask(
            &mut budget,
            &turn(Lane::New, &format!("n{i}"), "ns"),
            at(7200),
        );
    }
    let granted = (0..200)
        .filter(|i| ask(&mut budget, &turn(Lane::New, &format!("n{i}"), "ns"), at(0)).is_ok())
        .count();
    assert_eq!(granted, 36);
}

#[test]
fn what_is_under_way_when_a_window_ends_counts_in_the_next_one() {
    let mut budget = taught(100);
    for i in 0..50 {
        let turn = turn(Lane::Expiring, &format!("slow-{i}"), "ns");
        budget.reserve(Bucket::Apps, &turn, at(59)).unwrap();
    }
    // They may reach Okta now.
    let other = turn(Lane::Expiring, "other", "ns");
    assert!(ask(&mut budget, &other, at(62)).is_err());
}

#[test]
fn the_token_that_ends_first_is_served_first() {
    let mut budget = taught(2);
    let ending = |key: &str, second| Turn {
        expires_at: Some(at(second)),
        ..turn(Lane::Expiring, key, "ns")
    };
    ask(&mut budget, &ending("first", 900), at(1)).unwrap();
    let (late, early) = (ending("late", 800), ending("early", 300));
    assert!(ask(&mut budget, &late, at(2)).is_err());
    assert!(ask(&mut budget, &early, at(3)).is_err());
    assert!(ask(&mut budget, &late, at(62)).is_err());
    assert_eq!(ask(&mut budget, &early, at(62)), Ok(()));
}

#[test]
fn whoever_becomes_urgent_does_not_keep_an_old_place() {
    let mut budget = taught(100);
    for i in 0..1000 {
        let _ = ask(&mut budget, &turn(Lane::New, &format!("n{i}"), "ns"), at(0));
    }
    let suspended = turn(Lane::Revocation, "n999", "ns");
    assert_eq!(ask(&mut budget, &suspended, at(1)), Ok(()));
}

#[test]
fn nobody_is_sent_away_for_long_before_okta_has_told_the_limit() {
    let mut budget = Budget::new(RateLimit::default());
    let latest = (0..1000)
        .filter_map(|i| ask(&mut budget, &turn(Lane::New, &format!("n{i}"), "ns"), at(0)).err())
        .max();
    assert!(latest.unwrap() <= at(60), "{latest:?}");
}

#[test]
fn one_request_too_many_at_a_time_holds_up_no_other() {
    let mut budget = taught(100);
    let refused = turn(Lane::New, "refused", "ns");
    ask(&mut budget, &refused, at(0)).unwrap();
    let too_many = told(0, 0, at(1));
    budget.learn(Bucket::Apps, &too_many, at(1));
    let again = budget.refused(Bucket::Apps, &refused, &too_many, at(1));
    assert_eq!(
        ask(&mut budget, &turn(Lane::New, "other", "ns"), at(1)),
        Ok(())
    );
    assert!(again > at(1) && again < at(5), "{again}");
    assert_eq!(ask(&mut budget, &refused, again), Ok(()));
}

#[test]
fn the_time_until_all_are_served_is_foreseen() {
    let mut budget = taught(100);
    for i in 0..1036 {
        let _ = ask(&mut budget, &turn(Lane::New, &format!("n{i}"), "ns"), at(0));
    }
    let level = budget.level(Bucket::Apps, at(0)).unwrap();
    assert_eq!((level.limit, level.waiting), (100, 1000));
    // Fourteen in this minute, and then fifty in each.
    let minutes = level.clears_in.as_secs() / 60;
    assert_eq!(minutes, 1 + (1000 - 14) / 50, "{level:?}");
}
