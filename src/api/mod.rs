//! The custom resources as Kubernetes stores them: types, limits, CEL rules and
//! names. No logic; `plan::desired` parses these into what the planner needs.

mod account;
mod allow;
mod authorization_server;
pub mod conditions;
mod definition;
mod issuer;
mod issuer_status;
pub mod names;
mod neo4j;
mod schema;
mod sign_in;

pub use account::{
    Authentication, BindingStatus, CredentialsStatus, IssuerRef, Neo4jServiceAccount,
    Neo4jServiceAccountSpec, Neo4jServiceAccountStatus, Rotation, SecretTemplate, TokenStatus,
};
pub use allow::AllowEntry;
pub use authorization_server::{AccessPolicy, AuthorizationServer, Management};
pub use definition::{crds, crds_yaml};
pub use issuer::{
    CredentialsVisibility, OktaIssuer, OktaIssuerSpec, OnDelete, OnExternalDisable, RateLimit,
};
pub use issuer_status::{CreatedObjects, CreatedPolicy, Neo4jSettingsStatus, OktaIssuerStatus};
pub use neo4j::{Neo4j, Verify};
pub use sign_in::{ApiTokenAuth, Auth, PrivateKeyJwtAuth, SecretRef};
