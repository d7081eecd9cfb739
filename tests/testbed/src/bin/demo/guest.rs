//! How to behave in somebody else's cluster: look before anything is created,
//! refuse where the demo's operator would touch what is theirs, and leave
//! nothing behind.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::json;
use testbed::{apply_yaml, wait_until_served};

use crate::cluster::{ACCOUNT, CRD_NAMES, accounts, issuers};
use crate::failure::Failure;
use crate::screen::Screen;

const OPERATOR: &str = "neo4j-okta-operator";
/// How long the operator may take to let go of an object.
const LET_GO: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(250);

/// We, in the reader's cluster.
pub(crate) struct Guest {
    pub(crate) client: Client,
    pub(crate) kubeconfig: PathBuf,
    /// Which cluster it is, for people.
    pub(crate) place: String,
    pub(crate) operator_namespace: String,
    pub(crate) namespace: String,
    brought_crds: bool,
    installed: AtomicBool,
}

impl Guest {
    /// Connects, and looks; changes nothing.
    pub(crate) async fn connect(kubeconfig: &Path, crds: &[String]) -> Result<Self, Failure> {
        let name = kubeconfig.display().to_string();
        let kubeconfig = kubeconfig.canonicalize().map_err(Failure::because(&name))?;
        let file = Kubeconfig::read_from(&kubeconfig).map_err(Failure::because(&name))?;
        let context = file.current_context.clone().unwrap_or_default();
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .map_err(Failure::because(&name))?;
        let place = format!("context {context} ({})", config.cluster_url);
        let client = Client::try_from(config).map_err(Failure::because(&name))?;

        no_operator_runs(&client).await?;
        let brought_crds = !definitions_are_there(&client, crds).await?;
        if !brought_crds {
            is_unused(&client).await?;
        }
        let random = testbed::random();
        Ok(Self {
            client,
            kubeconfig,
            place,
            operator_namespace: format!("neo4j-okta-demo-{random}"),
            namespace: format!("payments-{random}"),
            brought_crds,
            installed: AtomicBool::new(false),
        })
    }

    /// The definitions, unless the very same are there.
    pub(crate) async fn install(&self, crds: &[String]) -> Result<(), Failure> {
        self.installed.store(true, Ordering::SeqCst);
        if self.brought_crds {
            for text in crds {
                apply_yaml(&self.client, text).await?;
            }
            wait_until_served(&self.client, &CRD_NAMES).await?;
        }
        Ok(())
    }

    /// Removes what was created, with the operator's help while that lives.
    pub(crate) async fn clean(&self, screen: &Screen) -> Result<(), Failure> {
        if !self.installed.load(Ordering::SeqCst) {
            return Ok(());
        }
        screen.line("");
        screen.note("Removing what was created in your cluster.");
        self.remove_objects().await?;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for name in [&self.namespace, &self.operator_namespace] {
            remove(&namespaces, name).await?;
        }
        if self.brought_crds {
            // Somebody may have begun to use them meanwhile.
            is_unused(&self.client).await?;
            let crds: Api<CustomResourceDefinition> = Api::all(self.client.clone());
            for name in CRD_NAMES {
                remove(&crds, name).await?;
                gone(&crds, name).await?;
            }
        }
        screen.ready("your cluster", "is as it was before");
        Ok(())
    }

    async fn remove_objects(&self) -> Result<(), Failure> {
        let accounts: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &accounts());
        let issuers: Api<DynamicObject> = Api::all_with(self.client.clone(), &issuers());
        for (api, name) in [(&accounts, ACCOUNT), (&issuers, "default")] {
            remove(api, name).await?;
            if gone(api, name).await.is_err() {
                // The operator is dead or stuck, and the Okta app dies with the
                // emulator: nothing is lost by letting go.
                let patch = json!({ "metadata": { "finalizers": null } });
                let released = api
                    .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
                    .await;
                absent_or(released.map(drop), name)?;
                gone(api, name).await?;
            }
        }
        Ok(())
    }
}

/// Whether both definitions exist, exactly as we would apply them.
async fn definitions_are_there(client: &Client, crds: &[String]) -> Result<bool, Failure> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut found = 0;
    for (name, text) in CRD_NAMES.iter().zip(crds) {
        let existing = api.get_opt(name).await;
        let Some(existing) =
            existing.map_err(Failure::because("your cluster cannot be looked at"))?
        else {
            continue;
        };
        found += 1;
        let mut ours: CustomResourceDefinition =
            serde_saphyr::from_str(text).map_err(Failure::because(*name))?;
        ours.metadata.resource_version = existing.resource_version();
        // The server fills in its defaults; a dry run lets it do so for ours too.
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let would_be = api.replace(name, &dry_run, &ours).await;
        let same = would_be.is_ok_and(|would_be| would_be.spec == existing.spec);
        if !same {
            return Err(Failure::new(format!(
                "your cluster has {name} in another version than crds/ of this checkout, and the \
                 demo would change it; use another cluster, or none (without --kubeconfig)"
            )));
        }
    }
    if found == 1 {
        return Err(Failure::new(format!(
            "your cluster has only one of {}; complete or remove that installation first, or use \
             another cluster",
            CRD_NAMES.join(" and ")
        )));
    }
    Ok(found > 0)
}

/// The demo's operator would serve every account in the cluster.
async fn is_unused(client: &Client) -> Result<(), Failure> {
    for resource in [accounts(), issuers()] {
        let names = names(client, &resource).await?;
        if !names.is_empty() {
            return Err(Failure::new(format!(
                "your cluster has objects of kind {} that are not this demo's ({}), and the demo's \
                 operator would act on them; use another cluster, or none (without --kubeconfig)",
                resource.kind,
                names.join(", ")
            )));
        }
    }
    Ok(())
}

/// Two operators would fight over the account.
async fn no_operator_runs(client: &Client) -> Result<(), Failure> {
    let label = format!("app.kubernetes.io/name={OPERATOR}");
    let deployments: Api<Deployment> = Api::all(client.clone());
    let list = deployments
        .list_metadata(&ListParams::default().labels(&label))
        .await
        .map_err(Failure::because("your cluster cannot be looked at"))?;
    match list.items.first() {
        None => Ok(()),
        Some(found) => Err(Failure::new(format!(
            "{OPERATOR} is installed in your cluster (Deployment {}/{}), and two would be at \
             odds; use another cluster, or none (without --kubeconfig)",
            found.namespace().unwrap_or_default(),
            found.name_any()
        ))),
    }
}

/// The first few objects of a kind, in all namespaces.
async fn names(client: &Client, resource: &ApiResource) -> Result<Vec<String>, Failure> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let list = match api.list_metadata(&ListParams::default().limit(5)).await {
        // The kind itself is not there.
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(Vec::new()),
        list => list.map_err(Failure::because(format!("listing {}", resource.plural)))?,
    };
    let name = |object: &kube::core::PartialObjectMeta<DynamicObject>| match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    };
    Ok(list.items.iter().map(name).collect())
}

async fn remove<K>(api: &Api<K>, name: &str) -> Result<(), Failure>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    absent_or(
        api.delete(name, &DeleteParams::default()).await.map(drop),
        name,
    )
}

fn absent_or(result: Result<(), kube::Error>, name: &str) -> Result<(), Failure> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map_err(Failure::because(format!("removing {name}"))),
    }
}

async fn gone<K>(api: &Api<K>, name: &str) -> Result<(), Failure>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let poll = async {
        while !matches!(api.get_opt(name).await, Ok(None)) {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(LET_GO, poll).await.map_err(|_| {
        Failure::new(format!(
            "{name} is still there after {} s",
            LET_GO.as_secs()
        ))
    })
}
