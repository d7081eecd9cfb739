//! The chart's `files/admission/annotations.yaml` at a real API server, as users of
//! it meet it: who may set what, and what nobody is kept from.

use serde_json::{Value, json};
use testbed::ControlPlane;

use crate::corpus::{base, merge};
use crate::policies::{self, by, guarded, in_force};
use crate::server::url;

const RESTORE: &str = "neo4j-okta.dev/restore";
const ABANDON: &str = "neo4j-okta.dev/abandon";
const ORPHANS: &str = "neo4j-okta.dev/delete-orphans";
const REMOVALS: &str = "neo4j-okta.dev/confirm-removals";

/// Users, and which verbs each has on which issuer, besides writing accounts and
/// issuers.
const USERS: [(&str, &[&str], &str); 6] = [
    ("nobody", &[], "default"),
    ("restorer", &["restore"], "default"),
    ("abandoner", &["abandon"], "default"),
    ("confirmer", &["confirm-removals"], "default"),
    ("deleter", &["delete-orphans"], "default"),
    ("elsewhere", &["restore", "abandon"], "other"),
];

struct Test {
    cluster: &'static ControlPlane,
    namespace: String,
}

impl Test {
    async fn new(name: &str) -> Self {
        let cluster = guarded().await;
        let namespace = cluster.namespace(name).await;
        for (user, verbs, issuer) in USERS {
            cluster
                .apply_yaml(&rights(user, verbs, issuer))
                .await
                .unwrap();
        }
        let test = Self { cluster, namespace };
        in_force("neo4j-okta-operator-account-annotations", async || {
            test.create("nobody", "canary", &json!({ RESTORE: "1" }), "?dryRun=All")
                .await
        })
        .await;
        let issuer = json!({ "metadata": { "name": "canary", "annotations": { ORPHANS: "1" } } });
        let mut canary = base("issuer-minimal");
        merge(&mut canary, &issuer);
        let url = format!("{}?dryRun=All", url(&canary, ""));
        in_force("neo4j-okta-operator-issuer-annotations", async || {
            by(cluster, "nobody", "POST", &url, &canary).await
        })
        .await;
        test
    }

    async fn create(
        &self,
        user: &str,
        name: &str,
        annotations: &Value,
        query: &str,
    ) -> Result<Value, String> {
        let mut account = base("account-minimal");
        let named = json!({ "metadata": { "name": name, "annotations": annotations, "finalizers": ["example.com/hold"] } });
        merge(&mut account, &named);
        let url = format!("{}{query}", url(&account, &self.namespace));
        by(self.cluster, user, "POST", &url, &account).await
    }

    fn account(&self, name: &str) -> String {
        format!("{}/{name}", url(&base("account-minimal"), &self.namespace))
    }

    async fn annotate(&self, user: &str, name: &str, annotations: &Value) -> Result<Value, String> {
        let patch = json!({ "metadata": { "annotations": annotations } });
        by(self.cluster, user, "PATCH", &self.account(name), &patch).await
    }
}

/// The rights of a user, as manifests.
fn rights(user: &str, verbs: &[&str], issuer: &str) -> String {
    let write = ["get", "create", "update", "patch", "delete"];
    let all = json!([
        { "apiGroups": ["neo4j-okta.dev"], "resources": ["neo4jserviceaccounts", "oktaissuers"], "verbs": write },
        { "apiGroups": ["neo4j-okta.dev"], "resources": ["oktaissuers"], "resourceNames": [issuer], "verbs": verbs },
    ]);
    let rules = if verbs.is_empty() {
        json!([all[0]])
    } else {
        all
    };
    let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": user }, "rules": rules });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": user },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    });
    format!("{role}\n---\n{binding}\n")
}

fn refused(answer: &Result<Value, String>, verb: &str) {
    let said = answer.as_ref().expect_err("it should be refused");
    assert!(said.contains(&format!("needs the verb {verb}")), "{said}");
}

#[tokio::test]
async fn an_annotation_that_gives_back_or_lets_go_needs_its_verb_on_the_accounts_issuer() {
    let test = Test::new("annotations").await;
    test.create("nobody", "etl", &json!({}), "").await.unwrap();
    for (annotation, verb, allowed) in [
        (RESTORE, "restore", "restorer"),
        (ABANDON, "abandon", "abandoner"),
    ] {
        for (user, _, _) in USERS {
            for value in ["1", ""] {
                let name = format!("new-{user}");
                let created = test
                    .create(user, &name, &json!({ annotation: value }), "?dryRun=All")
                    .await;
                let set = test
                    .annotate(user, "etl", &json!({ annotation: value }))
                    .await;
                for answer in [created, set] {
                    if user == allowed {
                        answer.unwrap();
                    } else {
                        refused(&answer, verb);
                    }
                }
                // So that the next one sets it anew.
                test.annotate("nobody", "etl", &json!({ annotation: null }))
                    .await
                    .unwrap();
            }
        }
    }
}

#[tokio::test]
async fn what_is_left_as_it_is_or_taken_away_passes_whoever_sends_it() {
    let test = Test::new("unchanged").await;
    test.create("restorer", "etl", &json!({ RESTORE: "1" }), "")
        .await
        .unwrap();
    let spec = json!({ "metadata": { "labels": { "team": "data" } }, "spec": { "groups": ["neo4j_reader"] } });
    by(test.cluster, "nobody", "PATCH", &test.account("etl"), &spec)
        .await
        .unwrap();
    let other = test
        .annotate("nobody", "etl", &json!({ RESTORE: "2" }))
        .await;
    refused(&other, "restore");
    test.annotate("nobody", "etl", &json!({ RESTORE: null }))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_account_under_deletion_is_let_go_of_by_whoever_may_and_held_up_by_nothing() {
    let test = Test::new("deletion").await;
    test.create("restorer", "etl", &json!({ RESTORE: "1" }), "")
        .await
        .unwrap();
    by(
        test.cluster,
        "nobody",
        "DELETE",
        &test.account("etl"),
        &json!({}),
    )
    .await
    .unwrap();
    refused(
        &test
            .annotate("nobody", "etl", &json!({ ABANDON: "true" }))
            .await,
        "abandon",
    );
    test.annotate("abandoner", "etl", &json!({ ABANDON: "true" }))
        .await
        .unwrap();
    // As the operator does at the end, and as somebody does in need.
    let free = json!({ "metadata": { "finalizers": null } });
    by(test.cluster, "nobody", "PATCH", &test.account("etl"), &free)
        .await
        .unwrap();
    let gone = by(
        test.cluster,
        "nobody",
        "GET",
        &test.account("etl"),
        &json!({}),
    )
    .await;
    assert!(gone.unwrap_err().contains("not found"));
}

#[tokio::test]
async fn what_is_confirmed_on_an_issuer_needs_a_verb_besides_the_right_to_write_it() {
    let test = Test::new("issuers").await;
    let mut issuer = base("issuer-minimal");
    // The other tests' accounts refer to it.
    let allow = json!([{ "namespaceSelector": {}, "groups": ["neo4j_*"] }]);
    merge(&mut issuer, &json!({ "spec": { "allow": allow } }));
    let root = url(&issuer, "");
    by(test.cluster, "nobody", "POST", &root, &issuer)
        .await
        .unwrap();
    let one = format!("{root}/default");
    let annotate = async |user: &str, annotations: Value| {
        let patch = json!({ "metadata": { "annotations": annotations } });
        by(test.cluster, user, "PATCH", &one, &patch).await
    };
    for (annotation, verb, allowed) in [
        (REMOVALS, "confirm-removals", "confirmer"),
        (ORPHANS, "delete-orphans", "deleter"),
    ] {
        for (user, _, _) in USERS.iter().filter(|(user, _, _)| *user != allowed) {
            refused(&annotate(user, json!({ annotation: "17" })).await, verb);
        }
        annotate(allowed, json!({ annotation: "17" }))
            .await
            .unwrap();
    }
    let spec = json!({ "spec": { "onDelete": "Deactivate" } });
    by(test.cluster, "nobody", "PATCH", &one, &spec)
        .await
        .unwrap();
    annotate("nobody", json!({ ORPHANS: null, REMOVALS: null }))
        .await
        .unwrap();
    by(test.cluster, "nobody", "DELETE", &one, &json!({}))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_largest_annotations_are_still_judged() {
    let test = Test::new("large").await;
    // All annotations of an object together hold 256 KiB.
    let half = "x".repeat(126 * 1024);
    let all = json!({ RESTORE: half, ABANDON: half });
    let admin = policies::ADMIN;
    policies::admin(test.cluster).await;
    test.create(admin, "etl", &all, "").await.unwrap();
    let label = json!({ "metadata": { "labels": { "team": "data" } } });
    by(
        test.cluster,
        "nobody",
        "PATCH",
        &test.account("etl"),
        &label,
    )
    .await
    .unwrap();
    for (annotation, verb) in [(RESTORE, "restore"), (ABANDON, "abandon")] {
        let other = format!("y{}", &half[1..]);
        let patch = json!({ annotation: other });
        refused(&test.annotate("nobody", "etl", &patch).await, verb);
    }
}
