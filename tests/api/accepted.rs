//! Good objects are accepted, completed by the server, and survive our types.

use neo4j_okta_operator::api::{Neo4jServiceAccount, OktaIssuer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::corpus::{Accepted, Request, base, bases, evaluate};
use crate::server::{create, server, try_create, try_update};

#[tokio::test]
async fn everything_at_the_edge_of_the_rules_is_accepted() {
    let cluster = server().await;
    let namespace = cluster.namespace("accepted").await;
    for (index, case) in Accepted::all().into_iter().enumerate() {
        let mut request = case.request();
        let answer = match &mut request.old {
            None => try_create(cluster, &request.object, &namespace).await,
            Some(old) => {
                old["metadata"]["name"] = format!("accepted-{index}").into();
                let existing = create(cluster, old, &namespace).await;
                try_update(cluster, &existing, &request.object, &namespace).await
            }
        };
        answer.unwrap_or_else(|message| panic!("{}: {message}", case.name));
    }
}

#[test]
fn everything_at_the_edge_of_the_rules_passes_without_a_server_too() {
    for case in Accepted::all() {
        // The server drops nulls before it looks at rules; nothing does so here.
        let mut request = case.request();
        drop_nulls(&mut request.object);
        assert_eq!(evaluate(&request), [], "{}", case.name);
    }
    for object in bases() {
        let request = Request { object, old: None };
        assert_eq!(evaluate(&request), [], "{:?}", request.object);
    }
}

#[tokio::test]
async fn a_minimal_account_gets_its_defaults_and_a_status_that_says_unseen() {
    let cluster = server().await;
    let namespace = cluster.namespace("defaults").await;
    let account = create(cluster, &base("account-minimal"), &namespace).await;
    assert_eq!(
        account["spec"],
        json!({
            "issuerRef": { "name": "default" },
            "groups": ["neo4j_publisher"],
            "authentication": "ClientSecretBasic",
            "credentialsSecret": {},
            "tokenSecret": {},
            "suspended": false,
        })
    );
    assert_eq!(
        account["status"],
        json!({ "observedGeneration": -1, "conditions": [] })
    );
}

#[tokio::test]
async fn a_minimal_issuer_gets_its_defaults_and_a_status_that_says_unseen() {
    let cluster = server().await;
    let issuer = create(cluster, &named("issuer-minimal", "minimal"), "").await;
    assert_eq!(
        issuer["spec"],
        json!({
            "orgUrl": "https://acme.okta.com",
            "clusterName": "prod-eu",
            "auth": { "apiToken": { "secretRef": { "name": "okta-api-token" } } },
            "authorizationServer": {
                "id": "default",
                "management": "External",
                "scope": "neo4j_groups",
                "groupsClaim": "groups",
                "groupsExpression": "app.profile.neo4j_groups",
                "profileAttribute": "neo4j_groups",
                "tokenLifetime": "1h",
                "accessPolicy": "AllowList",
                "maxClientsPerPolicy": 500,
            },
            "credentials": "Published",
            "onDelete": "Delete",
            "onExternalDisable": "Respect",
            "neo4j": { "provider": "okta", "verify": "Never", "endSessions": false },
            "rateLimit": { "sharePercent": 50, "reserveForRefreshPercent": 30 },
        })
    );
    assert_eq!(
        issuer["status"],
        json!({ "observedGeneration": -1, "conditions": [] })
    );
}

#[tokio::test]
async fn what_the_server_stores_survives_our_types_unchanged() {
    let cluster = server().await;
    let namespace = cluster.namespace("round-trip").await;
    for kind in ["account-minimal", "account-maximal"] {
        let stored = create(cluster, &base(kind), &namespace).await;
        assert_eq!(through::<Neo4jServiceAccount>(&stored), stored);
    }
    for kind in ["issuer-minimal", "issuer-maximal"] {
        let stored = create(cluster, &named(kind, &format!("through-{kind}")), "").await;
        assert_eq!(through::<OktaIssuer>(&stored), stored);
    }
}

#[tokio::test]
async fn the_server_stores_every_field_of_the_maximal_objects_as_written() {
    let cluster = server().await;
    let namespace = cluster.namespace("maximal").await;
    let account = base("account-maximal");
    let stored = create(cluster, &account, &namespace).await;
    assert_eq!(stored["spec"], account["spec"]);
    let issuer = named("issuer-maximal", "as-written");
    let stored = create(cluster, &issuer, "").await;
    assert_eq!(stored["spec"], issuer["spec"]);
}

#[test]
fn our_types_know_no_field_that_the_schema_lacks() {
    let mut account = base("account-minimal");
    account["spec"]["tokenSecret"] = json!({ "key": "token" });
    let error = serde_json::from_value::<Neo4jServiceAccount>(account).unwrap_err();
    assert!(error.to_string().contains("unknown field `key`"), "{error}");
}

fn named(kind: &str, name: &str) -> Value {
    let mut object = base(kind);
    object["metadata"]["name"] = name.into();
    object
}

fn through<T: DeserializeOwned + Serialize>(stored: &Value) -> Value {
    json!(serde_json::from_value::<T>(stored.clone()).unwrap())
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(drop_nulls);
    }
}
