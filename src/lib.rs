//! neo4j-okta-operator: a Kubernetes operator that gives every workload its own
//! machine identity for Neo4j.
//!
//! `api` holds the custom resources, `plan` decides (pure), `okta` talks to
//! Okta, `controller` observes and carries out, `kubectl` is the plugin for people.
//! `docs/` explains why.

pub mod admin;
pub mod api;
pub mod bootstrap;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod controller;
pub mod fence;
pub mod kubectl;
pub mod leader;
pub mod metrics;
pub mod neo4j;
pub mod okta;
pub mod plan;
mod sync;
pub mod telemetry;
