//! What accounts need to know of their issuer, put together from its spec and
//! what was found. Pure.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

use super::desired::{AccountName, IssuerFacts, duration};
use super::issuer_status::Findings;
use crate::api::{AccessPolicy, CredentialsVisibility, Management, Neo4j, OktaIssuer};

/// Where the operator is at home.
#[derive(Clone, Copy, Debug)]
pub struct Home<'a> {
    /// The uid of the `kube-system` namespace.
    pub installation: &'a str,
    /// The operator's namespace.
    pub namespace: &'a str,
}

/// The facts. Once known they stay known while Okta's management API cannot be
/// reached or the authorization server is out of order: accounts that have an
/// app go on refreshing, and can be deleted. After a restart they come from the
/// status, for the same reason.
#[must_use]
pub fn facts(
    object: &OktaIssuer,
    home: Home<'_>,
    findings: &Findings,
    known: Option<IssuerFacts>,
) -> Option<IssuerFacts> {
    if let Some(server) = findings.server_in_order() {
        return build(
            object,
            home,
            server["issuer"].as_str()?,
            server["id"].as_str()?,
            audience(server)?,
            findings,
        );
    }
    let fallback = known
        .map(|k| (k.issuer, k.authorization_server_id, k.audience))
        .or_else(|| remembered(object))?;
    build(
        object,
        home,
        &fallback.0,
        &fallback.1,
        &fallback.2,
        findings,
    )
}

fn audience(server: &Value) -> Option<&str> {
    server["audiences"][0].as_str()
}

/// From the status, if the authorization server was in order when it was
/// written.
fn remembered(object: &OktaIssuer) -> Option<(String, String, String)> {
    let status = object.status.as_ref()?;
    let issuer = status.issuer.clone()?;
    let id = issuer.rsplit('/').next()?.to_owned();
    let audience = object
        .spec
        .authorization_server
        .audience
        .clone()
        .or_else(|| status.audience.clone())?;
    Some((issuer, id, audience))
}

fn build(
    object: &OktaIssuer,
    home: Home<'_>,
    issuer: &str,
    id: &str,
    audience: &str,
    findings: &Findings,
) -> Option<IssuerFacts> {
    let spec = &object.spec;
    let server = &spec.authorization_server;
    let managed = server.management == Management::Managed;
    Some(IssuerFacts {
        name: object.metadata.name.clone()?,
        org_url: spec.org_url.clone(),
        authorization_server_id: id.to_owned(),
        issuer: issuer.to_owned(),
        audience: audience.to_owned(),
        token_endpoint: format!("{}/v1/token", issuer.trim_end_matches('/')),
        scope: server.scope.clone(),
        groups_claim: server.groups_claim.clone(),
        profile_attribute: server.profile_attribute.clone(),
        lifetime: managed.then(|| duration(&server.token_lifetime)).flatten(),
        allow_list: managed && server.access_policy == AccessPolicy::AllowList,
        network_zones: spec.network_zones.clone(),
        on_delete: spec.on_delete,
        on_external_disable: spec.on_external_disable,
        sweep: findings.sweep(),
        installation: home.installation.to_owned(),
        former_installations: spec.former_installations.clone(),
        cluster: spec.cluster_name.clone(),
        neo4j: Arc::new(spec.neo4j.clone()),
        trust: digest(&spec.ca_bundle),
        end_sessions: ends_sessions(&spec.neo4j, home.namespace),
        private_namespace: (spec.credentials == CredentialsVisibility::Private)
            .then(|| home.namespace.to_owned()),
    })
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The account as which the operator ends sessions at Neo4j, if it shall.
#[must_use]
pub fn ends_sessions(neo4j: &Neo4j, operator_namespace: &str) -> Option<AccountName> {
    let name = neo4j.end_sessions_as.clone();
    name.filter(|_| neo4j.end_sessions).map(|name| AccountName {
        namespace: operator_namespace.to_owned(),
        name,
    })
}
