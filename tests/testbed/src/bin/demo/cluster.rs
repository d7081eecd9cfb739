//! The cluster that the story plays in: one of its own, or the reader's.
//!
//! Everything goes through here: the client, kubectl, the folder for what may
//! not be shown, and the removal of what was created.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{ApiResource, DynamicObject, ObjectMeta, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use testbed::{ControlPlane, Folder, OPERATOR_NAMESPACE};
use tokio::process::Command;

use crate::failure::Failure;
use crate::guest::Guest;
use crate::screen::{Screen, Stopwatch};

/// The account of the story.
pub(crate) const ACCOUNT: &str = "etl";
const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds");

/// Whose cluster it is.
enum Host {
    Own(Box<ControlPlane>),
    Reader(Guest),
}

/// The cluster, and who we are in it.
pub(crate) struct Cluster {
    host: Host,
    client: Client,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    operator_kubeconfig: PathBuf,
    /// Where the operator keeps its own Secrets.
    pub(crate) operator_namespace: String,
    /// The application team's namespace.
    pub(crate) namespace: String,
    // Last, so that what writes into it has ended before it goes.
    folder: Folder,
}

impl Cluster {
    /// Starts a control plane that ends with the demo.
    pub(crate) async fn own(screen: &Screen) -> Result<Self, Failure> {
        let watch = Stopwatch::start();
        let control_plane = ControlPlane::start().await?;
        let client = control_plane.client();
        let version = version(&client).await?;
        screen.ready(
            "control plane",
            &format!(
                "Kubernetes {version}, ready in {} s",
                watch.elapsed().as_secs()
            ),
        );
        Ok(Self {
            client,
            kubectl: control_plane.kubectl().to_owned(),
            kubeconfig: control_plane.kubeconfig().to_owned(),
            operator_kubeconfig: control_plane.operator_kubeconfig().to_owned(),
            operator_namespace: OPERATOR_NAMESPACE.to_owned(),
            namespace: "payments".to_owned(),
            host: Host::Own(Box::new(control_plane)),
            folder: Folder::new()?,
        })
    }

    /// Connects to the reader's cluster, and makes sure that nothing in it
    /// would be touched. Changes nothing.
    pub(crate) async fn of_the_reader(kubeconfig: &Path, screen: &Screen) -> Result<Self, Failure> {
        let folder = Folder::new()?;
        let guest = Guest::connect(kubeconfig, &crds()?).await?;
        let version = version(&guest.client).await?;
        screen.ready(
            "your cluster",
            &format!("{}, Kubernetes {version}", guest.place),
        );
        Ok(Self {
            client: guest.client.clone(),
            kubectl: PathBuf::from("kubectl"),
            kubeconfig: guest.kubeconfig.clone(),
            operator_kubeconfig: guest.kubeconfig.clone(),
            operator_namespace: guest.operator_namespace.clone(),
            namespace: guest.namespace.clone(),
            host: Host::Reader(guest),
            folder,
        })
    }

    /// The definitions and the namespaces.
    pub(crate) async fn install(&self, screen: &Screen) -> Result<(), Failure> {
        let crds = crds()?;
        match &self.host {
            Host::Own(control_plane) => {
                for text in &crds {
                    control_plane.apply_yaml(text).await?;
                }
                control_plane.wait_for_crds(&CRD_NAMES).await?;
                self.create_namespace(&self.namespace).await?;
            }
            Host::Reader(guest) => {
                guest.install(&crds).await?;
                for name in [&self.operator_namespace, &self.namespace] {
                    self.create_namespace(name).await?;
                }
            }
        }
        screen.ready(
            "definitions",
            "crds/*.yaml: Neo4jServiceAccount, OktaIssuer",
        );
        Ok(())
    }

    /// Removes what was created from a cluster that stays.
    pub(crate) async fn clean(&self, screen: &Screen) -> Result<(), Failure> {
        match &self.host {
            Host::Own(_) => Ok(()),
            Host::Reader(guest) => guest.clean(screen).await,
        }
    }

    /// Whether the cluster is the reader's own.
    pub(crate) fn is_the_readers(&self) -> bool {
        matches!(self.host, Host::Reader(_))
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub(crate) fn operator_kubeconfig(&self) -> &Path {
        &self.operator_kubeconfig
    }

    pub(crate) fn accounts(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &accounts())
    }

    pub(crate) fn issuers(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &issuers())
    }

    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Fills in a manifest, shows it, and applies it with kubectl.
    pub(crate) async fn apply(
        &self,
        screen: &Screen,
        file: &str,
        manifest: &str,
    ) -> Result<(), Failure> {
        let path = self.folder.write(file, manifest)?;
        screen.command(&format!("kubectl apply -f {file}"));
        screen.block(manifest);
        let path = path.display().to_string();
        screen.block(&self.run_kubectl(&["apply", "-f", &path]).await?);
        Ok(())
    }

    /// Runs the real kubectl in the account's namespace, for all to see.
    pub(crate) async fn show_kubectl(&self, screen: &Screen, args: &[&str]) -> Result<(), Failure> {
        let words: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
        screen.command(&format!(
            "kubectl -n {} {}",
            self.namespace,
            words.join(" ")
        ));
        let mut all = vec!["-n", &self.namespace];
        all.extend(args);
        screen.block(&self.run_kubectl(&all).await?);
        Ok(())
    }

    async fn run_kubectl(&self, args: &[&str]) -> Result<String, Failure> {
        let what = format!("kubectl {}", args.join(" "));
        let output = Command::new(&self.kubectl)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(args)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(Failure::because("kubectl cannot be run"))?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("{what}: {}", error.trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn create_namespace(&self, name: &str) -> Result<(), Failure> {
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .map_err(Failure::because(format!("creating namespace {name}")))?;
        Ok(())
    }
}

/// The names of both definitions.
pub(crate) const CRD_NAMES: [&str; 2] = [
    "neo4jserviceaccounts.neo4j-okta.dev",
    "oktaissuers.neo4j-okta.dev",
];

/// The kind that application teams write.
pub(crate) fn accounts() -> ApiResource {
    resource("Neo4jServiceAccount", "neo4jserviceaccounts")
}

/// The kind that platform teams write.
pub(crate) fn issuers() -> ApiResource {
    resource("OktaIssuer", "oktaissuers")
}

fn resource(kind: &str, plural: &str) -> ApiResource {
    let gvk = GroupVersionKind::gvk("neo4j-okta.dev", "v1alpha1", kind);
    ApiResource::from_gvk_with_plural(&gvk, plural)
}

/// The committed definitions.
fn crds() -> Result<Vec<String>, Failure> {
    CRD_NAMES
        .iter()
        .map(|name| {
            let (plural, group) = name.split_once('.').unwrap_or_default();
            let file = Path::new(CRDS).join(format!("{group}_{plural}.yaml"));
            std::fs::read_to_string(&file).map_err(Failure::because(file.display().to_string()))
        })
        .collect()
}

async fn version(client: &Client) -> Result<String, Failure> {
    let version = client.apiserver_version().await;
    let version = version.map_err(Failure::because("the API server does not answer"))?;
    Ok(version.git_version)
}

/// As one would type it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_one_would_type_them() {
        assert_eq!(quoted("n4jsa/etl"), "n4jsa/etl");
        assert_eq!(quoted(r#"{"a":1}"#), r#"'{"a":1}'"#);
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn the_committed_definitions_are_found() {
        assert_eq!(crds().unwrap().len(), 2);
    }
}
