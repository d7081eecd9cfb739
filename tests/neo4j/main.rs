//! Tokens of the running operator at a real Neo4j server, configured by what the
//! operator renders. Needs a JDK 21 or newer and Maven; without them the tests say
//! so and pass over, in CI they fail. The server's realm for OIDC is the project's
//! own (`src/`), and follows the settings that Neo4j documents.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "shared with the tests of the operator")]
#[path = "../operator/front.rs"]
mod front;
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests of the operator"
)]
#[path = "../operator/harness.rs"]
mod harness;
#[allow(dead_code, reason = "shared with the tests of the operator")]
#[path = "../operator/helpers.rs"]
mod helpers;

mod access;
mod bolt;
mod contract;
mod drivers;
mod login;
mod renderings;
mod server;
mod sessions;
mod verify;
