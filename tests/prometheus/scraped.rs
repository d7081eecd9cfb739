//! A running operator, scraped through an hour of its life.

use std::collections::BTreeSet;
use std::time::Duration;

use neo4j_okta_operator::admin::Admin;
use neo4j_okta_operator::controller::Readiness;
use okta_emulator::{Fault, FaultKind};
use serde_json::json;
use tokio::sync::watch;

use crate::harness::{World, until};
use crate::queries::{alert_at, alerts, panels};
use crate::server::Prometheus;
use crate::tools::{succeeds, tool};

const MINUTE: Duration = Duration::from_secs(60);
/// Enough that labels which name accounts would show.
const MANY: usize = 40;

/// The operator's admin port, as the program serves it.
async fn serve(world: &World) -> String {
    let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = admin.address().unwrap().to_string();
    let (_, ready) = watch::channel(true);
    let serving = admin.serve(
        Readiness::told_by(ready),
        world.metrics.clone(),
        std::future::pending(),
    );
    tokio::spawn(serving);
    world.metrics.set_leader(true);
    address
}

async fn exposition(address: &str) -> String {
    let answer = reqwest::get(format!("http://{address}/metrics")).await;
    answer.unwrap().text().await.unwrap()
}

/// Waits until the alert's condition holds for the operator's idea of the time.
async fn holds(prometheus: &Prometheus, world: &World, alert: &str) {
    until(alert, async || {
        let query = alert_at(alert, world.clock.now().as_second());
        let found = prometheus.query(&query).await;
        if found.is_empty() { Err(query) } else { Ok(()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_hour_each_query_has_an_answer_and_each_trouble_its_alert() {
    let (Some(program), Some(promtool)) = (tool("prometheus"), tool("promtool")) else {
        return;
    };
    let world = World::new().await;
    let address = serve(&world).await;
    let prometheus = Prometheus::start(&program, world.cluster.directory(), &address).await;
    for name in ["etl", "report", "idle"] {
        world.account(name, json!({})).await;
        world.ready(name).await;
    }
    world.account("idle", json!({ "suspended": true })).await;
    world.has("idle", "Ready", "False", "Suspended").await;
    // An hour: tokens are refreshed, Okta stumbles, a rate limit is met.
    for _ in 0..6 {
        world.okta.inject(Fault::new(FaultKind::Malformed).times(1));
        world.pass(10 * MINUTE);
        world.quiet().await;
    }
    world.ready("etl").await;

    let text = exposition(&address).await;
    succeeds(&promtool, &["check", "metrics"], &text);
    for (panel, query) in panels() {
        // What was scraped last may be from before.
        until(&format!("an answer for {panel}"), async || {
            let found = prometheus.query(&query).await;
            match found.iter().any(|(_, value)| value.is_finite()) {
                true => Ok(()),
                false => Err((query.clone(), found)),
            }
        })
        .await;
    }
    let rules = prometheus.get("rules", &[]).await.unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule:#}");
        assert_eq!(rule["state"], "inactive", "all is well: {rule:#}");
    }

    // Labels are those of the account, not of what scraped it.
    let expiry = prometheus
        .query("neo4j_okta_account_token_expiry_timestamp_seconds")
        .await;
    let accounts: BTreeSet<_> = expiry
        .iter()
        .map(|(labels, _)| (labels["namespace"].as_str(), labels["name"].as_str()))
        .collect();
    let namespace = Some(world.namespace.as_str());
    assert_eq!(
        accounts,
        BTreeSet::from([(namespace, Some("etl")), (namespace, Some("report"))]),
        "the suspended one has no token"
    );

    // Trouble, as the operator itself tells of it.
    let app = world.accounts().get("report").await.unwrap();
    let app = app.status.unwrap().app_id.unwrap();
    world.okta.admin().deactivate_app(&app);
    world.pass(2 * MINUTE);
    world
        .has("report", "Ready", "False", "DisabledInOkta")
        .await;
    holds(&prometheus, &world, "Neo4jServiceAccountsStalled").await;
    holds(&prometheus, &world, "Neo4jServiceAccountsNotReady").await;
    world.okta.stop_answering(true);
    let etl = world.accounts().get("etl").await.unwrap();
    let end = etl.status.unwrap().token.unwrap().expires_at.0;
    let left = end.duration_since(world.clock.now()).unsigned_abs();
    world.pass(left - 12 * MINUTE);
    holds(&prometheus, &world, "Neo4jTokenRefreshFailing").await;
    holds(&prometheus, &world, "OktaUnreachable").await;
    world.pass(13 * MINUTE);
    world.has("etl", "Ready", "False", "TokenExpired").await;
    holds(&prometheus, &world, "Neo4jTokenExpired").await;
    world.pass(60 * MINUTE);
    holds(&prometheus, &world, "OktaLogNotReadable").await;
    world.okta.stop_answering(false);
    world.okta.admin().revoke_api_token();
    world.okta.inject(Fault::new(FaultKind::ClockSkew(90)));
    world.pass(10 * MINUTE);
    holds(&prometheus, &world, "OktaSignInRefused").await;
    holds(&prometheus, &world, "OktaClockSkew").await;
    world.metrics.set_leader(false);
    holds(&prometheus, &world, "Neo4jOktaNoLeader").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_are_many_series_of_the_gauges_that_name_them_alone() {
    let world = World::new().await;
    let name = |i: usize| format!("worker-{i}");
    for i in 0..MANY {
        world.account(&name(i), json!({})).await;
    }
    // The operator's share of Okta's limits lets some of them in at once.
    for i in 0..MANY {
        until("ready", async || {
            let account = world.accounts().get(&name(i)).await.unwrap();
            let ready = crate::helpers::condition(&account, "Ready");
            if ready.as_ref().is_some_and(|r| r.0 == "True") {
                return Ok(());
            }
            world.pass(MINUTE);
            tokio::time::sleep(Duration::from_millis(200)).await;
            Err(account.status)
        })
        .await;
    }
    world.quiet().await;
    let text = world.metrics.render();
    let samples = |text: &str| -> Vec<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_owned).collect()
    };
    let (named, others): (Vec<_>, Vec<_>) = samples(&text)
        .into_iter()
        .partition(|sample| sample.starts_with("neo4j_okta_account_"));
    assert_eq!(named.len(), 4 * MANY, "{named:#?}");
    assert!(others.len() > 100, "nothing to look at: {text}");
    let known = [
        "bucket",
        "condition",
        "kind",
        "le",
        "operation",
        "org",
        "outcome",
        "reason",
        "status",
        "version",
    ];
    for sample in &others {
        let labels = sample.split_once('{').map_or("", |(_, rest)| rest);
        for label in labels
            .split("=\"")
            .filter_map(|part| part.rsplit([',', '"', '{']).next())
        {
            let is_value = label.contains('}') || label.is_empty();
            assert!(is_value || known.contains(&label), "{label}: {sample}");
        }
        for unbounded in ["worker-", world.namespace.as_str(), "0oa"] {
            assert!(!labels.contains(unbounded), "{sample}");
        }
    }
    // With them the series go.
    for i in 0..MANY {
        world.delete(&name(i)).await;
    }
    for i in 0..MANY {
        until("gone", async || {
            let left = world.accounts().get_opt(&name(i)).await.unwrap();
            let Some(left) = left else { return Ok(()) };
            world.pass(MINUTE);
            tokio::time::sleep(Duration::from_millis(200)).await;
            Err(left.status)
        })
        .await;
    }
    until("forgotten", async || {
        let text = world.metrics.render();
        let left: Vec<_> = samples(&text)
            .into_iter()
            .filter(|s| s.starts_with("neo4j_okta_account_") || is_a_count_of_accounts(s))
            .collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
}

/// Of accounts that there are.
fn is_a_count_of_accounts(sample: &str) -> bool {
    sample.starts_with("neo4j_okta_accounts{") && !sample.ends_with(" 0")
}
