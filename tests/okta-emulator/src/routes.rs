//! The table of everything that is served: method, template, rate-limit bucket,
//! rights, handler. What is not in the table is 404 or 405.

use crate::call::{Call, Outcome};
use crate::guard::{Area, Guard};
use crate::limits::Bucket;
use crate::org::Org;
use crate::refusal::Refusal;
use crate::{
    apps, authorization_servers as servers, claims, client_keys, clients, log, metadata,
    org_settings, org_token, policies, rules, scopes, secrets, token,
};

/// One row.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    pub(crate) bucket: Bucket,
    pub(crate) guard: Guard,
    pub(crate) handler: fn(&mut Org, &Call) -> Outcome,
}

macro_rules! table {
    ($($method:literal $template:literal $bucket:ident $guard:expr => $handler:path;)*) => {
        &[$(Route { method: $method, template: $template, bucket: Bucket::$bucket, guard: $guard, handler: $handler },)*]
    };
}

const READ_APPS: Guard = Guard::Read(Area::Apps);
const APPS: Guard = Guard::Manage(Area::Apps);
const READ_AS: Guard = Guard::Read(Area::AuthorizationServers);
const AS: Guard = Guard::Manage(Area::AuthorizationServers);
const READ_CLIENTS: Guard = Guard::Read(Area::Clients);
const CLIENTS: Guard = Guard::Manage(Area::Clients);

#[rustfmt::skip]
static ROUTES: &[Route] = table! {
    "POST" "/api/v1/apps" Apps APPS => apps::create;
    "GET" "/api/v1/apps" Apps READ_APPS => apps::list;
    "GET" "/api/v1/apps/{appId}" App READ_APPS => apps::get;
    "PUT" "/api/v1/apps/{appId}" App APPS => apps::replace;
    "DELETE" "/api/v1/apps/{appId}" App APPS => apps::delete;
    "POST" "/api/v1/apps/{appId}/lifecycle/activate" Apps APPS => apps::activate;
    "POST" "/api/v1/apps/{appId}/lifecycle/deactivate" Apps APPS => apps::deactivate;
    "POST" "/api/v1/apps/{appId}/grants" Apps Guard::Super => clients::add_grant;
    "GET" "/api/v1/apps/{appId}/credentials/secrets" Apps Guard::ReadSecrets => secrets::list;
    "POST" "/api/v1/apps/{appId}/credentials/secrets" Apps APPS => secrets::create;
    "GET" "/api/v1/apps/{appId}/credentials/secrets/{secretId}" Apps Guard::ReadSecrets => secrets::get;
    "DELETE" "/api/v1/apps/{appId}/credentials/secrets/{secretId}" Apps APPS => secrets::delete;
    "POST" "/api/v1/apps/{appId}/credentials/secrets/{secretId}/lifecycle/activate" Apps APPS => secrets::activate;
    "POST" "/api/v1/apps/{appId}/credentials/secrets/{secretId}/lifecycle/deactivate" Apps APPS => secrets::deactivate;
    "GET" "/api/v1/apps/{appId}/credentials/jwks" Apps READ_APPS => client_keys::list;
    "POST" "/api/v1/apps/{appId}/credentials/jwks" Apps APPS => client_keys::create;
    "GET" "/api/v1/apps/{appId}/credentials/jwks/{keyId}" Apps READ_APPS => client_keys::get;
    "DELETE" "/api/v1/apps/{appId}/credentials/jwks/{keyId}" Apps APPS => client_keys::delete;
    "POST" "/api/v1/apps/{appId}/credentials/jwks/{keyId}/lifecycle/activate" Apps APPS => client_keys::activate;
    "POST" "/api/v1/apps/{appId}/credentials/jwks/{keyId}/lifecycle/deactivate" Apps APPS => client_keys::deactivate;

    "GET" "/oauth2/v1/clients" Clients READ_CLIENTS => clients::list;
    "GET" "/oauth2/v1/clients/{clientId}" Clients READ_CLIENTS => clients::get;
    "POST" "/oauth2/v1/clients/{clientId}/lifecycle/newSecret" Clients CLIENTS => clients::new_client_secret;
    "GET" "/oauth2/v1/clients/{clientId}/roles" Clients Guard::Super => clients::roles;
    "POST" "/oauth2/v1/clients/{clientId}/roles" Clients Guard::Super => clients::add_role;

    "POST" "/api/v1/authorizationServers" Other AS => servers::create;
    "GET" "/api/v1/authorizationServers" Other READ_AS => servers::list;
    "GET" "/api/v1/authorizationServers/{authServerId}" Other READ_AS => servers::get;
    "PUT" "/api/v1/authorizationServers/{authServerId}" Other AS => servers::replace;
    "DELETE" "/api/v1/authorizationServers/{authServerId}" Other AS => servers::delete;
    "POST" "/api/v1/authorizationServers/{authServerId}/lifecycle/activate" Other AS => servers::activate;
    "POST" "/api/v1/authorizationServers/{authServerId}/lifecycle/deactivate" Other AS => servers::deactivate;
    "GET" "/api/v1/authorizationServers/{authServerId}/credentials/keys" Other READ_AS => servers::keys;
    "POST" "/api/v1/authorizationServers/{authServerId}/credentials/lifecycle/keyRotate" Other AS => servers::rotate;
    "POST" "/api/v1/authorizationServers/{authServerId}/scopes" Other AS => scopes::create;
    "GET" "/api/v1/authorizationServers/{authServerId}/scopes" Other READ_AS => scopes::list;
    "GET" "/api/v1/authorizationServers/{authServerId}/scopes/{scopeId}" Other READ_AS => scopes::get;
    "PUT" "/api/v1/authorizationServers/{authServerId}/scopes/{scopeId}" Other AS => scopes::replace;
    "DELETE" "/api/v1/authorizationServers/{authServerId}/scopes/{scopeId}" Other AS => scopes::delete;
    "POST" "/api/v1/authorizationServers/{authServerId}/claims" Other AS => claims::create;
    "GET" "/api/v1/authorizationServers/{authServerId}/claims" Other READ_AS => claims::list;
    "GET" "/api/v1/authorizationServers/{authServerId}/claims/{claimId}" Other READ_AS => claims::get;
    "PUT" "/api/v1/authorizationServers/{authServerId}/claims/{claimId}" Other AS => claims::replace;
    "DELETE" "/api/v1/authorizationServers/{authServerId}/claims/{claimId}" Other AS => claims::delete;
    "POST" "/api/v1/authorizationServers/{authServerId}/policies" Other AS => policies::create;
    "GET" "/api/v1/authorizationServers/{authServerId}/policies" Other READ_AS => policies::list;
    "GET" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}" Other READ_AS => policies::get;
    "PUT" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}" Other AS => policies::replace;
    "DELETE" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}" Other AS => policies::delete;
    "POST" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}/lifecycle/activate" Other AS => policies::activate;
    "POST" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}/lifecycle/deactivate" Other AS => policies::deactivate;
    "POST" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}/rules" Other AS => rules::create;
    "GET" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}/rules" Other READ_AS => rules::list;
    "GET" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}/rules/{ruleId}" Other READ_AS => rules::get;
    "PUT" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}/rules/{ruleId}" Other AS => rules::replace;
    "DELETE" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}/rules/{ruleId}" Other AS => rules::delete;
    "POST" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}/rules/{ruleId}/lifecycle/activate" Other AS => rules::activate;
    "POST" "/api/v1/authorizationServers/{authServerId}/policies/{policyId}/rules/{ruleId}/lifecycle/deactivate" Other AS => rules::deactivate;

    "GET" "/api/v1/org/settings/clientPrivilegesSetting" Other Guard::Read(Area::Org) => org_settings::client_privileges;

    "GET" "/api/v1/logs" Logs Guard::Read(Area::Logs) => log::list;

    "POST" "/oauth2/v1/token" OrgToken Guard::Open => org_token::token;
    "GET" "/oauth2/v1/keys" None Guard::Open => metadata::org_keys;
    "GET" "/.well-known/openid-configuration" None Guard::Open => metadata::org_discovery;
    "GET" "/.well-known/oauth-authorization-server" None Guard::Open => metadata::org_discovery;
    "POST" "/oauth2/{authServerId}/v1/token" Token Guard::Open => token::token;
    "POST" "/oauth2/{authServerId}/v1/introspect" Token Guard::Open => metadata::introspect;
    "POST" "/oauth2/{authServerId}/v1/revoke" Token Guard::Open => metadata::revoke;
    "GET" "/oauth2/{authServerId}/v1/keys" None Guard::Open => metadata::keys;
    "GET" "/oauth2/{authServerId}/.well-known/openid-configuration" None Guard::Open => metadata::discovery;
    "GET" "/oauth2/{authServerId}/.well-known/oauth-authorization-server" None Guard::Open => metadata::discovery;
    "GET" "/.well-known/oauth-authorization-server/oauth2/{authServerId}" None Guard::Open => metadata::discovery;
};

/// The row for a request and the values of its `{…}`.
pub(crate) fn find(method: &str, path: &str) -> Result<(&'static Route, Vec<String>), Refusal> {
    let mut known = false;
    for route in ROUTES {
        if let Some(params) = params(route.template, path) {
            if route.method == method {
                return Ok((route, params));
            }
            known = true;
        }
    }
    if known {
        Err(Refusal::api(405, "E0000022"))
    } else {
        Err(Refusal::not_found(path, "Endpoint"))
    }
}

fn params(template: &str, path: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut parts = path.split('/');
    for wanted in template.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') {
            let decoded = percent_decoded(part)?;
            if decoded.is_empty() {
                return None;
            }
            found.push(decoded);
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(found)
}

fn percent_decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_not_a_parameter() {
        let template = |method, path| find(method, path).map(|(route, _)| route.template).ok();
        assert_eq!(
            template("POST", "/oauth2/v1/token"),
            Some("/oauth2/v1/token")
        );
        assert_eq!(
            template("POST", "/oauth2/default/v1/token"),
            Some("/oauth2/{authServerId}/v1/token")
        );
        assert_eq!(template("PATCH", "/api/v1/apps/0oa1"), None);
        assert_eq!(template("GET", "/api/v1/apps/"), None);
        let (_, params) = find("GET", "/oauth2/v1/clients/a%2Bb").unwrap();
        assert_eq!(params, ["a+b"]);
    }
}
