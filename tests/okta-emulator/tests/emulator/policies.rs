//! Access policies: what is refused when saved, and who gets a token.

use serde_json::{Value, json};

use crate::kit::{Kit, SCOPE, SECRET, claims, text};

fn policy(name: &str, clients: &[&str], priority: Option<u64>) -> Value {
    json!({ "type": "OAUTH_AUTHORIZATION_POLICY", "name": name, "description": "d", "status": "ACTIVE",
            "priority": priority, "conditions": { "clients": { "include": clients } } })
}

const POLICIES: &str = "/api/v1/authorizationServers/default/policies";

#[tokio::test]
async fn a_free_org_has_no_policy_and_gives_no_token() {
    let kit = Kit::start().await;
    kit.app("client.policy").await;
    kit.emulator.admin().add_scope("default", SCOPE);
    assert!(kit.emulator.admin().policies("default").is_empty());
    let reply = kit.token("client.policy", SECRET).await;
    assert_eq!(
        (reply.status, &reply.body["error"]),
        (401, &json!("access_denied"))
    );
    assert_eq!(
        reply.body["error_description"],
        "Policy evaluation failed for this request, please check the policy configurations."
    );
}

#[tokio::test]
async fn the_first_policy_and_rule_that_match_decide() {
    let kit = Kit::start().await;
    kit.app("client.one").await;
    kit.app("client.two").await;
    let admin = kit.emulator.admin();
    admin.add_scope("default", SCOPE);
    admin.add_scope("default", "other");
    let all = admin.add_policy("default", "all", &["ALL_CLIENTS"], None);
    admin.add_rule("default", &all, "empty", &[], 5);
    admin.add_rule("default", &all, "other", &["other"], 10);
    let lifetime = async |client: &str| {
        let reply = kit.token(client, SECRET).await;
        if reply.status == 200 {
            reply.body["expires_in"].as_u64()
        } else {
            None
        }
    };
    assert_eq!(lifetime("client.one").await, None, "no rule has the scope");
    admin.add_rule("default", &all, "groups", &[SCOPE], 15);
    admin.add_rule("default", &all, "later", &["*"], 60);
    assert_eq!(lifetime("client.one").await, Some(900));
    let front = admin.add_policy("default", "front", &["client.one"], Some(1));
    admin.add_rule("default", &front, "front", &["*"], 30);
    assert_eq!(lifetime("client.one").await, Some(1800));
    assert_eq!(lifetime("client.two").await, Some(900));
    let both = [
        ("grant_type", "client_credentials"),
        ("scope", "neo4j_groups other"),
    ];
    let reply = kit.token_with("client.two", SECRET, &both).await;
    assert_eq!(
        claims(&reply.body["access_token"])["scp"],
        json!([SCOPE, "other"])
    );
    assert_eq!(reply.body["expires_in"], 3600);
    // A rule for groups of users is not for a machine.
    let people = json!({ "type": "RESOURCE_ACCESS", "name": "people", "priority": 1, "conditions": {
        "people": { "groups": { "include": ["00g1"] } },
        "grantTypes": { "include": ["client_credentials"] }, "scopes": { "include": ["*"] } },
        "actions": { "token": { "accessTokenLifetimeMinutes": 5 } } });
    let reply = kit
        .post(&format!("{POLICIES}/{front}/rules"), &people)
        .await;
    assert_eq!((reply.status, &reply.body["priority"]), (201, &json!(1)));
    assert_eq!(lifetime("client.one").await, Some(1800));
    let reply = kit
        .api(
            "POST",
            &format!("{POLICIES}/{front}/lifecycle/deactivate"),
            None,
        )
        .await;
    assert_eq!(reply.status, 204);
    assert_eq!(lifetime("client.one").await, Some(900));
}

#[tokio::test]
async fn priorities_close_ranks() {
    let kit = Kit::start().await;
    let mut ids = Vec::new();
    for (name, priority) in [("a", None), ("b", None), ("c", Some(1)), ("d", Some(99))] {
        let reply = kit
            .post(POLICIES, &policy(name, &["ALL_CLIENTS"], priority))
            .await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        ids.push(text(&reply.body["id"]));
    }
    let order = || -> Vec<(String, u64)> {
        let list = kit.emulator.admin().policies("default");
        list.iter()
            .map(|p| (text(&p["name"]), p["priority"].as_u64().unwrap()))
            .collect()
    };
    let named = |names: [&str; 4]| -> Vec<(String, u64)> {
        names
            .iter()
            .zip(1..)
            .map(|(name, n)| ((*name).to_owned(), n))
            .collect()
    };
    assert_eq!(order(), named(["c", "a", "b", "d"]));
    let reply = kit
        .api(
            "PUT",
            &format!("{POLICIES}/{}", ids[3]),
            Some(&policy("d", &["ALL_CLIENTS"], Some(2))),
        )
        .await;
    assert_eq!((reply.status, &reply.body["priority"]), (200, &json!(2)));
    assert_eq!(order(), named(["c", "d", "a", "b"]));
    assert_eq!(
        kit.api("DELETE", &format!("{POLICIES}/{}", ids[2]), None)
            .await
            .status,
        204
    );
    assert_eq!(order(), named(["d", "a", "b", ""])[..3]);
}

#[tokio::test]
async fn every_client_of_a_policy_must_exist() {
    let kit = Kit::start().await;
    let id = kit.app("client.listed").await;
    kit.app("client.stays").await;
    let reply = kit
        .post(
            POLICIES,
            &policy("p", &["client.listed", "nobody.knows"], None),
        )
        .await;
    assert_eq!(
        (reply.status, reply.cause()),
        (400, "conditions.clients.include: Resource not found")
    );
    let created = kit
        .post(
            POLICIES,
            &policy("p", &["client.listed", "client.stays"], None),
        )
        .await;
    let target = format!("{POLICIES}/{}", text(&created.body["id"]));
    kit.emulator.admin().delete_app(&id);
    let mut read = kit.get(&target).await.body;
    assert_eq!(
        read["conditions"]["clients"]["include"],
        json!(["client.listed", "client.stays"])
    );
    let reply = kit.api("PUT", &target, Some(&read)).await;
    assert_eq!(
        (reply.status, reply.cause()),
        (400, "conditions.clients.include: Resource not found")
    );
    read["conditions"]["clients"]["include"] = json!(["client.stays"]);
    assert_eq!(kit.api("PUT", &target, Some(&read)).await.status, 200);

    kit.emulator.set_behaviour(okta_emulator::Behaviour {
        deleted_apps_leave_policies: true,
        ..Default::default()
    });
    let app = kit
        .emulator
        .admin()
        .app_by_client_id("client.stays")
        .unwrap();
    kit.emulator.admin().delete_app(&text(&app["id"]));
    assert_eq!(
        kit.get(&target).await.body["conditions"]["clients"]["include"],
        json!([])
    );
}

#[tokio::test]
async fn bodies_that_okta_refuses() {
    let kit = Kit::start().await;
    let base = "/api/v1/authorizationServers";
    let all = kit
        .emulator
        .admin()
        .add_policy("default", "all", &["ALL_CLIENTS"], None);
    let rule = |minutes: u64| {
        json!({ "type": "RESOURCE_ACCESS", "name": format!("r{minutes}"), "conditions": {
        "grantTypes": { "include": ["client_credentials"] }, "scopes": { "include": ["*"] } },
        "actions": { "token": { "accessTokenLifetimeMinutes": minutes } } })
    };
    let claim = |value: &str| json!({ "name": "c", "claimType": "RESOURCE", "valueType": "EXPRESSION", "value": value });
    let cases = [
        (
            base.to_owned(),
            json!({ "name": "two", "audiences": ["a", "b"] }),
        ),
        (
            base.to_owned(),
            json!({ "name": "uri", "audiences": ["://x"] }),
        ),
        (base.to_owned(), json!({ "audiences": ["a"] })),
        (
            format!("{base}/default/scopes"),
            json!({ "name": "groups" }),
        ),
        (
            format!("{base}/default/scopes"),
            json!({ "name": "openid" }),
        ),
        (
            format!("{base}/default/scopes"),
            json!({ "name": "with space" }),
        ),
        (format!("{base}/default/claims"), claim(&"x".repeat(1025))),
        (
            format!("{base}/default/claims"),
            json!({ "name": "iss", "claimType": "RESOURCE", "valueType": "EXPRESSION", "value": "1" }),
        ),
        (POLICIES.to_owned(), policy("", &["ALL_CLIENTS"], None)),
        (
            POLICIES.to_owned(),
            policy(&"x".repeat(101), &["ALL_CLIENTS"], None),
        ),
        (POLICIES.to_owned(), policy("none", &[], None)),
        (POLICIES.to_owned(), policy("all", &["ALL_CLIENTS"], None)),
        (format!("{POLICIES}/{all}/rules"), rule(4)),
        (format!("{POLICIES}/{all}/rules"), rule(1441)),
    ];
    for (target, body) in cases {
        let reply = kit.post(&target, &body).await;
        assert_eq!(
            (reply.status, &reply.body["errorCode"]),
            (400, &json!("E0000001")),
            "{body}"
        );
    }
    // An expression is not looked at when it is saved.
    assert_eq!(
        kit.post(&format!("{base}/default/claims"), &claim("no )( sense"))
            .await
            .status,
        201
    );
    assert_eq!(
        kit.post(&format!("{POLICIES}/{all}/rules"), &rule(5))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_policy_without_a_fitting_rule_hands_over_or_not() {
    let kit = Kit::start().await;
    kit.app("client.hand").await;
    let admin = kit.emulator.admin();
    admin.add_scope("default", SCOPE);
    admin.add_scope("default", "other");
    for (name, scope) in [("first", "other"), ("second", SCOPE)] {
        let policy = admin.add_policy("default", name, &["ALL_CLIENTS"], None);
        admin.add_rule("default", &policy, name, &[scope], 15);
    }
    assert_eq!(kit.token("client.hand", SECRET).await.status, 200);
    kit.emulator.set_behaviour(okta_emulator::Behaviour {
        next_policy_when_no_rule_matches: false,
        no_matching_policy_status: 400,
        ..Default::default()
    });
    let reply = kit.token("client.hand", SECRET).await;
    assert_eq!(
        (reply.status, &reply.body["error"]),
        (400, &json!("access_denied"))
    );
}
