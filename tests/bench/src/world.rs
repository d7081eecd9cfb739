//! What a run plays in: a control plane and an Okta org of its own, an issuer, the
//! operator, and accounts in namespaces of a hundred.
//!
//! It needs what the testbed needs. It refuses to share anything between runs, so
//! that none sees what the one before left.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use okta_emulator::{Config, Emulator};
use serde_json::{Value, json};
use testbed::{AuditEvent, ControlPlane, OPERATOR_NAMESPACE, OPERATOR_USER};

use crate::clock;
use crate::meter::Meter;
use crate::observer::{Key, Observer};
use crate::operator::Operator;

const CRDS: [&str; 2] = [
    include_str!("../../../crds/neo4j-okta.dev_neo4jserviceaccounts.yaml"),
    include_str!("../../../crds/neo4j-okta.dev_oktaissuers.yaml"),
];
const CRD_NAMES: [&str; 2] = [
    "neo4jserviceaccounts.neo4j-okta.dev",
    "oktaissuers.neo4j-okta.dev",
];
const MANAGED: &str = "app.kubernetes.io/managed-by=neo4j-okta-operator";
const TOKEN: &str = "-neo4j-token";

/// As many accounts as an issuer allows a namespace by default.
const PER_NAMESPACE: usize = 100;
/// Requests of the benchmark under way at once, as from many people and pipelines.
pub(crate) const AT_ONCE: usize = 32;

/// One run's.
pub(crate) struct World {
    // Ended before what it talks to.
    pub(crate) operator: Operator,
    pub(crate) observer: Observer,
    pub(crate) okta: Emulator,
    pub(crate) client: Client,
    pub(crate) cluster: ControlPlane,
    pub(crate) accounts: Vec<Account>,
    pub(crate) binary: PathBuf,
}

/// One account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Account {
    pub(crate) fn token(&self) -> Key {
        (self.namespace.clone(), format!("{}{TOKEN}", self.name))
    }
}

impl World {
    /// With an operator that has nothing to do yet.
    pub(crate) async fn start(binary: &Path) -> Result<Self> {
        let cluster = ControlPlane::start().await?;
        for crd in CRDS {
            cluster.apply_yaml(crd).await?;
        }
        cluster.wait_for_crds(&CRD_NAMES).await?;
        let client = cluster.client();
        let okta = Emulator::start(Config::default()).await?;
        issuer(&client, "default", &okta).await?;
        let mut operator = Operator::start(binary, &cluster)?;
        operator.ready().await?;
        let world = Self {
            observer: Observer::start(client.clone(), MANAGED, TOKEN),
            operator,
            okta,
            client,
            cluster,
            accounts: Vec::new(),
            binary: binary.to_owned(),
        };
        world.issuer_is_ready("default").await?;
        Ok(world)
    }

    /// Counts what the operator does from now on.
    pub(crate) async fn meter(&self) -> Result<Meter<'_>> {
        let process = self.operator.process();
        Meter::start(&self.cluster, &self.okta, of_operator, process).await
    }

    /// Waits until the operator has nothing to do.
    pub(crate) async fn quiet(&mut self) -> Result<()> {
        self.operator.running()?;
        self.operator.process().quiet().await
    }

    /// `count` accounts that are to be created, in namespaces that are there.
    pub(crate) async fn plan(&self, prefix: &str, count: usize) -> Result<Vec<Account>> {
        let namespaces: Vec<String> = (0..count.div_ceil(PER_NAMESPACE))
            .map(|number| format!("{prefix}-{number}"))
            .collect();
        let api: Api<Namespace> = Api::all(self.client.clone());
        for name in &namespaces {
            let labels = json!({ "bench": "true" });
            let namespace = json!({ "metadata": { "name": name, "labels": labels } });
            let namespace = serde_json::from_value(namespace)?;
            api.create(&PostParams::default(), &namespace).await?;
        }
        let account = |number: usize| Account {
            namespace: namespaces[number / PER_NAMESPACE].clone(),
            name: format!("etl-{number}"),
        };
        Ok((0..count).map(account).collect())
    }

    /// Creates them, and tells when the creation of each was asked for.
    pub(crate) async fn create(
        &self,
        accounts: &[Account],
        issuer: &str,
    ) -> Result<Vec<(Account, Instant)>> {
        let create = |account: Account| async move {
            let at = clock::now();
            let object = json!({
                "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
                "metadata": { "name": account.name },
                "spec": { "groups": ["neo4j_reader"], "issuerRef": { "name": issuer } },
            });
            let api = self.accounts_in(&account.namespace);
            api.create(&PostParams::default(), &serde_json::from_value(object)?)
                .await
                .with_context(|| format!("creating {}", account.name))?;
            anyhow::Ok((account, at))
        };
        let created = stream::iter(accounts.to_vec()).map(create);
        created.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Merges `change` into each account, and tells when that was asked for.
    pub(crate) async fn change(&self, change: &Value) -> Result<Vec<(Account, Instant)>> {
        let merge = |account: Account| async move {
            let at = clock::now();
            let api = self.accounts_in(&account.namespace);
            api.patch(
                &account.name,
                &PatchParams::default(),
                &Patch::Merge(change),
            )
            .await
            .with_context(|| format!("changing {}", account.name))?;
            anyhow::Ok((account, at))
        };
        let changed = stream::iter(self.accounts.clone()).map(merge);
        changed.buffer_unordered(AT_ONCE).try_collect().await
    }

    fn accounts_in(&self, namespace: &str) -> Api<DynamicObject> {
        let gvk = GroupVersionKind::gvk("neo4j-okta.dev", "v1alpha1", "Neo4jServiceAccount");
        let resource = ApiResource::from_gvk_with_plural(&gvk, "neo4jserviceaccounts");
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }

    pub(crate) async fn issuer_is_ready(&self, name: &str) -> Result<()> {
        let issuers = issuers(&self.client);
        clock::until("a ready issuer", Duration::from_secs(60), async || {
            let issuer = issuers.get(name).await?;
            let conditions = issuer.data["status"]["conditions"].as_array().cloned();
            let ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
            Ok(conditions.is_some_and(|conditions| conditions.iter().any(ready)))
        })
        .await
    }
}

/// Whether the operator asked for this.
pub(crate) fn of_operator(event: &AuditEvent) -> bool {
    event.user == OPERATOR_USER
}

pub(crate) fn issuers(client: &Client) -> Api<DynamicObject> {
    let gvk = GroupVersionKind::gvk("neo4j-okta.dev", "v1alpha1", "OktaIssuer");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "oktaissuers");
    Api::all_with(client.clone(), &resource)
}

/// The sign-in and an issuer for the org, with the defaults of both.
pub(crate) async fn issuer(client: &Client, name: &str, okta: &Emulator) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let secret = json!({
        "metadata": { "name": format!("okta-{name}"), "annotations": { "neo4j-okta.dev/allow-host": "127.0.0.1" } },
        "stringData": { "token": okta.api_token() },
    });
    let post = PostParams::default();
    secrets
        .create(&post, &serde_json::from_value(secret)?)
        .await?;
    let issuer = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "OktaIssuer",
        "metadata": { "name": name },
        "spec": {
            "orgUrl": okta.url(),
            "clusterName": "bench",
            "auth": { "apiToken": { "secretRef": { "name": format!("okta-{name}") } } },
            "authorizationServer": { "name": "neo4j", "audience": "neo4j", "management": "Managed" },
            "allow": [{
                "namespaceSelector": { "matchLabels": { "bench": "true" } },
                "groups": ["neo4j_*"],
            }],
        },
    });
    issuers(client)
        .create(&post, &serde_json::from_value(issuer)?)
        .await?;
    Ok(())
}
