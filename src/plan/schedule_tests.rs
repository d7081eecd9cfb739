//! The arithmetic, across a whole life.

use super::*;

const T0: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn a_refresh_lies_between_56_and_67_per_cent_of_the_lifetime_and_differs_by_account() {
    let lifetime = Duration::from_secs(3600);
    let instants: Vec<i64> = (0..200)
        .map(|i| {
            TokenLife::new(T0, lifetime, &format!("uid-{i}"))
                .refresh_at
                .as_second()
        })
        .collect();
    assert!(
        instants.iter().all(|s| (2040..=2400).contains(s)),
        "{instants:?}"
    );
    let distinct: std::collections::BTreeSet<_> = instants.iter().collect();
    assert!(
        distinct.len() > 100,
        "only {} different instants",
        distinct.len()
    );
    let again = TokenLife::new(T0, lifetime, "uid-7");
    assert_eq!(again, TokenLife::new(T0, lifetime, "uid-7"));
}

#[test]
fn retries_grow_are_capped_and_hurry_when_little_life_is_left() {
    let pause = |n, expiry| retry_at(T0, n, "k", expiry).as_millisecond();
    assert!((500..=1000).contains(&pause(1, None)));
    assert!(pause(20, None) <= 300_000 && pause(20, None) >= 150_000);
    assert!(pause(20, Some(at(40))) <= 10_000);
    assert!(
        pause(20, Some(T0)) >= 150_000,
        "an expired token does not hurry for ever"
    );
    assert!(pause(u32::MAX, Some(at(0))) > 0);
}

#[test]
fn a_tenant_gets_three_tokens_at_once_and_then_one_a_minute() {
    let mut tat = Timestamp::MIN;
    for _ in 0..3 {
        assert_eq!(
            allow_at(&mut tat, T0, TENANT_MINT_INTERVAL, TENANT_MINT_BURST),
            None
        );
    }
    assert_eq!(
        allow_at(&mut tat, T0, TENANT_MINT_INTERVAL, TENANT_MINT_BURST),
        Some(at(60))
    );
    assert_eq!(
        allow_at(&mut tat, at(60), TENANT_MINT_INTERVAL, TENANT_MINT_BURST),
        None
    );
    assert_eq!(
        allow_at(&mut tat, at(61), TENANT_MINT_INTERVAL, TENANT_MINT_BURST),
        Some(at(120))
    );
}

#[test]
fn the_end_of_time_is_no_panic() {
    assert_eq!(
        after(Timestamp::MAX, Duration::from_secs(1)),
        Timestamp::MAX
    );
    assert_eq!(until(at(10), T0), Duration::ZERO);
    let life = TokenLife::new(Timestamp::MAX, Duration::MAX, "u");
    assert_eq!(life.expires_at, Timestamp::MAX);
}

#[test]
fn an_issuer_gathers_for_longer_the_more_accounts_there_are() {
    assert_eq!(gather(0), GATHER);
    assert!(gather(1000) < 2 * GATHER, "one account is not kept waiting");
    assert!(gather(10_000) > 5 * GATHER);
    assert_eq!(gather(usize::MAX), Duration::from_secs(1));
}
