//! The real operator at a real API server and the Okta emulator, while from a
//! seed everything that can go wrong goes wrong between them: requests and
//! answers are lost, watches break, lists are old, the operator dies. When that
//! ends, everything has to be as it was asked for.
//!
//! `INTERFERENCE_SCHEDULES` says how many accounts go through it,
//! `INTERFERENCE_SEED` where to begin; a failure prints the seed of its round.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod contract;
mod deeds;
mod dice;
mod history;
mod lives;
mod outages;
mod proof;
mod round;
mod truth;
mod watch;
mod weather;
mod wire;
mod witness;

use neo4j_okta_operator::api::crds;
use neo4j_okta_operator::clock::Clock;
use testbed::{ControlPlane, control_plane};
use tokio::sync::{Mutex, MutexGuard};

use round::{ACCOUNTS, Round};

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let text = text.trim_start_matches("0x");
    Some(u64::from_str_radix(text, if variable.ends_with("SEED") { 16 } else { 10 }).unwrap())
}

/// The control plane, for one test at a time: an operator serves all of it.
async fn cluster() -> (&'static ControlPlane, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    if let Ok(filter) = std::env::var("LOG") {
        neo4j_okta_operator::telemetry::init(neo4j_okta_operator::cli::LogFormat::Text, &filter);
    }
    let cluster = control_plane().await;
    install(cluster).await;
    (cluster, turn)
}

async fn install(cluster: &ControlPlane) {
    for crd in crds() {
        let text = serde_json::to_string(&crd).unwrap();
        cluster.apply_yaml(&text).await.unwrap();
    }
    let names = [
        "neo4jserviceaccounts.neo4j-okta.dev",
        "oktaissuers.neo4j-okta.dev",
    ];
    cluster.wait_for_crds(&names).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_on_the_way_everything_ends_as_it_was_asked_for() {
    let first = number("INTERFERENCE_SEED")
        .unwrap_or_else(|| u64::from_str_radix(&testbed::random(), 16).unwrap());
    let schedules = number("INTERFERENCE_SCHEDULES").unwrap_or(1_000);
    println!("INTERFERENCE_SEED={first:x} INTERFERENCE_SCHEDULES={schedules}");
    let (cluster, _turn) = cluster().await;
    let watch = Clock::system().stopwatch();
    let mut done = 0;
    for number in 0.. {
        if done >= schedules {
            break;
        }
        let seed = first.wrapping_add(number);
        let accounts = ACCOUNTS.min(schedules - done);
        let round = Round::stormy(cluster, seed, accounts).await;
        let outcome = round.run().await;
        done += accounts;
        println!(
            "{seed:x}: {done} schedules, {:?}, {}",
            watch.elapsed(),
            round.told()
        );
        if let Err(wrong) = outcome {
            panic!(
                "again with INTERFERENCE_SEED={seed:x} INTERFERENCE_SCHEDULES={accounts}:\n{}",
                wrong.join("\n")
            );
        }
        round.clear().await;
        cluster.forget_audit().unwrap();
    }
}
