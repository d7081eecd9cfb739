//! `--mint`: registers an app as the operator does, asks for a token as an account
//! does, and deletes the app again, whatever happened in between and whoever
//! pressed Ctrl-C. The app bears the operator's marker: should this process be
//! killed, the operator finds it without an account and lists it as an orphan. Its
//! credentials and its token stay in this process; its group is nobody's.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures::FutureExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::client::{Client, Server};
use super::found::{Found, Minted, Trial};
use super::patience::{Interrupt, Patience};
use crate::api::{Authentication, OktaIssuer};
use crate::okta::budget::Turn;
use crate::okta::{Class, ClientCredential, Error, Org, jose};
use crate::plan::app::{AppSpec, CredentialBody, read_marker};
use crate::plan::identity::{AccountRef, Marker, client_id};
use crate::plan::lane::Lane;
use crate::plan::schedule::{SETTLING, SETTLING_RETRY, after};
use crate::plan::step::Kind;

/// A group that no rule of anybody's grants anything to.
const GROUP: &str = "neo4j-okta-operator-doctor";
/// How long a deletion may take where Okta is slow, or says that it is enough.
const REMOVAL: Duration = Duration::from_secs(180);

/// The app, and what is needed to ask for its token.
struct Attempt<'a> {
    org: &'a Org,
    issuer: &'a OktaIssuer,
    spec: AppSpec,
    client_id: String,
    secret: SecretString,
    turn: Turn,
    interrupt: Interrupt,
}

/// Registers the app, asks, and deletes it.
pub(super) async fn run(
    org: &Org,
    issuer: &OktaIssuer,
    found: &Found,
    namespace: &str,
    patience: &Patience,
    interrupt: &Interrupt,
) -> Minted {
    let not_begun = |why: String| Minted {
        token: Trial::NotBegun(why),
        secrets: None,
        removed: Ok(()),
    };
    let installation = match &found.installation {
        Ok(installation) => installation,
        Err(why) => {
            return not_begun(format!(
                "an app is made with this cluster's mark alone, and that is not known: {why}"
            ));
        }
    };
    let Some(server) = found.server() else {
        return not_begun("there is no authorization server to ask".to_owned());
    };
    let attempt = Attempt::new(org, issuer, installation, namespace, interrupt.clone());
    eprintln!(
        "registering app {} at Okta, and deleting it again ...",
        attempt.spec.label
    );
    let asked_at = org.okta_now();
    let patience = patience.until(interrupt);
    // A request that is on its way is not given up: one has to know what it made.
    let created = patience.ask(async || attempt.create().await).await;
    // Not even a flaw of ours leaves the app there.
    let tried = AssertUnwindSafe(attempt.tries(&created, &server, &patience));
    let tried = tried.catch_unwind().await;
    let removed = match &created {
        // Okta refused it as it was: there is nothing to remove.
        Err(error) if !is_in_doubt(error) => Ok(()),
        created => {
            let id = created.as_ref().ok().and_then(|app| app["id"].as_str());
            attempt.remove(id, asked_at, patience.anew(REMOVAL)).await
        }
    };
    let (token, secrets) = tried.unwrap_or_else(|panic| resume_unwind(panic));
    Minted {
        token,
        secrets,
        removed,
    }
}

fn is_in_doubt(error: &Error) -> bool {
    matches!(
        error.class,
        Class::Transient | Class::Conflict | Class::NotFound
    )
}

impl<'a> Attempt<'a> {
    fn new(
        org: &'a Org,
        issuer: &'a OktaIssuer,
        installation: &str,
        namespace: &str,
        interrupt: Interrupt,
    ) -> Self {
        let (spec, cluster) = (&issuer.spec, &issuer.spec.cluster_name);
        let number: String = jose::random_text(24)
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(12)
            .collect();
        let account = AccountRef {
            namespace: namespace.to_owned(),
            name: format!("doctor-{}", number.to_lowercase()),
            uid: number.to_lowercase(),
        };
        let client_id = client_id(cluster, installation, &account, 0);
        let label = crate::plan::identity::label(cluster, &account, None);
        Self {
            org,
            issuer,
            spec: AppSpec {
                label,
                groups: BTreeSet::from([GROUP.to_owned()]),
                profile_attribute: spec.authorization_server.profile_attribute.clone(),
                marker: Marker {
                    installation: installation.to_owned(),
                    cluster: cluster.clone(),
                    namespace: account.namespace,
                    name: account.name,
                    uid: account.uid,
                    stopped: false,
                },
                // Whoever asks here may sit outside of them.
                network_zones: Vec::new(),
                authentication: Authentication::ClientSecretBasic,
            },
            client_id,
            secret: SecretString::from(jose::random_text(48).as_str()),
            turn: Turn::of_operator(Lane::New, "doctor".to_owned()),
            interrupt,
        }
    }

    async fn create(&self) -> Result<Value, Error> {
        let credential = CredentialBody::Secret(self.secret.expose_secret());
        let body = self.spec.create_body(&self.client_id, credential);
        self.org.create_app(body, &self.turn).await
    }

    /// What the app is good for, if there is one.
    async fn tries(
        &self,
        created: &Result<Value, Error>,
        server: &Server,
        patience: &Patience,
    ) -> (Trial, Option<Result<(), Error>>) {
        let app = match created {
            Ok(app) => app,
            Err(error) => return (Trial::NotRegistered(error.clone()), None),
        };
        let token = self.token(server, patience).await;
        (token, self.secrets(app, patience).await)
    }

    async fn token(&self, server: &Server, patience: &Patience) -> Trial {
        let client = Client {
            org: self.org,
            issuer: self.issuer,
            server,
            client_id: &self.client_id,
            method: self.spec.authentication,
            credential: ClientCredential::Secret(self.secret.clone()),
            groups: &self.spec.groups,
        };
        client.token(true, patience, &self.interrupt).await
    }

    /// Whether the app's secrets can be read; they are dropped at once.
    async fn secrets(&self, app: &Value, patience: &Patience) -> Option<Result<(), Error>> {
        let id = app["id"].as_str()?;
        let listed = patience.ask(async || {
            let listed = self
                .org
                .list_credentials(id, Kind::Secret, &self.turn)
                .await;
            listed.map(drop)
        });
        self.interrupt.or(listed).await
    }

    /// Deletes the app. Nobody stops this; it ends by itself.
    async fn remove(
        &self,
        id: Option<&str>,
        asked_at: Timestamp,
        patience: Patience,
    ) -> Result<(), String> {
        let mut failures = 0;
        loop {
            let settled = self.org.okta_now() > after(asked_at, SETTLING);
            match patience.ask(async || self.remove_once(id).await).await {
                Ok(Removed::Deleted) => return Ok(()),
                // Okta may not show yet what it has.
                Ok(Removed::NotThere) if settled || (id.is_none() && failures >= 2) => {
                    return Ok(());
                }
                Ok(Removed::NotThere) => failures += 1,
                Err(_) if failures < 5 => failures += 1,
                Err(error) => return Err(self.left(id, &error)),
            }
            tokio::time::sleep(SETTLING_RETRY).await;
        }
    }

    async fn remove_once(&self, id: Option<&str>) -> Result<Removed, Error> {
        let (org, turn) = (self.org, &self.turn);
        let is_it = |app: &Value| read_marker(app).as_ref() == Some(&self.spec.marker);
        let app = match id {
            Some(id) => org.read_app(id, turn).await?,
            None => org.find_app(Some(&self.spec.label), is_it, turn).await?,
        };
        let Some(app) = app.filter(is_it) else {
            return Ok(Removed::NotThere);
        };
        let id = app["id"].as_str().unwrap_or_default();
        if app["status"] != "INACTIVE" {
            org.deactivate_app(id, turn).await?;
        }
        org.delete_app(id, turn).await?;
        Ok(Removed::Deleted)
    }

    fn left(&self, id: Option<&str>, error: &Error) -> String {
        format!(
            "app {}, client id {}, label {}, may be left at Okta, active: {error}; deactivate and delete it there; else the operator lists it within a day: kubectl neo4jsa orphans --issuer {}",
            id.unwrap_or("of an id that is not known"),
            self.client_id,
            self.spec.label,
            self.issuer.name_any()
        )
    }
}

enum Removed {
    Deleted,
    NotThere,
}
