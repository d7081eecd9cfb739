//! Which right at Okta a request needs, in the words of Okta's Admin Console. A
//! request needs both: the scope, granted to the operator's app, and an admin
//! role; with an API token the role alone. Pure.

use reqwest::Method;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use super::budget::Bucket;
use super::org_settings;

/// A right at Okta's management API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Right {
    /// Look at apps.
    ReadApps,
    /// Create, change and delete apps.
    ManageApps,
    /// Read client secrets in plaintext.
    ReadSecrets,
    /// Find a client by its id.
    ReadClients,
    /// Look at authorization servers.
    ReadServers,
    /// Change authorization servers.
    ManageServers,
    /// Read the System Log.
    ReadLog,
    /// Read the org's settings.
    ReadOrg,
}

impl Right {
    /// What a request needs.
    pub(super) fn of(method: &Method, bucket: Bucket, operation: &str) -> Self {
        match (bucket, *method == Method::GET) {
            (Bucket::Apps | Bucket::App, true) if operation == "list_secrets" => Self::ReadSecrets,
            (Bucket::Apps | Bucket::App, true) => Self::ReadApps,
            (Bucket::Apps | Bucket::App, false) => Self::ManageApps,
            (Bucket::Clients | Bucket::Token | Bucket::OrgToken, _) => Self::ReadClients,
            (Bucket::Logs, _) => Self::ReadLog,
            (Bucket::Management, _) if operation == org_settings::READ => Self::ReadOrg,
            (Bucket::Management, true) => Self::ReadServers,
            (Bucket::Management, false) => Self::ManageServers,
        }
    }

    const fn scope(self) -> &'static str {
        match self {
            Self::ReadApps | Self::ReadSecrets => "okta.apps.read",
            Self::ManageApps => "okta.apps.manage",
            Self::ReadClients => "okta.clients.read",
            Self::ReadServers => "okta.authorizationServers.read",
            Self::ManageServers => "okta.authorizationServers.manage",
            Self::ReadLog => "okta.logs.read",
            Self::ReadOrg => "okta.orgs.read",
        }
    }

    /// A standard role that has it, and the permission of a custom one.
    const fn role(self) -> (&'static str, &'static str) {
        match self {
            Self::ReadApps | Self::ReadClients => ("Application Administrator", "okta.apps.read"),
            Self::ManageApps => ("Application Administrator", "okta.apps.manage"),
            Self::ReadSecrets => (
                "Application Administrator",
                "okta.apps.clientCredentials.read",
            ),
            Self::ReadServers => (
                "API Access Management Administrator",
                "okta.authzServers.read",
            ),
            Self::ManageServers => (
                "API Access Management Administrator",
                "okta.authzServers.manage",
            ),
            Self::ReadLog => ("Report Administrator", "okta.logs.read"),
            Self::ReadOrg => ("Organization Administrator", "okta.orgs.read"),
        }
    }

    /// What is missing, after a 403 with these headers, and the repair.
    pub(super) fn missing(self, headers: &HeaderMap) -> String {
        if challenge(headers, "error").is_some_and(|error| error == "insufficient_scope") {
            return missing_scopes(&[challenge(headers, "scope").unwrap_or(self.scope())]);
        }
        let (role, permission) = self.role();
        format!(
            "no admin role of the sign-in allows it; assign it {role}, or a custom role with the permission {permission} for all that the operator works on"
        )
    }
}

/// Scopes that are not granted, and the repair.
pub(super) fn missing_scopes(scopes: &[&str]) -> String {
    format!(
        "not granted to the operator's app: {}; grant it in Okta's Admin Console under Okta API Scopes of the app",
        scopes.join(", ")
    )
}

/// A parameter of the answer's challenge (RFC 6750 §3).
pub(super) fn challenge<'a>(headers: &'a HeaderMap, parameter: &str) -> Option<&'a str> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|value| {
            let (before, after) = value.split_once(&format!("{parameter}=\""))?;
            // `error` is no part of `my_error`.
            before
                .ends_with([' ', ','])
                .then(|| after.split('"').next())?
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_scope_is_the_one_that_okta_names() {
        let mut headers = HeaderMap::new();
        let value = "Bearer authorization_uri=\"https://acme.okta.com/oauth2/v1/authorize\", scope=\"okta.apps.manage\", error=\"insufficient_scope\", error_description=\"The access token provided does not contain the required scopes.\"";
        headers.insert(WWW_AUTHENTICATE, value.parse().expect("a header"));
        let right = Right::of(&Method::GET, Bucket::Apps, "list_apps");
        assert!(right.missing(&headers).contains("okta.apps.manage"));
        assert_eq!(
            challenge(&headers, "error_description"),
            Some("The access token provided does not contain the required scopes.")
        );
        assert!(right.missing(&HeaderMap::new()).contains("okta.apps.read"));
    }
}
