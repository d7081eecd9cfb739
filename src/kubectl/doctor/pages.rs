//! Where in Okta's Admin Console each thing is put right. Pure.

use url::Url;

use crate::api::{OktaIssuer, OktaIssuerSpec};

/// Domains whose orgs have their Admin Console beside them.
const OKTA: [&str; 3] = [".okta.com", ".oktapreview.com", ".okta-emea.com"];

/// Pages of the Admin Console.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    console: String,
    server: String,
    sign_in: String,
}

impl Pages {
    /// For an issuer and the name of its authorization server.
    pub(super) fn new(issuer: &OktaIssuer, server: Option<&str>) -> Self {
        let wanted = &issuer.spec.authorization_server;
        let server = server.or(wanted.name.as_deref()).or(wanted.id.as_deref());
        Self {
            console: console(&issuer.spec.org_url),
            server: server.unwrap_or_default().to_owned(),
            sign_in: sign_in(&issuer.spec),
        }
    }

    fn page(&self, path: &str) -> String {
        format!("{}, {path}", self.console)
    }

    /// What the operator signs in with.
    pub(super) fn sign_in(&self) -> String {
        self.page(&self.sign_in)
    }

    /// A tab of the operator's app; for an API token, the token's admin.
    pub(super) fn app(&self, tab: &str) -> String {
        match self.sign_in.strip_prefix("Applications") {
            Some(_) => self.page(&format!("{} › {tab}", self.sign_in)),
            None => self.page("Security › Administrators"),
        }
    }

    /// The authorization servers.
    pub(super) fn servers(&self) -> String {
        self.page("Security › API › Authorization Servers")
    }

    /// A tab of the authorization server.
    pub(super) fn server(&self, tab: &str) -> String {
        format!("{} › {} › {tab}", self.servers(), self.server)
    }

    /// What Okta counts.
    pub(super) fn limits(&self) -> String {
        self.page("Reports › Rate Limits")
    }

    /// Settings of the org.
    pub(super) fn account(&self) -> String {
        self.page("Settings › Account › Public client app admins")
    }

    /// All apps.
    pub(super) fn applications(&self) -> String {
        self.page("Applications › Applications")
    }
}

fn sign_in(spec: &OktaIssuerSpec) -> String {
    match &spec.auth.private_key_jwt {
        Some(app) => format!("Applications › Applications › {}", app.client_id),
        None => "Security › API › Tokens".to_owned(),
    }
}

fn console(org_url: &str) -> String {
    let url = Url::parse(org_url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let named = host
        .split_once('.')
        .filter(|(_, domain)| OKTA.contains(&format!(".{domain}").as_str()));
    match named {
        Some((org, domain)) => format!("Admin Console https://{org}-admin.{domain}"),
        None => "Okta's Admin Console".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::snapshots::issuer;
    use super::*;

    #[test]
    fn an_orgs_own_console_is_named_and_that_of_another_domain_is_not_guessed() {
        let pages = Pages::new(&issuer("default", |_| ()), Some("graph"));
        assert_eq!(
            pages.server("Claims"),
            "Admin Console https://acme-admin.okta.com, Security › API › Authorization Servers › graph › Claims"
        );
        assert_eq!(
            pages.app("Okta API Scopes"),
            "Admin Console https://acme-admin.okta.com, Applications › Applications › 0oaoperator › Okta API Scopes"
        );
        let own = issuer("default", |spec| {
            spec["orgUrl"] = "https://id.acme.com".into();
        });
        assert!(
            Pages::new(&own, None)
                .servers()
                .starts_with("Okta's Admin Console, ")
        );
    }
}
