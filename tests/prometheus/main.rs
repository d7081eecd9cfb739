//! Metrics, alerts and dashboard before a real Prometheus: its tools judge names
//! and rules, and the server scrapes a running operator and answers each query.
//! Needs `prometheus` and `promtool` on PATH (Debian: package `prometheus`); where
//! they are missing it says so and skips, unless `CI` is set.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../operator/contract.rs"]
mod contract;
#[path = "../operator/harness.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with tests/operator, which needs all of it"
)]
mod harness;
#[path = "../operator/helpers.rs"]
mod helpers;

mod queries;
mod rules;
mod scraped;
mod server;
mod tools;
