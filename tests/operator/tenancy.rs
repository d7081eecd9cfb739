//! Who may have what.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use neo4j_okta_operator::api::Neo4jServiceAccount;
use serde_json::{Value, json};
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, apply, condition, message, until};

const MINUTE: Duration = Duration::from_secs(60);

impl World {
    /// Deletes the test's namespace and waits until it is gone.
    pub(crate) async fn delete_namespace(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces
            .delete(&self.namespace, &DeleteParams::default())
            .await
            .expect("the namespace was there");
        until("gone", async || {
            let left = namespaces
                .get_opt(&self.namespace)
                .await
                .expect("the API server answers");
            left.map_or(Ok(()), |namespace| Err(namespace.status))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_namespaces_share_an_issuer_and_each_gets_only_what_is_allowed_there() {
    let world = World::new().await;
    let other = world.cluster.namespace("billing").await;
    world
        .issuer(json!({ "allow": [
        { "namespaces": [world.namespace.clone()], "groups": ["neo4j_publisher"] },
        { "namespaces": [other.clone()], "groups": ["neo4j_reader"] },
    ] }))
        .await;
    world
        .account("etl", json!({ "groups": ["neo4j_publisher"] }))
        .await;
    world.ready("etl").await;
    let accounts: Api<Neo4jServiceAccount> = Api::namespaced(world.client.clone(), &other);
    let greedy = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": "greedy", "namespace": other }, "spec": { "groups": ["neo4j_reader", "neo4j_publisher"] },
    });
    apply(&accounts, "greedy", &greedy).await;
    let refused = until("refused", async || {
        let account = accounts.get("greedy").await.unwrap();
        if condition(&account, "Ready").is_some_and(|(_, r)| r == "NotAllowed") {
            Ok(account)
        } else {
            Err(account.status)
        }
    })
    .await;
    assert!(
        message(&refused, "Ready").contains("neo4j_publisher"),
        "{}",
        message(&refused, "Ready")
    );
    assert_eq!(
        world.okta.admin().apps().len(),
        1,
        "nothing is registered for it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_taken_away_stops_the_account_after_a_minute_and_given_back_resumes_it()
 {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.quiet().await;
    world
        .issuer(json!({ "allow": [{ "namespaces": ["elsewhere"], "groups": ["neo4j_*"] }] }))
        .await;
    world.has("etl", "Ready", "False", "NotAllowed").await;
    assert!(
        world
            .secrets()
            .get_opt("etl-neo4j-token")
            .await
            .unwrap()
            .is_some(),
        "a minute of grace"
    );
    world.pass(MINUTE + Duration::from_secs(1));
    until("withdrawn", async || {
        if world
            .secrets()
            .get_opt("etl-neo4j-token")
            .await
            .unwrap()
            .is_none()
        {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    until("inactive", async || {
        let app = world.okta.admin().apps()[0].clone();
        if app["status"] == "INACTIVE" && app["profile"]["neo4j_groups"] == json!([]) {
            Ok(())
        } else {
            Err(app)
        }
    })
    .await;
    world.issuer(json!({})).await;
    world.ready("etl").await;
    assert_eq!(world.claims("etl").await["groups"], json!(["neo4j_reader"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_no_longer_allowed_can_still_be_deleted_and_its_namespace_too() {
    let world = World::new().await;
    for name in ["one", "two"] {
        world.account(name, json!({})).await;
        world.ready(name).await;
    }
    world.issuer(json!({ "allow": [] })).await;
    world.has("one", "Ready", "False", "NotAllowed").await;
    world.delete("one").await;
    world.gone("one").await;
    world.delete_namespace().await;
    assert!(world.okta.admin().apps().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_allowed_by_its_label_and_loses_that_with_the_label() {
    let world = World::new().await;
    world.issuer(json!({ "allow": [{ "namespaceSelector": { "matchLabels": { "team": "data" } }, "groups": ["neo4j_*"] }] })).await;
    world.account("etl", json!({})).await;
    world.has("etl", "Ready", "False", "NotAllowed").await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let label = async |value: Value| {
        let patch = json!({ "metadata": { "labels": { "team": value } } });
        namespaces
            .patch(
                &world.namespace,
                &PatchParams::default(),
                &Patch::Merge(&patch),
            )
            .await
            .unwrap();
    };
    label(json!("data")).await;
    world.ready("etl").await;
    label(Value::Null).await;
    world.has("etl", "Ready", "False", "NotAllowed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_shows_readiness_groups_and_expiry_and_never_invalid() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let output = std::process::Command::new(world.cluster.kubectl())
        .args([
            "--kubeconfig",
            &world.cluster.kubeconfig().display().to_string(),
            "get",
            "n4jsa,oktaiss",
            "-A",
            "-o",
            "wide",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("<invalid>"), "{text}");
    for word in [
        "READY",
        "GROUPS",
        "EXPIRES",
        "NEXT-REFRESH",
        "neo4j_reader",
        "True",
        "TokenIssued",
    ] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    let accounts = world
        .accounts()
        .list(&ListParams::default().fields("spec.issuerRef.name=default"))
        .await
        .unwrap();
    assert_eq!(accounts.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slip_in_allow_that_would_stop_many_accounts_waits_for_a_confirmation() {
    let world = World::new().await;
    for i in 0..12 {
        world.account(&format!("etl-{i}"), json!({})).await;
    }
    for i in 0..12 {
        world.ready(&format!("etl-{i}")).await;
    }
    world.quiet().await;
    world.issuer(json!({ "allow": [] })).await;
    let issuer = world.issuer_has("Ready", "False", "MassRemoval").await;
    let said = format!("{:?}", issuer.status);
    assert!(said.contains("confirm-removals=12"), "{said}");
    world.pass(MINUTE * 3);
    world.quiet().await;
    let tokens = async || {
        let secrets = world.secrets().list(&ListParams::default()).await.unwrap();
        secrets
            .iter()
            .filter(|s| s.type_.as_deref() == Some("servicebinding.io/neo4j"))
            .count()
    };
    assert_eq!(tokens().await, 12, "nobody lost a token");
    world.pass(MINUTE * 40);
    world.quiet().await;
    world.ready("etl-0").await;
    let confirm =
        json!({ "metadata": { "annotations": { "neo4j-okta.dev/confirm-removals": "12" } } });
    world
        .issuers()
        .patch("default", &PatchParams::default(), &Patch::Merge(&confirm))
        .await
        .unwrap();
    world.has("etl-0", "Ready", "False", "NotAllowed").await;
    world.pass(MINUTE * 2);
    until("all withdrawn", async || match tokens().await {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_credentials_stay_with_the_operator_and_go_with_their_account() {
    let mut world = World::without_operator().await;
    world.issuer(json!({ "credentials": "Private" })).await;
    world.start_operator().await;
    world.account("etl", json!({})).await;
    let account = world.ready("etl").await;
    let client = world.client.clone();
    let names = async |namespace: &str, selector: &str| {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let list = api
            .list(&ListParams::default().labels(selector))
            .await
            .unwrap();
        list.iter().map(ResourceExt::name_any).collect::<Vec<_>>()
    };
    let managed = "app.kubernetes.io/managed-by=neo4j-okta-operator";
    let own = format!("neo4j-okta.dev/account-uid={}", account.uid().unwrap());
    assert_eq!(names(&world.namespace, managed).await, ["etl-neo4j-token"]);
    let private = names(OPERATOR_NAMESPACE, &own).await;
    assert_eq!(private.len(), 1);
    assert_eq!(
        account.status.unwrap().credentials.unwrap().secret_name,
        None
    );
    world.claims("etl").await;
    // After a restart the refresh finds them there.
    world.stop_operators().await;
    world.pass(Duration::from_secs(2500));
    world.start_operator().await;
    let before = account.metadata.uid.clone();
    world
        .account_is("etl", "refreshed", |a| {
            let token = a.status.as_ref().and_then(|s| s.token.as_ref());
            a.metadata.uid == before && token.is_some_and(|t| t.expires_at.0 > world.clock.now())
        })
        .await;
    // A rotation replaces what is there.
    let api: Api<Secret> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let secret =
        async || api.get(&private[0]).await.unwrap().data.unwrap()["client_secret"].clone();
    let first = secret().await;
    world.annotate("etl", "neo4j-okta.dev/rotate", "1").await;
    world.pass(Duration::from_secs(3700));
    until("rotated", async || {
        if secret().await == first {
            Err(())
        } else {
            Ok(())
        }
    })
    .await;
    world.quiet().await;
    world.delete("etl").await;
    world.gone("etl").await;
    assert_eq!(names(OPERATOR_NAMESPACE, &own).await, Vec::<String>::new());
    assert!(world.okta.admin().apps().is_empty());
}
