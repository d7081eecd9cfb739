//! `/api/v1/apps/{appId}/credentials/jwks`: the public keys of a client. Keys
//! for encryption are not emulated.

use serde_json::{Value, json};

use crate::app::{App, ClientKey, status};
use crate::apps::client_target;
use crate::call::{Answer, Call, Outcome, Principal};
use crate::clock::iso;
use crate::keys_body::public_jwk;
use crate::org::Org;
use crate::refusal::Refusal;

fn render(base: &str, app: &App, key: &ClientKey) -> Value {
    let link = format!("{base}/api/v1/apps/{}/credentials/jwks/{}", app.id, key.id);
    let mut value = Value::Object(key.jwk.clone());
    value["id"] = json!(key.id);
    value["status"] = json!(status(key.active));
    value["created"] = json!(iso(key.created));
    value["lastUpdated"] = json!(iso(key.updated));
    value["_links"] = if key.active {
        json!({ "deactivate": { "href": format!("{link}/lifecycle/deactivate"), "hints": { "allow": ["POST"] } } })
    } else {
        json!({
            "activate": { "href": format!("{link}/lifecycle/activate"), "hints": { "allow": ["POST"] } },
            "delete": { "href": link, "hints": { "allow": ["DELETE"] } },
        })
    };
    value
}

fn find<'a>(app: &'a App, call: &Call) -> Result<&'a ClientKey, Refusal> {
    app.keys
        .iter()
        .find(|key| key.id == call.param(1))
        .ok_or_else(|| Refusal::not_found(call.param(1), "OAuth2ClientJsonWebKey"))
}

/// Only a super admin touches the keys of an app that holds Okta API scopes.
fn may_change(org: &Org, app: &App, call: &Call) -> Result<(), Refusal> {
    let super_admin = match &call.principal {
        Principal::Admin => true,
        Principal::ApiToken => org.api_token_roles.iter().any(|role| role == "SUPER_ADMIN"),
        Principal::Client { client_id, .. } => org
            .app_of_client(client_id)
            .is_some_and(|app| app.get().roles.iter().any(|role| role == "SUPER_ADMIN")),
        Principal::Anonymous => false,
    };
    if app.grants.is_empty() || super_admin {
        Ok(())
    } else {
        Err(Refusal::forbidden())
    }
}

/// GET …/jwks: the keys alone, as the published schema has it.
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let app = org.app(call)?;
    let keys = app
        .keys
        .iter()
        .map(|key| render(&org.url, app, key))
        .collect();
    Ok(Answer::json(200, Value::Array(keys)))
}

/// GET …/jwks/{keyId}
pub(crate) fn get(org: &mut Org, call: &Call) -> Outcome {
    let app = org.app(call)?;
    Ok(Answer::json(200, render(&org.url, app, find(app, call)?)))
}

/// POST …/jwks
pub(crate) fn create(org: &mut Org, call: &Call) -> Outcome {
    let body = call.object()?;
    let active = match body.get("status").and_then(Value::as_str) {
        None | Some("ACTIVE") => true,
        Some("INACTIVE") => false,
        Some(_) => return Err(Refusal::invalid("status", "status: Invalid status")),
    };
    let jwk = public_jwk(&Value::Object(body))?;
    let app = org.app(call)?;
    may_change(org, app, call)?;
    let refuse = |cause: &str| Err(Refusal::invalid("jwks", cause));
    if app.keys.len() >= 50 {
        return refuse("jwks: The maximum number of keys is 50");
    }
    if app.keys.iter().any(|key| key.kid().is_none()) {
        return refuse("kid: An existing key has no kid, so no other key can be added");
    }
    let Some(kid) = jwk.get("kid").and_then(Value::as_str) else {
        if app.keys.is_empty() {
            return add(org, call, jwk, active);
        }
        return refuse("kid: The field cannot be left blank");
    };
    if app.keys.iter().any(|key| key.kid() == Some(kid)) {
        return refuse("kid: The kid must be unique");
    }
    add(org, call, jwk, active)
}

fn add(org: &mut Org, call: &Call, jwk: serde_json::Map<String, Value>, active: bool) -> Outcome {
    let key = ClientKey {
        id: org.new_id("pks"),
        jwk,
        active,
        created: call.now,
        updated: call.now,
    };
    let app = org.app_mut(call)?;
    app.keys.push(key.clone());
    app.updated = call.now;
    let target = client_target(app);
    let answer = render(&org.url, org.app(call)?, &key);
    org.log.done(
        call,
        "app.oauth2.credentials.lifecycle.create",
        vec![target],
    );
    Ok(Answer::json(201, answer))
}

/// POST …/jwks/{keyId}/lifecycle/activate
pub(crate) fn activate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, true)
}

/// POST …/jwks/{keyId}/lifecycle/deactivate
pub(crate) fn deactivate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, false)
}

fn set_active(org: &mut Org, call: &Call, active: bool) -> Outcome {
    let app = org.app(call)?;
    let key = find(app, call)?;
    may_change(org, app, call)?;
    let only = app.keys.iter().filter(|key| key.active).count() == 1;
    if !active && key.active && only && app.auth_method == "private_key_jwt" {
        return Err(Refusal::invalid(
            "jwks",
            "jwks: You can't deactivate the only active key",
        ));
    }
    let app = org.app_mut(call)?;
    for key in app.keys.iter_mut().filter(|key| key.id == call.param(1)) {
        key.active = active;
        key.updated = call.now;
    }
    let target = client_target(app);
    let app = org.app(call)?;
    let answer = render(&org.url, app, find(app, call)?);
    let verb = if active { "activate" } else { "deactivate" };
    org.log.done(
        call,
        &format!("app.oauth2.credentials.lifecycle.{verb}"),
        vec![target],
    );
    Ok(Answer::json(200, answer))
}

/// DELETE …/jwks/{keyId}
pub(crate) fn delete(org: &mut Org, call: &Call) -> Outcome {
    let app = org.app(call)?;
    if find(app, call)?.active {
        return Err(Refusal::invalid(
            "jwks",
            "jwks: You can't delete an active key",
        ));
    }
    may_change(org, app, call)?;
    let app = org.app_mut(call)?;
    app.keys.retain(|key| key.id != call.param(1));
    let target = client_target(app);
    org.log.done(
        call,
        "app.oauth2.credentials.lifecycle.delete",
        vec![target],
    );
    Ok(Answer::empty(204))
}
