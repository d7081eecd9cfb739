//! One of Okta's OpenAPI 3.0 documents: where an operation is in it, and the
//! compiled schemas of the bodies that were asked for.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::finding;
use super::schema::{SCHEMAS, closed, converted};

pub(crate) struct Document {
    document: Value,
    /// By the schema as it stands in the document, and the members tolerated.
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Document {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
        let options = serde_saphyr::options! { budget: None };
        let document = serde_saphyr::from_str_with_options(&text, options)
            .map_err(|error| unreadable(&error))?;
        Ok(Self::new(document))
    }

    fn new(document: Value) -> Self {
        Self {
            document,
            compiled: Mutex::default(),
        }
    }

    /// Adds to a list of the document.
    pub(crate) fn append(&mut self, reference: &str, value: Value) {
        let list = self.document.pointer_mut(reference.trim_start_matches('#'));
        if let Some(Value::Array(list)) = list {
            list.push(value);
        }
    }

    /// `null` when the document has nothing there.
    pub(crate) fn pointer(&self, reference: &str) -> &Value {
        self.document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or(&Value::Null)
    }

    pub(crate) fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.pointer(reference),
            None => value,
        }
    }

    /// The operation of a method and a template; names of parameters do not matter.
    pub(crate) fn operation(&self, method: &str, template: &str) -> Option<&Value> {
        let plain = |path: &str| -> String {
            let parts: Vec<&str> = path
                .split('/')
                .map(|part| if part.starts_with('{') { "{}" } else { part })
                .collect();
            parts.join("/")
        };
        let wanted = plain(template);
        let paths = self.document["paths"].as_object()?;
        let (_, path) = paths.iter().find(|(path, _)| plain(path) == wanted)?;
        path.get(method.to_lowercase())
    }

    /// The schema that a discriminator names for this body, where the schema
    /// itself is only what the cases have in common.
    pub(crate) fn case<'a>(&'a self, schema: &'a Value, body: &Value) -> &'a Value {
        let discriminator = &self.resolved(schema)["discriminator"];
        let case = discriminator["propertyName"]
            .as_str()
            .and_then(|property| body[property].as_str())
            .and_then(|value| discriminator["mapping"][value].as_str());
        case.map_or(schema, |reference| self.pointer(reference))
    }

    /// What is wrong with a body; `extra` may be there although undeclared.
    pub(crate) fn check(&self, schema: &Value, body: &Value, extra: &[&str]) -> Vec<String> {
        if schema.is_null() {
            return vec!["no schema is declared".to_owned()];
        }
        match self.validator(schema, extra) {
            Ok(validator) => validator
                .iter_errors(body)
                .map(|error| finding::told(&error))
                .collect(),
            Err(error) => vec![error],
        }
    }

    fn validator(&self, schema: &Value, extra: &[&str]) -> Result<Arc<Validator>, String> {
        let key = format!("{extra:?}{schema}");
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = compiled.get(&key) {
            return Ok(Arc::clone(validator));
        }
        let mut definitions = BTreeMap::new();
        self.collect(schema, &mut definitions);
        let mut root = closed(schema, extra);
        root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        root["components"] = json!({ "schemas": definitions });
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&root)
            .map_err(|error| format!("the schema cannot be used: {error}"))?;
        let validator = Arc::new(validator);
        compiled.insert(key, Arc::clone(&validator));
        Ok(validator)
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
                        if raw.is_null() {
                            continue;
                        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_body_is_found() {
        let cases = json!({
            "oneOf": [{ "$ref": "#/components/schemas/X" }, { "$ref": "#/components/schemas/Y" }],
            "discriminator": { "propertyName": "kind", "mapping": { "X": "#/components/schemas/X", "Y": "#/components/schemas/Y" } },
        });
        let document = Document::new(json!({
            "paths": { "/a/{id}": { "get": { "responses": { "200": {} } } } },
            "components": { "schemas": {
                "X": { "type": "object", "required": ["n"], "properties": {
                    "kind": { "type": "string" }, "n": { "type": "integer", "nullable": true }, "at": { "type": "string", "format": "date-time" } } },
                "Y": { "type": "object", "properties": { "kind": { "type": "string", "enum": ["Y"] } } },
            } },
        }));
        assert!(document.operation("GET", "/a/{other}").is_some());
        assert!(document.operation("PUT", "/a/{id}").is_none());
        let wrong = |body: Value| document.check(&cases, &body, &["tolerated"]);
        for body in [
            json!({ "kind": "X", "n": null, "at": "2026-08-01T10:00:00.000Z" }),
            json!({ "kind": "Y" }),
            json!({ "kind": "Y", "tolerated": 1 }),
        ] {
            assert_eq!(wrong(body), Vec::<String>::new());
        }
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
    }
}
