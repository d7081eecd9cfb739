//! The plugin as a person calls it, beside a running operator.

use std::process::Output;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, until};

/// What the plugin said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// Calls the plugin in the test's namespace, as an administrator.
    pub(crate) async fn plugin(&self, arguments: &[&str]) -> Said {
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

    /// Writes a status with one condition: type, status, reason, since when.
    async fn says_of(&self, name: &str, condition: (&str, &str, &str, String)) {
        let (type_, status, reason, since) = condition;
        let status = json!({ "status": { "conditions": [{
            "type": type_, "status": status, "reason": reason, "message": reason,
            "lastTransitionTime": since, "observedGeneration": 1,
        }] } });
        self.accounts()
            .patch_status(name, &PatchParams::default(), &Patch::Merge(&status))
            .await
            .unwrap();
    }

    /// A user who may read and change accounts in the namespace, and no more.
    pub(crate) async fn tenant(&self) {
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

    let inspected = world.plugin(&["inspect", "etl"]).await;
    well(&inspected);
    assert!(inspected.out.contains("neo4j_reader"), "{}", inspected.out);
    let verified = world.plugin(&["verify", "etl"]).await;
    well(&verified);
    assert!(verified.out.contains("all in order"), "{}", verified.out);

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

    let shown = [table, one, inspected, verified, hasty, suspended, refused];
    for said in shown.map(|said| said.out + &said.err) {
        for hidden in [&before, &renewed, &secret, &rotated] {
            assert!(!said.contains(hidden.as_str()), "a secret is shown");
        }
        for part in renewed.split('.') {
            assert!(!said.contains(part), "a part of the token is shown");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_neo4j_would_refuse_is_found_by_verify() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let mut world = world;
    world.stop_operators().await;
    let server = world.okta.admin().authorization_servers();
    let server = server.iter().find(|s| s["name"] == "neo4j").unwrap();
    world
        .okta
        .admin()
        .rotate_keys(server["id"].as_str().unwrap());
    let token = world.token("etl").await;
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[2] = "c2lnbmF0dXJl";
    let forged = json!({ "stringData": { "token": parts.join(".") } });
    world.edit_secret("etl-neo4j-token", &forged).await;
    let said = world.plugin(&["verify", "etl"]).await;
    assert_eq!(said.code, 2, "{said:#?}");
    assert!(said.out.contains("✗ signature"), "{}", said.out);
    assert!(said.out.contains("1 must be put right"), "{}", said.out);
    let answer = world.plugin(&["verify", "etl", "-o", "json"]).await;
    assert_eq!(answer.code, 2);
    let checks: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(checks[0]["verdict"], "Failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_without_an_account_are_listed_and_deleted_when_the_number_is_right() {
    let mut world = World::new().await;
    world.account("etl", json!({})).await;
    let app = world.ready("etl").await.status.unwrap().app_id.unwrap();
    world.stop_operators().await;
    world.delete("etl").await;
    let patch = json!({ "metadata": { "finalizers": null } });
    let accounts = world.accounts();
    accounts
        .patch("etl", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    world.gone("etl").await;
    world.start_operator().await;
    let wrong = world.plugin(&["orphans", "--delete", "7"]).await;
    assert_eq!(wrong.code, 1, "{wrong:#?}");
    assert!(wrong.err.contains("nothing was deleted"), "{}", wrong.err);
    let listed = world.plugin(&["orphans"]).await;
    well(&listed);
    assert!(
        listed.out.contains(&app) && listed.out.contains("/etl"),
        "{}",
        listed.out
    );
    well(&world.plugin(&["orphans", "--delete", "1"]).await);
    assert!(world.okta.admin().app(&app).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_go_is_abandoned_and_its_app_named() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    let app = world.ready("etl").await.status.unwrap().app_id.unwrap();
    let early = world.plugin(&["abandon", "etl"]).await;
    assert_eq!(early.code, 1);
    assert!(
        early.err.contains("kubectl delete n4jsa etl"),
        "{}",
        early.err
    );
    world.okta.stop_answering(true);
    world.delete("etl").await;
    world.has("etl", "Ready", "False", "OktaUnreachable").await;
    let said = world.plugin(&["abandon", "etl"]).await;
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(
        said.err.contains(&app) && said.out.contains("is gone"),
        "{said:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_completes_names_of_the_cluster() {
    let world = World::without_operator().await;
    world.account("etl", json!({})).await;
    let kubeconfig = world.cluster.kubeconfig().display().to_string();
    let namespace = world.namespace.clone();
    let words = [
        "__complete",
        "--",
        "--kubeconfig",
        &kubeconfig,
        "-n",
        &namespace,
        "renew",
        "",
    ];
    let said = world.plugin(&words).await;
    well(&said);
    assert_eq!(said.out, "etl\n:4\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_waits_for_oktas_limit_is_told_when_its_turn_comes() {
    let world = World::without_operator().await;
    let ago = |seconds: i64| {
        let at = Timestamp::from_second(world.clock.now().as_second() - seconds);
        at.unwrap().to_string()
    };
    // As the operator leaves them: ten were served in the last five minutes.
    for i in 0..10 {
        let name = format!("served-{i}");
        world.account(&name, json!({})).await;
        let registered = ("Registered", "True", "AppRegistered", ago(i * 30));
        world.says_of(&name, registered).await;
    }
    for (name, seconds) in [("first", 300), ("second", 200)] {
        world.account(name, json!({})).await;
        let waits = ("Ready", "False", "RateLimited", ago(seconds));
        world.says_of(name, waits).await;
    }
    let all = world.plugin(&["status", "-o", "json"]).await;
    well(&all);
    let all: Value = serde_json::from_str(&all.out).unwrap();
    let turn = |name: &str| {
        let all = all.as_array().unwrap();
        let account = all.iter().find(|a| a["name"] == name).unwrap();
        account["secondsToTurn"].as_i64()
    };
    // Half a minute each, and the longer the test itself takes.
    assert!(turn("first").unwrap() >= 30, "{all}");
    assert!(turn("second") > turn("first"), "{all}");
    assert_eq!(turn("served-1"), None);
    // The others of its namespace tell the pace for one that is looked at alone.
    let one = world.plugin(&["status", "second"]).await;
    well(&one);
    assert!(one.out.contains("its turn comes in about"), "{}", one.out);
    // Whoever may look at it alone sees it without.
    let rights = format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{ name: one, namespace: {0} }}
rules:
  - {{ apiGroups: [neo4j-okta.dev], resources: [neo4jserviceaccounts], verbs: [get] }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{ name: one, namespace: {0} }}
roleRef: {{ apiGroup: rbac.authorization.k8s.io, kind: Role, name: one }}
subjects: [{{ apiGroup: rbac.authorization.k8s.io, kind: User, name: onlooker }}]
",
        world.namespace
    );
    world.cluster.apply_yaml(&rights).await.unwrap();
    let alone = world
        .plugin(&["--as", "onlooker", "status", "second"])
        .await;
    well(&alone);
    assert!(alone.out.contains("RateLimited"), "{}", alone.out);
    assert!(!alone.out.contains("its turn"), "{}", alone.out);
}
