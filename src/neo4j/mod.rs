//! Neo4j's side of an issuer: which settings make it trust the tokens, written in
//! the form that its installation needs. Pure. It refuses to write what Neo4j
//! would read as something else.

mod provider;
mod render;

pub use provider::{Provider, Refused};
pub use render::{Format, render};

#[cfg(test)]
mod tests;
