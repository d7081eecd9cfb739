//! Whose a Secret is, and which changes by others matter.

use serde_json::json;

use super::super::packed::Packed;
use super::*;

fn secret(manager: &str, foreign: Option<(&str, Value)>) -> ObjectMeta {
    let mut entries = vec![json!({
        "manager": manager, "operation": "Update", "time": "2026-01-01T00:00:00Z",
        "fieldsV1": {
            "f:data": { ".": {}, "f:token": {}, "f:type": {} },
            "f:metadata": { "f:annotations": { ".": {}, "f:neo4j-okta.dev/expires-at": {}, "f:neo4j-okta.dev/refresh-at": {} } },
        },
    })];
    if let Some((manager, fields)) = foreign {
        entries.push(json!({ "manager": manager, "operation": "Update", "time": "2026-01-02T00:00:00Z", "fieldsV1": fields }));
    }
    serde_json::from_value(json!({
        "name": "s", "resourceVersion": "7", "uid": "s-uid",
        "annotations": { "neo4j-okta.dev/expires-at": "2026-01-01T01:00:00Z", "neo4j-okta.dev/refresh-at": "2026-01-01T00:40:00Z" },
        "ownerReferences": [{ "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount", "name": "etl", "uid": "u", "controller": true }],
        "managedFields": entries,
    }))
    .unwrap()
}

#[test]
fn ownership_is_by_the_uid_of_the_controller() {
    let meta = secret(n::OPERATOR, None);
    assert!(matches!(classify(Some(read(&meta)), "u"), Slot::Ours(_)));
    assert_eq!(classify(Some(read(&meta)), "another"), Slot::Predecessor);
    let orphan = ObjectMeta {
        owner_references: None,
        ..meta
    };
    assert_eq!(classify(Some(read(&orphan)), "u"), Slot::Foreign);
    assert_eq!(classify(None, "u"), Slot::Absent);
}

#[test]
fn a_foreign_label_is_no_touch_and_a_foreign_value_is_one() {
    let cases = [
        (None, false),
        (
            Some((
                "kubectl-label",
                json!({ "f:metadata": { "f:labels": { "f:team": {} } } }),
            )),
            false,
        ),
        (
            Some((
                "kubectl-annotate",
                json!({ "f:metadata": { "f:annotations": { "f:note": {} } } }),
            )),
            false,
        ),
        (
            Some(("reloader", json!({ "f:data": { "f:extra": {} } }))),
            false,
        ),
        (
            Some(("kubectl-edit", json!({ "f:data": { "f:token": {} } }))),
            true,
        ),
        (
            Some((
                "kubectl-edit",
                json!({ "f:data": { "f:next_client_secret": {} } }),
            )),
            true,
        ),
        (
            Some((
                "kubectl-annotate",
                json!({ "f:metadata": { "f:annotations": { "f:neo4j-okta.dev/expires-at": {} } } }),
            )),
            true,
        ),
    ];
    for (foreign, expected) in cases {
        let text = format!("{foreign:?}");
        let meta = secret(n::OPERATOR, foreign);
        assert_eq!(read(&meta).touched.is_some(), expected, "{text}");
        let whole = read(&meta);
        assert_eq!(Packed::of(&whole).meta(), Some(whole), "packed {text}");
    }
}

#[test]
fn a_key_that_we_no_longer_own_was_removed_by_somebody() {
    let mut meta = secret(n::OPERATOR, None);
    for entry in meta.managed_fields.iter_mut().flatten() {
        entry.fields_v1.as_mut().unwrap().0["f:data"] = json!({ "f:type": {} });
    }
    assert_eq!(read(&meta).touched.as_deref(), Some("key token is gone"));
    assert!(
        read(&ObjectMeta {
            managed_fields: None,
            ..meta
        })
        .touched
        .is_some()
    );
}
