//! The results as Markdown. Pure.

use std::fmt::Write;

use crate::figures::{Counts, Measured};
use crate::results::{Results, Run};

const COLUMNS: [&str; 12] = [
    "scenario", "s", "ops", "reads", "writes", "Okta", "tokens", "CPU ms", "RSS", "peak", "p50 s",
    "p99 s",
];

/// All of it.
pub(crate) fn page(results: &Results) -> String {
    let mut text = String::from(
        "# What was measured\n\n\
         Written by `cargo bench-cluster`; [README.md](README.md) says how, and what it \
         does not say. Reads and writes of the Kubernetes API, requests to Okta, token \
         requests and CPU are for each operation (*ops*), and in all where there are \
         none. RSS and its peak are in MiB.\n",
    );
    for run in &results.runs {
        text += &section(run);
    }
    text
}

/// One run.
pub(crate) fn section(run: &Run) -> String {
    let machine = &run.machine;
    let mut text = format!("\n## {} accounts: {}\n\n", run.accounts, run.program);
    // Writing into a String does not fail.
    let _ = writeln!(
        text,
        "{} cores of {}, {} GiB, Linux {}, Kubernetes {}. Flags: `{}`.{}{}\n",
        machine.cores,
        machine.cpu,
        machine.memory_gib,
        machine.kernel,
        machine.kubernetes,
        run.flags,
        if run.remark.is_empty() { "" } else { " " },
        run.remark,
    );
    row(&mut text, &COLUMNS.map(str::to_owned));
    let rule = |column: &str| if column == "scenario" { "---" } else { "--:" };
    row(&mut text, &COLUMNS.map(|column| rule(column).to_owned()));
    for measured in &run.scenarios {
        row(&mut text, &cells(measured));
    }
    for measured in &run.scenarios {
        text += &details(measured);
    }
    text
}

fn row(text: &mut String, cells: &[String; COLUMNS.len()]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn cells(measured: &Measured) -> [String; COLUMNS.len()] {
    let latency = |of: fn(&crate::figures::Latency) -> f64| {
        let shown = |latency| format!("{:.2}", of(latency));
        measured.latency.as_ref().map_or_else(String::new, shown)
    };
    let count = |count: u64| match measured.each(count) {
        Some(each) => rounded(each),
        None => count.to_string(),
    };
    let cpu = measured.cpu_each().unwrap_or(measured.cpu_seconds * 1000.0);
    [
        measured.title.clone(),
        format!("{:.1}", measured.seconds),
        measured.operations.to_string(),
        count(measured.reads()),
        count(measured.writes()),
        count(measured.okta_calls()),
        count(measured.token_requests()),
        format!("{cpu:.2}"),
        mebibytes(measured.resident_kib),
        mebibytes(measured.peak_kib),
        latency(|latency| latency.p50),
        latency(|latency| latency.p99),
    ]
}

/// What the row has no room for.
fn details(measured: &Measured) -> String {
    let mut parts: Vec<String> = measured
        .figures
        .iter()
        .map(|(name, value)| format!("{name}: {}", rounded(*value)))
        .collect();
    for counts in [&measured.kubernetes, &measured.okta] {
        parts.extend(
            counts
                .iter()
                .map(|(name, count)| format!("`{name}` {count}")),
        );
    }
    if measured.lease > 0 {
        parts.push(format!("for the Lease {}", measured.lease));
    }
    parts.extend(refused(&measured.okta_status));
    parts.extend(
        measured
            .wrong
            .iter()
            .map(|wrong| format!("**wrong**: {wrong}")),
    );
    format!("\n*{}*: {}.\n", measured.title, parts.join(", "))
}

/// Answers of Okta that were no success.
fn refused(status: &Counts) -> Option<String> {
    let refused: Vec<String> = status
        .iter()
        .filter(|(status, _)| !status.starts_with('2'))
        .map(|(status, count)| format!("{count} of {status}"))
        .collect();
    (!refused.is_empty()).then(|| format!("other answers of Okta than 2xx: {}", refused.join(", ")))
}

fn rounded(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
fn mebibytes(kibibytes: u64) -> String {
    format!("{:.1}", kibibytes as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Latency;

    #[test]
    fn a_row_is_for_each_operation_or_in_all() {
        let measured = Measured {
            title: "refresh".to_owned(),
            seconds: 12.34,
            operations: 100,
            cpu_seconds: 0.5,
            resident_kib: 20 * 1024,
            peak_kib: 21 * 1024,
            kubernetes: [("update secrets".to_owned(), 200)].into(),
            okta: [("POST /oauth2/{authServerId}/v1/token".to_owned(), 101)].into(),
            latency: Latency::of(vec![std::time::Duration::from_millis(500)]),
            ..Measured::default()
        };
        let expected = "refresh 12.3 100 0 2 1.01 1.01 5.00 20.0 21.0 0.50 0.50";
        assert_eq!(cells(&measured).join(" "), expected);
        let idle = Measured {
            operations: 0,
            ..measured
        };
        let expected = "refresh 12.3 0 0 200 101 101 500.00 20.0 21.0 0.50 0.50";
        assert_eq!(cells(&idle).join(" "), expected);
    }

    #[test]
    fn numbers_have_no_idle_digits() {
        assert_eq!(rounded(2.0), "2");
        assert_eq!(rounded(0.126), "0.13");
        assert_eq!(rounded(100.0), "100");
        let status = [("200".to_owned(), 5), ("429".to_owned(), 2)].into();
        let expected = "other answers of Okta than 2xx: 2 of 429";
        assert_eq!(refused(&status).as_deref(), Some(expected));
    }
}
