//! The documentation against the code: every reason, metric, flag and attribute
//! is described, nothing is described that is not there, examples are accepted by
//! the types, and links lead somewhere.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

mod cli;
mod krew;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use neo4j_okta_operator::api::conditions::Reason;
use neo4j_okta_operator::api::{Neo4jServiceAccount, OktaIssuer};
use neo4j_okta_operator::metrics::Metrics;

#[test]
fn every_reason_is_described_and_no_other_in_the_order_of_the_code() {
    let described = rows("docs/reference/reasons.md", "Reason");
    let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(described, known, "docs/reference/reasons.md, then the code");
}

#[test]
fn every_metric_is_described_and_no_other() {
    let described: BTreeSet<String> = rows("docs/reference/metrics.md", "Metric")
        .into_iter()
        .map(|name| {
            name.trim_end_matches("_total")
                .trim_end_matches("_info")
                .to_owned()
        })
        .collect();
    let source = text("src/metrics.rs") + &text("src/metrics/neo4j.rs");
    let accounts = text("src/metrics/accounts.rs");
    let named = accounts.split("\"account_").skip(1);
    let of_accounts = named.filter_map(|rest| rest.split('"').next());
    let of_accounts = of_accounts.map(|name| format!("neo4j_okta_account_{name}"));
    // An empty family is not rendered, so the source is asked for all names. Who
    // registers several at once is handed no name.
    let registered: BTreeSet<String> = source
        .split(".register(")
        .skip(1)
        .filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next())
        .map(|name| format!("neo4j_okta_{name}"))
        .chain(of_accounts)
        .collect();
    assert_eq!(
        described, registered,
        "docs/reference/metrics.md, then the code"
    );

    let rendered = Metrics::default().render();
    let names: Vec<&str> = rendered
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next())
        .collect();
    assert!(!names.is_empty(), "{rendered}");
    for name in names {
        assert!(
            registered.contains(name),
            "{name} is not registered as the others are"
        );
    }
}

#[test]
fn every_flag_is_described_and_no_other_in_the_order_of_the_code() {
    let cli = neo4j_okta_operator::cli::Cli::command();
    let run = cli.find_subcommand("run").unwrap();
    let (flags, variables): (Vec<_>, Vec<_>) = run
        .get_arguments()
        .filter(|flag| flag.get_id() != "help")
        .map(|flag| {
            let variable = flag.get_env().unwrap().to_string_lossy();
            (format!("--{}", flag.get_long().unwrap()), variable)
        })
        .unzip();
    let page = "docs/operations.md";
    assert_eq!(rows(page, "Flag"), flags, "{page}, then the code");
    let page = text(page);
    for variable in variables {
        assert!(page.contains(&format!("| `{variable}` |")), "{variable}");
    }
}

#[test]
fn every_attribute_of_a_span_is_described_and_no_other() {
    let source = text("src/telemetry/spans.rs");
    let attributes = |text: &str| -> BTreeSet<String> {
        let word = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
        text.split(|c| !word(c))
            .filter(|name| {
                ["neo4j_okta.", "http.", "server.", "error."]
                    .iter()
                    .any(|start| name.starts_with(start))
            })
            .map(str::to_owned)
            .collect()
    };
    let cells = rows("docs/observability.md", "Attribute").join(" ");
    assert_eq!(
        attributes(&cells),
        attributes(&source),
        "docs/observability.md, then the code"
    );
}

#[test]
fn every_variable_that_is_read_for_traces_is_described() {
    let source = text("src/telemetry/environment.rs");
    let page = text("docs/observability.md");
    // The code builds these names from what is behind the prefix.
    let options = source
        .split("option(\"")
        .chain(source.split("file(\""))
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(|name| format!("OTEL_EXPORTER_OTLP_{name}"));
    let whole = source
        .split("set(\"OTEL_")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|name| format!("OTEL_{name}"));
    let names: BTreeSet<String> = options.chain(whole).collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn queries_ask_for_metrics_that_there_are() {
    let names: BTreeSet<String> = rows("docs/reference/metrics.md", "Metric")
        .into_iter()
        .collect();
    for page in [
        "docs/reference/metrics.md",
        "docs/observability.md",
        "docs/runbooks.md",
        "charts/neo4j-okta-operator/files/alerts.yaml",
        "charts/neo4j-okta-operator/files/dashboard.json",
    ] {
        let page_text = text(page);
        for (at, _) in page_text.match_indices("neo4j_okta_") {
            let name: String = page_text[at..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_')
                .collect();
            // The start of a pattern for several, or what log lines come from.
            if ["neo4j_okta_", "neo4j_okta_operator"].contains(&name.as_str()) {
                continue;
            }
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(&name);
            assert!(names.contains(base), "{page}: there is no {name}");
        }
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let rules = text("charts/neo4j-okta-operator/files/alerts.yaml");
    let alerts: Vec<&str> = rules
        .split("- alert: ")
        .skip(1)
        .filter_map(|rule| rule.lines().next())
        .collect();
    let runbooks = text("docs/runbooks.md");
    let sections: Vec<&str> = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert!(!alerts.is_empty());
    assert_eq!(alerts, sections, "alerts.yaml, then docs/runbooks.md");
    let listed: Vec<String> = rows("docs/observability.md", "Alert")
        .iter()
        .filter_map(|cell| Some(between(cell, "[", "]")?.to_owned()))
        .collect();
    assert_eq!(alerts, listed, "alerts.yaml, then docs/observability.md");
}

#[test]
fn examples_are_accepted_by_the_types() {
    let mut seen = 0;
    for page in pages() {
        for block in text(&page).split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let accepted = match between(block, "kind: ", "\n") {
                Some("Neo4jServiceAccount") => {
                    serde_saphyr::from_str::<Neo4jServiceAccount>(block).map(drop)
                }
                Some("OktaIssuer") => serde_saphyr::from_str::<OktaIssuer>(block).map(drop),
                _ => serde_saphyr::from_str::<serde_json::Value>(block).map(drop),
            };
            accepted.unwrap_or_else(|error| panic!("{page}: {error}\n{block}"));
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} examples were found");
}

#[test]
fn annotations_labels_and_finalizers_are_those_of_the_code() {
    let code = text("src/api/names.rs") + &text("src/plan/secret_meta.rs");
    for page in pages() {
        let page_text = text(&page);
        for (at, prefix) in page_text.match_indices("neo4j-okta.dev/") {
            let name: String = page_text[at + prefix.len()..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
                .collect();
            let known = name.is_empty()
                || name == "v1alpha1"
                || code.contains(&format!("\"{prefix}{name}\""));
            assert!(known, "{page}: the code knows no {prefix}{name}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let page_text = text(&page);
        for target in page_text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            // Neither an address elsewhere nor a pattern in the reference of the API.
            let is_path = |c: char| c.is_ascii_alphanumeric() || "_./#-".contains(c);
            if !target.chars().all(is_path) {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => root().join(&page),
                file => root().join(&page).parent().unwrap().join(file),
            };
            assert!(path.exists(), "{page}: {target} leads nowhere");
            let found = heading.is_empty() || anchors(&path).any(|anchor| anchor == heading);
            assert!(found, "{page}: {target}: there is no such heading");
        }
    }
}

#[test]
fn the_book_has_every_page_once_and_no_link_leads_out_of_it() {
    let summary = text("docs/SUMMARY.md");
    let listed: Vec<&str> = summary
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    let mut pages: Vec<String> = pages()
        .into_iter()
        .filter_map(|page| page.strip_prefix("docs/").map(str::to_owned))
        .filter(|page| page != "SUMMARY.md")
        .collect();
    pages.sort();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, pages, "docs/SUMMARY.md, then docs/");
    for page in listed {
        let depth = page.matches('/').count();
        let page_text = text(&format!("docs/{page}"));
        for rest in page_text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            let up = target.matches("../").count();
            assert!(up <= depth, "docs/{page}: {target} leads out of docs/");
        }
    }
}

/// Code in the first column of the tables whose first header is `header`.
fn rows(page: &str, header: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text(page).lines() {
        let first = line
            .strip_prefix("| ")
            .and_then(|rest| rest.split(" |").next());
        match first {
            None if line.starts_with("|---") => {}
            None => inside = false,
            Some(cell) if cell == header => inside = true,
            Some(cell) if inside => found.push(cell.trim_matches('`').to_owned()),
            Some(_) => {}
        }
    }
    found
}

/// What GitHub makes of a page's headings.
fn anchors(path: &Path) -> impl Iterator<Item = String> {
    let page = std::fs::read_to_string(path).unwrap();
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchors: Vec<String> = headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|line| {
            line.chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                .collect::<String>()
        })
        .map(|line| line.replace(' ', "-"))
        .collect();
    anchors.into_iter()
}

/// All pages of documentation, relative to the repository.
fn pages() -> Vec<String> {
    let mut pages = vec!["CONTRIBUTING.md".to_owned(), "README.md".to_owned()];
    for folder in [
        "docs",
        "docs/benchmarks",
        "docs/guides",
        "docs/neo4j",
        "docs/okta",
        "docs/reference",
    ] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name)
                .extension()
                .is_some_and(|extension| extension == "md")
            {
                pages.push(format!("{folder}/{name}"));
            }
        }
    }
    pages
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?
        .1
        .split_once(end)
        .map(|(found, _)| found)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
