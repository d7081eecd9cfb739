//! `crds/` and the reference of the API say what the types say.
//! `BLESS=1 cargo test --test crds` rewrites the files.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

mod reference;

use std::path::Path;

use neo4j_okta_operator::api::crds_yaml;

#[test]
fn the_committed_definitions_are_those_of_the_types() {
    for (name, text) in crds_yaml() {
        committed(&format!("crds/{name}"), &text);
    }
}

#[test]
fn the_definitions_are_the_same_each_time() {
    assert_eq!(crds_yaml(), crds_yaml());
}

#[test]
fn the_committed_reference_describes_every_field() {
    committed("docs/reference/api.md", &reference::markdown());
}

/// Compares a file of the repository with what it should be.
fn committed(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "{file} is not what the types say: run BLESS=1 cargo test --test crds"
    );
}
