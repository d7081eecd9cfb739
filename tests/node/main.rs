//! A real node: what pods see of a token, and the operator as a platform team
//! installs it, in pods. Runs as root on Linux where the packages of
//! `testbed::node_needs` and `testbed::operator_image_needs` are; elsewhere it
//! says in one line that it did not, and with `CI` set it fails.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../chart/helm.rs"]
#[allow(dead_code, reason = "shared with tests/chart")]
mod helm;
#[path = "../operator/helpers.rs"]
#[allow(dead_code, reason = "shared with tests/operator")]
mod helpers;
mod install;
mod installation;
mod kills;
mod leaves;
mod machine;
mod memory;
mod mount;
mod okta;
mod pod;
mod removal;
mod scraped;
