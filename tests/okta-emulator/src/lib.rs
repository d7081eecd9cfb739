//! An Okta org in memory: apps, client secrets and keys, authorization servers,
//! policies and tokens, with Okta's refusals, limits and lags, and with faults
//! on demand. It is meant to be no kinder than Okta; it knows no users, groups
//! or browsers.

mod admin;
mod app;
mod app_body;
mod apps;
mod authorization_servers;
mod behaviour;
mod call;
mod claims;
mod client_auth;
mod client_keys;
mod clients;
mod clock;
mod control;
mod dpop;
mod expression;
mod faults;
mod filter;
#[cfg(fuzzing)]
pub mod fuzz;
mod guard;
mod ids;
mod keys_body;
mod lagged;
pub mod limits;
mod listen;
mod log;
mod metadata;
#[cfg(feature = "openapi")]
mod openapi;
mod org;
mod org_settings;
mod org_token;
mod page;
mod policies;
mod refusal;
mod requests;
mod routes;
mod rules;
mod scopes;
mod secrets;
mod serve;
mod server_model;
mod signing;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use admin::Admin;
pub use behaviour::{Behaviour, NullInClaims, TakenClientId};
pub use clock::Clock;
pub use faults::{Fault, FaultKind, Weather};
pub use limits::Limits;
pub use listen::TlsFiles;
#[cfg(feature = "openapi")]
pub use openapi::Contract;
pub use requests::Request;

use org::Org;
use serve::Shared;

/// How to start an emulator.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The SSWS token of the org.
    pub api_token: String,
    /// Certificate and key for HTTPS; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// The URL that callers use, when it is not the address listened on: it is
    /// in issuers, links and audiences. No slash at its end.
    pub public_url: Option<String>,
    /// Rate limits.
    pub limits: Limits,
    /// Answers to open questions about Okta.
    pub behaviour: Behaviour,
    /// What every exchange is held to; see [`Emulator::violations`].
    #[cfg(feature = "openapi")]
    pub contract: Option<Arc<Contract>>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("tls", &self.tls)
            .field("public_url", &self.public_url)
            .field("limits", &self.limits)
            .field("behaviour", &self.behaviour)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_token: ids::random_text(42),
            tls: None,
            public_url: None,
            limits: Limits::default(),
            behaviour: Behaviour::default(),
            #[cfg(feature = "openapi")]
            contract: None,
        }
    }
}

/// A running emulator; dropping it stops the server and cuts its connections.
pub struct Emulator {
    shared: Arc<Shared>,
    url: String,
    address: SocketAddr,
    api_token: String,
    server: tokio::task::JoinHandle<()>,
}

impl Emulator {
    /// Binds, generates signing keys and starts to serve.
    ///
    /// # Errors
    /// When the address cannot be bound or the TLS files cannot be used.
    pub async fn start(config: Config) -> std::io::Result<Self> {
        let tls = config.tls.as_ref().map(listen::tls).transpose()?;
        let listener = tokio::net::TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = match &config.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("{scheme}://{address}"),
        };
        let clock = Clock::default();
        let mut org = Org::new(url.clone(), config.api_token.clone(), clock.now_ms());
        org.limits = config.limits;
        org.behave(config.behaviour);
        let shared = Shared::new(org, clock);
        #[cfg(feature = "openapi")]
        let shared = shared.held_to(config.contract);
        let shared = Arc::new(shared);
        let server = tokio::spawn(listen::accept(Arc::clone(&shared), listener, tls));
        Ok(Self {
            shared,
            url,
            address,
            api_token: config.api_token,
            server,
        })
    }

    /// The org's URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens, whatever its URL says.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The SSWS token.
    pub fn api_token(&self) -> &str {
        &self.api_token
    }

    /// The emulator's clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Everything that was served, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.org().requests.all()
    }

    /// Forgets what was served.
    pub fn clear_requests(&self) {
        self.shared.org().requests.clear();
    }

    /// How often a method was called on a route template.
    pub fn count(&self, method: &str, route: &str) -> usize {
        self.shared.org().requests.count(method, route)
    }

    /// What violated the contract so far: what was sent and what was answered
    /// on Okta's own routes, except answers that a fault made. It quotes no secret.
    #[cfg(feature = "openapi")]
    pub fn violations(&self) -> Vec<String> {
        self.shared.exchanges.violations()
    }

    /// Adds a fault.
    pub fn inject(&self, fault: Fault) {
        self.shared.org().faults.add(fault);
    }

    /// Asks `weather` about each request from now on; the kinds that are
    /// org-wide come by [`Self::inject`] alone.
    pub fn set_weather(&self, weather: Weather) {
        self.shared.org().faults.set_weather(weather);
    }

    /// Removes all faults, and the weather.
    pub fn clear_faults(&self) {
        self.shared.org().faults.clear();
    }

    /// Sets the rate limits and empties the windows.
    pub fn set_limits(&self, limits: Limits) {
        control::set_limits(&self.shared, limits);
    }

    /// Sets the answers to open questions.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.shared.org().behave(behaviour);
    }

    /// An outage: connections are accepted and cut at once.
    pub fn stop_answering(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }

    /// What an admin does by hand.
    pub fn admin(&self) -> Admin {
        Admin::new(Arc::clone(&self.shared))
    }
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}
