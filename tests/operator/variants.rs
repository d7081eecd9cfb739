//! Where Okta's documents leave open what Okta does, the operator has to live
//! with either answer. The questions are those of the conformance suite.

use std::time::Duration;

use neo4j_okta_operator::api::Neo4jServiceAccount;
use okta_emulator::{Behaviour, NullInClaims};
use serde_json::{Value, json};

use crate::harness::{World, condition, until};

/// As `World::account_is`, while time goes by: a settling Okta needs some.
async fn becomes(
    world: &World,
    name: &str,
    what: &str,
    wanted: impl Fn(&Neo4jServiceAccount) -> bool,
) -> Neo4jServiceAccount {
    until(what, async || {
        world.pass(Duration::from_secs(2));
        let account = world.accounts().get(name).await.expect("the account");
        if wanted(&account) {
            Ok(account)
        } else {
            Err(account.status)
        }
    })
    .await
}

fn ready(account: &Neo4jServiceAccount) -> bool {
    let current = account.status.as_ref().map(|s| s.observed_generation);
    current == account.metadata.generation
        && condition(account, "Ready").is_some_and(|(status, _)| status == "True")
}

fn signs_in_by(account: &Neo4jServiceAccount, method: &str) -> bool {
    ready(account)
        && condition(account, "CredentialsReady").is_some_and(|(status, _)| status == "True")
        && serde_json::to_value(&account.spec).expect("JSON")["authentication"] == method
}

/// Register, token, other groups, other method and back, suspend, resume, delete.
async fn life(world: &World, name: &str, variant: &str) {
    let at = |what: &str| format!("{what}, where {variant}");
    world.account(name, json!({})).await;
    becomes(world, name, &at("ready"), ready).await;
    assert!(world.signs_in(name).await, "{variant}");

    world
        .account(name, json!({ "groups": ["neo4j_publisher"] }))
        .await;
    let changed = |account: &Neo4jServiceAccount| {
        let token = account.status.as_ref().and_then(|s| s.token.as_ref());
        ready(account) && token.is_some_and(|token| token.groups == ["neo4j_publisher"])
    };
    becomes(world, name, &at("publisher"), changed).await;
    let claims = world.claims(name).await;
    assert_eq!(claims["groups"], json!(["neo4j_publisher"]), "{variant}");

    for method in ["PrivateKeyJwt", "ClientSecretBasic"] {
        let change = json!({ "groups": ["neo4j_publisher"], "authentication": method });
        world.account(name, change).await;
        let what = at(method);
        until(&what, async || {
            world.pass(Duration::from_secs(2));
            let data = world.data(&format!("{name}-okta-credentials")).await;
            let by_key = method == "PrivateKeyJwt";
            let staged = data.keys().any(|key| key.starts_with("next_"));
            let there = data.contains_key("private_key") == by_key && !staged;
            if there {
                Ok(())
            } else {
                Err(data.into_keys().collect::<Vec<_>>())
            }
        })
        .await;
        becomes(world, name, &what, |a| signs_in_by(a, method)).await;
    }
    assert!(world.signs_in(name).await, "{variant}");

    world.account(name, json!({ "suspended": true })).await;
    world.has(name, "Ready", "False", "Suspended").await;
    assert!(!world.signs_in(name).await, "{variant}");
    world.account(name, json!({ "suspended": false })).await;
    becomes(world, name, &at("resumed"), ready).await;
    assert!(world.signs_in(name).await, "{variant}");

    world.delete(name).await;
    world.gone(name).await;
    assert_eq!(world.okta.admin().apps(), Vec::<Value>::new(), "{variant}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives_its_life_whichever_way_okta_decides_what_it_does_not_say() {
    type Change = fn(&mut Behaviour);
    let variants: [(&str, Change); 12] = [
        ("a deleted app leaves policies", |b| {
            b.deleted_apps_leave_policies = true
        }),
        ("deleted clients may stay listed", |b| {
            b.deleted_clients_may_stay_listed = true
        }),
        ("a policy may be empty", |b| b.policies_may_be_empty = true),
        ("deleted client ids are never free", |b| {
            b.deleted_client_ids_are_free = false
        }),
        ("client ids have case", |b| b.client_ids_ignore_case = false),
        ("no policy is 400", |b| b.no_matching_policy_status = 400),
        ("no policy is 403", |b| b.no_matching_policy_status = 403),
        ("one policy alone is asked", |b| {
            b.next_policy_when_no_rule_matches = false
        }),
        ("null fails the request", |b| {
            b.null_in_claims = NullInClaims::ServerError
        }),
        ("limits are the principal's", |b| {
            b.rate_limit_headers_show_share = true
        }),
        ("new clients settle", |b| b.new_clients_settle_ms = 20_000),
        ("secrets are Okta's own", |b| {
            b.secret_of_create_is_kept = false;
            b.secret_of_method_change_is_kept = false;
        }),
    ];
    let world = World::new().await;
    for (n, (variant, change)) in variants.into_iter().enumerate() {
        let mut behaviour = Behaviour::default();
        change(&mut behaviour);
        world.okta.set_behaviour(behaviour);
        life(&world, &format!("etl-{n}"), variant).await;
    }
}
