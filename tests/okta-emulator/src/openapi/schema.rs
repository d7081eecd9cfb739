//! Schemas of OpenAPI 3.0 as JSON Schema 2020-12.

use serde_json::{Map, Value, json};

/// Where a document keeps its schemas.
pub(crate) const SCHEMAS: &str = "#/components/schemas/";

/// No member but the declared ones, at the top of a body or of a list's items.
pub(crate) fn closed(schema: &Value, extra: &[&str]) -> Value {
    if schema["type"] == "array" {
        return json!({ "type": "array", "items": closed(&schema["items"], extra) });
    }
    let allowed: Map<String, Value> = extra
        .iter()
        .map(|name| ((*name).to_owned(), json!(true)))
        .collect();
    json!({ "allOf": [converted(schema), { "properties": allowed }], "unevaluatedProperties": false })
}

/// OpenAPI 3.0 to JSON Schema: `nullable`, discriminators, annotations.
pub(crate) fn converted(schema: &Value) -> Value {
    let Value::Object(map) = schema else {
        return match schema {
            Value::Array(list) => list.iter().map(converted).collect(),
            other => other.clone(),
        };
    };
    let mut out = Map::new();
    for (name, member) in map {
        match name.as_str() {
            // Annotations, and names that JSON Schema reads differently.
            "description" | "title" | "example" | "examples" | "default" | "discriminator"
            | "xml" | "externalDocs" | "deprecated" | "readOnly" | "writeOnly" | "nullable" => {}
            _ if name.starts_with("x-") => {}
            "properties" => {
                let members = member.as_object().cloned().unwrap_or_default();
                let members: Map<String, Value> = members
                    .iter()
                    .map(|(name, schema)| (name.clone(), converted(schema)))
                    .collect();
                out.insert(name.clone(), Value::Object(members));
            }
            "enum" | "required" => {
                out.insert(name.clone(), member.clone());
            }
            _ => {
                out.insert(name.clone(), converted(member));
            }
        }
    }
    if let Some(cases) = discriminated(map) {
        out.remove("oneOf");
        out.remove("anyOf");
        let mut all = out
            .remove("allOf")
            .and_then(|all| all.as_array().cloned())
            .unwrap_or_default();
        all.extend(cases);
        out.insert("allOf".into(), Value::Array(all));
    }
    if map.get("nullable") == Some(&json!(true)) {
        return json!({ "anyOf": [{ "type": "null" }, Value::Object(out)] });
    }
    Value::Object(out)
}

/// One `if`/`then` for each value of a discriminator, so that exactly the
/// schema it names is applied, and its value must be a known one.
fn discriminated(map: &Map<String, Value>) -> Option<Vec<Value>> {
    let discriminator = map.get("discriminator")?;
    if !map.contains_key("oneOf") && !map.contains_key("anyOf") {
        return None;
    }
    let property = discriminator["propertyName"].as_str()?;
    let mapping = discriminator["mapping"].as_object()?;
    let values: Vec<&String> = mapping.keys().collect();
    let mut cases =
        vec![json!({ "required": [property], "properties": { property: { "enum": values } } })];
    for (value, reference) in mapping {
        cases.push(json!({
            "if": { "required": [property], "properties": { property: { "const": value } } },
            "then": { "$ref": reference },
        }));
    }
    Some(cases)
}
