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
    eaten.learn(Bucket::Apps, &told(100, 2, at(0)), at(0));
    let granted = (0..10)
        .filter(|i| {
            ask(
                &mut eaten,
                &turn(Lane::Expiring, &format!("{i}"), "ns"),
                at(1),
            )
            .is_ok()
        })
        .count();
    assert_eq!(granted, 2);
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
