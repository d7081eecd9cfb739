//! The table of values in the chart's README, out of the comments in
//! `values.yaml`.

use crate::generated::{committed, read};
use serde_json::Value;

const BEGIN: &str = "<!-- values: generated from values.yaml -->\n";
const END: &str = "<!-- end of values -->";

/// A value with a comment of its own.
pub(crate) struct Described {
    /// As `metrics.service.enabled`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The values with a comment that begins with `--`, in their order.
pub(crate) fn described() -> Vec<Described> {
    let mut found = Vec::new();
    let (mut above, mut text): (Vec<(usize, String)>, Option<String>) = (Vec::new(), None);
    for line in read("charts/neo4j-okta-operator/values.yaml").lines() {
        let trimmed = line.trim_start();
        let depth = line.len() - trimmed.len();
        if let Some(comment) = trimmed.strip_prefix("# -- ") {
            text = Some(comment.to_owned());
        } else if let Some((key, _)) = trimmed.split_once(':')
            && !trimmed.starts_with(['#', '-'])
        {
            above.retain(|(d, _)| *d < depth);
            above.push((depth, key.to_owned()));
            if let Some(text) = text.take() {
                let path: Vec<&str> = above.iter().map(|(_, key)| key.as_str()).collect();
                let path = path.join(".");
                found.push(Described { path, text });
            }
        }
    }
    found
}

/// What a path holds by default.
pub(crate) fn default_of(path: &str) -> Value {
    let values: Value =
        serde_saphyr::from_str(&read("charts/neo4j-okta-operator/values.yaml")).unwrap();
    values
        .pointer(&format!("/{}", path.replace('.', "/")))
        .unwrap_or_else(|| panic!("no value {path}"))
        .clone()
}

#[test]
fn the_readme_describes_every_value() {
    let rows: Vec<String> = described()
        .iter()
        .map(|Described { path, text }| {
            let default = default_of(path).to_string();
            format!("| `{path}` | `{default}` | {text} |\n")
        })
        .collect();
    let table = format!(
        "{BEGIN}\n| Value | Default | Meaning |\n|---|---|---|\n{}\n{END}",
        rows.concat()
    );
    let file = "charts/neo4j-okta-operator/README.md";
    let page = read(file);
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    committed(file, &format!("{before}{table}{after}"));
}

#[test]
fn every_value_is_described() {
    let described = described();
    let mut leaves = Vec::new();
    collect(&default_of_root(), "", &mut leaves);
    for leaf in leaves {
        let known = described
            .iter()
            .any(|d| leaf == d.path || leaf.starts_with(&format!("{}.", d.path)));
        assert!(known, "{leaf} has no comment that begins with `# --`");
    }
}

fn default_of_root() -> Value {
    serde_saphyr::from_str(&read("charts/neo4j-okta-operator/values.yaml")).unwrap()
}

fn collect(value: &Value, path: &str, leaves: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let path = format!("{path}.{key}");
                collect(value, path.trim_start_matches('.'), leaves);
            }
        }
        _ => leaves.push(path.to_owned()),
    }
}
