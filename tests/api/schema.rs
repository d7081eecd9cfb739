//! What holds for every field of both schemas.

use serde_json::Value;

use crate::corpus::{base, schema_of};

#[test]
fn every_field_has_a_limit_and_every_field_of_a_spec_is_described() {
    for kind in ["account-minimal", "issuer-minimal"] {
        let schema = schema_of(&base(kind));
        let spec = &schema["properties"]["spec"];
        described(spec, "spec");
        limited(spec, "spec");
        limited(&schema["properties"]["status"], "status");
    }
}

#[test]
fn every_rule_says_what_to_do() {
    for kind in ["account-minimal", "issuer-minimal"] {
        messages(&schema_of(&base(kind)), kind);
    }
}

fn described(schema: &Value, path: &str) {
    for (name, property) in properties(schema) {
        let path = format!("{path}.{name}");
        let text = property["description"].as_str().unwrap_or_default();
        assert!(text.ends_with('.'), "{path} is not described: {text:?}");
        assert!(!text.contains('\n'), "{path} keeps the lines of its source");
        described(property, &path);
    }
    if schema["items"].is_object() {
        described(&schema["items"], &format!("{path}[]"));
    }
}

fn limited(schema: &Value, path: &str) {
    let has = |key: &str| !schema[key].is_null();
    let is_limited = match schema["type"].as_str().unwrap() {
        "string" => has("maxLength") || has("enum") || schema["format"] == "date-time",
        "array" => has("maxItems") && has("x-kubernetes-list-type"),
        "object" => has("properties") || has("maxProperties"),
        "integer" => has("minimum") || path.ends_with("observedGeneration"),
        _ => true,
    };
    assert!(is_limited, "{path} has no limit: {schema}");
    assert!(!has("nullable"), "{path} may be null");
    for (name, property) in properties(schema) {
        limited(property, &format!("{path}.{name}"));
    }
    for inner in ["items", "additionalProperties"] {
        if has(inner) {
            limited(&schema[inner], &format!("{path}[]"));
        }
    }
}

fn messages(schema: &Value, path: &str) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let message = rule["message"].as_str().unwrap_or_default();
        assert!(message.len() > 30, "{path}: {rule}");
    }
    for (name, property) in properties(schema) {
        messages(property, &format!("{path}.{name}"));
    }
    if schema["items"].is_object() {
        messages(&schema["items"], path);
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}
