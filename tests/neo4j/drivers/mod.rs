//! Drivers that stay logged in: the samples of docs/samples/drivers, each run as a
//! program of its own against a real server, with tokens of the running operator.
//!
//! Needs what each sample's language needs; where that is missing a test says so and
//! passes over, in CI it fails. It refuses to wait for an expiry: Okta, the operator and
//! the server's realm are moved ahead together. A sample's own clock stands still, so it
//! is the server that tells it of an expiry, on a live connection.

mod credentials;
mod file;
mod languages;
mod logins;
mod sample;
mod shell;
