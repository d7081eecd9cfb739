//! The issuer's planner: which object in the authorization server is missing or
//! wrong, and what follows. Pure. On a shared server it creates what is missing,
//! repairs only what it created, and never overwrites what others made: people
//! log in with it.

use serde_json::{Value, json};

use super::policy::{Edit, Edits};
pub use super::policy_name::Identity;
use crate::api::conditions::Reason;
use crate::api::{AccessPolicy, CreatedObjects, Management, OktaIssuerSpec};
use crate::plan::desired::duration;

/// What was read from the authorization server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerView {
    /// The server, if it exists.
    pub server: Option<Value>,
    /// Its scopes.
    pub scopes: Vec<Value>,
    /// Its claims.
    pub claims: Vec<Value>,
    /// Its policies, in Okta's order.
    pub policies: Vec<Value>,
    /// The rules of each policy, by the policy's id.
    pub rules: Vec<(String, Vec<Value>)>,
}

/// One effect in the authorization server.
#[derive(Clone, Debug, PartialEq)]
pub enum IssuerStep {
    /// Create the server.
    CreateServer(Value),
    /// Create the scope.
    CreateScope(Value),
    /// Put our scope right.
    RepairScope(String, Value),
    /// Create the claim.
    CreateClaim(Value),
    /// Put our claim right.
    RepairClaim(String, Value),
    /// Create a policy.
    CreatePolicy(Value),
    /// Replace a policy of ours.
    ReplacePolicy(String, Value),
    /// Create the rule of a policy.
    CreateRule(String, Value),
    /// Put our rule right.
    RepairRule(String, String, Value),
}

/// Which condition a problem belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// `AuthorizationServerReady`.
    Server,
    /// `PolicySynced`.
    Policy,
}

/// What to do next for an issuer.
#[derive(Clone, Debug, PartialEq)]
pub enum IssuerNext {
    /// This one effect.
    Do(IssuerStep),
    /// All is in place.
    Done,
    /// Somebody must act.
    Blocked {
        /// Which condition says so.
        concern: Concern,
        /// The stable reason.
        reason: Reason,
        /// In words, with the repair.
        message: String,
    },
}

fn blocked(concern: Concern, reason: Reason, message: String) -> IssuerNext {
    IssuerNext::Blocked {
        concern,
        reason,
        message,
    }
}

/// What an issuer needs in its org, in the order in which it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The authorization server.
    Server,
    /// The scope.
    Scope,
    /// The claim with the groups.
    Claim,
    /// The access policies and their rules.
    Policy,
}

impl Piece {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Server, Self::Scope, Self::Claim, Self::Policy];
}

/// What is to be done about one piece, or why nothing can be; `None` when it is
/// in order.
#[must_use]
pub fn piece(
    piece: Piece,
    spec: &OktaIssuerSpec,
    identity: Identity<'_>,
    created: &CreatedObjects,
    view: &ServerView,
    edits: &Edits,
) -> Option<IssuerNext> {
    match piece {
        Piece::Server => server(spec, view),
        Piece::Scope => scope(spec, created, view),
        Piece::Claim => claim(spec, created, view),
        Piece::Policy => policy(spec, identity, created, view, edits),
    }
}

/// The one next effect, or why there is none.
#[must_use]
pub fn next(
    spec: &OktaIssuerSpec,
    identity: Identity<'_>,
    created: &CreatedObjects,
    view: &ServerView,
    edits: &Edits,
) -> IssuerNext {
    Piece::ALL
        .into_iter()
        .find_map(|one| piece(one, spec, identity, created, view, edits))
        .unwrap_or(IssuerNext::Done)
}

fn server(spec: &OktaIssuerSpec, view: &ServerView) -> Option<IssuerNext> {
    let wanted = &spec.authorization_server;
    let Some(server) = &view.server else {
        let (Some(name), Management::Managed) = (&wanted.name, wanted.management) else {
            let which = wanted
                .id
                .as_ref()
                .or(wanted.name.as_ref())
                .map_or("", String::as_str);
            return Some(blocked(
                Concern::Server,
                Reason::AuthorizationServerNotFound,
                format!(
                    "spec.authorizationServer: the org has no authorization server {which}; correct it, or use name with management Managed to have one created"
                ),
            ));
        };
        return Some(IssuerNext::Do(IssuerStep::CreateServer(json!({
            "name": name,
            "description": "Tokens for Neo4j. Managed by neo4j-okta-operator.",
            "audiences": [wanted.audience.clone().unwrap_or_default()],
            // A fixed issuer: with DYNAMIC it would follow the host asked.
            "issuerMode": "ORG_URL",
        }))));
    };
    if server["status"] == "INACTIVE" {
        return Some(blocked(
            Concern::Server,
            Reason::AuthorizationServerInactive,
            "the authorization server is not active; activate it in Okta's Admin Console"
                .to_owned(),
        ));
    }
    let audience = server["audiences"][0].as_str().unwrap_or_default();
    match &wanted.audience {
        Some(expected) if expected != audience => Some(blocked(
            Concern::Server,
            Reason::AudienceMismatch,
            format!(
                "spec.authorizationServer.audience is {expected}, the server's is {audience}; make them equal, as Neo4j checks it"
            ),
        )),
        _ => None,
    }
}

fn scope(spec: &OktaIssuerSpec, created: &CreatedObjects, view: &ServerView) -> Option<IssuerNext> {
    let wanted = &spec.authorization_server;
    let body = json!({
        "name": wanted.scope,
        "description": "Groups of Neo4j service accounts. Managed by neo4j-okta-operator.",
        "consent": "IMPLICIT",
        "metadataPublish": "NO_CLIENTS",
        "default": false,
    });
    let Some(found) = view.scopes.iter().find(|s| s["name"] == wanted.scope) else {
        return Some(match wanted.management {
            Management::Managed => IssuerNext::Do(IssuerStep::CreateScope(body)),
            Management::External => blocked(
                Concern::Server,
                Reason::ScopeMissing,
                format!(
                    "the authorization server has no scope {}; add it there, or set spec.authorizationServer.management to Managed",
                    wanted.scope
                ),
            ),
        });
    };
    // Consent of a user can never be had in client_credentials.
    if found["consent"] != "REQUIRED" {
        return None;
    }
    let id = found["id"].as_str().unwrap_or_default();
    if wanted.management == Management::Managed && created.scope_id.as_deref() == Some(id) {
        return Some(IssuerNext::Do(IssuerStep::RepairScope(id.to_owned(), body)));
    }
    Some(blocked(
        Concern::Server,
        Reason::ScopeConflict,
        format!(
            "scope {} of the authorization server requires consent, which no service can give; set its consent to implicit, or choose another scope in spec.authorizationServer.scope",
            wanted.scope
        ),
    ))
}

fn claim(spec: &OktaIssuerSpec, created: &CreatedObjects, view: &ServerView) -> Option<IssuerNext> {
    let wanted = &spec.authorization_server;
    let body = json!({
        "name": wanted.groups_claim,
        "status": "ACTIVE",
        "claimType": "RESOURCE",
        "valueType": "EXPRESSION",
        "value": wanted.groups_expression,
        "alwaysIncludeInToken": true,
        "conditions": { "scopes": [wanted.scope] },
    });
    let mut namesakes = view
        .claims
        .iter()
        .filter(|c| c["name"] == wanted.groups_claim && c["claimType"] == "RESOURCE")
        .peekable();
    if namesakes.peek().is_none() {
        return Some(match wanted.management {
            Management::Managed => IssuerNext::Do(IssuerStep::CreateClaim(body)),
            Management::External => blocked(
                Concern::Server,
                Reason::ClaimMissing,
                format!(
                    "the authorization server has no access-token claim {}; add one with the value {} for scope {}, or set spec.authorizationServer.management to Managed",
                    wanted.groups_claim, wanted.groups_expression, wanted.scope
                ),
            ),
        });
    }
    let suits = |claim: &Value| {
        let scopes = claim["conditions"]["scopes"].as_array();
        claim["status"] != "INACTIVE"
            && (scopes.is_none_or(Vec::is_empty)
                || scopes.is_some_and(|s| s.contains(&json!(wanted.scope))))
            && (wanted.management == Management::External
                || (claim["value"] == wanted.groups_expression
                    && claim["valueType"] == "EXPRESSION"))
    };
    if namesakes.clone().any(suits) {
        return None;
    }
    if let Some(ours) = namesakes
        .find(|c| c["id"].as_str().is_some() && c["id"].as_str() == created.claim_id.as_deref())
        && wanted.management == Management::Managed
    {
        let id = ours["id"].as_str().unwrap_or_default().to_owned();
        return Some(IssuerNext::Do(IssuerStep::RepairClaim(id, body)));
    }
    Some(blocked(
        Concern::Server,
        Reason::ClaimConflict,
        format!(
            "the authorization server has an access-token claim {} with another value or for other scopes, and others may rely on it; choose another spec.authorizationServer.groupsClaim, or give that claim the value {} for scope {}",
            wanted.groups_claim, wanted.groups_expression, wanted.scope
        ),
    ))
}

/// Our policies, by remembered id or by the marker in their description.
#[must_use]
pub fn our_policies<'a>(
    identity: Identity<'_>,
    created: &CreatedObjects,
    view: &'a ServerView,
) -> Vec<&'a Value> {
    view.policies
        .iter()
        .filter(|p| {
            let id = p["id"].as_str().unwrap_or_default();
            created.policies.iter().any(|c| c.id == id) || identity.marks(p)
        })
        .collect()
}

pub(super) fn rules_of<'a>(view: &'a ServerView, policy: &Value) -> &'a [Value] {
    let id = policy["id"].as_str().unwrap_or_default();
    view.rules
        .iter()
        .find(|(of, _)| of == id)
        .map_or(&[], |(_, rules)| rules)
}

/// Whether a rule lets `client_credentials` have the scope.
pub(super) fn grants(rule: &Value, scope: &str) -> bool {
    let includes = |list: &Value, word: &str| {
        list["include"]
            .as_array()
            .is_some_and(|l| l.iter().any(|v| v == word || v == "*"))
    };
    rule["status"] != "INACTIVE"
        && includes(&rule["conditions"]["grantTypes"], "client_credentials")
        && includes(&rule["conditions"]["scopes"], scope)
}

fn policy(
    spec: &OktaIssuerSpec,
    identity: Identity<'_>,
    created: &CreatedObjects,
    view: &ServerView,
    edits: &Edits,
) -> Option<IssuerNext> {
    let wanted = &spec.authorization_server;
    if wanted.management == Management::External {
        let some = view
            .policies
            .iter()
            .filter(|p| p["status"] != "INACTIVE")
            .flat_map(|p| rules_of(view, p))
            .any(|r| grants(r, &wanted.scope));
        return (!some).then(|| blocked(Concern::Policy, Reason::PolicyMissing, format!(
            "no access policy of the authorization server has an active rule for client_credentials and scope {}, so no client gets a token; add one in Okta's Admin Console, or set spec.authorizationServer.management to Managed", wanted.scope
        )));
    }
    let ours = our_policies(identity, created, view);
    for policy in &ours {
        if let Some(next) = rule(spec, created, view, policy) {
            return Some(next);
        }
    }
    if wanted.access_policy == AccessPolicy::AllClients {
        return ours.is_empty().then(|| {
            let mut body = policy_body(identity, view, &["ALL_CLIENTS".to_owned()]);
            // Last: in front it would answer for clients that are none of ours.
            if let Some(body) = body.as_object_mut() {
                body.remove("priority");
            }
            IssuerNext::Do(IssuerStep::CreatePolicy(body))
        });
    }
    match edits.edits.first() {
        Some(Edit::Create { include }) => Some(IssuerNext::Do(IssuerStep::CreatePolicy(
            policy_body(identity, view, include),
        ))),
        Some(Edit::Replace { id, body }) => Some(IssuerNext::Do(IssuerStep::ReplacePolicy(
            id.clone(),
            body.clone(),
        ))),
        None if edits.held > 0 => Some(blocked(
            Concern::Policy,
            Reason::MassRemoval,
            format!(
                "{0} clients would be removed from the access policy at once, which is more than is plausible; if it is right: kubectl annotate oktaissuer {1} {2}={0} --overwrite",
                edits.held,
                identity.name,
                crate::api::names::ANNOTATION_CONFIRM_REMOVALS
            ),
        )),
        None => None,
    }
}

fn policy_body(identity: Identity<'_>, view: &ServerView, include: &[String]) -> Value {
    json!({
        "type": "OAUTH_AUTHORIZATION_POLICY",
        "name": identity.free_name(&view.policies),
        "description": identity.marker(),
        "status": "ACTIVE",
        // First, so that no foreign policy answers for our clients.
        "priority": 1,
        "conditions": { "clients": { "include": include } },
    })
}

fn rule(
    spec: &OktaIssuerSpec,
    created: &CreatedObjects,
    view: &ServerView,
    policy: &Value,
) -> Option<IssuerNext> {
    let wanted = &spec.authorization_server;
    let policy_id = policy["id"].as_str()?.to_owned();
    let minutes = duration(&wanted.token_lifetime).map_or(60, |d| d.as_secs() / 60);
    let body = json!({
        "type": "RESOURCE_ACCESS",
        "name": "neo4j-okta-operator",
        "status": "ACTIVE",
        "priority": 1,
        "conditions": {
            "grantTypes": { "include": ["client_credentials"] },
            "scopes": { "include": [wanted.scope] },
        },
        "actions": { "token": {
            "accessTokenLifetimeMinutes": minutes,
            "refreshTokenLifetimeMinutes": 0,
            "refreshTokenWindowMinutes": 10080,
        } },
    });
    let rules = rules_of(view, policy);
    let remembered = created
        .policies
        .iter()
        .find(|c| c.id == policy_id)
        .and_then(|c| c.rule_id.clone());
    let ours = rules.iter().find(|r| {
        r["name"] == "neo4j-okta-operator"
            || (remembered.is_some() && r["id"].as_str() == remembered.as_deref())
    });
    let Some(found) = ours else {
        return Some(IssuerNext::Do(IssuerStep::CreateRule(policy_id, body)));
    };
    let right = grants(found, &wanted.scope)
        && found["actions"]["token"]["accessTokenLifetimeMinutes"] == json!(minutes)
        && found["conditions"]["scopes"]["include"] == json!([wanted.scope])
        && found["conditions"]["grantTypes"]["include"] == json!(["client_credentials"]);
    let id = found["id"].as_str().unwrap_or_default().to_owned();
    (!right).then_some(IssuerNext::Do(IssuerStep::RepairRule(policy_id, id, body)))
}

#[cfg(test)]
#[path = "issuer_tests.rs"]
mod tests;
