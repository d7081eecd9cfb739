//! `…/authorizationServers/{asId}/scopes`: Okta's own names are reserved,
//! `groups` among them.

use serde_json::{Map, Value, json};

use crate::app_body::{boolean, text};
use crate::call::{Answer, Call, Outcome};
use crate::log::Target;
use crate::org::Org;
use crate::page;
use crate::refusal::Refusal;
use crate::server_model::{AuthorizationServer, Scope};

const RESERVED: [&str; 8] = [
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
    "device_sso",
    "groups",
];

fn read(
    body: &Map<String, Value>,
    server: &AuthorizationServer,
    own: &str,
) -> Result<Scope, Refusal> {
    let name = text(body, "name")?.unwrap_or("").to_owned();
    let printable = |c: char| matches!(c, '\u{21}'..='\u{7e}') && !"\"\\".contains(c);
    if name.is_empty() || !name.chars().all(printable) {
        return Err(Refusal::invalid("name", "name: Invalid scope name"));
    }
    if RESERVED.contains(&name.as_str()) || name.starts_with("okta.") {
        return Err(Refusal::invalid("name", "name: The scope name is reserved"));
    }
    if server
        .scopes
        .iter()
        .any(|scope| scope.name == name && scope.id != own)
    {
        return Err(Refusal::invalid(
            "name",
            "name: A scope with this name already exists",
        ));
    }
    let consent = text(body, "consent")?.unwrap_or("IMPLICIT").to_owned();
    if !["IMPLICIT", "REQUIRED", "FLEXIBLE"].contains(&consent.as_str()) {
        return Err(Refusal::invalid("consent", "consent: Invalid consent type"));
    }
    let publish = text(body, "metadataPublish")?.unwrap_or("NO_CLIENTS");
    if !["ALL_CLIENTS", "NO_CLIENTS"].contains(&publish) {
        return Err(Refusal::invalid(
            "metadataPublish",
            "metadataPublish: Invalid value",
        ));
    }
    let mut rest = Map::new();
    for name in ["displayName", "description"] {
        if let Some(value) = text(body, name)? {
            rest.insert(name.to_owned(), json!(value));
        }
    }
    rest.insert("metadataPublish".into(), json!(publish));
    rest.insert(
        "optional".into(),
        json!(boolean(body, "optional")?.unwrap_or(false)),
    );
    Ok(Scope {
        id: own.to_owned(),
        name,
        system: false,
        default: boolean(body, "default")?.unwrap_or(false),
        consent,
        rest,
    })
}

pub(crate) fn parent(org: &Org, call: &Call) -> String {
    format!("{}/api/v1/authorizationServers/{}", org.url, call.param(0))
}

fn target(scope: &Scope) -> Target {
    Target::new(&scope.id, "AuthorizationServerScope", &scope.name)
}

fn find<'a>(server: &'a AuthorizationServer, call: &Call) -> Result<&'a Scope, Refusal> {
    server
        .scopes
        .iter()
        .find(|scope| scope.id == call.param(1))
        .ok_or_else(|| Refusal::not_found(call.param(1), "OAuth2Scope"))
}

/// POST …/scopes
pub(crate) fn create(org: &mut Org, call: &Call) -> Outcome {
    let mut scope = read(&call.object()?, org.server(call)?, "")?;
    scope.id = org.new_id("scp");
    let answer = scope.render(&parent(org, call));
    let target = target(&scope);
    org.server_mut(call)?.scopes.push(scope);
    org.log.done(call, "oauth2.scope.created", vec![target]);
    Ok(Answer::json(201, answer))
}

/// GET …/scopes
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let q = call.query("q").map(str::to_lowercase);
    let found: Vec<&Scope> = org
        .server(call)?
        .scopes
        .iter()
        .filter(|scope| {
            q.as_ref()
                .is_none_or(|q| scope.name.to_lowercase().contains(q))
        })
        .collect();
    let parent = parent(org, call);
    page::slice(
        &org.url,
        call,
        &found,
        |scope| &scope.id,
        |scope| scope.render(&parent),
    )
}

/// GET …/scopes/{scopeId}
pub(crate) fn get(org: &mut Org, call: &Call) -> Outcome {
    Ok(Answer::json(
        200,
        find(org.server(call)?, call)?.render(&parent(org, call)),
    ))
}

/// PUT …/scopes/{scopeId}
pub(crate) fn replace(org: &mut Org, call: &Call) -> Outcome {
    if find(org.server(call)?, call)?.system {
        return Err(Refusal::forbidden());
    }
    let scope = read(&call.object()?, org.server(call)?, call.param(1))?;
    let answer = scope.render(&parent(org, call));
    let target = target(&scope);
    for old in org
        .server_mut(call)?
        .scopes
        .iter_mut()
        .filter(|old| old.id == scope.id)
    {
        *old = scope.clone();
    }
    org.log.done(call, "oauth2.scope.updated", vec![target]);
    Ok(Answer::json(200, answer))
}

/// DELETE …/scopes/{scopeId}
pub(crate) fn delete(org: &mut Org, call: &Call) -> Outcome {
    let scope = find(org.server(call)?, call)?;
    if scope.system {
        return Err(Refusal::forbidden());
    }
    let target = target(scope);
    org.server_mut(call)?
        .scopes
        .retain(|scope| scope.id != call.param(1));
    org.log.done(call, "oauth2.scope.deleted", vec![target]);
    Ok(Answer::empty(204))
}
