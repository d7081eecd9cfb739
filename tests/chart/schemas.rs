//! JSON schemas, one for each kind, out of an API server's OpenAPI (version 2).
//!
//! What an object has and its type does not know is refused, as the API server
//! does when it is asked to be strict.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

const DEFINITION: &str = "#/definitions/";

/// Writes `<kind>-<group>-<version>.json` for each kind, as `kubeconform` is told to
/// look for them, and says how many there are.
pub(crate) fn write(openapi: &Value, folder: &Path) -> usize {
    let definitions = openapi["definitions"].as_object().unwrap();
    let mut written = BTreeSet::new();
    for (name, definition) in definitions {
        let kinds = definition["x-kubernetes-group-version-kind"].as_array();
        for kind in kinds.into_iter().flatten() {
            let text = |key: &str| kind[key].as_str().unwrap().to_owned();
            // The core group has no name; its objects say `apiVersion: v1`.
            let group = match text("group") {
                core if core.is_empty() => text("version"),
                group => group,
            };
            let file = format!(
                "{}-{group}-{}.json",
                text("kind").to_lowercase(),
                text("version")
            );
            let schema = schema(definitions, name);
            std::fs::write(folder.join(&file), schema.to_string()).unwrap();
            written.insert(file);
        }
    }
    written.len()
}

/// A definition with all that it refers to.
fn schema(definitions: &Map<String, Value>, root: &str) -> Value {
    let mut needed = vec![root.to_owned()];
    let mut found = Map::new();
    while let Some(name) = needed.pop() {
        if !found.contains_key(&name) {
            let definition = convert(&name, &definitions[&name]);
            references(&definition, &mut needed);
            found.insert(name, definition);
        }
    }
    json!({ "$ref": format!("{DEFINITION}{root}"), "definitions": found })
}

fn references(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            names.extend(reference.and_then(|r| Some(r.strip_prefix(DEFINITION)?.to_owned())));
            members.values().for_each(|value| references(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, names)),
        _ => {}
    }
}

fn convert(name: &str, definition: &Value) -> Value {
    // Both are called strings there.
    if definition["format"] == "int-or-string" {
        return json!({ "type": ["integer", "string"] });
    }
    if name.ends_with("api.resource.Quantity") {
        return json!({ "type": ["number", "string"] });
    }
    let mut schema = definition.clone();
    let members = schema.as_object_mut().unwrap();
    // What is said for clients, and would say something else here.
    members.retain(|key, _| !key.starts_with("x-kubernetes-") && key != "description");
    if members.contains_key("properties") {
        members.insert("additionalProperties".to_owned(), json!(false));
    }
    schema
}

#[test]
fn a_schema_is_strict_and_holds_what_it_refers_to() {
    let openapi = json!({ "definitions": {
        "api.Thing": {
            "type": "object",
            "x-kubernetes-group-version-kind": [{ "group": "example.com", "kind": "Thing", "version": "v1" }],
            "properties": {
                "port": { "$ref": "#/definitions/api.IntOrString" },
                "size": { "$ref": "#/definitions/api.resource.Quantity" },
            },
        },
        "api.IntOrString": { "type": "string", "format": "int-or-string" },
        "api.resource.Quantity": { "type": "string" },
        "api.Unused": { "type": "object" },
    } });
    let folder = testbed::Folder::new().unwrap();
    assert_eq!(write(&openapi, folder.path()), 1);
    let text = std::fs::read_to_string(folder.path().join("thing-example.com-v1.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let thing = &schema["definitions"]["api.Thing"];
    assert_eq!(thing["additionalProperties"], false);
    let number_or_string = json!({ "type": ["integer", "string"] });
    assert_eq!(schema["definitions"]["api.IntOrString"], number_or_string);
    assert_eq!(schema["definitions"]["api.Unused"], Value::Null);
    assert_eq!(schema["$ref"], "#/definitions/api.Thing");
}
