//! Each bad object of the corpus is refused by the server in words that name
//! the field, and by the same rule when that is evaluated here.

use std::collections::BTreeSet;

use kube::core::cel::ValidationError;
use serde_json::Value;

use crate::corpus::{By, Refused, base, evaluate, schema_of};
use crate::server::{create, server, try_create, try_update};

#[tokio::test]
async fn every_bad_object_is_refused_by_the_server_in_words_that_name_the_field() {
    let cluster = server().await;
    let namespace = cluster.namespace("refused").await;
    let mut wrong = Vec::new();
    for (index, case) in Refused::all().into_iter().enumerate() {
        let mut request = case.request();
        let answer = match &mut request.old {
            None => try_create(cluster, &request.object, &namespace).await,
            Some(old) => {
                old["metadata"]["name"] = format!("refused-{index}").into();
                let existing = create(cluster, old, &namespace).await;
                try_update(cluster, &existing, &request.object, &namespace).await
            }
        };
        match answer {
            Ok(_) => wrong.push(format!("{}: accepted", case.name)),
            Err(message) if names(&message, &case) => {}
            Err(message) => wrong.push(format!("{}: {message}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn names(message: &str, case: &Refused) -> bool {
    // A field that nobody knows is named in quotes.
    let named = [format!("{}: ", case.path), format!("{:?}", case.path)];
    let named = case.path.is_empty() || named.iter().any(|name| message.contains(name));
    named && message.contains(&case.says) && !message.contains("rule evaluation error")
}

#[test]
fn every_object_that_a_rule_refuses_is_refused_without_a_server_too() {
    for case in Refused::all() {
        let errors = evaluate(&case.request());
        let hit = errors
            .iter()
            .any(|error| field(error) == case.path && error.message.contains(&case.says));
        assert_eq!(hit, case.by == By::Rule, "{}: {errors:?}", case.name);
    }
}

#[test]
fn every_rule_is_hit_by_a_bad_object() {
    let mut rules = BTreeSet::new();
    for kind in ["account-minimal", "issuer-minimal"] {
        collect(&schema_of(&base(kind)), "", &mut rules);
    }
    assert!(rules.len() > 30, "{} rules found", rules.len());

    for case in Refused::all() {
        for error in evaluate(&case.request()) {
            rules.remove(&(without_indexes(field(&error)), error.rule));
        }
    }
    assert!(rules.is_empty(), "never hit: {rules:#?}");
}

#[test]
fn the_corpus_is_large_and_its_names_are_unique() {
    let cases = Refused::all();
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 80);
}

/// The field that an error is about. A rule of the whole object names it with a
/// dot in front.
fn field(error: &ValidationError) -> &str {
    error.field_path.trim_start_matches('.')
}

/// Path and expression of each rule in a schema, list indexes left out.
fn collect(schema: &Value, path: &str, rules: &mut BTreeSet<(String, String)>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let field = rule["fieldPath"].as_str().unwrap_or_default();
        let field = format!("{path}{field}");
        let text = rule["rule"].as_str().unwrap().to_owned();
        rules.insert((field.trim_start_matches('.').to_owned(), text));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(property, &format!("{path}.{name}"), rules);
    }
    if schema["items"].is_object() {
        collect(&schema["items"], path, rules);
    }
}

fn without_indexes(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|&c| {
            inside = c == '[' || inside && c != ']';
            !inside && c != ']'
        })
        .collect()
}
