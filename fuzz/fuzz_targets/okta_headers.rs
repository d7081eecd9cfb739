//! Headers of Okta's answers: limits, the clock, the next page. Whatever they
//! hold, no page leads elsewhere and no pause is longer than it may be.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| neo4j_okta_operator::okta::fuzz::headers(text));
