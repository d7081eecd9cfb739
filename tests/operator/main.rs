//! The operator against a real API server and the Okta emulator. Each test is a
//! sentence that would have been an outage.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod applied;
mod budgets;
mod collector;
mod contract;
mod costs;
mod crashes;
mod doctor;
mod doctor_mint;
mod drift;
mod front;
mod harness;
mod helpers;
mod issuers;
mod kubectl;
mod leader;
mod leftovers;
mod lifecycle;
mod limits;
mod namespaces;
mod neo4j_settings;
mod network;
mod outages;
mod own_token;
mod people;
mod process;
mod program;
mod proxy;
mod replicas;
mod rotation;
mod secrecy;
mod sharing;
mod signin;
mod surroundings;
mod tampering;
mod tenancy;
mod traces;
mod variants;
mod workload;
