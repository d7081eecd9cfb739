//! Both kinds at a real API server: what it accepts, what it refuses and how it
//! says so, and how kubectl shows the objects.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

mod accepted;
mod admission;
mod allow;
mod corpus;
mod kubectl;
mod missing;
mod policies;
mod refused;
mod samples;
mod schema;
mod secrets;
mod server;
