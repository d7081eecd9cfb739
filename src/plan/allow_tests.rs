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

/// A case of the table that the admission policy goes through as well.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    allow: serde_json::Value,
    #[serde(default)]
    map: BTreeMap<String, Vec<String>>,
    #[serde(default = "payments")]
    namespace: String,
    groups: Vec<String>,
    #[serde(default)]
    position: usize,
    denied: Option<String>,
    #[serde(default, rename = "admitted")]
    _admitted: bool,
}

fn payments() -> String {
    "payments".to_owned()
}

#[test]
fn the_table() {
    let cases: Vec<Case> =
        serde_saphyr::from_str(include_str!("../../tests/api/corpus/allow.yaml")).expect("a table");
    let data = BTreeMap::from([("team".to_owned(), "data".to_owned())]);
    let bare = BTreeMap::new();
    for case in cases {
        let spec = issuer(&case.allow, &json!(case.map));
        let labels = if case.namespace == "bare" {
            &bare
        } else {
            &data
        };
        let namespace = Namespace {
            name: &case.namespace,
            labels,
        };
        let answer = decide("default", &spec, &namespace, &case.groups, case.position);
        let why = answer.err().map(|Denied(why)| why);
        assert_eq!(
            why.is_some(),
            case.denied.is_some(),
            "{}: {why:?}",
            case.name
        );
        if let (Some(why), Some(names)) = (why, case.denied) {
            assert!(why.contains(&names) && why.contains("default"), "{why}");
        }
    }
}

#[test]
fn a_selector_that_cannot_be_read_selects_nothing() {
    let unusable = json!([{ "namespaceSelector": { "matchExpressions": [{ "key": "a", "operator": "Nonsense" }] }, "groups": ["*"] }]);
    let namespace = Namespace {
        name: "payments",
        labels: &BTreeMap::new(),
    };
    let spec = issuer(&unusable, &json!({}));
    assert!(decide("default", &spec, &namespace, &["reader".to_owned()], 0).is_err());
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
