//! Parts of the control plane that go away in the midst of work, and come back.

use std::time::Duration;

use crate::cluster;
use crate::lives::Lives;
use crate::round::Round;
use crate::weather::Weather;

const ACCOUNTS: u64 = 30;
const REFRESH: Duration = Duration::from_secs(45 * 60);
/// How long something stays away: long enough for each to notice.
const AWAY: Duration = Duration::from_secs(3);

/// Accounts that are just being registered.
async fn under_load(round: &Round) -> Lives {
    let lives = round.lives();
    let hand = round.hand();
    for history in &round.histories {
        hand.does(history, history.deeds[0].1, 0).await;
    }
    while round.okta.admin().apps().len() < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    lives
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_killed_and_comes_back_costs_no_app_and_no_refresh() {
    let (cluster, _turn) = cluster().await;
    let round = Round::plain(cluster, ACCOUNTS, Weather::calm()).await;
    let _lives = under_load(&round).await;
    cluster.kill_apiserver().await;
    tokio::time::sleep(AWAY).await;
    cluster.start_apiserver().await.unwrap();
    round.is_as_asked_for().await.unwrap();
    // Refreshes that fall due while it is away.
    cluster.kill_apiserver().await;
    round.pass(REFRESH);
    tokio::time::sleep(AWAY).await;
    cluster.start_apiserver().await.unwrap();
    round.is_as_asked_for().await.unwrap();
    assert_eq!(round.okta.count("POST", "/api/v1/apps"), ACCOUNTS as usize);
    round.ends().await.unwrap();
    round.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_that_is_away_for_a_while_costs_no_app_and_no_refresh() {
    let (cluster, _turn) = cluster().await;
    let round = Round::plain(cluster, ACCOUNTS, Weather::calm()).await;
    let _lives = under_load(&round).await;
    cluster.kill_etcd().await;
    tokio::time::sleep(AWAY).await;
    cluster.start_etcd().await.unwrap();
    round.is_as_asked_for().await.unwrap();
    cluster.kill_etcd().await;
    round.pass(REFRESH);
    tokio::time::sleep(AWAY).await;
    cluster.start_etcd().await.unwrap();
    round.is_as_asked_for().await.unwrap();
    assert_eq!(round.okta.count("POST", "/api/v1/apps"), ACCOUNTS as usize);
    round.ends().await.unwrap();
    round.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_expire_before_each_event_lose_nothing() {
    let (cluster, _turn) = cluster().await;
    let mut round = Round::plain(cluster, 10, Weather::expiring()).await;
    let hand = round.hand();
    let _lives = round.lives();
    for history in &mut round.histories {
        hand.does(history, history.deeds[0].1, 0).await;
        let deed = history.changes_groups();
        hand.does(history, deed, 1).await;
    }
    while round.okta.admin().apps().len() < 10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    round.weather.calm_down();
    round.is_as_asked_for().await.unwrap();
    round.ends().await.unwrap();
    round.clear().await;
}
