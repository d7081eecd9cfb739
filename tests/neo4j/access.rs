//! Access follows groups: from the change of an account to the kernel's verdict.

use std::time::Duration;

use neo4j_okta_operator::clock::Clock;
use serde_json::json;
use testbed::neo4j::{Answer, available};

use crate::harness::until;
use crate::server::{FORBIDDEN, mapped, neo4j, world};

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_may_do_follows_its_groups() {
    if !available() {
        return;
    }
    let world = world(mapped()).await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let neo4j = neo4j(&world).await;
    let writes = async || {
        let token = world.token("etl").await;
        neo4j.query(&token, "CREATE (:Order {id: 1})").await
    };
    let refused = |answer: &Answer| answer.error() == Some(FORBIDDEN);
    assert!(refused(&writes().await));

    let clock = Clock::system();
    for (group, may) in [
        ("neo4j_publisher", true),
        ("neo4j_reader", false),
        ("neo4j_publisher", true),
        ("neo4j_stranger", false),
    ] {
        // A tenant has three tokens at once, and then one a minute.
        world.pass(Duration::from_secs(61));
        let watch = clock.stopwatch();
        world.account("etl", json!({ "groups": [group] })).await;
        let told = until(group, async || {
            let account = world.accounts().get("etl").await.unwrap();
            let token = account.status.and_then(|s| s.token);
            match token {
                Some(token) if token.groups == [group] => Ok(watch.elapsed()),
                other => Err(other),
            }
        })
        .await;
        let answer = writes().await;
        let verdict = if may {
            answer.status == 202
        } else {
            refused(&answer)
        };
        assert!(verdict, "{group}: {answer:?}");
        println!(
            "groups -> {group}: published after {told:?}, {} after {:?}",
            answer.error().unwrap_or("written"),
            watch.elapsed()
        );
    }
}
