//! An installation that is upgraded, and one that is taken away: in the order of
//! the documentation, and in the other.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;

use crate::helm::{CHART, NAMESPACE, RELEASE};
use crate::helpers::until;
use crate::installation::Installation;

/// The chart with the definitions as they were before one of them said this.
const NEW: &str = "credentials that a namespace has seen do not become private";
const FORMER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/node/neo4j-okta-operator-0.0.9.tgz"
);

const ACCOUNTS: [&str; 3] = ["etl", "report", "import"];

async fn with_accounts(installation: &Installation) {
    installation.machine.restricted("payments").await;
    let names = ACCOUNTS.map(str::to_owned);
    installation.accounts("payments", names.into_iter());
    installation.all_ready("payments", 60);
}

/// Versions of the Secrets that accounts have.
async fn secrets(installation: &Installation) -> BTreeMap<String, String> {
    let secrets: Api<Secret> = Api::namespaced(installation.machine.client.clone(), "payments");
    let secrets = secrets.list(&Default::default()).await.unwrap();
    let versions = secrets.items.into_iter().map(|s| s.metadata);
    versions
        .filter_map(|m| Some((m.name?, m.resource_version?)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_touches_no_token_and_removal_in_order_leaves_nothing() {
    let Some(installation) = Installation::prepare().await else {
        return;
    };
    let machine = &installation.machine;
    installation.sign_in().await;
    installation.helm_with("install", Path::new(FORMER), &json!({}));
    let definition = "get crd oktaissuers.neo4j-okta.dev -o json";
    let is_new = || machine.kubectl(definition).unwrap().contains(NEW);
    assert!(!is_new());
    with_accounts(&installation).await;
    let before = secrets(&installation).await;
    assert_eq!(before.len(), 2 * ACCOUNTS.len());

    installation.helm_with("upgrade", Path::new(CHART), &json!({}));
    assert!(is_new(), "Helm left the definition as it was");
    let reader = [r#"{"spec":{"groups":["neo4j_reader"]}}"#];
    let patch = [
        "patch",
        "n4jsa",
        "etl",
        "-n",
        "payments",
        "--type=merge",
        "-p",
    ];
    machine
        .kubectl_with(patch.into_iter().chain(reader), "")
        .unwrap();
    // The new operator is at work: it carries a change out, for that one alone.
    let mut after = until("carried out", async || {
        let after = secrets(&installation).await;
        if after.get("etl-neo4j-token") == before.get("etl-neo4j-token") {
            Err(after)
        } else {
            Ok(after)
        }
    })
    .await;
    let token = "etl-neo4j-token".to_owned();
    after.insert(token.clone(), before[&token].clone());
    let credentials = "etl-okta-credentials".to_owned();
    after.insert(credentials.clone(), before[&credentials].clone());
    assert_eq!(after, before, "a Secret was touched");

    // Accounts, issuers, release, definitions.
    for step in [
        "delete neo4jserviceaccounts --all --all-namespaces --timeout=60s",
        "delete oktaissuers --all --timeout=60s",
    ] {
        machine.kubectl(step).unwrap();
    }
    installation
        .helm
        .ok(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]);
    machine.kubectl(DEFINITIONS).unwrap();
    nothing_is_left(&installation);
}

const DEFINITIONS: &str = "delete crd neo4jserviceaccounts.neo4j-okta.dev \
     oktaissuers.neo4j-okta.dev --timeout=60s";

/// No app of ours, no Secret, nothing that keeps a namespace from its end.
fn nothing_is_left(installation: &Installation) {
    let machine = &installation.machine;
    assert_eq!(installation.okta.apps(), 0);
    for namespace in ["payments", NAMESPACE] {
        machine
            .kubectl(&format!("delete namespace {namespace} --timeout=60s"))
            .unwrap();
    }
    let kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,\
         validatingadmissionpolicybindings,customresourcedefinitions";
    let left = machine.kubectl(&format!("get {kinds} -o name")).unwrap();
    let ours: Vec<&str> = left.lines().filter(|name| name.contains("neo4j")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_outlive_their_operator_can_be_let_go_as_documented() {
    let Some(installation) = Installation::new(&json!({})).await else {
        return;
    };
    let machine = &installation.machine;
    with_accounts(&installation).await;
    installation
        .helm
        .ok(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]);

    // Nobody is there to carry it out.
    let delete = "delete neo4jserviceaccounts --all -n payments";
    let waited = machine.kubectl(&format!("{delete} --timeout=3s"));
    assert!(waited.unwrap_err().contains("timed out"));
    // The repair: put it back, and go the documented way.
    installation.helm_with("install", Path::new(CHART), &json!({}));
    // The lease of the former leader, which lost its rights before it could release
    // it, has to run out first.
    machine
        .kubectl(&format!("{delete} --timeout=180s"))
        .unwrap();
    machine
        .kubectl("delete oktaissuers --all --timeout=60s")
        .unwrap();
    installation
        .helm
        .ok(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]);
    machine.kubectl(DEFINITIONS).unwrap();
    nothing_is_left(&installation);
}
