//! A real node: what pods see of a token, and the operator as a pod. Runs as root
//! on Linux where the packages of `testbed::node_needs` are; elsewhere it says in
//! one line that it did not, and with `CI` set it fails.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../operator/helpers.rs"]
#[allow(dead_code, reason = "shared with tests/operator")]
mod helpers;
mod leaves;
mod machine;
mod mount;
mod pod;
