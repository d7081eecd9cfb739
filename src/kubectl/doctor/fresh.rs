//! `--mint` where the access policies list their clients: a token with the credentials
//! of an account that is listed, as its workload would ask. It shows server, claim,
//! policy and rule as they are now. Needs `get` on the account's credentials Secret.
//! The token goes nowhere, and the account notices nothing.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};

use super::super::failure::refused;
use super::super::session::Session;
use super::client::{Client, Server};
use super::cluster::words;
use super::found::{Fresh, Trial};
use super::patience::{Interrupt, Patience};
use crate::api::{
    AccessPolicy, CredentialsVisibility, Management, Neo4jServiceAccount, OktaIssuer,
};
use crate::controller::{Held, live_credentials};
use crate::okta::Org;
use crate::plan::desired::{credentials_name, private_name};

/// Whether an app of our own can get no token.
pub(super) fn is_needed(issuer: &OktaIssuer) -> bool {
    let server = &issuer.spec.authorization_server;
    server.management == Management::Managed && server.access_policy == AccessPolicy::AllowList
}

/// Whom to ask, and in which cluster.
pub(super) struct Ask<'a> {
    pub(super) session: &'a Session,
    pub(super) org: &'a Org,
    pub(super) issuer: &'a OktaIssuer,
    pub(super) server: &'a Server,
    /// The operator's namespace.
    pub(super) namespace: &'a str,
}

impl Ask<'_> {
    pub(super) async fn token(
        &self,
        account: &Neo4jServiceAccount,
        client_id: &str,
        patience: &Patience,
        interrupt: &Interrupt,
    ) -> Fresh {
        let name = format!(
            "{}/{}",
            account.namespace().unwrap_or_default(),
            account.name_any()
        );
        let groups: BTreeSet<String> = account.spec.groups.iter().cloned().collect();
        let token = match self.credentials(account).await {
            Err(why) => Trial::NotBegun(why),
            Ok(held) => match held.credential() {
                Err(why) => Trial::NotBegun(why),
                Ok(credential) => {
                    let client = Client {
                        org: self.org,
                        issuer: self.issuer,
                        server: self.server,
                        client_id,
                        method: held.authentication,
                        credential,
                        groups: &groups,
                    };
                    client.token(false, patience, interrupt).await
                }
            },
        };
        Fresh {
            account: name,
            token,
        }
    }

    /// The credentials in use, from where the issuer has them kept.
    async fn credentials(&self, account: &Neo4jServiceAccount) -> Result<Held, String> {
        let uid = account.uid().unwrap_or_default();
        let (namespace, name) = match self.issuer.spec.credentials {
            CredentialsVisibility::Published => (
                account.namespace().unwrap_or_default(),
                credentials_name(account),
            ),
            CredentialsVisibility::Private => (self.namespace.to_owned(), private_name(&uid)),
        };
        let api: Api<Secret> = Api::namespaced(self.session.client.clone(), &namespace);
        let what = format!("Secret {namespace}/{name}");
        let secret = api
            .get(&name)
            .await
            .map_err(|e| words(refused(&what, &e)))?;
        let data = secret.data.unwrap_or_default();
        live_credentials(&data).ok_or_else(|| format!("{what} has no client credentials"))
    }
}
