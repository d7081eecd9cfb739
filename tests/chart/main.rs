//! The chart: what it renders, what it refuses, whether a real API server takes
//! it, and whether the operator works with what it grants.
//!
//! `BLESS=1 cargo test --test chart` rewrites what is generated.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

mod asking;
mod conform;
mod generated;
mod helm;
mod injection;
mod install;
mod pod;
mod readme;
mod schemas;
mod score;
mod uninstall;
mod unittest;
mod values;
mod watched;
