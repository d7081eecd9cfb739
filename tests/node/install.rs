//! From `helm install` to a pod of a tenant that has its token.

use neo4j_okta_operator::clock::Clock;
use serde_json::{Value, json};

use crate::helm::{NAMESPACE, RELEASE};
use crate::installation::{Installation, account};
use crate::mount::{READER, sees, sees_another, token};
use crate::pod;

/// Binds the role that the chart brings for those who apply accounts, and no other.
fn tenant() -> String {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "tenant", "namespace": "payments" },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
            "name": format!("{RELEASE}-account-edit"),
        },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane" }],
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_of_an_installation_has_its_token_in_a_pod() {
    let values = json!({ "admission": { "inject": true } });
    let Some(installation) = Installation::new(&values).await else {
        return;
    };
    let machine = &installation.machine;
    let bytes = std::fs::metadata(&installation.image.archive)
        .unwrap()
        .len();
    let megabytes = bytes as f64 / 1e6;
    assert!(megabytes < 16.0, "the image has {megabytes:.1} MB");
    println!("image: {megabytes:.1} MB");
    let pods = installation.pods().await;
    assert_eq!(pods.len(), 2, "two replicas are ready");

    machine.restricted("payments").await;
    let create = ["create", "-f", "-"];
    machine.kubectl_with(create, &tenant()).unwrap();
    let jane = ["--as=jane", "apply", "-n", "payments", "-f", "-"];
    let applied = Clock::system().stopwatch();
    machine
        .kubectl_with(jane, &account("etl").to_string())
        .unwrap();
    let wait = "--as=jane wait n4jsa/etl -n payments --for=condition=Ready --timeout=60s";
    machine.kubectl(wait).unwrap();
    println!(
        "account applied to Ready in {:.1} s",
        applied.elapsed().as_secs_f64()
    );

    columns(&machine.kubectl("--as=jane get n4jsa -n payments").unwrap());
    // What the role does not give.
    let secret = machine.kubectl("--as=jane get secret etl-neo4j-token -n payments");
    assert!(secret.unwrap_err().contains("forbidden"));
    let status = [
        "--as=jane",
        "patch",
        "n4jsa",
        "etl",
        "-n",
        "payments",
        "--subresource=status",
        "--type=merge",
        "-p",
        r#"{"status":{"appId":"0oa1"}}"#,
    ];
    assert!(
        machine
            .kubectl_with(status, "")
            .unwrap_err()
            .contains("forbidden")
    );

    let pods = pod::run(&machine.client, pod::documented(READER)).await;
    let mut published = vec![token(machine).await];
    sees(&pods, &published).await;
    for number in 1..=3 {
        let annotation = format!("neo4j-okta.dev/renew={number}");
        let renew = format!("--as=jane annotate n4jsa etl -n payments --overwrite {annotation}");
        machine.kubectl(&renew).unwrap();
        sees_another(machine, &pods, &mut published).await;
    }
    let token = published.pop().unwrap();
    injected(&installation, &token).await;
    assert_eq!(installation.restarts().await, 0);
    hardened(&installation).await;
}

/// A pod that says nothing of volumes, but has the label, has the token as well.
async fn injected(installation: &Installation, token: &str) {
    let script = "cat /var/run/secrets/neo4j/token; echo; sleep 1000";
    let mut labelled = pod::idle();
    let change = json!({
        "metadata": { "name": "injected", "labels": { "neo4j-okta.dev/inject": "etl-neo4j-token" } },
    });
    crate::helpers::merge(&mut labelled, &change);
    labelled["spec"]["containers"][0]["command"] = json!(["/bin/sh", "-c", script]);
    let pods = pod::run(&installation.machine.client, labelled).await;
    crate::helpers::until("injected", async || {
        let seen = pod::lines(&pods, "injected").await;
        if seen == [token] { Ok(()) } else { Err(seen) }
    })
    .await;
}

/// What the table of `kubectl get` has to tell without being asked for more.
fn columns(table: &str) {
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(
        header,
        ["NAME", "READY", "GROUPS", "REFRESHED", "EXPIRES", "AGE"]
    );
    let line: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(line[..3], ["etl", "True", r#"["neo4j_publisher"]"#]);
}

/// What a reviewer of security looks at, as the API server and the node have it;
/// that the pods are restricted, the namespace enforces.
async fn hardened(installation: &Installation) {
    for pod in installation.pods().await {
        let spec = serde_json::to_value(pod.spec.unwrap()).unwrap();
        let container = &spec["containers"][0];
        let at = |pointer: &str| container.pointer(pointer).cloned().unwrap_or(Value::Null);
        assert_eq!(at("/securityContext/readOnlyRootFilesystem"), true);
        assert_eq!(at("/securityContext/capabilities/drop/0"), "ALL");
        assert_eq!(spec["securityContext"]["runAsUser"], 65532);
    }
    // There is nothing in the image to be run but the operator.
    let pod = installation.leader().await;
    let exec = format!("exec -n {NAMESPACE} {pod} -- /bin/sh -c true");
    let said = installation.machine.kubectl(&exec).unwrap_err();
    assert!(said.contains("no such file"), "{said}");
}
