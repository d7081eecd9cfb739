//! Okta's OpenAPI 3.0 documents as JSON Schema 2020-12: an operation's request
//! and response bodies can be checked. It checks nothing but bodies.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

const SCHEMAS: &str = "#/components/schemas/";

pub(crate) struct Spec {
    document: Value,
}

impl Spec {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let options = serde_saphyr::options! { budget: None };
        let document = serde_saphyr::from_str_with_options(&text, options)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { document }
    }

    fn pointer(&self, reference: &str) -> &Value {
        self.document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} is not in the document"))
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.pointer(reference),
            None => value,
        }
    }

    /// The operation of a method and a template; names of parameters do not matter.
    fn operation(&self, method: &str, template: &str) -> Option<&Value> {
        let plain = |path: &str| -> String {
            let parts: Vec<&str> = path
                .split('/')
                .map(|part| if part.starts_with('{') { "{}" } else { part })
                .collect();
            parts.join("/")
        };
        let paths = self.document["paths"].as_object()?;
        let (_, path) = paths
            .iter()
            .find(|(path, _)| plain(path) == plain(template))?;
        path.get(method.to_lowercase())
    }

    /// What is wrong with a request body.
    pub(crate) fn request(
        &self,
        method: &str,
        template: &str,
        body: &Value,
        extra: &[&str],
    ) -> Vec<String> {
        let Some(operation) = self.operation(method, template) else {
            return vec!["the operation is not in the document".to_owned()];
        };
        let content = &self.resolved(&operation["requestBody"])["content"];
        self.check(&content["application/json"]["schema"], body, extra)
    }

    /// What is wrong with a response; `extra` may be there although undeclared.
    pub(crate) fn response(
        &self,
        method: &str,
        template: &str,
        status: u16,
        body: &Value,
        extra: &[&str],
    ) -> Vec<String> {
        let Some(operation) = self.operation(method, template) else {
            return vec!["the operation is not in the document".to_owned()];
        };
        let response = &operation["responses"][status.to_string()];
        if response.is_null() {
            return vec![format!("the status {status} is not in the document")];
        }
        let content = &self.resolved(response)["content"];
        if content.as_object().is_none_or(Map::is_empty) {
            let empty = body.is_null() || *body == json!({});
            return if empty {
                Vec::new()
            } else {
                vec!["a body where none is declared".to_owned()]
            };
        }
        self.check(&content["application/json"]["schema"], body, extra)
    }

    fn check(&self, schema: &Value, body: &Value, extra: &[&str]) -> Vec<String> {
        if schema.is_null() {
            return vec!["no schema is declared".to_owned()];
        }
        let mut definitions = BTreeMap::new();
        self.collect(schema, &mut definitions);
        let mut root = closed(schema, extra);
        root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        root["components"] = json!({ "schemas": definitions });
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&root)
            .unwrap_or_else(|error| panic!("the schema cannot be used: {error}"));
        validator
            .iter_errors(body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    /// The component schemas that a schema needs, converted.
    fn collect(&self, value: &Value, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) => {
                for (name, member) in map {
                    let reference = member.as_str().and_then(|text| text.strip_prefix(SCHEMAS));
                    // A discriminator's mapping holds references under its own names.
                    if let Some(schema) = reference
                        && !found.contains_key(schema)
                    {
                        let raw = self.pointer(&format!("{SCHEMAS}{schema}"));
                        found.insert(schema.to_owned(), converted(raw));
                        self.collect(raw, found);
                    } else if name != "example" && name != "examples" {
                        self.collect(member, found);
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|member| self.collect(member, found)),
            _ => {}
        }
    }
}

/// No member but the declared ones, at the top of a body or of a list's items.
fn closed(schema: &Value, extra: &[&str]) -> Value {
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
fn converted(schema: &Value) -> Value {
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

#[test]
fn a_wrong_body_is_found() {
    let document = json!({
        "paths": { "/a/{id}": { "get": { "responses": { "200": { "content": { "application/json": { "schema": {
            "oneOf": [{ "$ref": "#/components/schemas/X" }, { "$ref": "#/components/schemas/Y" }],
            "discriminator": { "propertyName": "kind", "mapping": { "X": "#/components/schemas/X", "Y": "#/components/schemas/Y" } },
        } } } } } } } },
        "components": { "schemas": {
            "X": { "type": "object", "required": ["n"], "properties": {
                "kind": { "type": "string" }, "n": { "type": "integer", "nullable": true }, "at": { "type": "string", "format": "date-time" } } },
            "Y": { "type": "object", "properties": { "kind": { "type": "string", "enum": ["Y"] } } },
        } },
    });
    let spec = Spec { document };
    let wrong = |body: Value| spec.response("GET", "/a/{other}", 200, &body, &[]);
    assert!(wrong(json!({ "kind": "X", "n": null, "at": "2026-08-01T10:00:00.000Z" })).is_empty());
    assert!(wrong(json!({ "kind": "Y" })).is_empty());
    for body in [
        json!({ "kind": "X" }),
        json!({ "kind": "X", "n": "1" }),
        json!({ "kind": "X", "n": 1, "at": "yesterday" }),
        json!({ "kind": "X", "n": 1, "invented": true }),
        json!({ "kind": "Z", "n": 1 }),
        json!({ "n": 1 }),
    ] {
        assert!(!wrong(body.clone()).is_empty(), "{body}");
    }
    assert!(
        !spec
            .response("GET", "/a/{id}", 201, &json!({}), &[])
            .is_empty()
    );
}
