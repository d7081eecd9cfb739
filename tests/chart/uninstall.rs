//! The end of an installation: by the commands of `docs/operations.md`, which leave
//! nothing, and in a wrong order with what is documented to mend it.

use std::collections::BTreeSet;

use kube::Api;
use neo4j_okta_operator::api::Neo4jServiceAccount;
use okta_emulator::{Config, Emulator};
use serde_json::Value;
use testbed::ControlPlane;

use crate::generated::read;
use crate::helm::{CHART, Helm, NAMESPACE, RELEASE};
use crate::install::left;
use crate::pod::{
    Pod, account_is, apply_account, bare, default_issuer_is_ready, is_ready, kubectl, sign_in,
    until,
};

const DEFINITIONS: [&str; 2] = [
    "neo4jserviceaccounts.neo4j-okta.dev",
    "oktaissuers.neo4j-okta.dev",
];

/// An installation with one account that has its token.
struct Installed {
    helm: Helm,
    cluster: ControlPlane,
    okta: Emulator,
    namespace: String,
    values: Vec<String>,
    pod: Pod,
}

impl Installed {
    async fn new() -> Option<Self> {
        let helm = Helm::new().await?;
        let cluster = bare().await;
        let helm = helm.at(cluster.kubeconfig());
        let okta = Emulator::start(Config::default()).await.unwrap();
        let namespace = cluster.namespace("payments").await;
        let values = vec![
            format!("--set=issuer.orgUrl={}", okta.url()),
            "--set=issuer.secretName=okta-sign-in".to_owned(),
            "--set=issuer.allow[0].groups[0]=neo4j_*".to_owned(),
            format!("--set=issuer.allow[0].namespaces={{{namespace}}}"),
        ];
        install(&helm, &values, &[]);
        let pod = Pod::start(&cluster).await;
        sign_in(cluster.client(), &okta).await;
        default_issuer_is_ready(&cluster).await;
        let accounts: Api<Neo4jServiceAccount> = Api::namespaced(cluster.client(), &namespace);
        apply_account(&accounts, "etl", "neo4j_reader").await;
        account_is(&accounts, "etl", is_ready).await;
        assert_eq!(okta.admin().apps().len(), 1);
        Some(Self {
            helm,
            cluster,
            okta,
            namespace,
            values,
            pod,
        })
    }
}

fn install(helm: &Helm, values: &[String], more: &[&str]) {
    let mut arguments = vec!["install", RELEASE, CHART, "-n", NAMESPACE];
    arguments.extend(values.iter().map(String::as_str));
    arguments.extend(more);
    helm.ok(&arguments);
}

/// The names that `kubectl get` finds.
fn names(cluster: &ControlPlane, arguments: &[&str]) -> BTreeSet<String> {
    let fixed = ["get", "--ignore-not-found", "-o", "name"];
    let found = kubectl(cluster, &[&fixed[..], arguments].concat());
    found.lines().map(str::to_owned).collect()
}

/// The commands of a section, in their order.
fn commands(page: &str, section: &str) -> Vec<Vec<String>> {
    let text = read(page);
    let (_, rest) = text.split_once(&format!("\n{section}\n")).unwrap();
    let section = rest.split("\n##").next().unwrap();
    section
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("kubectl ") || line.starts_with("helm "))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// Waits until the definitions are gone, and with them all accounts and issuers.
async fn all_gone(cluster: &ControlPlane, others: &[&str]) {
    until("all gone", async || {
        let mut left = names(cluster, &["crd"]);
        if !others.is_empty() {
            left.extend(names(cluster, others));
        }
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_commands_leave_nothing_behind() {
    let Some(installed) = Installed::new().await else {
        return;
    };
    let Installed {
        helm,
        cluster,
        okta,
        namespace,
        pod,
        ..
    } = installed;
    let commands = commands("docs/operations.md", "## Uninstalling");
    assert_eq!(commands.len(), 5, "{commands:?}");
    let mut pod = Some(pod);
    for command in &commands {
        let arguments: Vec<&str> = command[1..].iter().map(String::as_str).collect();
        if command[0] == "helm" {
            helm.ok(&arguments);
            // The Deployment's pods go with it.
            pod.take().unwrap().stop().await;
        } else {
            kubectl(&cluster, &arguments);
        }
    }
    assert!(pod.is_none());
    assert_eq!(okta.admin().apps(), Vec::<Value>::new());
    assert!(names(&cluster, &["crd"]).is_empty());
    assert!(left(&cluster).await.is_empty());
    kubectl(&cluster, &["delete", "namespace", &namespace]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_that_went_first_comes_back_and_finishes_what_is_stuck() {
    let Some(installed) = Installed::new().await else {
        return;
    };
    let Installed {
        helm,
        cluster,
        okta,
        namespace,
        values,
        pod,
    } = installed;
    helm.ok(&["uninstall", RELEASE, "-n", NAMESPACE]);
    pod.stop().await;
    kubectl(
        &cluster,
        &["delete", "namespace", &namespace, "--wait=false"],
    );
    for definition in DEFINITIONS {
        kubectl(&cluster, &["delete", "crd", definition, "--wait=false"]);
    }
    let account = ["neo4jserviceaccounts/etl", "-n", &namespace];
    until("an account under deletion", async || {
        let path = ["-o", "jsonpath={.metadata.deletionTimestamp}"];
        let since = kubectl(&cluster, &[&["get"][..], &account, &path].concat());
        if since.is_empty() { Err(since) } else { Ok(()) }
    })
    .await;
    assert_eq!(okta.admin().apps().len(), 1, "nobody deletes it");

    // The rights went before the pods, so nobody could release it. Nothing runs now.
    kubectl(&cluster, &["delete", "lease", RELEASE, "-n", NAMESPACE]);
    install(&helm, &values, &["--set=crds.install=false"]);
    let pod = Pod::start(&cluster).await;
    all_gone(&cluster, &[&format!("namespace/{namespace}")]).await;
    assert_eq!(okta.admin().apps(), Vec::<Value>::new());
    helm.ok(&["uninstall", RELEASE, "-n", NAMESPACE]);
    pod.stop().await;
    assert!(left(&cluster).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_go_first_take_accounts_and_apps_with_them() {
    let Some(installed) = Installed::new().await else {
        return;
    };
    let Installed {
        helm,
        cluster,
        okta,
        pod,
        ..
    } = installed;
    for definition in DEFINITIONS.iter().rev() {
        kubectl(&cluster, &["delete", "crd", definition, "--wait=false"]);
    }
    all_gone(&cluster, &[]).await;
    assert_eq!(okta.admin().apps(), Vec::<Value>::new());
    helm.ok(&["uninstall", RELEASE, "-n", NAMESPACE]);
    pod.stop().await;
    assert!(left(&cluster).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_whose_namespace_was_deleted_takes_over_what_is_left() {
    let Some(installed) = Installed::new().await else {
        return;
    };
    let Installed {
        helm,
        cluster,
        okta,
        namespace,
        values,
        pod,
    } = installed;
    pod.stop().await;
    kubectl(&cluster, &["delete", "namespace", NAMESPACE]);
    kubectl(&cluster, &["create", "namespace", NAMESPACE]);
    sign_in(cluster.client(), &okta).await;
    install(&helm, &values, &[]);
    let pod = Pod::start(&cluster).await;
    let accounts: Api<Neo4jServiceAccount> = Api::namespaced(cluster.client(), &namespace);
    // The same app: it is not registered again, and a change reaches it.
    let before = accounts.get("etl").await.unwrap().status.unwrap().app_id;
    apply_account(&accounts, "etl", "neo4j_publisher").await;
    until("a token with the new group", async || {
        let account = accounts.get("etl").await.map_err(|e| e.to_string())?;
        let status = account.status.unwrap_or_default();
        let token = status.token.as_ref();
        if token.is_some_and(|t| t.groups == ["neo4j_publisher"]) && status.app_id == before {
            Ok(())
        } else {
            Err(format!("{:?}", status.conditions))
        }
    })
    .await;
    assert_eq!(okta.admin().apps().len(), 1);
    pod.stop().await;
}
