//! `/api/v1/apps`: create, read, list, replace, lifecycle and delete, with the
//! traps of Okta's full replacement. Secrets and keys have files of their own.

use std::ops::Bound;

use serde_json::{Value, json};

use crate::app::{App, ClientKey, ClientSecret, method_uses_secret};
use crate::app_body::{self, AppBody};
use crate::behaviour::TakenClientId;
use crate::call::{Answer, Call, Outcome};
use crate::filter::Filter;
use crate::ids;
use crate::log::Target;
use crate::org::Org;
use crate::page;
use crate::refusal::Refusal;

/// POST /api/v1/apps
pub(crate) fn create(org: &mut Org, call: &Call) -> Outcome {
    let body = app_body::read(&call.object()?)?;
    let activate = call.query("activate") != Some("false");
    let app = new_app(org, call, body, activate)?;
    let answer = app.render(&org.url, true);
    let target = app_target(&app);
    let client = client_target(&app);
    let uses_secret = app.uses_secret();
    org.add_app(app, call.now);
    org.log
        .done(call, "application.lifecycle.create", vec![target.clone()]);
    org.log.done(
        call,
        "app.oauth2.client.lifecycle.create",
        vec![client.clone()],
    );
    if uses_secret {
        org.log.done(
            call,
            "app.oauth2.credentials.lifecycle.create",
            vec![client],
        );
    }
    if activate {
        org.log
            .done(call, "application.lifecycle.activate", vec![target]);
    }
    Ok(Answer::json(200, answer))
}

fn new_app(org: &mut Org, call: &Call, body: AppBody, active: bool) -> Result<App, Refusal> {
    if let Some(id) = &body.client_id
        && org.client_id_taken(id)
    {
        if org.behaviour.taken_client_id == TakenClientId::Conflict {
            return Err(Refusal::api(409, "E0000195"));
        }
        return Err(Refusal::invalid(
            "credentials.oauthClient.client_id",
            "client_id: The client ID is already in use",
        ));
    }
    if org.behaviour.labels_are_unique && org.apps.values().any(|app| app.get().label == body.label)
    {
        return Err(Refusal::api(400, "E0000040"));
    }
    let id = org.new_id("0oa");
    let client_id = if org.faults.other_client_id() {
        id.clone()
    } else {
        body.client_id.clone().unwrap_or_else(|| id.clone())
    };
    let mut app = App {
        id,
        label: String::new(),
        active,
        created: call.now,
        updated: call.now,
        activated: active.then_some(call.now),
        client_id,
        auth_method: body.auth_method.clone(),
        auto_key_rotation: true,
        pkce_required: body.auth_method == "none",
        oauth_settings: body.oauth_settings.clone(),
        profile: None,
        secrets: Vec::new(),
        keys: Vec::new(),
        signing_kid: ids::random_text(43),
        grants: Vec::new(),
        roles: Vec::new(),
        tokens_dead_before: 0,
    };
    if app.uses_secret() {
        let value = body
            .client_secret
            .clone()
            .filter(|_| org.behaviour.secret_of_create_is_kept)
            .unwrap_or_else(ids::generated_secret);
        app.secrets.push(new_secret(org, value, call.now));
    }
    overwrite(org, &mut app, body, call.now);
    Ok(app)
}

/// A secret that works from now on.
pub(crate) fn new_secret(org: &mut Org, value: String, now: u64) -> ClientSecret {
    ClientSecret {
        id: org.new_id("ocs"),
        value,
        active: true,
        created: now,
        updated: now,
    }
}

/// What a create and a replace have in common. Secrets are the caller's business.
fn overwrite(org: &mut Org, app: &mut App, body: AppBody, now: u64) {
    app.label = body.label;
    app.auth_method = body.auth_method;
    app.auto_key_rotation = body.auto_key_rotation;
    if let Some(pkce) = body.pkce_required {
        app.pkce_required = pkce;
    }
    app.oauth_settings = body.oauth_settings;
    app.profile = body.profile;
    let old = std::mem::take(&mut app.keys);
    for jwk in body.keys {
        let kid = jwk.get("kid").and_then(Value::as_str);
        let known = old
            .iter()
            .find(|key| key.kid() == kid && key.jwk.get("kty") == jwk.get("kty"));
        app.keys.push(ClientKey {
            id: known.map_or_else(|| org.new_id("pks"), |key| key.id.clone()),
            active: known.is_none_or(|key| key.active),
            created: known.map_or(now, |key| key.created),
            updated: now,
            jwk,
        });
    }
    app.updated = now;
}

/// GET /api/v1/apps/{appId}
pub(crate) fn get(org: &mut Org, call: &Call) -> Outcome {
    Ok(Answer::json(200, org.app(call)?.render(&org.url, false)))
}

/// GET /api/v1/apps
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let limit = page::limit(call, 20, 200)?;
    let after = page::after(call)?;
    let filter = call.query("filter").map(Filter::parse).transpose()?;
    if let Some(filter) = &filter {
        filter.only(&[
            "id",
            "status",
            "name",
            "credentials.signing.kid",
            "settings.slo.enabled",
        ])?;
    }
    let q = call.query("q").map(str::to_lowercase);
    let lag = org.lag_for(call);
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut found = org
        .apps
        .range::<String, _>((start, Bound::Unbounded))
        .filter(|(_, app)| app.seen(call.now, lag).is_some())
        .map(|(_, app)| app.get())
        .filter(|app| {
            q.as_ref().is_none_or(|q| {
                app.label.to_lowercase().starts_with(q) || "oidc_client".starts_with(q.as_str())
            }) && filter
                .as_ref()
                .is_none_or(|filter| filter.matches(&|field| field_of(app, field)))
        });
    let apps: Vec<&App> = found.by_ref().take(limit).collect();
    let next = found
        .next()
        .is_some()
        .then(|| apps.last().map(|app| app.id.clone()))
        .flatten();
    let rendered: Vec<Value> = apps.iter().map(|app| app.render(&org.url, false)).collect();
    Ok(page::answer(&org.url, call, rendered, next.as_deref()))
}

fn field_of(app: &App, field: &str) -> Vec<String> {
    vec![match field {
        "id" => app.id.clone(),
        "status" => crate::app::status(app.active).to_owned(),
        "name" => "oidc_client".to_owned(),
        "credentials.signing.kid" => app.signing_kid.clone(),
        _ => "false".to_owned(),
    }]
}

/// PUT /api/v1/apps/{appId}: what the body leaves out is gone.
pub(crate) fn replace(org: &mut Org, call: &Call) -> Outcome {
    let old = org.app(call)?.clone();
    let body = app_body::read(&call.object()?)?;
    if body
        .client_id
        .as_ref()
        .is_some_and(|id| *id != old.client_id)
    {
        return Err(Refusal::invalid(
            "credentials.oauthClient.client_id",
            "client_id: The client ID cannot be changed",
        ));
    }
    if body.oauth_settings.get("application_type") != old.oauth_settings.get("application_type") {
        return Err(Refusal::invalid(
            "settings.oauthClient.application_type",
            "application_type: The application type cannot be changed",
        ));
    }
    let mut app = old.clone();
    let method_changed = body.auth_method != old.auth_method;
    if !method_uses_secret(&body.auth_method) {
        app.secrets.clear();
    } else if let Some(value) = &body.client_secret {
        if method_changed
            || !app
                .secrets
                .iter()
                .any(|secret| secret.active && secret.value == *value)
        {
            let value = if method_changed && !org.behaviour.secret_of_method_change_is_kept {
                ids::generated_secret()
            } else {
                value.clone()
            };
            app.secrets = vec![new_secret(org, value, call.now)];
        }
    } else if method_changed {
        app.secrets = vec![new_secret(org, ids::generated_secret(), call.now)];
    }
    let secrets_changed = app.secrets.len() != old.secrets.len()
        || app
            .secrets
            .iter()
            .zip(&old.secrets)
            .any(|(new, old)| new.id != old.id);
    overwrite(org, &mut app, body, call.now);
    let answer = app.render(&org.url, true);
    let target = app_target(&app);
    let client = client_target(&app);
    let profile_alone = !secrets_changed
        && app.label == old.label
        && app.auth_method == old.auth_method
        && app.oauth_settings == old.oauth_settings
        && app
            .keys
            .iter()
            .map(|key| &key.jwk)
            .eq(old.keys.iter().map(|key| &key.jwk));
    *org.app_mut(call)? = app;
    if profile_alone && !org.behaviour.profile_change_is_logged {
        return Ok(Answer::json(200, answer));
    }
    org.log
        .done(call, "application.lifecycle.update", vec![target]);
    org.log.done(
        call,
        "app.oauth2.client.lifecycle.update",
        vec![client.clone()],
    );
    if secrets_changed {
        org.log.done(
            call,
            "app.oauth2.credentials.lifecycle.create",
            vec![client],
        );
    }
    Ok(Answer::json(200, answer))
}

/// POST /api/v1/apps/{appId}/lifecycle/activate
pub(crate) fn activate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, true)
}

/// POST /api/v1/apps/{appId}/lifecycle/deactivate
pub(crate) fn deactivate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, false)
}

fn set_active(org: &mut Org, call: &Call, active: bool) -> Outcome {
    let app = org.app_mut(call)?;
    let changed = app.active != active;
    if changed {
        app.active = active;
        app.updated = call.now;
        if active {
            app.activated = Some(call.now);
        } else {
            app.tokens_dead_before = call.now;
        }
    }
    let targets = (app_target(app), client_target(app));
    let client_id = app.client_id.clone();
    if changed {
        let verb = if active { "activate" } else { "deactivate" };
        org.log.done(
            call,
            &format!("application.lifecycle.{verb}"),
            vec![targets.0],
        );
        org.log.done(
            call,
            &format!("app.oauth2.client.lifecycle.{verb}"),
            vec![targets.1.clone()],
        );
        if !active {
            org.org_tokens
                .retain(|_, token| token.client_id != client_id);
            org.log.done(
                call,
                "app.oauth2.token.revoke.implicit.client",
                vec![targets.1],
            );
        }
    }
    Ok(Answer::json(200, json!({})))
}

/// DELETE /api/v1/apps/{appId}: an active app is not deleted.
pub(crate) fn delete(org: &mut Org, call: &Call) -> Outcome {
    if org.app(call)?.active {
        return Err(Refusal::api(403, "E0000056"));
    }
    let app = org
        .remove_app(call.param(0))
        .ok_or_else(|| Refusal::not_found(call.param(0), "AppInstance"))?;
    if org.behaviour.deleted_apps_leave_policies {
        let lag = org.faults.lag();
        for server in org.servers.values_mut() {
            for policy in &mut server.edit(call.now, lag).policies {
                policy.clients.retain(|client| *client != app.client_id);
            }
        }
    }
    org.org_tokens
        .retain(|_, token| token.client_id != app.client_id);
    org.log
        .done(call, "application.lifecycle.delete", vec![app_target(&app)]);
    org.log.done(
        call,
        "app.oauth2.client.lifecycle.delete",
        vec![client_target(&app)],
    );
    Ok(Answer::empty(204))
}

/// The app in a log event.
pub(crate) fn app_target(app: &App) -> Target {
    Target::new(&app.id, "AppInstance", &app.label)
}

/// The same app seen as an OAuth client.
pub(crate) fn client_target(app: &App) -> Target {
    Target::new(&app.client_id, "PublicClientApp", &app.label)
}
