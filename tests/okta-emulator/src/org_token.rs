//! `/oauth2/v1/token`, the org authorization server: private_key_jwt only,
//! scopes of the Okta API only, one hour, tokens that nobody but Okta reads.

use serde_json::json;

use crate::call::{Answer, Call, Outcome};
use crate::client_auth::{self, Proof};
use crate::ids;
use crate::log::{Actor, Target};
use crate::org::Org;
use crate::refusal::Refusal;

/// What the org remembers of a token that it gave out.
#[derive(Debug, Clone)]
pub(crate) struct OrgToken {
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    /// Emulator clock, milliseconds.
    pub(crate) expires: u64,
    /// Thumbprint of the key that it is bound to.
    pub(crate) bound_to: Option<String>,
}

/// POST /oauth2/v1/token
pub(crate) fn token(org: &mut Org, call: &Call) -> Outcome {
    let outcome = grant(org, call);
    let target = vec![Target::new(
        "org",
        "AuthorizationServer",
        "Okta Org Authorization Server",
    )];
    let actor = Actor::of(call);
    match &outcome {
        Ok(_) => org.log.by(
            call,
            &actor,
            "app.oauth2.token.grant.access_token",
            Ok(()),
            target,
        ),
        Err(Refusal::OAuth {
            error: "use_dpop_nonce",
            ..
        }) => {}
        Err(refusal) => {
            org.log.by(
                call,
                &actor,
                "app.oauth2.token.grant.access_token",
                Err(&refusal.reason()),
                target,
            );
        }
    }
    outcome
}

fn grant(org: &mut Org, call: &Call) -> Outcome {
    let form = call.form()?;
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let endpoint = format!("{}{}", org.url, call.path);
    if field("grant_type") != Some("client_credentials") {
        return Err(Refusal::oauth(
            400,
            "unsupported_grant_type",
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server.",
        ));
    }
    let (client_id, proof) =
        client_auth::presented(call, &form, org.behaviour.basic_is_form_decoded)?;
    if !matches!(proof, Proof::Assertion(_)) {
        return Err(Refusal::invalid_client(
            "unsupported_auth_method_client_creds",
            "Client Credentials requests to the Org Authorization Server must use the private_key_jwt token_endpoint_auth_method.",
        ));
    }
    let app = client_auth::authenticate(org, call, &client_id, &proof, &endpoint)?;
    if app.auth_method != "private_key_jwt"
        || app.oauth_settings.get("application_type") != Some(&json!("service"))
    {
        return Err(Refusal::oauth(
            400,
            "unauthorized_client",
            "client_not_authorized",
            "The client is not authorized to use the provided grant type.",
        ));
    }
    let heeded = org.behaviour.unasked_proof_binds || app.flag("dpop_bound_access_tokens");
    let bound = if heeded {
        crate::token::bound_to(org, call, &app, &endpoint)?
    } else {
        None
    };
    let scopes: Vec<String> = field("scope")
        .unwrap_or("")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() || !scopes.iter().all(|scope| app.grants.contains(scope)) {
        return Err(Refusal::oauth(
            400,
            "invalid_scope",
            "no_matching_scope",
            "One or more scopes are not allowed for this client.",
        ));
    }
    let token = if org.behaviour.org_tokens_look_like_jwts {
        format!(
            "eyJhbGciOiJSUzI1NiJ9.{}.{}",
            ids::random_text(200),
            ids::random_text(342)
        )
    } else {
        ids::random_text(86)
    };
    let scheme = if bound.is_some() { "DPoP" } else { "Bearer" };
    org.org_tokens.retain(|_, token| token.expires > call.now);
    org.org_tokens.insert(
        token.clone(),
        OrgToken {
            client_id,
            scopes: scopes.clone(),
            expires: call.now + 3_600_000,
            bound_to: bound,
        },
    );
    Ok(Answer::json(
        200,
        json!({ "token_type": scheme, "expires_in": 3600, "access_token": token, "scope": scopes.join(" ") }),
    )
    .with_header("cache-control", "no-store".to_owned()))
}
