//! `/api/v1/authorizationServers`: the servers themselves and their keys.

use serde_json::{Map, Value};

use crate::app_body::{object, text};
use crate::call::{Answer, Call, Outcome};
use crate::lagged::Lagged;
use crate::log::Target;
use crate::org::Org;
use crate::page;
use crate::refusal::Refusal;
use crate::server_model::{AuthorizationServer, new_server};

struct ServerBody {
    name: String,
    description: String,
    audience: String,
    issuer_mode: String,
    automatic: Option<bool>,
}

fn read(body: &Map<String, Value>) -> Result<ServerBody, Refusal> {
    let name = text(body, "name")?.unwrap_or("").to_owned();
    if name.trim().is_empty() || name.chars().count() > 100 {
        return Err(Refusal::invalid(
            "name",
            "name: Must be between 1 and 100 characters",
        ));
    }
    let audiences = match body.get("audiences") {
        Some(Value::Array(list)) => list.clone(),
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return Err(Refusal::api(400, "E0000003")),
    };
    let [Value::String(audience)] = audiences.as_slice() else {
        return Err(Refusal::invalid(
            "audiences",
            "audiences: Exactly one audience is required",
        ));
    };
    if audience.is_empty() || (audience.contains(':') && url::Url::parse(audience).is_err()) {
        return Err(Refusal::invalid(
            "audiences",
            "audiences: An audience with a colon must be a valid URI",
        ));
    }
    let issuer_mode = text(body, "issuerMode")?.unwrap_or("ORG_URL").to_owned();
    if !["ORG_URL", "CUSTOM_URL", "DYNAMIC"].contains(&issuer_mode.as_str()) {
        return Err(Refusal::invalid(
            "issuerMode",
            "issuerMode: Invalid issuer mode",
        ));
    }
    if issuer_mode == "CUSTOM_URL" {
        return Err(Refusal::invalid(
            "issuerMode",
            "issuerMode: The org has no custom domain",
        ));
    }
    let mut automatic = None;
    if let Some(credentials) = object(body, "credentials")?
        && let Some(signing) = object(credentials, "signing")?
    {
        automatic = match text(signing, "rotationMode")? {
            None => None,
            Some("AUTO") => Some(true),
            Some("MANUAL") => Some(false),
            Some(_) => {
                return Err(Refusal::invalid(
                    "credentials.signing.rotationMode",
                    "rotationMode: Invalid rotation mode",
                ));
            }
        };
    }
    Ok(ServerBody {
        name,
        description: text(body, "description")?.unwrap_or("").to_owned(),
        audience: audience.clone(),
        issuer_mode,
        automatic,
    })
}

pub(crate) fn target(server: &AuthorizationServer) -> Target {
    Target::new(&server.id, "AuthorizationServer", &server.name)
}

/// POST /api/v1/authorizationServers
pub(crate) fn create(org: &mut Org, call: &Call) -> Outcome {
    let body = read(&call.object()?)?;
    let id = org.new_id("aus");
    let mut server = new_server(
        &id,
        &body.name,
        &body.description,
        &body.audience,
        &mut org.sequence,
        call.now,
    );
    server.issuer_mode = body.issuer_mode;
    server.signing.automatic = body.automatic.unwrap_or(true);
    let answer = server.render(&org.url);
    let target = target(&server);
    org.servers.insert(id, Lagged::new(server, call.now));
    org.log.done(call, "oauth2.as.created", vec![target]);
    Ok(Answer::json(201, answer))
}

/// GET /api/v1/authorizationServers
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let q = call.query("q").map(str::to_lowercase);
    let found: Vec<&AuthorizationServer> = org
        .servers
        .values()
        .map(Lagged::get)
        .filter(|server| {
            q.as_ref().is_none_or(|q| {
                server.name.to_lowercase().contains(q) || server.audience.to_lowercase().contains(q)
            })
        })
        .collect();
    page::slice(
        &org.url,
        call,
        &found,
        |server| &server.id,
        |server| server.render(&org.url),
    )
}

/// GET /api/v1/authorizationServers/{asId}
pub(crate) fn get(org: &mut Org, call: &Call) -> Outcome {
    Ok(Answer::json(200, org.server(call)?.render(&org.url)))
}

/// PUT /api/v1/authorizationServers/{asId}
pub(crate) fn replace(org: &mut Org, call: &Call) -> Outcome {
    org.server(call)?;
    let body = read(&call.object()?)?;
    let base = org.url.clone();
    let server = org.server_mut(call)?;
    server.name = body.name;
    server.description = body.description;
    server.audience = body.audience;
    server.issuer_mode = body.issuer_mode;
    server.signing.automatic = body.automatic.unwrap_or(true);
    server.updated = call.now;
    let (answer, target) = (server.render(&base), target(server));
    org.log.done(call, "oauth2.as.updated", vec![target]);
    Ok(Answer::json(200, answer))
}

/// DELETE /api/v1/authorizationServers/{asId}
pub(crate) fn delete(org: &mut Org, call: &Call) -> Outcome {
    let target = target(org.server(call)?);
    org.servers.remove(call.param(0));
    org.log.done(call, "oauth2.as.deleted", vec![target]);
    Ok(Answer::empty(204))
}

/// POST …/lifecycle/activate
pub(crate) fn activate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, true)
}

/// POST …/lifecycle/deactivate
pub(crate) fn deactivate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, false)
}

fn set_active(org: &mut Org, call: &Call, active: bool) -> Outcome {
    let server = org.server_mut(call)?;
    server.active = active;
    server.updated = call.now;
    let target = target(server);
    let verb = if active { "activated" } else { "deactivated" };
    org.log
        .done(call, &format!("oauth2.as.{verb}"), vec![target]);
    Ok(Answer::empty(204))
}

/// GET …/credentials/keys
pub(crate) fn keys(org: &mut Org, call: &Call) -> Outcome {
    Ok(Answer::json(200, org.server(call)?.signing.list()))
}

/// POST …/credentials/lifecycle/keyRotate
pub(crate) fn rotate(org: &mut Org, call: &Call) -> Outcome {
    let body = call.object()?;
    if text(&body, "use")? != Some("sig") {
        return Err(Refusal::invalid("use", "use: Must be 'sig'"));
    }
    let server = org.server_mut(call)?;
    server.signing.rotate(call.now);
    let (answer, target) = (server.signing.list(), target(server));
    org.log
        .done(call, "app.oauth2.as.key.rollover", vec![target]);
    Ok(Answer::json(200, answer))
}
