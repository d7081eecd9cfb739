//! The text format that Prometheus had before OpenMetrics, for scrapers and tools
//! that know no other. There a counter's metadata bears the name of its samples,
//! and infos are gauges. Needs what `Metrics::render` wrote.

use std::fmt::Write;

/// OpenMetrics text as Prometheus' own text format, version 0.0.4.
#[must_use]
pub fn classic(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    // The type follows the help, and tells what the samples are called.
    let mut help = None;
    for line in openmetrics.lines() {
        let words = line.strip_prefix("# ").and_then(|l| l.split_once(' '));
        // Writing into a String does not fail.
        let _ = match words {
            None if line == "# EOF" => Ok(()),
            None => writeln!(text, "{line}"),
            Some(("HELP", rest)) => {
                help = rest.split_once(' ').map(|(_, words)| words);
                Ok(())
            }
            Some(("TYPE", rest)) => {
                let (name, type_) = rest.split_once(' ').unwrap_or((rest, "untyped"));
                let (suffix, type_) = match type_ {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    other => ("", other),
                };
                let help = help.take().unwrap_or_default();
                writeln!(
                    text,
                    "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {type_}"
                )
            }
            Some(_) => Ok(()),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn each_sample_has_the_metadata_of_its_own_name() {
        let metrics = Metrics::default();
        metrics.token_request("ok");
        let text = classic(&metrics.render());
        for wanted in [
            "# TYPE neo4j_okta_token_requests_total counter\nneo4j_okta_token_requests_total{outcome=\"ok\"} 1\n",
            "# TYPE neo4j_okta_build_info gauge\nneo4j_okta_build_info{version=",
            "# TYPE neo4j_okta_leader gauge\nneo4j_okta_leader 0\n",
            "# TYPE neo4j_okta_first_token_duration_seconds histogram\nneo4j_okta_first_token_duration_seconds_sum 0.0\n",
        ] {
            assert!(text.contains(wanted), "{wanted}\nis not in\n{text}");
        }
        assert!(!text.contains("EOF"), "{text}");
    }
}
