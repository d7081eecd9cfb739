//! The custom resources as Kubernetes stores them: types, limits, CEL rules and
//! names. No logic; `plan::desired` parses these into what the planner needs.

pub mod account;
pub mod conditions;
pub mod issuer;
pub mod names;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use account::{
    Authentication, BindingStatus, CredentialsStatus, IssuerRef, Neo4jServiceAccount,
    Neo4jServiceAccountSpec, Neo4jServiceAccountStatus, Rotation, SecretTemplate, TokenStatus,
};
pub use issuer::{
    AccessPolicy, AllowEntry, ApiTokenAuth, Auth, AuthorizationServer, CreatedObjects,
    CreatedPolicy, CredentialsVisibility, Management, Neo4j, OktaIssuer, OktaIssuerSpec,
    OktaIssuerStatus, OnDelete, OnExternalDisable, PrivateKeyJwtAuth, RateLimit, SecretRef,
    Verify,
};

/// The definitions of both kinds, as `crds/` holds them.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![Neo4jServiceAccount::crd(), OktaIssuer::crd()]
}
