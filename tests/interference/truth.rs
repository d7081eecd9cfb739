//! What the API server and Okta hold, and what is wrong with it: once all is
//! over (`unsettled`) and at any time (`never`). Reads only.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use neo4j_okta_operator::api::{Neo4jServiceAccount, names as n};
use neo4j_okta_operator::plan::app::read_marker;
use neo4j_okta_operator::plan::check;
use okta_emulator::Admin;
use serde_json::Value;

use crate::history::{History, Wanted};

/// The Kubernetes side at one moment, by `namespace/name`.
pub(crate) struct Cluster {
    accounts: HashMap<String, Neo4jServiceAccount>,
    pub(crate) secrets: HashMap<String, Secret>,
}

impl Cluster {
    pub(crate) async fn read(client: &Client, namespaces: &[String]) -> Self {
        let mut cluster = Self {
            accounts: HashMap::new(),
            secrets: HashMap::new(),
        };
        let all = ListParams::default();
        for namespace in namespaces {
            let accounts: Api<Neo4jServiceAccount> = Api::namespaced(client.clone(), namespace);
            for account in accounts.list(&all).await.expect("accounts") {
                let key = format!("{namespace}/{}", account.name_any());
                cluster.accounts.insert(key, account);
            }
            let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
            for secret in secrets.list(&all).await.expect("Secrets") {
                let key = format!("{namespace}/{}", secret.name_any());
                cluster.secrets.insert(key, secret);
            }
        }
        cluster
    }
}

/// The text of a key of a Secret.
pub(crate) fn text<'a>(secret: &'a Secret, key: &str) -> Option<&'a str> {
    let data = secret.data.as_ref()?.get(key)?;
    std::str::from_utf8(&data.0).ok()
}

fn annotation<'a>(secret: &'a Secret, key: &str) -> Option<&'a str> {
    secret
        .metadata
        .annotations
        .as_ref()?
        .get(key)
        .map(String::as_str)
}

/// Apps that bear a marker, by the uid of their account.
pub(crate) fn marked(admin: &Admin) -> BTreeMap<String, Vec<Value>> {
    let mut marked: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for app in admin.apps() {
        if let Some(marker) = read_marker(&app) {
            marked.entry(marker.uid).or_default().push(app);
        }
    }
    marked
}

/// The values of an app's secrets that may sign in.
pub(crate) fn active_secrets(admin: &Admin, app_id: &str) -> Vec<String> {
    let secrets = admin.secrets(app_id).into_iter();
    secrets
        .filter(|secret| secret["status"] == "ACTIVE")
        .filter_map(|secret| secret["client_secret"].as_str().map(str::to_owned))
        .collect()
}

/// Ids of an app's keys that may sign in.
fn active_keys(admin: &Admin, app_id: &str) -> Vec<String> {
    let target = format!("/api/v1/apps/{app_id}/credentials/jwks");
    let keys = admin.call("GET", &target, None).unwrap_or_default();
    let keys = keys.as_array().cloned().unwrap_or_default().into_iter();
    keys.filter(|key| key["status"] == "ACTIVE")
        .filter_map(|key| key["kid"].as_str().map(str::to_owned))
        .collect()
}

/// What is not as it shall be once all is over.
pub(crate) fn unsettled(
    cluster: &Cluster,
    admin: &Admin,
    histories: &[History],
    now: Timestamp,
) -> Vec<String> {
    let apps = marked(admin);
    let mut wrong = Vec::new();
    let mut alive = Vec::new();
    for history in histories {
        let key = format!("{}/{}", history.namespace, history.name);
        let mut say = |what: String| wrong.push(format!("{key}: {what}"));
        let credentials = cluster
            .secrets
            .get(&format!("{key}{}", n::SUFFIX_CREDENTIALS));
        let token = cluster.secrets.get(&format!("{key}{}", n::SUFFIX_TOKEN));
        match (history.wanted.exists, cluster.accounts.get(&key)) {
            (false, Some(account)) => say(format!("not gone: {:?}", account.status)),
            (true, None) => say("missing".to_owned()),
            (false, None) => {
                if credentials.is_some() || token.is_some() {
                    say("gone, and its Secrets are not".to_owned());
                }
            }
            (true, Some(account)) => {
                let uid = account.uid().unwrap_or_default();
                let facts = Facts {
                    account,
                    app: apps.get(&uid).and_then(|apps| apps.first()),
                    credentials,
                    token,
                    admin,
                    now,
                };
                if history.wanted.suspended {
                    facts.suspended(&mut say);
                } else {
                    facts.living(&history.wanted, &mut say);
                }
                alive.push(uid);
            }
        }
    }
    for (uid, apps) in &apps {
        if !alive.contains(uid) || apps.len() > 1 {
            let labels: Vec<_> = apps.iter().map(|app| &app["label"]).collect();
            wrong.push(format!("{} apps of account {uid}: {labels:?}", apps.len()));
        }
    }
    wrong
}

struct Facts<'a> {
    account: &'a Neo4jServiceAccount,
    app: Option<&'a Value>,
    credentials: Option<&'a Secret>,
    token: Option<&'a Secret>,
    admin: &'a Admin,
    now: Timestamp,
}

impl Facts<'_> {
    fn condition(&self, type_: &str) -> (String, String, String) {
        let status = self.account.status.clone().unwrap_or_default();
        let found = status.conditions.into_iter().find(|c| c.type_ == type_);
        found.map_or_else(Default::default, |c| (c.status, c.reason, c.message))
    }

    fn current(&self, say: &mut impl FnMut(String)) {
        let seen = self.account.status.as_ref().map(|s| s.observed_generation);
        if seen != self.account.metadata.generation {
            say(format!(
                "generation {seen:?} of {:?}",
                self.account.metadata.generation
            ));
        }
    }

    fn suspended(&self, say: &mut impl FnMut(String)) {
        self.current(say);
        if self.token.is_some() {
            say("suspended, and has a token".to_owned());
        }
        if self.app.is_some_and(|app| app["status"] == "ACTIVE") {
            say("suspended, and its app is active".to_owned());
        }
        let ready = self.condition("Ready");
        if (ready.0.as_str(), ready.1.as_str()) != ("False", "Suspended") {
            say(format!("suspended, and Ready is {ready:?}"));
        }
    }

    fn living(&self, wanted: &Wanted, say: &mut impl FnMut(String)) {
        self.current(say);
        for type_ in ["Ready", "Registered", "CredentialsReady", "TokenFresh"] {
            let condition = self.condition(type_);
            if condition.0 != "True" {
                say(format!("{type_} is {condition:?}"));
            }
        }
        for type_ in ["Reconciling", "Stalled"] {
            let condition = self.condition(type_);
            if condition.0 == "True" {
                say(format!("{type_} is {condition:?}"));
            }
        }
        let Some(app) = self.app else {
            return say("has no app".to_owned());
        };
        let status = self.account.status.clone().unwrap_or_default();
        let client_id = app["credentials"]["oauthClient"]["client_id"].as_str();
        if status.app_id.as_deref() != app["id"].as_str()
            || status.client_id.as_deref() != client_id
        {
            say(format!(
                "the status names {:?} {:?}",
                status.app_id, status.client_id
            ));
        }
        let mut groups: Vec<&str> = wanted.groups.to_vec();
        groups.sort_unstable();
        if app["status"] != "ACTIVE" || app["profile"]["neo4j_groups"] != serde_json::json!(groups)
        {
            say(format!(
                "the app is {} with {}",
                app["status"], app["profile"]
            ));
        }
        if app["label"]
            .as_str()
            .is_none_or(|label| !label.starts_with("chaos/"))
        {
            say(format!("the app is called {}", app["label"]));
        }
        self.credentials(app, client_id, wanted, say);
        self.token(&groups, say);
    }

    fn credentials(
        &self,
        app: &Value,
        client_id: Option<&str>,
        wanted: &Wanted,
        say: &mut impl FnMut(String),
    ) {
        let Some(secret) = self.credentials else {
            return say("has no credentials".to_owned());
        };
        let keys: Vec<&String> = secret.data.iter().flatten().map(|(key, _)| key).collect();
        if keys.iter().any(|key| key.starts_with(n::PREFIX_STAGED)) {
            say(format!("credentials are staged: {keys:?}"));
        }
        for key in ["neo4j-okta.dev/staged", "neo4j-okta.dev/retire"] {
            if let Some(value) = annotation(secret, key) {
                say(format!("{key} is {value}"));
            }
        }
        if text(secret, n::KEY_CLIENT_ID) != client_id {
            say(format!(
                "credentials are of {:?}",
                text(secret, n::KEY_CLIENT_ID)
            ));
        }
        let id = app["id"].as_str().unwrap_or_default();
        let (value, known) = if wanted.method == "PrivateKeyJwt" {
            (text(secret, n::KEY_KEY_ID), active_keys(self.admin, id))
        } else {
            (
                text(secret, n::KEY_CLIENT_SECRET),
                active_secrets(self.admin, id),
            )
        };
        let live = value.is_some_and(|value| known.iter().any(|known| known == value));
        if known.len() != 1 || !live {
            say(format!(
                "{} credentials are active at Okta, ours among them: {live}",
                known.len()
            ));
        }
    }

    fn token(&self, groups: &[&str], say: &mut impl FnMut(String)) {
        let Some(secret) = self.token else {
            return say("has no token".to_owned());
        };
        let at = |key| annotation(secret, key).and_then(|at| at.parse::<Timestamp>().ok());
        if at(n::ANNOTATION_REFRESH_AT).is_none_or(|at| at <= self.now) {
            say(format!(
                "the token is past its refresh: {:?}",
                at(n::ANNOTATION_REFRESH_AT)
            ));
        }
        let Some(claims) = text(secret, n::KEY_TOKEN).and_then(check::decode) else {
            return say("the token cannot be read".to_owned());
        };
        let of = check::groups(&claims, "groups").unwrap_or_default();
        if !of.iter().map(String::as_str).eq(groups.iter().copied()) {
            say(format!("the token is of groups {of:?}"));
        }
        if claims.exp <= self.now.as_second() {
            say(format!("the token expired at {}", claims.exp));
        }
    }
}
