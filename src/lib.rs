//! neo4j-okta-operator.

pub mod api;
pub mod plan;
