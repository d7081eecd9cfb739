//! `…/authorizationServers/{asId}/claims`. An expression is not checked when
//! it is saved: it fails, or not, at the token request.

use serde_json::{Map, Value};

use crate::app::strings;
use crate::app_body::{boolean, object, text};
use crate::call::{Answer, Call, Outcome};
use crate::log::Target;
use crate::org::Org;
use crate::refusal::Refusal;
use crate::scopes::parent;
use crate::server_model::{AuthorizationServer, Claim};

const RESERVED: [&str; 13] = [
    "ver",
    "jti",
    "iss",
    "aud",
    "iat",
    "exp",
    "cid",
    "uid",
    "scp",
    "nonce",
    "auth_time",
    "cnf",
    "act",
];

fn read(
    body: &Map<String, Value>,
    server: &AuthorizationServer,
    own: &str,
) -> Result<Claim, Refusal> {
    let name = text(body, "name")?.unwrap_or("").to_owned();
    if name.trim().is_empty() {
        return Err(Refusal::invalid(
            "name",
            "name: The field cannot be left blank",
        ));
    }
    if RESERVED.contains(&name.as_str()) {
        return Err(Refusal::invalid("name", "name: The claim name is reserved"));
    }
    let claim_type = text(body, "claimType")?.unwrap_or("").to_owned();
    if !["RESOURCE", "IDENTITY"].contains(&claim_type.as_str()) {
        return Err(Refusal::invalid(
            "claimType",
            "claimType: Invalid claim type",
        ));
    }
    if server
        .claims
        .iter()
        .any(|claim| claim.name == name && claim.claim_type == claim_type && claim.id != own)
    {
        return Err(Refusal::invalid(
            "name",
            "name: A claim with this name already exists",
        ));
    }
    let value_type = text(body, "valueType")?.unwrap_or("").to_owned();
    if !["EXPRESSION", "GROUPS", "SYSTEM"].contains(&value_type.as_str()) {
        return Err(Refusal::invalid(
            "valueType",
            "valueType: Invalid value type",
        ));
    }
    let value = text(body, "value")?.unwrap_or("").to_owned();
    if value.is_empty() {
        return Err(Refusal::invalid(
            "value",
            "value: The field cannot be left blank",
        ));
    }
    if value.chars().count() > 1024 {
        return Err(Refusal::invalid(
            "value",
            "value: The expression is longer than 1024 characters",
        ));
    }
    let scopes: Vec<String> = match object(body, "conditions")? {
        Some(conditions) => strings(conditions.get("scopes"))
            .into_iter()
            .map(str::to_owned)
            .collect(),
        None => Vec::new(),
    };
    if scopes
        .iter()
        .any(|name| !server.scopes.iter().any(|scope| scope.name == *name))
    {
        return Err(Refusal::invalid(
            "conditions.scopes",
            "conditions.scopes: Resource not found",
        ));
    }
    let active = match text(body, "status")? {
        None | Some("ACTIVE") => true,
        Some("INACTIVE") => false,
        Some(_) => return Err(Refusal::invalid("status", "status: Invalid status")),
    };
    let always =
        claim_type == "RESOURCE" || boolean(body, "alwaysIncludeInToken")?.unwrap_or(false);
    Ok(Claim {
        id: own.to_owned(),
        name,
        system: false,
        active,
        claim_type,
        value_type,
        value,
        always,
        scopes,
        group_filter_type: text(body, "group_filter_type")?.map(str::to_owned),
    })
}

fn target(claim: &Claim) -> Target {
    Target::new(&claim.id, "AuthorizationServerClaim", &claim.name)
}

fn find<'a>(server: &'a AuthorizationServer, call: &Call) -> Result<&'a Claim, Refusal> {
    server
        .claims
        .iter()
        .find(|claim| claim.id == call.param(1))
        .ok_or_else(|| Refusal::not_found(call.param(1), "OAuth2Claim"))
}

/// POST …/claims
pub(crate) fn create(org: &mut Org, call: &Call) -> Outcome {
    let mut claim = read(&call.object()?, org.server(call)?, "")?;
    claim.id = org.new_id("ocl");
    let answer = claim.render(&parent(org, call));
    let target = target(&claim);
    org.server_mut(call)?.claims.push(claim);
    org.log.done(call, "oauth2.claim.created", vec![target]);
    Ok(Answer::json(201, answer))
}

/// GET …/claims, never paged.
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let parent = parent(org, call);
    let claims = org
        .server(call)?
        .claims
        .iter()
        .map(|claim| claim.render(&parent))
        .collect();
    Ok(Answer::json(200, Value::Array(claims)))
}

/// GET …/claims/{claimId}
pub(crate) fn get(org: &mut Org, call: &Call) -> Outcome {
    Ok(Answer::json(
        200,
        find(org.server(call)?, call)?.render(&parent(org, call)),
    ))
}

/// PUT …/claims/{claimId}
pub(crate) fn replace(org: &mut Org, call: &Call) -> Outcome {
    let system = find(org.server(call)?, call)?.system;
    let mut claim = read(&call.object()?, org.server(call)?, call.param(1))?;
    claim.system = system;
    let answer = claim.render(&parent(org, call));
    let target = target(&claim);
    for old in org
        .server_mut(call)?
        .claims
        .iter_mut()
        .filter(|old| old.id == claim.id)
    {
        *old = claim.clone();
    }
    org.log.done(call, "oauth2.claim.updated", vec![target]);
    Ok(Answer::json(200, answer))
}

/// DELETE …/claims/{claimId}
pub(crate) fn delete(org: &mut Org, call: &Call) -> Outcome {
    let claim = find(org.server(call)?, call)?;
    if claim.system {
        return Err(Refusal::forbidden());
    }
    let target = target(claim);
    org.server_mut(call)?
        .claims
        .retain(|claim| claim.id != call.param(1));
    org.log.done(call, "oauth2.claim.deleted", vec![target]);
    Ok(Answer::empty(204))
}
