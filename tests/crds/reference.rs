//! Renders `docs/reference/api.md` from the two definitions: a table of fields
//! for each kind, with an example that the API server has accepted.

use std::fmt::Write;

use neo4j_okta_operator::api::crds;
use serde_json::{Value, json};

const INTRODUCTION: &str = "\
<!-- Written by `BLESS=1 cargo test --test crds` from the definitions; edit src/api instead. -->

# Reference of the API

Both kinds are `neo4j-okta.dev/v1alpha1`. The API server checks everything below
when an object is written, and refuses fields that it does not know. A field
without a default is optional unless it says *required*. *Immutable* fields keep
the value that they were created with. `[]` stands for each element of a list,
`{}` for each value of a map. Durations are written in hours, minutes and
seconds, such as `1h30m`.
";

const EXAMPLES: [&str; 2] = [
    include_str!("../api/corpus/account-maximal.yaml"),
    include_str!("../api/corpus/issuer-maximal.yaml"),
];

/// Patterns that recur, in words.
const PATTERNS: [(&str, &str); 6] = [
    (
        "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        "lower-case letters, digits, inner `.` and `-`",
    ),
    (
        "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        "lower-case letters, digits, inner `-`",
    ),
    (
        "^[A-Za-z0-9_.:@/-]([A-Za-z0-9_.:@/ -]*[A-Za-z0-9_.:@/-])?$",
        "letters, digits, `_.:@/-`, inner spaces",
    ),
    (
        "^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$",
        "letters, digits, inner `_`, `.` and `-`",
    ),
    (
        "^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$",
        "as `team` or `example.com/team`",
    ),
    (r"^\S(.*\S)?$", "no space at either end"),
];

/// The whole file.
pub(crate) fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (crd, example) in crds().iter().zip(EXAMPLES) {
        let names = &crd.spec.names;
        let schema = json!(crd.spec.versions[0].schema)["openAPIV3Schema"].clone();
        let short = names.short_names.iter().flatten().next().unwrap();
        let scope = match crd.spec.scope.as_str() {
            "Cluster" => "Cluster-scoped",
            _ => "Namespaced",
        };
        let about = schema["description"].as_str().unwrap();
        write!(
            text,
            "\n## {kind}\n\n{about} {scope}; `kubectl get {short}`.\n\n```yaml\n{example}```\n\n",
            kind = names.kind,
        )
        .unwrap();

        text.push_str("| `spec.` | type | default | limits | meaning |\n|---|---|---|---|---|\n");
        let spec = &schema["properties"]["spec"];
        let mut outer = rules(&schema, "");
        outer.retain(|rule| rule.field.starts_with("spec."));
        for rule in &mut outer {
            rule.field = rule.field.trim_start_matches("spec.").to_owned();
        }
        outer.extend(rules(spec, ""));
        fields(&mut text, spec, "", &outer);

        text.push_str("\n| `status.` | type | meaning |\n|---|---|---|\n");
        status(&mut text, &schema["properties"]["status"], "");
    }
    text
}

/// A CEL rule, and the field that it speaks of.
#[derive(Clone)]
struct Rule {
    field: String,
    message: String,
}

/// The rules of one schema, those of its fields left out.
fn rules(schema: &Value, path: &str) -> Vec<Rule> {
    let rules = schema["x-kubernetes-validations"].as_array();
    let rule = |rule: &Value| Rule {
        field: format!("{path}{}", rule["fieldPath"].as_str().unwrap_or_default())
            .trim_start_matches('.')
            .to_owned(),
        message: rule["message"].as_str().unwrap().to_owned(),
    };
    rules.into_iter().flatten().map(rule).collect()
}

/// A row for each field of an object, and the rows of its fields.
fn fields(text: &mut String, object: &Value, parent: &str, outer: &[Rule]) {
    let required = object["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in object["properties"].as_object().into_iter().flatten() {
        let path = format!("{parent}{name}");
        let mut known = outer.to_vec();
        known.extend(rules(field, &path));
        let mut limits = limits(field);
        if required.contains(&json!(name)) {
            limits.insert(0, "*required*".to_owned());
        }
        for rule in known.iter().filter(|rule| rule.field == path) {
            limits.push(if rule.message.starts_with("is immutable") {
                "*immutable*".to_owned()
            } else {
                // What follows the last colon is advice for who broke the rule.
                let message = rule.message.as_str();
                let limit = message.rsplit_once(": ").map(|(limit, _)| limit);
                limit.unwrap_or(message).to_owned()
            });
        }
        // An object's default only repeats those of its fields.
        let default = match &field["default"] {
            Value::Null | Value::Object(_) | Value::Array(_) => String::new(),
            Value::String(word) => code(word),
            other => code(&other.to_string()),
        };
        let about = field["description"].as_str().unwrap();
        let limits = limits.join("; ");
        row(
            text,
            &[&code(&path), &kind(field), &default, &limits, about],
        );

        if field["type"] == "array" {
            let path = format!("{path}[]");
            known.extend(rules(&field["items"], &path));
            fields(text, &field["items"], &format!("{path}."), &known);
        } else {
            fields(text, field, &format!("{path}."), &known);
        }
    }
}

fn status(text: &mut String, object: &Value, parent: &str) {
    for (name, field) in object["properties"].as_object().into_iter().flatten() {
        let path = format!("{parent}{name}");
        let about = field["description"].as_str().unwrap();
        row(text, &[&code(&path), &kind(field), about]);
        let (inner, path) = match field["type"].as_str() {
            Some("array") => (&field["items"], format!("{path}[]")),
            _ => (field, path),
        };
        status(text, inner, &format!("{path}."));
    }
}

/// What a value is, in a word or two.
fn kind(field: &Value) -> String {
    match field["type"].as_str().unwrap() {
        "array" if field["x-kubernetes-list-type"] == "set" => {
            format!("set of {}s", kind(&field["items"]))
        }
        "array" => format!("list of {}s", kind(&field["items"])),
        "object" if field["additionalProperties"].is_object() => {
            format!("map of {}s", kind(&field["additionalProperties"]))
                .replace("set of strings", "set")
        }
        "string" if field["format"] == "date-time" => "time".to_owned(),
        other => other.to_owned(),
    }
}

/// What the schema itself says about a value and about its elements.
fn limits(field: &Value) -> Vec<String> {
    let mut limits = Vec::new();
    if let Some(words) = field["enum"].as_array() {
        let words: Vec<_> = words
            .iter()
            .map(|word| code(word.as_str().unwrap()))
            .collect();
        limits.push(words.join(", "));
    }
    for (least, most, what) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " elements"),
        ("minProperties", "maxProperties", " keys"),
    ] {
        match (field[least].as_f64(), field[most].as_f64()) {
            (Some(least), Some(most)) => limits.push(format!("{least} to {most}{what}")),
            (None, Some(most)) => limits.push(format!("at most {most}{what}")),
            (Some(least), None) => limits.push(format!("at least {least}{what}")),
            (None, None) => {}
        }
    }
    if let Some(pattern) = field["pattern"].as_str() {
        let known = PATTERNS.iter().find(|(known, _)| *known == pattern);
        limits.push(known.map_or_else(|| code(pattern), |(_, words)| (*words).to_owned()));
    }
    for inner in ["items", "additionalProperties"] {
        // The fields of an object have rows of their own.
        if field[inner].is_object() && field[inner]["type"] != "object" {
            let of = limits_of_each(&field[inner]);
            limits.extend(of);
        }
    }
    limits
}

fn limits_of_each(element: &Value) -> Option<String> {
    let limits = limits(element);
    (!limits.is_empty()).then(|| format!("each {}", limits.join(", ")))
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<_> = cells
        .iter()
        .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
        .collect();
    writeln!(text, "| {} |", cells.join(" | ")).unwrap();
}
