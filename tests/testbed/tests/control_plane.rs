//! The control plane is a real one, and shows what tests need to see.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use testbed::{AuditEvent, ControlPlane, OPERATOR_NAMESPACE, OPERATOR_USER, control_plane};
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_audit_log_tells_who_created_what() {
    let cluster = control_plane().await;
    let namespace = cluster.namespace("audit").await;
    let secrets: Api<Secret> = Api::namespaced(cluster.operator_client().await, &namespace);
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some("etl".to_owned()),
            ..ObjectMeta::default()
        },
        string_data: Some(BTreeMap::from([("token".to_owned(), "x".to_owned())])),
        ..Secret::default()
    };
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    secrets.get("etl").await.unwrap();
    assert!(secrets.get_opt("other").await.unwrap().is_none());

    let ours = |event: &AuditEvent| {
        event.namespace.as_ref() == Some(&namespace) && event.user == OPERATOR_USER
    };
    let seen = async {
        loop {
            let events: Vec<_> = cluster.audit().into_iter().filter(ours).collect();
            if events.len() >= 3 {
                return events;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let events = timeout(LIMIT, seen).await.expect("three events");
    let told: Vec<_> = events
        .iter()
        .map(|e| {
            (
                e.verb.as_str(),
                e.resource.as_str(),
                e.name.as_deref(),
                e.code,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("create", "secrets", Some("etl"), 201),
            ("get", "secrets", Some("etl"), 200),
            ("get", "secrets", Some("other"), 404),
        ]
    );
    assert_eq!(
        events[1].uri,
        format!("/api/v1/namespaces/{namespace}/secrets/etl")
    );
    assert_eq!(events[1].subresource, None);
}

#[tokio::test]
async fn the_operator_has_its_rights_and_no_others() {
    let cluster = control_plane().await;
    let client = cluster.operator_client().await;
    for (verb, group, resource, namespace) in [
        ("create", "", "secrets", "default"),
        ("watch", "neo4j-okta.dev", "neo4jserviceaccounts", ""),
        ("patch", "neo4j-okta.dev", "oktaissuers/status", ""),
        (
            "update",
            "coordination.k8s.io",
            "leases",
            OPERATOR_NAMESPACE,
        ),
        ("patch", "events.k8s.io", "events", "default"),
    ] {
        assert!(
            may(&client, verb, group, resource, namespace).await,
            "{verb} {resource}"
        );
    }
    for (verb, group, resource, namespace) in [
        ("list", "", "pods", "default"),
        ("patch", "apps", "deployments", "default"),
        ("get", "coordination.k8s.io", "leases", "default"),
        ("get", "", "configmaps", "default"),
        (
            "create",
            "neo4j-okta.dev",
            "neo4jserviceaccounts",
            "default",
        ),
        ("delete", "neo4j-okta.dev", "oktaissuers", ""),
        (
            "update",
            "apiextensions.k8s.io",
            "customresourcedefinitions",
            "",
        ),
    ] {
        assert!(
            !may(&client, verb, group, resource, namespace).await,
            "{verb} {resource}"
        );
    }
}

#[tokio::test]
async fn crds_can_be_applied_and_used_and_owned_secrets_are_collected() {
    let cluster = control_plane().await;
    let namespace = cluster.namespace("crd").await;
    cluster.apply_yaml(CRD).await.unwrap();
    cluster
        .wait_for_crds(&["widgets.testbed.example"])
        .await
        .unwrap();
    let widget = format!(
        "# only a comment\n---\napiVersion: testbed.example/v1\nkind: Widget\nmetadata: {{ name: w, namespace: {namespace} }}\n"
    );
    cluster.apply_yaml(&widget).await.unwrap();

    let client = cluster.client();
    let kind = ApiResource::from_gvk_with_plural(
        &kube::core::GroupVersionKind::gvk("testbed.example", "v1", "Widget"),
        "widgets",
    );
    let widgets: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &kind);
    let widget = widgets.get("w").await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client, &namespace);
    let owner = OwnerReference {
        api_version: "testbed.example/v1".to_owned(),
        kind: "Widget".to_owned(),
        name: widget.name_any(),
        uid: widget.uid().unwrap(),
        ..OwnerReference::default()
    };
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some("owned".to_owned()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    };
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    widgets.delete("w", &DeleteParams::default()).await.unwrap();
    let collected = async {
        while secrets.get_opt("owned").await.unwrap().is_some() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(LIMIT, collected)
        .await
        .expect("the garbage collector deletes the Secret");
}

#[tokio::test]
async fn an_unknown_kind_is_an_error_that_names_it() {
    let cluster = control_plane().await;
    let error = cluster
        .apply_yaml("apiVersion: none.example/v1\nkind: Nothing\nmetadata: { name: absent }\n")
        .await;
    let message = error.unwrap_err().to_string();
    assert!(
        message.starts_with("applying Nothing absent: "),
        "{message}"
    );
}

#[tokio::test]
async fn kubectl_works_and_knows_its_version() {
    // Spawned, because a test may well want to.
    let cluster = tokio::spawn(control_plane()).await.unwrap();
    let output = Command::new(cluster.kubectl())
        .args(["version", "--output=json"])
        .env("KUBECONFIG", cluster.operator_kubeconfig())
        .output()
        .unwrap();
    let version: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for side in ["clientVersion", "serverVersion"] {
        assert_eq!(version[side]["major"], "1", "{version}");
        assert!(
            version[side]["gitVersion"]
                .as_str()
                .unwrap()
                .starts_with("v1."),
            "{version}"
        );
    }
}

#[tokio::test]
async fn a_second_control_plane_is_apart_and_goes_when_dropped() {
    let second = ControlPlane::start().await.unwrap();
    let namespace = second.namespace("second").await;
    let first: Api<Namespace> = Api::all(control_plane().await.client());
    assert!(first.get_opt(&namespace).await.unwrap().is_none());

    let folder = second.directory().to_owned();
    let client = second.client();
    drop(second);
    assert!(!folder.exists(), "{}", folder.display());
    let connect = timeout(LIMIT, client.apiserver_version());
    assert!(
        connect
            .await
            .expect("a closed port refuses at once")
            .is_err()
    );
}

#[tokio::test]
async fn only_this_user_can_read_the_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = control_plane().await.directory();
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o077, 0);
}

async fn may(client: &Client, verb: &str, group: &str, resource: &str, namespace: &str) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let some = |text: &str| Some(text.to_owned());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: some(verb),
                group: some(group),
                resource: some(resource),
                subresource: some(subresource),
                namespace: some(namespace),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = reviews
        .create(&PostParams::default(), &review)
        .await
        .unwrap();
    answer.status.is_some_and(|status| status.allowed)
}

const CRD: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.testbed.example }
spec:
  group: testbed.example
  scope: Namespaced
  names: { kind: Widget, plural: widgets }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object } }
";
