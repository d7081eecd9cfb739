//! The operator against a real API server and the Okta emulator. Each test is a
//! sentence that would have been an outage.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod contract;
mod crashes;
mod harness;
mod helpers;
mod issuers;
mod leader;
mod lifecycle;
mod outages;
mod process;
mod proxy;
mod replicas;
mod secrecy;
mod tampering;
mod tenancy;
