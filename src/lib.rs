//! neo4j-okta-operator.
