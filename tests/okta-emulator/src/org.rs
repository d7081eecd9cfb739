//! Everything an org consists of, in memory, and the small operations that all
//! handlers share. It holds no lock and reads no clock: callers do.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::app::App;
use crate::behaviour::Behaviour;
use crate::call::Call;
use crate::faults::Faults;
use crate::ids;
use crate::lagged::Lagged;
use crate::limits::{Limits, Windows};
use crate::log::SystemLog;
use crate::org_token::OrgToken;
use crate::refusal::Refusal;
use crate::requests::Requests;
use crate::server_model::{AuthorizationServer, default_server};

/// The org.
#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) url: String,
    pub(crate) api_token: String,
    pub(crate) api_token_revoked: bool,
    pub(crate) api_token_roles: Vec<String>,
    /// "Public client app admins" in the Admin Console.
    pub(crate) new_clients_are_admins: bool,
    pub(crate) apps: BTreeMap<String, Lagged<App>>,
    /// Client id in lower case: the ids of the apps that bear it.
    by_client: HashMap<String, Vec<String>>,
    /// Client ids of deleted apps, lower case.
    pub(crate) former_clients: HashSet<String>,
    pub(crate) servers: BTreeMap<String, Lagged<AuthorizationServer>>,
    pub(crate) org_tokens: HashMap<String, OrgToken>,
    pub(crate) revoked_jtis: HashSet<String>,
    used_jtis: HashMap<String, u64>,
    /// Wrong secrets per client; every fifth is reported once more.
    wrong_secrets: HashMap<String, u32>,
    pub(crate) nonce_seed: String,
    pub(crate) log: SystemLog,
    pub(crate) faults: Faults,
    pub(crate) limits: Limits,
    pub(crate) windows: Windows,
    pub(crate) behaviour: Behaviour,
    pub(crate) requests: Requests,
    pub(crate) sequence: u64,
}

impl Org {
    /// A free org: one authorization server called default, no policy in it.
    pub(crate) fn new(url: String, api_token: String, now: u64) -> Self {
        let mut servers = BTreeMap::new();
        let mut sequence = 0;
        let default = default_server(&mut sequence, now);
        servers.insert(default.id.clone(), Lagged::new(default, 0));
        Self {
            url,
            api_token,
            api_token_revoked: false,
            api_token_roles: vec!["SUPER_ADMIN".to_owned()],
            new_clients_are_admins: false,
            apps: BTreeMap::new(),
            by_client: HashMap::new(),
            former_clients: HashSet::new(),
            servers,
            org_tokens: HashMap::new(),
            revoked_jtis: HashSet::new(),
            used_jtis: HashMap::new(),
            wrong_secrets: HashMap::new(),
            nonce_seed: ids::random_text(32),
            log: SystemLog::default(),
            faults: Faults::default(),
            limits: Limits::default(),
            windows: Windows::default(),
            behaviour: Behaviour::default(),
            requests: Requests::default(),
            sequence,
        }
    }

    /// Sets the answers to open questions.
    pub(crate) fn behave(&mut self, behaviour: Behaviour) {
        self.log.own_transactions = !behaviour.transaction_is_request_id;
        self.behaviour = behaviour;
    }

    /// A new object id.
    pub(crate) fn new_id(&mut self, prefix: &str) -> String {
        self.sequence += 1;
        ids::object_id(prefix, self.sequence)
    }

    /// Stores a new app.
    pub(crate) fn add_app(&mut self, app: App, now: u64) {
        self.by_client
            .entry(app.client_id.to_lowercase())
            .or_default()
            .push(app.id.clone());
        self.apps.insert(app.id.clone(), Lagged::new(app, now));
    }

    /// Forgets an app.
    pub(crate) fn remove_app(&mut self, id: &str) -> Option<App> {
        let app = self.apps.remove(id)?.get().clone();
        let client = app.client_id.to_lowercase();
        if let Some(ids) = self.by_client.get_mut(&client) {
            ids.retain(|other| other != id);
        }
        self.former_clients.insert(client);
        Some(app)
    }

    /// Whether a client id is taken.
    pub(crate) fn client_id_taken(&self, client_id: &str) -> bool {
        let client = client_id.to_lowercase();
        let taken = if self.behaviour.client_ids_ignore_case {
            self.by_client
                .get(&client)
                .is_some_and(|ids| !ids.is_empty())
        } else {
            self.app_of_client(client_id).is_some()
        };
        taken
            || (!self.behaviour.deleted_client_ids_are_free
                && self.former_clients.contains(&client))
    }

    /// The app of exactly this client id.
    pub(crate) fn app_of_client(&self, client_id: &str) -> Option<&Lagged<App>> {
        self.by_client
            .get(&client_id.to_lowercase())?
            .iter()
            .filter_map(|id| self.apps.get(id))
            .find(|app| app.get().client_id == client_id)
    }

    /// The app that the route names; reads do not see a new one for one lag.
    pub(crate) fn app(&self, call: &Call) -> Result<&App, Refusal> {
        let id = call.param(0);
        let missing = || Refusal::not_found(id, "AppInstance");
        let app = self.apps.get(id).ok_or_else(missing)?;
        if call.method == "GET" && app.seen(call.now, self.lag_for(call)).is_none() {
            return Err(missing());
        }
        Ok(app.get())
    }

    /// The same, to change it.
    pub(crate) fn app_mut(&mut self, call: &Call) -> Result<&mut App, Refusal> {
        let lag = self.faults.lag();
        self.apps
            .get_mut(call.param(0))
            .map(|app| app.edit(call.now, lag))
            .ok_or_else(|| Refusal::not_found(call.param(0), "AppInstance"))
    }

    /// The lag that this caller sees: an admin's own hand sees none.
    pub(crate) fn lag_for(&self, call: &Call) -> u64 {
        if call.principal == crate::call::Principal::Admin {
            0
        } else {
            self.faults.lag()
        }
    }

    /// The authorization server that the route names.
    pub(crate) fn server(&self, call: &Call) -> Result<&AuthorizationServer, Refusal> {
        self.servers
            .get(call.param(0))
            .map(Lagged::get)
            .ok_or_else(|| Refusal::not_found(call.param(0), "AuthorizationServer"))
    }

    /// The same, to change it.
    pub(crate) fn server_mut(&mut self, call: &Call) -> Result<&mut AuthorizationServer, Refusal> {
        let lag = self.faults.lag();
        self.servers
            .get_mut(call.param(0))
            .map(|server| server.edit(call.now, lag))
            .ok_or_else(|| Refusal::not_found(call.param(0), "AuthorizationServer"))
    }

    /// Remembers a `jti`; false when it was used before.
    pub(crate) fn use_jti(&mut self, key: String, until: u64, now: u64) -> bool {
        if self.used_jtis.len() > 100_000 {
            self.used_jtis.retain(|_, until| *until > now);
        }
        match self.used_jtis.insert(key, until) {
            Some(until) => until <= now,
            None => true,
        }
    }

    /// Counts a wrong secret; true for every fifth of a client.
    pub(crate) fn repeated_failure(&mut self, client_id: &str) -> bool {
        let count = self.wrong_secrets.entry(client_id.to_owned()).or_default();
        *count += 1;
        count.is_multiple_of(5)
    }

    /// Seconds since 1970 as the emulated Okta believes, skew included.
    pub(crate) fn believed_seconds(&self, now: u64) -> u64 {
        (now / 1000).saturating_add_signed(self.faults.skew())
    }
}

/// A one-member link object.
pub(crate) fn href(url: &str) -> Value {
    serde_json::json!({ "href": url })
}
