//! `/oauth2/{asId}/v1/token`: client_credentials at a custom authorization
//! server. Users, codes and refresh tokens do not exist here.

use serde_json::{Value, json};

use crate::app::App;
use crate::behaviour::NullInClaims;
use crate::call::{Answer, Call, Outcome, Principal};
use crate::client_auth::{self, Proof};
use crate::dpop;
use crate::expression::{Failure, evaluate};
use crate::ids;
use crate::log::{Actor, Target};
use crate::org::Org;
use crate::refusal::Refusal;
use crate::server_model::{AuthorizationServer, Policy, Rule};

/// POST /oauth2/{asId}/v1/token
pub(crate) fn token(org: &mut Org, call: &Call) -> Outcome {
    let mut actor = Actor::of(call);
    if let Principal::Client { client_id, .. } = &call.principal
        && let Some(app) = org.app_of_client(client_id)
    {
        actor.name.clone_from(&app.get().label);
    }
    let target = org
        .servers
        .get(call.param(0))
        .map(|server| crate::authorization_servers::target(server.get()))
        .into_iter()
        .collect::<Vec<_>>();
    let outcome = grant(org, call);
    match &outcome {
        Ok((_, jti)) => {
            org.log.by(
                call,
                &actor,
                "app.oauth2.as.token.grant",
                Ok(()),
                target.clone(),
            );
            let mut targets = target;
            targets.push(Target::new(jti, "access_token", "Access Token"));
            org.log.by(
                call,
                &actor,
                "app.oauth2.as.token.grant.access_token",
                Ok(()),
                targets,
            );
        }
        // The first half of the DPoP handshake is not a failure.
        Err(Refusal::OAuth {
            error: "use_dpop_nonce",
            ..
        }) => {}
        Err(refusal) => {
            let reason = refusal.reason();
            if reason == "invalid_client_secret" && org.repeated_failure(&actor.id) {
                let kind = "app.oauth2.invalid_client_credentials";
                org.log.by(call, &actor, kind, Err(&reason), target.clone());
            }
            if reason == "claim_evaluation_failure" {
                org.log.by(
                    call,
                    &actor,
                    "app.oauth2.as.evaluate.claim",
                    Err(&reason),
                    target.clone(),
                );
            }
            if reason.contains("scope") {
                org.log.by(
                    call,
                    &actor,
                    "app.oauth2.as.authorize.scope_denied",
                    Err(&reason),
                    target.clone(),
                );
            }
            org.log.by(
                call,
                &actor,
                "app.oauth2.as.token.grant",
                Err(&reason),
                target,
            );
        }
    }
    outcome.map(|(answer, _)| answer)
}

fn grant(org: &mut Org, call: &Call) -> Result<(Answer, String), Refusal> {
    let form = call.form()?;
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let endpoint = format!("{}{}", org.url, call.path);
    let lag = org.lag_for(call);
    let rotated = match org.servers.get_mut(call.param(0)) {
        Some(server) => {
            server.get().signing.automatic
                && server.edit(call.now, 0).signing.keep_current(call.now)
        }
        None => false,
    };
    if rotated {
        let target = crate::authorization_servers::target(org.server(call)?);
        org.log
            .done(call, "app.oauth2.as.key.rollover", vec![target]);
    }
    if org
        .servers
        .get(call.param(0))
        .and_then(|server| server.seen(call.now, lag))
        .is_none_or(|server| !server.active)
    {
        return Err(Refusal::oauth(
            400,
            "invalid_request",
            "invalid_authorization_server",
            "The authorization server is not valid.",
        ));
    }
    match field("grant_type") {
        Some("client_credentials") => {}
        Some(_) => {
            return Err(Refusal::oauth(
                400,
                "unsupported_grant_type",
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.",
            ));
        }
        None => {
            return Err(Refusal::oauth(
                400,
                "invalid_request",
                "missing_grant_type",
                "The token request must specify a grant type.",
            ));
        }
    }
    let (client_id, proof) =
        client_auth::presented(call, &form, org.behaviour.basic_is_form_decoded)?;
    let app = client_auth::authenticate(org, call, &client_id, &proof, &endpoint)?;
    if !app.grant_types().contains(&"client_credentials") {
        return Err(Refusal::oauth(
            400,
            "unauthorized_client",
            "client_not_authorized",
            "The client is not authorized to use the provided grant type.",
        ));
    }
    let bound = bound_to(org, call, &app, &endpoint)?;
    let Some(server) = org
        .servers
        .get(call.param(0))
        .and_then(|server| server.seen(call.now, lag))
    else {
        return Err(Refusal::api(500, "E0000009"));
    };
    let scopes = requested_scopes(server, field("scope").unwrap_or(""))?;
    let rule = matching_rule(
        server,
        &app.client_id,
        &scopes,
        org.behaviour.next_policy_when_no_rule_matches,
    )
    .ok_or_else(|| {
        Refusal::oauth(
            org.behaviour.no_matching_policy_status,
            "access_denied",
            "no_matching_policy",
            "Policy evaluation failed for this request, please check the policy configurations.",
        )
    })?;
    let lifetime = rule.lifetime_minutes * 60;
    let now = org.believed_seconds(call.now);
    let jti = format!("AT.{}", ids::random_text(43));
    let mut claims = json!({
        "ver": 1,
        "jti": jti,
        "iss": server.issuer(&org.url),
        "aud": server.audience,
        "iat": now,
        "exp": now + lifetime,
        "cid": app.client_id,
        "scp": scopes,
    });
    if let Some(thumbprint) = &bound {
        claims["cnf"] = json!({ "jkt": thumbprint });
    }
    add_claims(
        &mut claims,
        server,
        &app,
        &scopes,
        org.behaviour.null_in_claims,
    )?;
    // Signed with the keys of today: a lag does not keep an old key alive.
    let jwt = org.server(call)?.signing.sign(&claims);
    let answer = Answer::json(
        200,
        json!({
            "token_type": if bound.is_some() { "DPoP" } else { "Bearer" },
            "expires_in": lifetime,
            "access_token": jwt,
            "scope": scopes.join(" "),
        }),
    )
    .with_header("cache-control", "no-store".to_owned())
    .with_header("pragma", "no-cache".to_owned());
    Ok((answer, jti))
}

/// The key that the token is bound to, when DPoP is in play.
pub(crate) fn bound_to(
    org: &mut Org,
    call: &Call,
    app: &App,
    endpoint: &str,
) -> Result<Option<String>, Refusal> {
    let required = app.flag("dpop_bound_access_tokens");
    match call.header("dpop") {
        Some(_) if !required && !org.behaviour.unasked_proofs_bind => Ok(None),
        Some(proof) => {
            let proof = proof.to_owned();
            dpop::check(org, call, &proof, endpoint, None).map(Some)
        }
        None if required => Err(Refusal::oauth(
            400,
            "invalid_dpop_proof",
            "missing_dpop_proof",
            "The DPoP proof JWT header is missing.",
        )),
        None => Ok(None),
    }
}

fn requested_scopes(server: &AuthorizationServer, asked: &str) -> Result<Vec<String>, Refusal> {
    let invalid = |reason, text: &str| Err(Refusal::oauth(400, "invalid_scope", reason, text));
    let mut names: Vec<String> = asked.split_whitespace().map(str::to_owned).collect();
    if names.is_empty() {
        names = server
            .scopes
            .iter()
            .filter(|scope| scope.default)
            .map(|scope| scope.name.clone())
            .collect();
    }
    if names.is_empty() {
        return invalid(
            "missing_scope",
            "The authorization server resource does not have any configured default scopes, 'scope' must be provided.",
        );
    }
    for name in &names {
        let Some(scope) = server.scopes.iter().find(|scope| scope.name == *name) else {
            return invalid(
                "no_matching_scope",
                "One or more scopes are not configured for the authorization server resource.",
            );
        };
        if scope.system {
            return invalid(
                "openid_not_allowed_client_creds",
                "'openid' and the other OpenID Connect scopes are not allowed for the client credentials grant.",
            );
        }
        if scope.consent == "REQUIRED" {
            return Err(Refusal::oauth(
                400,
                "consent_required",
                "consent_required",
                "A requested scope requires the consent of a user.",
            ));
        }
    }
    names.dedup();
    Ok(names)
}

/// Policies by priority, then rules by priority: the first that matches wins.
fn matching_rule<'a>(
    server: &'a AuthorizationServer,
    client_id: &str,
    scopes: &[String],
    go_on: bool,
) -> Option<&'a Rule> {
    for policy in server
        .policies
        .iter()
        .filter(|policy| policy.active && covers(policy, client_id))
    {
        let hit = policy
            .rules
            .iter()
            .find(|rule| rule.active && allows(rule, scopes));
        if hit.is_some() || !go_on {
            return hit;
        }
    }
    None
}

fn covers(policy: &Policy, client_id: &str) -> bool {
    policy
        .clients
        .iter()
        .any(|client| client == "ALL_CLIENTS" || client == client_id)
}

fn allows(rule: &Rule, scopes: &[String]) -> bool {
    rule.grant_types
        .iter()
        .any(|grant| grant == "client_credentials")
        && scopes.iter().all(|scope| {
            rule.scopes
                .iter()
                .any(|allowed| allowed == "*" || allowed == scope)
        })
        && for_nobody(rule.people.as_ref())
}

/// There is no user: a rule that names groups or users is for somebody else.
fn for_nobody(people: Option<&Value>) -> bool {
    let Some(people) = people else { return true };
    let named = |kind: &str| {
        people[kind]["include"]
            .as_array()
            .is_some_and(|list| !list.is_empty() && !list.contains(&json!("EVERYONE")))
    };
    !named("groups") && !named("users")
}

fn add_claims(
    token: &mut Value,
    server: &AuthorizationServer,
    app: &App,
    scopes: &[String],
    on_null: NullInClaims,
) -> Result<(), Refusal> {
    let root = json!({
        "app": { "id": app.id, "clientId": app.client_id, "name": "oidc_client", "label": app.label,
                 "profile": app.profile.clone().unwrap_or_else(|| json!({})) },
        "access": { "scope": scopes },
        "appuser": null,
    });
    let wanted = server.claims.iter().filter(|claim| {
        claim.active
            && claim.claim_type == "RESOURCE"
            && (claim.scopes.is_empty() || claim.scopes.iter().any(|scope| scopes.contains(scope)))
    });
    for claim in wanted {
        // Groups of a user, and there is none.
        if claim.value_type == "GROUPS" {
            continue;
        }
        match evaluate(&claim.value, &root) {
            Ok(Value::Null) => {}
            Ok(value) => token[&claim.name] = value,
            Err(Failure::Null) if on_null == NullInClaims::Omit => {}
            Err(_) => {
                return Err(Refusal::oauth(
                    400,
                    "server_error",
                    "claim_evaluation_failure",
                    &format!("Evaluation failed for the claim '{}'.", claim.name),
                ));
            }
        }
    }
    Ok(())
}

/// The client of an introspection or a revocation.
pub(crate) fn client_of(
    org: &mut Org,
    call: &Call,
) -> Result<(App, Vec<(String, String)>), Refusal> {
    let form = call.form()?;
    let endpoint = format!("{}{}", org.url, call.path);
    let (client_id, proof): (String, Proof) =
        client_auth::presented(call, &form, org.behaviour.basic_is_form_decoded)?;
    let app = client_auth::authenticate(org, call, &client_id, &proof, &endpoint)?;
    Ok((app, form))
}
