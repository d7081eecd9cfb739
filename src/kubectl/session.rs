//! What every command works with: a client for the cluster that the flags name,
//! the namespace, the clock and the terminal. Needs a kubeconfig, or a pod's
//! service account.

use std::io::Write as _;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde::Serialize;

use super::cli::{ClusterFlags, Output};
use super::failure::Failure;
use super::style::Style;
use crate::api::Neo4jServiceAccount;
use crate::clock::Clock;
use crate::cluster;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What every command works with.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) clock: Clock,
    pub(super) style: Style,
}

impl Session {
    pub(super) async fn open(flags: &ClusterFlags) -> Result<Self, Failure> {
        let mut config = config(flags).await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        if let Some(user) = &flags.impersonate {
            config.auth_info.impersonate = Some(user.clone());
        }
        if !flags.impersonate_groups.is_empty() {
            config.auth_info.impersonate_groups = Some(flags.impersonate_groups.clone());
        }
        let namespace = match &flags.namespace {
            Some(namespace) => namespace.clone(),
            None => config.default_namespace.clone(),
        };
        let client = Client::try_from(config)
            .map_err(|e| Failure::told(format!("the kubeconfig cannot be used: {e}")))?;
        Ok(Self {
            client,
            namespace,
            clock: Clock::system(),
            style: Style::of_stdout(),
        })
    }

    pub(super) fn accounts(&self) -> Api<Neo4jServiceAccount> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// How the account is called in messages.
    pub(super) fn account(&self, name: &str) -> String {
        format!("Neo4jServiceAccount {}/{name}", self.namespace)
    }
}

async fn config(flags: &ClusterFlags) -> Result<Config, Failure> {
    let options = KubeConfigOptions {
        context: flags.context.clone(),
        cluster: flags.cluster.clone(),
        user: flags.user.clone(),
    };
    let chosen = options.context.is_some() || options.cluster.is_some() || options.user.is_some();
    let kubeconfig = match &flags.kubeconfig {
        Some(file) => Kubeconfig::read_from(file)
            .map_err(|e| Failure::told(format!("--kubeconfig {}: {e}", file.display())))?,
        None if chosen => {
            Kubeconfig::read().map_err(|e| Failure::told(format!("no kubeconfig: {e}")))?
        }
        None => return cluster::config().await.map_err(Failure::told),
    };
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map(cluster::with_exceptions)
        .map_err(|e| Failure::told(format!("the kubeconfig cannot be used: {e}")))
}

/// Writes to the standard output.
pub(super) fn out(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Writes a value in the form that was asked for.
pub(super) fn show<T: Serialize>(
    output: Output,
    value: &T,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    out(&match output {
        Output::Text => text(),
        Output::Json => json(value)?,
        Output::Yaml => yaml(value)?,
    })
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|e| Failure::told(e.to_string()))
}

pub(super) fn yaml<T: Serialize>(value: &T) -> Result<String, Failure> {
    // By way of JSON, whose values every form of YAML can hold.
    let value = serde_json::to_value(value).map_err(|e| Failure::told(e.to_string()))?;
    serde_saphyr::to_string(&value).map_err(|e| Failure::told(e.to_string()))
}
