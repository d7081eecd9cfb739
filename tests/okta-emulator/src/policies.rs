//! `…/authorizationServers/{asId}/policies`: full replacement, every client
//! must exist, and priorities close ranks after every write.

use serde_json::{Map, Value};

use crate::app::strings;
use crate::app_body::{object, text};
use crate::call::{Answer, Call, Outcome};
use crate::log::Target;
use crate::org::Org;
use crate::refusal::Refusal;
use crate::scopes::parent;
use crate::server_model::{AuthorizationServer, Policy};

struct PolicyBody {
    name: String,
    description: String,
    active: bool,
    clients: Vec<String>,
    priority: Option<usize>,
}

fn read(
    body: &Map<String, Value>,
    org: &Org,
    call: &Call,
    own: &str,
) -> Result<PolicyBody, Refusal> {
    match text(body, "type")? {
        Some("OAUTH_AUTHORIZATION_POLICY") => {}
        _ => {
            return Err(Refusal::invalid(
                "type",
                "type: Must be 'OAUTH_AUTHORIZATION_POLICY'",
            ));
        }
    }
    let name = name(body, 100)?;
    if org
        .server(call)?
        .policies
        .iter()
        .any(|policy| policy.name == name && policy.id != own)
    {
        return Err(Refusal::invalid("name", "name: Policy name already in use"));
    }
    let description = text(body, "description")?.unwrap_or("").to_owned();
    if description.is_empty() || description.chars().count() > 255 {
        return Err(Refusal::invalid(
            "description",
            "description: Must be between 1 and 255 characters",
        ));
    }
    let clients = match object(body, "conditions")? {
        Some(conditions) => match object(conditions, "clients")? {
            Some(clients) => strings(clients.get("include")),
            None => Vec::new(),
        },
        None => Vec::new(),
    };
    if clients.is_empty() && !org.behaviour.policies_may_be_empty {
        return Err(Refusal::invalid(
            "conditions.clients.include",
            "conditions.clients.include: The field cannot be left blank",
        ));
    }
    // The clients of this policy that it may go on to name although they are gone.
    let tolerated = org
        .server(call)?
        .policy(own)
        .filter(|_| org.behaviour.deleted_clients_may_stay_listed)
        .map_or_else(Vec::new, |policy| policy.clients.clone());
    if clients.iter().any(|id| {
        *id != "ALL_CLIENTS"
            && org.app_of_client(id).is_none()
            && !tolerated.iter().any(|known| known == id)
    }) {
        return Err(Refusal::invalid(
            "conditions.clients.include",
            "conditions.clients.include: Resource not found",
        ));
    }
    Ok(PolicyBody {
        name,
        description,
        active: active(body)?,
        clients: clients.into_iter().map(str::to_owned).collect(),
        priority: priority(body)?,
    })
}

/// A name within a length; policies and rules.
pub(crate) fn name(body: &Map<String, Value>, longest: usize) -> Result<String, Refusal> {
    let name = text(body, "name")?.unwrap_or("").to_owned();
    if name.trim().is_empty() || name.chars().count() > longest {
        return Err(Refusal::invalid(
            "name",
            &format!("name: Must be between 1 and {longest} characters"),
        ));
    }
    Ok(name)
}

/// A status; policies and rules.
pub(crate) fn active(body: &Map<String, Value>) -> Result<bool, Refusal> {
    match text(body, "status")? {
        None | Some("ACTIVE") => Ok(true),
        Some("INACTIVE") => Ok(false),
        Some(_) => Err(Refusal::invalid("status", "status: Invalid status")),
    }
}

/// A wish for a priority; policies and rules.
pub(crate) fn priority(body: &Map<String, Value>) -> Result<Option<usize>, Refusal> {
    match body.get("priority") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .filter(|priority| *priority > 0)
            .map(|priority| Some(priority as usize))
            .ok_or_else(|| Refusal::invalid("priority", "priority: Must be a positive integer")),
    }
}

/// Puts an item at its priority, or last; returns the one that it got.
pub(crate) fn place<T>(items: &mut Vec<T>, item: T, priority: Option<usize>) -> usize {
    let at = priority.map_or(items.len(), |priority| (priority - 1).min(items.len()));
    items.insert(at, item);
    at + 1
}

fn target(policy: &Policy) -> Target {
    Target::new(&policy.id, "AuthorizationServerPolicy", &policy.name)
}

pub(crate) fn missing_policy(call: &Call) -> Refusal {
    Refusal::not_found(call.param(1), "Policy")
}

fn position(server: &AuthorizationServer, call: &Call) -> Result<usize, Refusal> {
    server
        .policies
        .iter()
        .position(|policy| policy.id == call.param(1))
        .ok_or_else(|| missing_policy(call))
}

/// POST …/policies
pub(crate) fn create(org: &mut Org, call: &Call) -> Outcome {
    let body = read(&call.object()?, org, call, "")?;
    let policy = Policy {
        id: org.new_id("00p"),
        name: body.name,
        description: body.description,
        active: body.active,
        clients: body.clients,
        created: call.now,
        updated: call.now,
        rules: Vec::new(),
    };
    let target = target(&policy);
    let parent = parent(org, call);
    let policies = &mut org.server_mut(call)?.policies;
    let priority = place(policies, policy, body.priority);
    let answer = policies[priority - 1].render(&parent, priority);
    org.log.done(call, "policy.lifecycle.create", vec![target]);
    Ok(Answer::json(201, answer))
}

/// GET …/policies
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let parent = parent(org, call);
    let policies = org
        .server(call)?
        .policies
        .iter()
        .enumerate()
        .map(|(n, policy)| policy.render(&parent, n + 1))
        .collect();
    Ok(Answer::json(200, Value::Array(policies)))
}

/// GET …/policies/{policyId}
pub(crate) fn get(org: &mut Org, call: &Call) -> Outcome {
    let server = org.server(call)?;
    let at = position(server, call)?;
    Ok(Answer::json(
        200,
        server.policies[at].render(&parent(org, call), at + 1),
    ))
}

/// PUT …/policies/{policyId}
pub(crate) fn replace(org: &mut Org, call: &Call) -> Outcome {
    let at = position(org.server(call)?, call)?;
    let body = read(&call.object()?, org, call, call.param(1))?;
    let parent = parent(org, call);
    let policies = &mut org.server_mut(call)?.policies;
    let mut policy = policies.remove(at);
    policy.name = body.name;
    policy.description = body.description;
    policy.active = body.active;
    policy.clients = body.clients;
    policy.updated = call.now;
    let target = target(&policy);
    let priority = place(policies, policy, body.priority);
    let answer = policies[priority - 1].render(&parent, priority);
    org.log.done(call, "policy.lifecycle.update", vec![target]);
    Ok(Answer::json(200, answer))
}

/// DELETE …/policies/{policyId}
pub(crate) fn delete(org: &mut Org, call: &Call) -> Outcome {
    let at = position(org.server(call)?, call)?;
    let policy = org.server_mut(call)?.policies.remove(at);
    org.log
        .done(call, "policy.lifecycle.delete", vec![target(&policy)]);
    Ok(Answer::empty(204))
}

/// POST …/policies/{policyId}/lifecycle/activate
pub(crate) fn activate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, true)
}

/// POST …/policies/{policyId}/lifecycle/deactivate
pub(crate) fn deactivate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, false)
}

fn set_active(org: &mut Org, call: &Call, active: bool) -> Outcome {
    let at = position(org.server(call)?, call)?;
    let policy = &mut org.server_mut(call)?.policies[at];
    policy.active = active;
    policy.updated = call.now;
    let target = target(policy);
    let verb = if active { "activate" } else { "deactivate" };
    org.log
        .done(call, &format!("policy.lifecycle.{verb}"), vec![target]);
    Ok(Answer::empty(204))
}
