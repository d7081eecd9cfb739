//! Ten thousand accounts under an org's rate limits.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a simulation"
)]

mod account;
mod issuer;
mod org;
mod random;
mod simulation;

use account::{Account, at};
use okta_emulator::Limits;
use org::Weather;
use random::Random;
use simulation::Simulation;

const MINUTE: u64 = 60_000;

#[test]
fn ten_thousand_accounts() {
    let mut sim = Simulation::new(Weather::fair(Limits::one_app()), 1, 1);
    let mut random = Random::new(2);
    for i in 0..2000 {
        let age = i64::try_from(random.between(0, 34 * 60)).unwrap();
        let issued = at(0)
            .checked_sub(k8s_openapi::jiff::SignedDuration::from_secs(age))
            .unwrap();
        sim.add(Account::existing(i, &format!("old-{}", i % 20), issued));
    }
    for i in 0..5000 {
        sim.create(
            Account::new(2000 + i, "large"),
            1000 + random.between(0, 20_000),
        );
    }
    for i in 0..5000 {
        sim.create(
            Account::new(7000 + i, &format!("small-{}", i % 50)),
            5000 + random.between(0, 20_000),
        );
    }
    sim.run_until(|sim| {
        sim.accounts
            .iter()
            .all(|a| a.registered_at.is_some() || a.observed.token_facts().is_some())
    });
    println!("minutes {}", sim.now / MINUTE);
    println!("429: {} crowded {}", sim.org.refused, sim.org.crowded);
    println!("reconciles {} {:?}", sim.reconciles, sim.ends);
    println!(
        "late {:?} of {}, expired {}",
        sim.refreshes.iter().max(),
        sim.refreshes.len(),
        sim.expired
    );
    for ((b, m), n) in &sim.org.used {
        if *b == "apps" && m % 10 < 3 {
            print!("{m}:{n} ");
        }
    }
    println!();
    for p in sim.probes.iter().step_by(20) {
        println!(
            "{} waiting {} clears at {}",
            p.at / MINUTE,
            p.waiting,
            p.at / MINUTE + p.clears_in.as_secs() / 60
        );
    }
    let done = |p: &str| {
        sim.accounts
            .iter()
            .filter(|a| a.desired.account.namespace.starts_with(p))
            .filter_map(|a| a.registered_at)
            .max()
            .unwrap()
            / MINUTE
    };
    println!("small {} large {}", done("small"), done("large"));
}
