//! A door for `fuzz/`: the two small languages that the emulator reads. Built
//! with `--cfg fuzzing` alone.

use serde_json::{Value, json};

use crate::expression;
use crate::filter::Filter;

/// Evaluates a claim's expression about some app; None when it fails.
pub fn expression(text: &str) -> Option<Value> {
    let root = json!({
        "app": { "id": "0oa1", "clientId": "client", "profile": { "g": ["a", "b"], "n": { "x": 1 } } },
        "access": { "scope": ["s"] },
        "appuser": null,
    });
    expression::evaluate(text, &root).ok()
}

/// Whether a filter holds for an object with these fields; None when it is none.
pub fn filter(text: &str) -> Option<bool> {
    let filter = Filter::parse(text).ok()?;
    let field = |name: &str| match name {
        "id" | "target.id" => vec!["0oa1".to_owned(), "0oa2".to_owned()],
        "status" => vec!["ACTIVE".to_owned()],
        _ => Vec::new(),
    };
    Some(filter.matches(&field))
}
