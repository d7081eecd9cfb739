//! Who may call the management API: a known token, the scope, and the admin
//! role, all three. A missing role shows only here, not at the token endpoint.

use crate::call::{Call, Principal};
use crate::dpop;
use crate::org::Org;
use crate::refusal::Refusal;

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing, or the client's own credentials.
    Open,
    /// A management token with rights on an area.
    Read(Area),
    Manage(Area),
    /// Secrets in plaintext: a permission of its own in custom roles.
    ReadSecrets,
    /// Only a super admin.
    Super,
}

/// A part of the management API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Apps,
    Clients,
    AuthorizationServers,
    Logs,
    Org,
}

impl Area {
    fn scope(self) -> &'static str {
        match self {
            Self::Apps => "okta.apps",
            Self::Clients => "okta.clients",
            Self::AuthorizationServers => "okta.authorizationServers",
            Self::Logs => "okta.logs",
            Self::Org => "okta.orgs",
        }
    }

    /// Roles and custom permissions that may read (and manage) it.
    fn allowed(self, role: &str, manage: bool) -> bool {
        match role {
            "SUPER_ADMIN" => true,
            "READ_ONLY_ADMIN" => !manage,
            "ORG_ADMIN" => self == Self::Org,
            "APP_ADMIN" => !matches!(self, Self::AuthorizationServers | Self::Org),
            "API_ACCESS_MANAGEMENT_ADMIN" => {
                self == Self::AuthorizationServers || (!manage && self != Self::Org)
            }
            "REPORT_ADMIN" => self == Self::Logs,
            "okta.apps.manage" => matches!(self, Self::Apps | Self::Clients),
            "okta.apps.read" => matches!(self, Self::Apps | Self::Clients) && !manage,
            "okta.authzServers.manage" => self == Self::AuthorizationServers,
            "okta.authzServers.read" => self == Self::AuthorizationServers && !manage,
            _ => false,
        }
    }
}

/// Finds out who calls; the answer is used for limits even when it is a no.
pub(crate) fn identify(org: &mut Org, call: &Call) -> Result<Principal, Refusal> {
    let Some((scheme, token)) = call
        .header("authorization")
        .and_then(|value| value.split_once(' '))
    else {
        return Err(Refusal::invalid_token());
    };
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("ssws") {
        return if token == org.api_token && !org.api_token_revoked {
            Ok(Principal::ApiToken)
        } else {
            Err(Refusal::invalid_token())
        };
    }
    let challenge = |error: &str, text: &str| {
        let scheme = if scheme.eq_ignore_ascii_case("dpop") {
            "DPoP"
        } else {
            "Bearer"
        };
        Refusal::invalid_token().with_header(
            "www-authenticate",
            format!("{scheme} error=\"{error}\", error_description=\"{text}\""),
        )
    };
    let Some(known) = org.org_tokens.get(token).cloned() else {
        return Err(challenge("invalid_token", "The access token is invalid."));
    };
    if known.expires <= call.now {
        return Err(challenge("invalid_token", "The access token is expired."));
    }
    match (&known.bound_to, scheme.to_ascii_lowercase().as_str()) {
        (None, "bearer") => {}
        (Some(thumbprint), "dpop") => {
            let proof = call
                .header("dpop")
                .ok_or_else(|| {
                    challenge(
                        "invalid_dpop_proof",
                        "The DPoP proof JWT header is missing.",
                    )
                })?
                .to_owned();
            let url = format!("{}{}", org.url, call.path);
            let used = dpop::check(org, call, &proof, &url, Some(token)).map_err(|refusal| {
                let text = match &refusal {
                    Refusal::OAuth { description, .. } => description.clone(),
                    Refusal::Api { summary, .. } => summary.clone(),
                };
                challenge("invalid_dpop_proof", &text)
            })?;
            if used != *thumbprint {
                return Err(challenge(
                    "invalid_dpop_proof",
                    "The key of the DPoP proof is not the one of the token.",
                ));
            }
        }
        _ => {
            return Err(challenge(
                "invalid_token",
                "The token type does not match the authorization scheme.",
            ));
        }
    }
    let app = org
        .app_of_client(&known.client_id)
        .map(crate::lagged::Lagged::get);
    match app.filter(|app| app.active) {
        Some(app) => Ok(Principal::Client {
            client_id: app.client_id.clone(),
            label: app.label.clone(),
        }),
        None => Err(challenge("invalid_token", "The client is not active.")),
    }
}

/// Whether the caller may use a route.
pub(crate) fn authorize(org: &Org, call: &Call, guard: Guard) -> Result<(), Refusal> {
    let (area, manage) = match guard {
        Guard::Open => return Ok(()),
        Guard::Read(area) => (area, false),
        Guard::Manage(area) => (area, true),
        Guard::ReadSecrets => (Area::Apps, false),
        Guard::Super => (Area::Apps, true),
    };
    let (roles, scopes) = match &call.principal {
        Principal::Admin => return Ok(()),
        Principal::ApiToken => (&org.api_token_roles, None),
        Principal::Client { client_id, .. } => {
            let app = org
                .app_of_client(client_id)
                .ok_or_else(Refusal::invalid_token)?
                .get();
            let token = call
                .header("authorization")
                .and_then(|value| value.split_once(' '));
            let token = token.and_then(|(_, token)| org.org_tokens.get(token.trim()));
            (
                &app.roles,
                Some(token.ok_or_else(Refusal::invalid_token)?.scopes.as_slice()),
            )
        }
        Principal::Anonymous => return Err(Refusal::invalid_token()),
    };
    if let Some(scopes) = scopes {
        let wanted = format!(
            "{}.{}",
            area.scope(),
            if manage { "manage" } else { "read" }
        );
        let stronger = format!("{}.manage", area.scope());
        if !scopes
            .iter()
            .any(|scope| *scope == wanted || *scope == stronger)
        {
            return Err(Refusal::forbidden().with_header(
                "www-authenticate",
                format!("Bearer authorization_uri=\"{}/oauth2/v1/authorize\", realm=\"{}\", scope=\"{wanted}\", error=\"insufficient_scope\", error_description=\"The access token provided does not contain the required scopes.\", resource=\"{}\"", org.url, org.url, call.path),
            ));
        }
    }
    let full = |role: &String| matches!(role.as_str(), "SUPER_ADMIN" | "APP_ADMIN");
    let granted = match guard {
        Guard::Super => roles.iter().any(|role| role == "SUPER_ADMIN"),
        Guard::ReadSecrets => roles
            .iter()
            .any(|role| full(role) || role == "okta.apps.clientCredentials.read"),
        _ => roles.iter().any(|role| area.allowed(role, manage)),
    };
    if granted {
        Ok(())
    } else {
        Err(Refusal::forbidden())
    }
}
