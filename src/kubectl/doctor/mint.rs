//! `--mint`: registers an app as the operator does, asks for a token as an account
//! does, and deletes the app again, whatever happened in between and whoever
//! pressed Ctrl-C. The app bears the operator's marker: should this process be
//! killed, the operator finds it without an account and lists it as an orphan. Its
//! credentials and its token stay in this process; its group is nobody's.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::super::failure::Failure;
use super::found::{Found, Minted, Trial};
use super::patience::{Interrupt, Patience};
use crate::api::{Authentication, Management, OktaIssuer};
use crate::okta::budget::Turn;
use crate::okta::{Class, ClientCredential, Error, IssuedToken, Org, jose};
use crate::plan::app::{AppSpec, CredentialBody, read_marker};
use crate::plan::check::{Claims, Expected, Flaw, check};
use crate::plan::desired::duration;
use crate::plan::identity::{AccountRef, Marker, client_id};
use crate::plan::lane::Lane;
use crate::plan::schedule::{SETTLING, SETTLING_RETRY, after};
use crate::plan::step::{Kind, Refusal};

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

/// The authorization server, as far as a token tells of it.
struct Server {
    issuer: String,
    audience: String,
}

pub(super) async fn run(
    org: &Org,
    issuer: &OktaIssuer,
    found: &mut Found,
    namespace: &str,
    patience: &Patience,
) -> Result<Minted, Failure> {
    let not_begun = |why: String| Minted {
        token: Trial::NotBegun(why),
        secrets: None,
        removed: Ok(()),
    };
    let installation = match &found.installation {
        Ok(installation) => installation.clone(),
        Err(why) => {
            return Ok(not_begun(format!(
                "an app is made with this cluster's mark alone, and that is not known: {why}"
            )));
        }
    };
    let server = found
        .org
        .as_ref()
        .and_then(|org| server(org.view.as_ref().ok()?.server.as_ref()?));
    let Some(server) = server else {
        return Ok(not_begun(
            "there is no authorization server to ask".to_owned(),
        ));
    };
    let interrupt = Interrupt::listen()?;
    let attempt = Attempt::new(org, issuer, &installation, namespace, interrupt);
    eprintln!(
        "registering app {} at Okta, and deleting it again ...",
        attempt.spec.label
    );
    let asked_at = org.okta_now();
    let patience = patience.until(&attempt.interrupt);
    // A request that is on its way is not given up: one has to know what it made.
    let created = patience.ask(async || attempt.create().await).await;
    let token = match &created {
        Ok(_) => attempt.token(&server, &patience).await,
        Err(error) => Trial::NotRegistered(error.clone()),
    };
    let secrets = match &created {
        Ok(app) if !attempt.interrupt.came() => attempt.secrets(app, &patience).await,
        _ => None,
    };
    let removed = match &created {
        // Okta refused it as it was: there is nothing to remove.
        Err(error) if !is_in_doubt(error) => Ok(()),
        created => {
            let id = created.as_ref().ok().and_then(|app| app["id"].as_str());
            attempt.remove(id, asked_at, patience.anew(REMOVAL)).await
        }
    };
    found.interrupted = attempt.interrupt.came();
    Ok(Minted {
        token,
        secrets,
        removed,
    })
}

fn server(server: &Value) -> Option<Server> {
    Some(Server {
        issuer: server["issuer"].as_str()?.to_owned(),
        audience: server["audiences"][0].as_str()?.to_owned(),
    })
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

    /// A token, or why there is none. For a minute Okta may not know the client.
    async fn token(&self, server: &Server, patience: &Patience) -> Trial {
        let ends = after(self.org.okta_now(), SETTLING);
        loop {
            let question = patience.ask(async || self.mint(server).await);
            let Some(answer) = self.interrupt.or(question).await else {
                return Trial::Interrupted;
            };
            match answer {
                Err(error) => return Trial::NoAnswer(error),
                Ok(Ok(token)) => return Trial::Judged(self.judge(&token, server)),
                Ok(Err(Refusal::InvalidClient)) if self.org.okta_now() < ends => {}
                Ok(Err(refusal)) => return Trial::Refused(refusal),
            }
            let pause = tokio::time::sleep(SETTLING_RETRY);
            if self.interrupt.or(pause).await.is_none() {
                return Trial::Interrupted;
            }
        }
    }

    async fn mint(&self, server: &Server) -> Result<Result<IssuedToken, Refusal>, Error> {
        let endpoint = format!("{}/v1/token", server.issuer.trim_end_matches('/'));
        let credential = ClientCredential::Secret(self.secret.clone());
        let scope = &self.issuer.spec.authorization_server.scope;
        let method = self.spec.authentication;
        self.org
            .mint(
                &endpoint,
                &self.client_id,
                method,
                &credential,
                scope,
                &self.turn,
            )
            .await
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

    /// As the operator judges a token before it publishes it.
    fn judge(&self, token: &IssuedToken, server: &Server) -> Result<Claims, Flaw> {
        let wanted = &self.issuer.spec.authorization_server;
        let ours = wanted.management == Management::Managed;
        let expected = Expected {
            issuer: &server.issuer,
            audience: wanted.audience.as_deref().unwrap_or(&server.audience),
            client_id: &self.client_id,
            groups_claim: &wanted.groups_claim,
            groups: &self.spec.groups,
            lifetime: ours.then(|| duration(&wanted.token_lifetime)).flatten(),
        };
        check(token.value.expose_secret(), &token.token_type, &expected)
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
