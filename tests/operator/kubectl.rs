//! The plugin as a person calls it, beside a running operator.

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, until};

/// What the plugin said, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl World {
    /// Calls the plugin in the test's namespace, as an administrator.
    async fn plugin(&self, arguments: &[&str]) -> Said {
        let output: Output = tokio::process::Command::new(env!("CARGO_BIN_EXE_kubectl-neo4jsa"))
            .arg("--kubeconfig")
            .arg(self.cluster.kubeconfig())
            .args(["--namespace", &self.namespace])
            .args(arguments)
            .env("OPERATOR_NAMESPACE", OPERATOR_NAMESPACE)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .await
            .unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A user who may read and change accounts in the namespace, and no more.
    async fn tenant(&self) {
        let namespace = &self.namespace;
        let rights = format!(
            "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{ name: tenant, namespace: {namespace} }}
rules:
  - apiGroups: [neo4j-okta.dev]
    resources: [neo4jserviceaccounts]
    verbs: [get, list, watch, create, update, patch, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{ name: tenant, namespace: {namespace} }}
roleRef: {{ apiGroup: rbac.authorization.k8s.io, kind: Role, name: tenant }}
subjects: [{{ apiGroup: rbac.authorization.k8s.io, kind: User, name: tenant }}]
"
        );
        self.cluster.apply_yaml(&rights).await.unwrap();
    }
}

fn well(said: &Said) {
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(said.err, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_shows_renews_rotates_stops_and_resumes_an_account() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;

    let table = world.plugin(&["status"]).await;
    well(&table);
    let row: Vec<&str> = table
        .out
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(row[..2], ["etl", "Ready"], "{}", table.out);
    let all = world.plugin(&["status", "-A", "-o", "json"]).await;
    well(&all);
    let all: Value = serde_json::from_str(&all.out).unwrap();
    assert_eq!(all[0]["name"], "etl");
    assert_eq!(all[0]["state"], "Ready");
    assert!(
        all[0]["token"]["secondsLeft"].as_i64().unwrap() > 3000,
        "{all}"
    );
    let one = world.plugin(&["status", "etl"]).await;
    well(&one);
    assert!(
        one.out.contains("█") && one.out.contains("TokenIssued"),
        "{}",
        one.out
    );

    let before = world.token("etl").await;
    well(&world.plugin(&["renew", "etl"]).await);
    let renewed = world.token("etl").await;
    assert_ne!(before, renewed);

    let secret = world.data("etl-okta-credentials").await["client_secret"].clone();
    let hasty = world.plugin(&["rotate", "etl"]).await;
    well(&hasty);
    assert!(hasty.out.contains("once an hour"), "{}", hasty.out);
    world.pass(Duration::from_secs(3600));
    let rotated = until("rotated", async || {
        let now = world.data("etl-okta-credentials").await["client_secret"].clone();
        if now == secret {
            Err("the same secret")
        } else {
            Ok(now)
        }
    })
    .await;
    assert!(world.signs_in("etl").await);

    let suspended = world.plugin(&["suspend", "etl"]).await;
    well(&suspended);
    assert!(suspended.out.contains("is suspended"), "{}", suspended.out);
    let refused = world.plugin(&["renew", "etl"]).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("kubectl neo4jsa resume etl"),
        "{}",
        refused.err
    );
    well(&world.plugin(&["resume", "etl"]).await);
    world.claims("etl").await;

    for said in [table.out, one.out, hasty.out, suspended.out, refused.err] {
        for hidden in [&before, &renewed, &secret, &rotated] {
            assert!(!said.contains(hidden.as_str()), "a secret is shown");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_who_may_not_restore_is_told_which_verb_that_needs() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app = world.ready("etl").await.status.unwrap().app_id.unwrap();
    world.tenant().await;
    let none = world.plugin(&["--as", "tenant", "restore", "etl"]).await;
    assert_eq!(none.code, 1);
    assert!(none.err.contains("nothing to restore"), "{}", none.err);

    world.okta.admin().deactivate_app(&app);
    world.pass(Duration::from_secs(300));
    world.has("etl", "Ready", "False", "DisabledInOkta").await;
    let refused = world.plugin(&["--as", "tenant", "restore", "etl"]).await;
    assert_eq!(refused.code, 1);
    assert_eq!(refused.err.trim().lines().count(), 1, "{}", refused.err);
    assert!(
        refused
            .err
            .contains("needs the verb restore on OktaIssuer default"),
        "{}",
        refused.err
    );
    assert!(!refused.err.contains("ValidatingAdmissionPolicy"));
    let other = world.plugin(&["--as", "stranger", "status"]).await;
    assert_eq!(other.code, 1);
    assert!(other.err.contains("you may not do that"), "{}", other.err);
    well(&world.plugin(&["restore", "etl"]).await);
    world.claims("etl").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_command_or_the_cluster_is_one_line_and_a_code() {
    let world = World::without_operator().await;
    let cases: [(&[&str], i32, &str); 5] = [
        (&["status", "nobody"], 1, "there is no Neo4jServiceAccount"),
        (&["frobnicate"], 64, "frobnicate"),
        (&["renew", "etl", "--timeout", "soon"], 64, "--timeout"),
        (&["abandon", "nobody"], 1, "there is no"),
        (&["status", "--context", "nowhere"], 1, "nowhere"),
    ];
    for (arguments, code, word) in cases {
        let said = world.plugin(arguments).await;
        assert_eq!(said.code, code, "{arguments:?}: {said:#?}");
        assert!(said.err.contains(word), "{arguments:?}: {said:#?}");
        assert_eq!(said.out, "");
    }
    world.account("etl", json!({})).await;
    let unseen = world.plugin(&["renew", "etl", "--timeout", "1s"]).await;
    assert_eq!(unseen.code, 1);
    assert!(
        unseen.err.contains("is the operator running"),
        "{}",
        unseen.err
    );
}
