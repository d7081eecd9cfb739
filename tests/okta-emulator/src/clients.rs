//! `/oauth2/v1/clients`: the same apps through the RFC 7591 door, which knows
//! client ids and nothing of profiles; and the roles and grants of a client.

use std::ops::Bound;

use serde_json::{Value, json};

use crate::app::App;
use crate::app_body::text;
use crate::apps::{client_target, new_secret};
use crate::call::{Answer, Call, Outcome};
use crate::ids;
use crate::org::Org;
use crate::page;
use crate::refusal::Refusal;

fn find<'a>(org: &'a Org, call: &Call) -> Result<&'a App, Refusal> {
    org.app_of_client(call.param(0))
        .filter(|app| call.method != "GET" || app.seen(call.now, org.lag_for(call)).is_some())
        .map(crate::lagged::Lagged::get)
        .ok_or_else(|| Refusal::not_found(call.param(0), "PublicClientApp"))
}

/// GET /oauth2/v1/clients/{clientId}
pub(crate) fn get(org: &mut Org, call: &Call) -> Outcome {
    Ok(Answer::json(200, find(org, call)?.render_client()))
}

/// GET /oauth2/v1/clients
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let limit = page::limit(call, 50, 200)?;
    let start = page::after(call)?.map_or(Bound::Unbounded, Bound::Excluded);
    let lag = org.lag_for(call);
    let q = call.query("q").map(str::to_lowercase);
    let mut found = org
        .apps
        .range::<String, _>((start, Bound::Unbounded))
        .filter(|(_, app)| app.seen(call.now, lag).is_some())
        .map(|(_, app)| app.get())
        .filter(|app| {
            q.as_ref()
                .is_none_or(|q| app.label.to_lowercase().starts_with(q))
        });
    let apps: Vec<&App> = found.by_ref().take(limit).collect();
    let next = found
        .next()
        .is_some()
        .then(|| apps.last().map(|app| app.id.clone()))
        .flatten();
    let rendered = apps.iter().map(|app| app.render_client()).collect();
    Ok(page::answer(&org.url, call, rendered, next.as_deref()))
}

/// POST /oauth2/v1/clients/{clientId}/lifecycle/newSecret: the old ones die at once.
pub(crate) fn new_client_secret(org: &mut Org, call: &Call) -> Outcome {
    let app = find(org, call)?;
    if !app.uses_secret() {
        return Err(Refusal::invalid(
            "client_secret",
            "client_secret: Client secrets can't be used with this client",
        ));
    }
    let id = app.id.clone();
    let value = ids::generated_secret();
    let secret = new_secret(org, value.clone(), call.now);
    let lag = org.faults.lag();
    let Some(app) = org.apps.get_mut(&id) else {
        return Err(Refusal::not_found(&id, "AppInstance"));
    };
    let app = app.edit(call.now, lag);
    app.secrets = vec![secret];
    let target = client_target(app);
    let mut answer = app.render_client();
    answer["client_secret"] = json!(value);
    org.log.done(
        call,
        "app.oauth2.credentials.lifecycle.create",
        vec![target],
    );
    Ok(Answer::json(200, answer))
}

/// GET /oauth2/v1/clients/{clientId}/roles
pub(crate) fn roles(org: &mut Org, call: &Call) -> Outcome {
    let app = find(org, call)?;
    let roles = app.roles.iter().map(|role| render_role(role)).collect();
    Ok(Answer::json(200, Value::Array(roles)))
}

fn render_role(role: &str) -> Value {
    json!({ "id": format!("ra1{}", &ids::sha256_b64(role)[..17]), "label": role, "type": role, "status": "ACTIVE", "assignmentType": "CLIENT" })
}

/// POST /oauth2/v1/clients/{clientId}/roles
pub(crate) fn add_role(org: &mut Org, call: &Call) -> Outcome {
    let body = call.object()?;
    let role = text(&body, "type")?
        .ok_or_else(|| Refusal::invalid("type", "type: The field cannot be left blank"))?
        .to_owned();
    let id = find(org, call)?.id.clone();
    let target = edit(org, &id, call.now, |app| app.roles.push(role.clone()))?;
    org.log
        .done(call, "app.oauth2.client.privilege.grant", vec![target]);
    Ok(Answer::json(201, render_role(&role)))
}

/// POST /api/v1/apps/{appId}/grants
pub(crate) fn add_grant(org: &mut Org, call: &Call) -> Outcome {
    let body = call.object()?;
    let scope = text(&body, "scopeId")?
        .filter(|scope| scope.starts_with("okta."))
        .ok_or_else(|| Refusal::invalid("scopeId", "scopeId: Unknown scope"))?
        .to_owned();
    if text(&body, "issuer")? != Some(org.url.as_str()) {
        return Err(Refusal::invalid("issuer", "issuer: Must be the org's URL"));
    }
    let app = org.app(call)?;
    let (id, client_id) = (app.id.clone(), app.client_id.clone());
    edit(org, &id, call.now, |app| app.grants.push(scope.clone()))?;
    Ok(Answer::json(
        201,
        json!({ "id": org.new_id("oag"), "clientId": client_id, "scopeId": scope, "issuer": org.url, "status": "ACTIVE", "source": "ADMIN" }),
    ))
}

fn edit(
    org: &mut Org,
    id: &str,
    now: u64,
    change: impl FnOnce(&mut App),
) -> Result<crate::log::Target, Refusal> {
    let lag = org.faults.lag();
    let app = org
        .apps
        .get_mut(id)
        .ok_or_else(|| Refusal::not_found(id, "AppInstance"))?;
    let app = app.edit(now, lag);
    change(app);
    Ok(client_target(app))
}
