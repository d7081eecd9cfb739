//! What a pod sees of its token.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use neo4j_okta_operator::api::{Neo4jServiceAccount, OktaIssuer};
use neo4j_okta_operator::clock::Clock;
use neo4j_okta_operator::controller::{Fence, Operator, Settings};
use neo4j_okta_operator::metrics::Metrics;
use okta_emulator::{Config, Emulator};
use serde_json::json;
use testbed::OPERATOR_NAMESPACE;

use crate::helpers::{apply, install, until};
use crate::machine::Machine;
use crate::pod;

const MINUTE: Duration = Duration::from_secs(60);

/// Prints whatever differs from what it read last: a file that is missing, empty
/// or torn for a moment is a line that is no token. The dot keeps the end.
pub(crate) const READER: &str = r#"
last=
while :; do
    now=$(cat /var/run/neo4j/token 2>&1; echo .)
    [ "$now" = "$last" ] || echo "$now"
    last=$now
done
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_pod_sees_each_refresh_whole_and_never_an_expired_token() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    install(machine.node.cluster()).await;
    machine.restricted("payments").await;
    let okta = Emulator::start(Config::default()).await.unwrap();
    machine.sign_in("127.0.0.1", okta.api_token()).await;
    let issuer = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "OktaIssuer", "metadata": { "name": "default" },
        "spec": {
            "orgUrl": okta.url(),
            "clusterName": "test",
            "auth": { "apiToken": { "secretRef": { "name": "okta" } } },
            "authorizationServer": { "name": "neo4j", "audience": "neo4j", "management": "Managed" },
            "allow": [{ "namespaces": ["payments"], "groups": ["neo4j_*"] }],
        },
    });
    let issuers: Api<OktaIssuer> = Api::all(machine.client.clone());
    apply(&issuers, "default", &issuer).await;
    let account = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": "etl" }, "spec": { "groups": ["neo4j_publisher"] },
    });
    let accounts: Api<Neo4jServiceAccount> = Api::namespaced(machine.client.clone(), "payments");
    apply(&accounts, "etl", &account).await;

    // In this process, so that its clock can be moved.
    let clock = Clock::system();
    let settings = Settings {
        namespace: OPERATOR_NAMESPACE.to_owned(),
        instance: "test".to_owned(),
        clock: clock.clone(),
        fence: Fence::open(),
        okta_timeout: neo4j_okta_operator::okta::TIMEOUT,
        metrics: Metrics::default(),
        watch_namespaces: std::collections::BTreeSet::new(),
        after_step: None,
    };
    let client = machine.node.cluster().operator_client().await;
    let operator = Operator::new(client, settings, std::future::pending()).await;
    let operator = tokio::spawn(operator.unwrap().run());
    let wait = "wait n4jsa/etl -n payments --for=condition=Ready --timeout=60s";
    machine.kubectl(wait).unwrap();

    let pods = pod::run(&machine.client, pod::documented(READER)).await;
    let mut published = vec![token(&machine).await];
    sees(&pods, &published).await;
    for _ in 0..3 {
        let account = accounts.get("etl").await.unwrap();
        let old = account.status.unwrap().token.unwrap();
        okta.clock().advance(45 * MINUTE);
        clock.advance(45 * MINUTE);
        sees_another(&machine, &pods, &mut published).await;
        assert!(clock.now() < old.expires_at.0, "the file had expired");
    }
    operator.abort();
}

pub(crate) async fn token(machine: &Machine) -> String {
    let secrets: Api<Secret> = Api::namespaced(machine.client.clone(), "payments");
    let data = secrets.get("etl-neo4j-token").await.unwrap().data.unwrap();
    String::from_utf8(data["token"].0.clone()).unwrap()
}

/// Waits for another token to be published, and until the pod has seen it, too.
pub(crate) async fn sees_another(machine: &Machine, pods: &Api<Pod>, published: &mut Vec<String>) {
    let new = until("refreshed", async || {
        let token = token(machine).await;
        if published.contains(&token) {
            Err(())
        } else {
            Ok(token)
        }
    })
    .await;
    published.push(new);
    sees(pods, published).await;
}

/// Waits until the pod has seen these, and nothing else in between.
pub(crate) async fn sees(pods: &Api<Pod>, published: &[String]) {
    let whole: Vec<String> = published.iter().map(|token| format!("{token}.")).collect();
    until("seen by the pod", async || {
        let seen = pod::lines(pods, "etl").await;
        assert!(whole.starts_with(&seen), "the pod saw {seen:#?}");
        if seen == whole { Ok(()) } else { Err(seen) }
    })
    .await;
}
