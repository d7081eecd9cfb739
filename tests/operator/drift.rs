//! Others change at Okta what is the operator's.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, message, until};

/// A little more than the time between two polls.
const POLL: Duration = Duration::from_secs(65);

fn reads_of_apps(world: &World) -> usize {
    world.okta.count("GET", "/api/v1/apps/{appId}")
}

async fn app_id(world: &World, account: &str) -> String {
    world.ready(account).await.status.unwrap().app_id.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_by_an_admin_is_seen_in_the_log_and_the_admin_is_named() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.account("other", json!({})).await;
    let app = app_id(&world, "etl").await;
    world.ready("other").await;
    world.pass(POLL);
    world.quiet().await;
    world.okta.clear_requests();
    world.okta.admin().deactivate_app(&app);
    world.pass(POLL);
    let account = world.has("etl", "Ready", "False", "DisabledInOkta").await;
    let words = message(&account, "Ready");
    assert!(words.contains("deactivated at Okta by admin"), "{words}");
    let secret = world.secrets().get_opt("etl-neo4j-token").await.unwrap();
    assert!(secret.is_none(), "no token of a disabled account");
    world.quiet().await;
    assert_eq!(reads_of_apps(&world), 1, "only the app that was changed");
    // After a restart nobody knows who it was, and what was said stands.
    assert_eq!(
        message(&world.accounts().get("etl").await.unwrap(), "Ready"),
        words
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn label_profile_and_settings_are_put_right_and_own_changes_cause_no_look() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app = app_id(&world, "etl").await;
    world.pass(POLL);
    world.quiet().await;
    world.okta.clear_requests();
    world
        .account("etl", json!({ "groups": ["neo4j_writer"] }))
        .await;
    until("the group is there", async || {
        let claims = world.claims("etl").await;
        if claims["groups"] == json!(["neo4j_writer"]) {
            Ok(())
        } else {
            Err(claims)
        }
    })
    .await;
    let own = reads_of_apps(&world);
    world.pass(POLL);
    world.quiet().await;
    assert!(world.okta.count("GET", "/api/v1/logs") > 0);
    assert_eq!(reads_of_apps(&world), own, "our own change is no news");

    let mut theirs = world.okta.admin().app(&app).unwrap();
    theirs["label"] = json!("renamed by hand");
    theirs["profile"]["neo4j_groups"] = json!([]);
    theirs["settings"]["oauthClient"]["dpop_bound_access_tokens"] = json!(true);
    theirs["profile"]["note"] = json!("theirs, and stays");
    world.okta.admin().replace_app(&app, &theirs);
    world.pass(POLL);
    let repaired = until("repaired", async || {
        let app = world.okta.admin().app(&app).unwrap();
        if app["profile"]["neo4j_groups"] == json!(["neo4j_writer"]) {
            Ok(app)
        } else {
            Err(app)
        }
    })
    .await;
    assert_eq!(repaired["label"], format!("test/{}/etl", world.namespace));
    assert_eq!(
        repaired["settings"]["oauthClient"]["dpop_bound_access_tokens"],
        json!(false)
    );
    assert_eq!(repaired["profile"]["note"], "theirs, and stays");
    world.ready("etl").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_an_admin_takes_out_twice_stays_out_until_it_is_restored() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app = app_id(&world, "etl").await;
    world.pass(POLL);
    world.quiet().await;
    let take_out = || {
        let mut theirs = world.okta.admin().app(&app).unwrap();
        theirs["profile"]["neo4j_groups"] = json!([]);
        world.okta.admin().replace_app(&app, &theirs);
        world.pass(POLL);
    };
    take_out();
    until("put back", async || {
        let app = world.okta.admin().app(&app).unwrap();
        if app["profile"]["neo4j_groups"] == json!(["neo4j_reader"]) {
            Ok(())
        } else {
            Err(app)
        }
    })
    .await;
    world.pass(POLL);
    world.quiet().await;
    take_out();
    let account = world.has("etl", "Ready", "False", "DisputedInOkta").await;
    let words = message(&account, "Ready");
    assert!(
        words.contains("neo4j_reader") && words.contains("by admin"),
        "{words}"
    );
    assert!(
        world
            .secrets()
            .get_opt("etl-neo4j-token")
            .await
            .unwrap()
            .is_none()
    );
    world.annotate("etl", "neo4j-okta.dev/restore", "1").await;
    world.ready("etl").await;
    assert_eq!(world.claims("etl").await["groups"], json!(["neo4j_reader"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_an_admin_removes_is_replaced_before_the_next_refresh() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app = app_id(&world, "etl").await;
    world.pass(POLL);
    world.quiet().await;
    let admin = world.okta.admin();
    let ours = admin.secrets(&app)[0]["id"].as_str().unwrap().to_owned();
    admin.add_secret(&app, "somebody-elses-secret-0123456789");
    let route = format!("/api/v1/apps/{app}/credentials/secrets/{ours}");
    admin
        .call("POST", &format!("{route}/lifecycle/deactivate"), None)
        .unwrap();
    admin.call("DELETE", &route, None).unwrap();
    assert!(!world.signs_in("etl").await);
    // Credentials are replaced once an hour at most.
    world.pass(Duration::from_secs(900));
    world.pass(Duration::from_secs(2760));
    until("accepted again", async || {
        if world.signs_in("etl").await {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_claim_or_rule_that_somebody_changes_is_put_right_within_two_minutes() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.pass(POLL);
    world.quiet().await;
    let admin = world.okta.admin();
    let issuer = world.issuers().get("default").await.unwrap();
    let created = issuer.status.unwrap().created.unwrap();
    let server = created.authorization_server_id.unwrap();
    let claim = created.claim_id.unwrap();
    let base = format!("/api/v1/authorizationServers/{server}");
    let claims = admin.claims(&server);
    let mut theirs = claims.iter().find(|c| c["id"] == claim).unwrap().clone();
    theirs["value"] = json!("app.profile.something_else");
    admin
        .call("PUT", &format!("{base}/claims/{claim}"), Some(&theirs))
        .unwrap();
    let policy = created.policies[0].id.clone();
    let rule = admin.rules(&server, &policy)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    admin
        .call(
            "DELETE",
            &format!("{base}/policies/{policy}/rules/{rule}"),
            None,
        )
        .unwrap();
    world.pass(POLL);
    until("claim and rule are right again", async || {
        let claims = admin.claims(&server);
        let value = claims
            .iter()
            .find(|c| c["id"] == claim)
            .map(|c| c["value"].clone());
        let rules = admin.rules(&server, &policy).len();
        if value == Some(json!("app.profile.neo4j_groups")) && rules == 1 {
            Ok(())
        } else {
            Err((value, rules))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_read_the_log_the_issuer_says_so_and_the_sweep_finds_it() {
    let world = World::new().await;
    world
        .okta
        .admin()
        .set_api_token_rights(&["okta.apps.manage", "okta.authzServers.manage"]);
    world.account("etl", json!({})).await;
    let app = app_id(&world, "etl").await;
    world.pass(Duration::from_secs(601));
    let issuer = world.issuer_has("Ready", "True", "LogNotReadable").await;
    let conditions = issuer.status.unwrap().conditions;
    let ready = conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    assert!(
        ready.message.contains("okta.logs.read") && ready.message.contains("1 h"),
        "{}",
        ready.message
    );
    world.quiet().await;
    world.okta.admin().deactivate_app(&app);
    // A round takes an hour; each look leaves a trace in no status.
    world.pass(Duration::from_secs(1800));
    world.pass(Duration::from_secs(1800));
    world.has("etl", "Ready", "False", "DisabledInOkta").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_the_operator_was_away_is_found_from_the_kept_cursor() {
    let mut world = World::new().await;
    world.account("etl", json!({})).await;
    world.account("second", json!({})).await;
    let (first, second) = (app_id(&world, "etl").await, app_id(&world, "second").await);
    world.pass(POLL);
    world.quiet().await;
    world.pass(POLL);
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let kept = async || {
        let map = maps
            .get_opt("neo4j-okta-operator-log-cursors")
            .await
            .unwrap();
        let mut links = map.and_then(|m| m.data).unwrap_or_default().into_iter();
        links.find(|(_, link)| link.starts_with(world.okta.url()))
    };
    let (key, _) = until("the cursor is kept", async || kept().await.ok_or(())).await;
    world.stop_operators().await;
    world.okta.admin().deactivate_app(&first);
    // Longer than the overlap: only the cursor leads back to it.
    world.pass(Duration::from_secs(1200));
    world.start_operator().await;
    let account = world.has("etl", "Ready", "False", "DisabledInOkta").await;
    assert!(message(&account, "Ready").contains("by admin"));

    // A cursor that leads elsewhere is not followed, and the last 15 minutes are
    // read again.
    world.quiet().await;
    world.stop_operators().await;
    let forged = json!({ "data": { key: "https://elsewhere.example.com/api/v1/logs?after=1" } });
    maps.patch(
        "neo4j-okta-operator-log-cursors",
        &PatchParams::default(),
        &Patch::Merge(&forged),
    )
    .await
    .unwrap();
    world.okta.admin().deactivate_app(&second);
    world.pass(POLL);
    world.start_operator().await;
    world
        .has("second", "Ready", "False", "DisabledInOkta")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_okta_costs_the_same_whatever_the_number_of_accounts() {
    let world = World::new().await;
    let mut costs: Vec<(usize, usize)> = Vec::new();
    for accounts in [1, 40] {
        for i in 0..accounts {
            world.account(&format!("etl-{i}"), json!({})).await;
        }
        for i in 0..accounts {
            world.ready(&format!("etl-{i}")).await;
        }
        world.pass(POLL);
        world.quiet().await;
        world.okta.clear_requests();
        for _ in 0..10 {
            world.pass(POLL);
            world.quiet().await;
        }
        let logs = world.okta.count("GET", "/api/v1/logs");
        let reads = reads_of_apps(&world);
        println!("{accounts} accounts, 10 polls: {logs} reads of the log, {reads} of apps");
        costs.push((logs, reads));
    }
    assert_eq!(costs[0].0, costs[1].0);
    assert!(costs[1].1 <= 2, "the sweep alone: {costs:?}");
}
