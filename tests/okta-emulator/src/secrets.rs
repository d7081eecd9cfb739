//! `/api/v1/apps/{appId}/credentials/secrets`: two slots, and a GET that shows
//! the plaintext and says so in the log.

use serde_json::{Value, json};

use crate::app::{App, ClientSecret, status};
use crate::app_body::{check_secret, text};
use crate::apps::{client_target, new_secret};
use crate::call::{Answer, Call, Outcome};
use crate::clock::iso;
use crate::ids;
use crate::org::Org;
use crate::refusal::Refusal;

/// Okta's shape of a secret, plaintext included.
pub(crate) fn render(base: &str, app: &App, secret: &ClientSecret) -> Value {
    let link = format!(
        "{base}/api/v1/apps/{}/credentials/secrets/{}",
        app.id, secret.id
    );
    let links = if secret.active {
        json!({ "deactivate": { "href": format!("{link}/lifecycle/deactivate"), "hints": { "allow": ["POST"] } } })
    } else {
        json!({
            "activate": { "href": format!("{link}/lifecycle/activate"), "hints": { "allow": ["POST"] } },
            "delete": { "href": link, "hints": { "allow": ["DELETE"] } },
        })
    };
    json!({
        "id": secret.id,
        "status": status(secret.active),
        "client_secret": secret.value,
        "secret_hash": ids::sha256_b64(&secret.value)[..22],
        "created": iso(secret.created),
        "lastUpdated": iso(secret.updated),
        "_links": links,
    })
}

fn find<'a>(app: &'a App, call: &Call) -> Result<&'a ClientSecret, Refusal> {
    app.secrets
        .iter()
        .find(|secret| secret.id == call.param(1))
        .ok_or_else(|| Refusal::not_found(call.param(1), "OAuth2ClientSecret"))
}

/// GET …/secrets
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let app = org.app(call)?;
    let secrets = app
        .secrets
        .iter()
        .map(|secret| render(&org.url, app, secret))
        .collect();
    let target = client_target(app);
    org.log
        .done(call, "app.oauth2.client.read_client_secret", vec![target]);
    Ok(Answer::json(200, Value::Array(secrets)))
}

/// GET …/secrets/{secretId}
pub(crate) fn get(org: &mut Org, call: &Call) -> Outcome {
    let app = org.app(call)?;
    let secret = render(&org.url, app, find(app, call)?);
    let target = client_target(app);
    org.log
        .done(call, "app.oauth2.client.read_client_secret", vec![target]);
    Ok(Answer::json(200, secret))
}

/// POST …/secrets
pub(crate) fn create(org: &mut Org, call: &Call) -> Outcome {
    let body = call.object_or_empty()?;
    let app = org.app(call)?;
    if !app.uses_secret() {
        return Err(Refusal::invalid(
            "client_secret",
            "client_secret: Client secrets can't be used with the token endpoint authentication method of this client.",
        ));
    }
    let value = match text(&body, "client_secret")? {
        Some(value) => {
            check_secret(value, &app.auth_method)?;
            value.to_owned()
        }
        None => ids::generated_secret(),
    };
    let active = match text(&body, "status")? {
        None | Some("ACTIVE") => true,
        Some("INACTIVE") => false,
        Some(_) => return Err(Refusal::invalid("status", "status: Invalid status")),
    };
    if app.secrets.len() >= 2 {
        return Err(Refusal::invalid(
            "client_secret",
            "client_secret: You've reached the maximum number of client secrets per client.",
        ));
    }
    let mut secret = new_secret(org, value, call.now);
    secret.active = active;
    let app = org.app_mut(call)?;
    app.secrets.push(secret.clone());
    app.updated = call.now;
    let target = client_target(app);
    let answer = render(&org.url, org.app(call)?, &secret);
    org.log.done(
        call,
        "app.oauth2.credentials.lifecycle.create",
        vec![target],
    );
    Ok(Answer::json(201, answer))
}

/// POST …/secrets/{secretId}/lifecycle/activate
pub(crate) fn activate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, true)
}

/// POST …/secrets/{secretId}/lifecycle/deactivate
pub(crate) fn deactivate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, false)
}

fn set_active(org: &mut Org, call: &Call, active: bool) -> Outcome {
    let app = org.app(call)?;
    let secret = find(app, call)?;
    let only = app.secrets.iter().filter(|secret| secret.active).count() == 1;
    if !active && secret.active && only {
        return Err(Refusal::invalid(
            "client_secret",
            "client_secret: You can't deactivate the only active client secret.",
        ));
    }
    let app = org.app_mut(call)?;
    for secret in app
        .secrets
        .iter_mut()
        .filter(|secret| secret.id == call.param(1))
    {
        if secret.active != active {
            secret.active = active;
            secret.updated = call.now;
        }
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

/// DELETE …/secrets/{secretId}
pub(crate) fn delete(org: &mut Org, call: &Call) -> Outcome {
    if find(org.app(call)?, call)?.active {
        return Err(Refusal::invalid(
            "client_secret",
            "client_secret: You can't delete an active client secret.",
        ));
    }
    let app = org.app_mut(call)?;
    app.secrets.retain(|secret| secret.id != call.param(1));
    let target = client_target(app);
    org.log.done(
        call,
        "app.oauth2.credentials.lifecycle.delete",
        vec![target],
    );
    Ok(Answer::empty(204))
}
