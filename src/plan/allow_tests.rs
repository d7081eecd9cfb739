//! One table of cases: what a namespace may and may not ask for.

use super::*;
use serde_json::json;

fn issuer(allow: &serde_json::Value, map: &serde_json::Value) -> OktaIssuerSpec {
    serde_json::from_value(json!({
        "orgUrl": "https://acme.okta.com",
        "clusterName": "prod",
        "auth": { "apiToken": { "secretRef": { "name": "okta" } } },
        "authorizationServer": { "id": "default" },
        "allow": allow,
        "neo4j": { "groupToRole": map },
    }))
    .expect("a valid issuer")
}

#[test]
fn the_table() {
    let labels = BTreeMap::from([("team".to_owned(), "data".to_owned())]);
    let by_name = json!([{ "namespaces": ["payments"], "groups": ["neo4j_*", "reader"] }]);
    let by_label = json!([{ "namespaceSelector": { "matchLabels": { "team": "data" } }, "groups": ["reader"], "maxAccounts": 2 }]);
    let unusable = json!([{ "namespaceSelector": { "matchExpressions": [{ "key": "a", "operator": "Nonsense" }] }, "groups": ["*"] }]);
    let everything = json!([{ "namespaceSelector": {}, "groups": ["*"] }]);
    let none = json!({});
    let map = json!({ "dba": ["admin"], "reader": ["reader"] });
    let cases = [
        // allow, map, namespace, group, position, allowed
        (json!([]), &none, "payments", "reader", 0, false),
        (by_name.clone(), &none, "payments", "reader", 0, true),
        (
            by_name.clone(),
            &none,
            "payments",
            "neo4j_publisher",
            0,
            true,
        ),
        (
            by_name.clone(),
            &none,
            "payments",
            "NEO4J_publisher",
            0,
            false,
        ),
        (by_name.clone(), &none, "payments", "editor", 0, false),
        (by_name, &none, "payments2", "reader", 0, false),
        (by_label.clone(), &none, "anything", "reader", 1, true),
        (by_label, &none, "anything", "reader", 2, false),
        (unusable, &none, "payments", "reader", 0, false),
        (everything.clone(), &none, "payments", "reader", 0, true),
        (everything.clone(), &none, "payments", "admin", 0, false),
        (everything.clone(), &none, "payments", "Admin", 0, false),
        (everything.clone(), &map, "payments", "dba", 0, false),
        (everything, &map, "payments", "admin", 0, true),
        (
            json!([{ "namespaces": ["payments"], "groups": ["dba"] }]),
            &map,
            "payments",
            "dba",
            0,
            true,
        ),
    ];
    for (allow, map, namespace, group, position, allowed) in cases {
        let spec = issuer(&allow, map);
        let namespace = Namespace {
            name: namespace,
            labels: &labels,
        };
        let answer = decide("default", &spec, &namespace, &[group.to_owned()], position);
        assert_eq!(
            answer.is_ok(),
            allowed,
            "{allow} {map} {} {group} {position}",
            namespace.name
        );
        if let Err(Denied(why)) = answer {
            assert!(why.contains("default"), "{why}");
        }
    }
}

#[test]
fn a_slip_that_would_stop_many_accounts_waits_for_a_confirmation() {
    let census = |denied, holding| Census { denied, holding };
    assert!(!census(10, 10).holds_back(None), "few accounts go at once");
    assert!(census(11, 20).holds_back(None));
    assert!(!census(100, 1000).holds_back(None));
    assert!(census(101, 1000).holds_back(None));
    assert!(census(101, 1000).holds_back(Some(100)));
    assert!(!census(101, 1000).holds_back(Some(101)));
    assert!(!census(40, 1000).holds_back(Some(101)), "half-way through");
}

#[test]
fn while_a_loss_is_held_back_nothing_new_is_given() {
    let many = Census {
        denied: 50,
        holding: 60,
    };
    let list = |groups: &[&str]| groups.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>();
    let (one, two) = (list(&["a"]), list(&["b", "a"]));
    assert!(keeps_what_it_has(
        Some(&two),
        &list(&["a", "b"]),
        many,
        None
    ));
    assert!(
        !keeps_what_it_has(Some(&one), &two, many, None),
        "another group"
    );
    assert!(!keeps_what_it_has(None, &one, many, None), "no token yet");
    assert!(
        !keeps_what_it_has(Some(&one), &one, many, Some(50)),
        "confirmed"
    );
}
