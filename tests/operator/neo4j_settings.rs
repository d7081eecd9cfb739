//! Neo4j's settings for an issuer, where people and their tools find them.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, until};

const NAME: &str = "neo4j-settings-default";

impl World {
    fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE)
    }

    /// Waits until this file of the settings says so.
    async fn settings_say(&self, file: &str, what: &str) {
        until("in the settings", async || {
            let settings = self.config_maps().get_opt(NAME).await.unwrap();
            let data = settings.and_then(|s| s.data).unwrap_or_default();
            match data.get(file) {
                Some(text) if text.contains(what) => Ok(()),
                other => Err(other.cloned()),
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_are_kept_current_and_go_with_the_issuer() {
    let mut world = World::without_operator().await;
    world.start_operator().await;
    world.issuer(json!({})).await;
    let issuer = world.issuer_has("Ready", "True", "IssuerReady").await;
    let told = issuer.status.unwrap();
    let iss = told.issuer.unwrap();
    world.settings_say("neo4j.conf", &iss).await;
    for file in ["neo4j.env", "values.yaml", "roles.cypher", "aura.txt"] {
        world.settings_say(file, "").await;
    }
    let status = until("in the status", async || {
        let issuer = world.issuers().get("default").await.unwrap();
        issuer.status.unwrap().neo4j.ok_or(())
    })
    .await;
    assert_eq!(status.config_map.as_deref(), Some(NAME));

    // Another mapping is another setting.
    let mapping = json!({ "neo4j": { "groupToRole": { "neo4j_publisher": ["writer"] } } });
    world.issuer(mapping).await;
    world.settings_say("neo4j.conf", "writer").await;

    // What somebody broke is put right at the next look.
    let edit = json!({ "data": { "neo4j.conf": "dbms.security.auth_enabled=false" } });
    world
        .config_maps()
        .patch(NAME, &PatchParams::default(), &Patch::Merge(&edit))
        .await
        .unwrap();
    world.pass(Duration::from_secs(660));
    world.settings_say("neo4j.conf", &iss).await;

    let issuers = world.issuers();
    issuers
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    until("gone with the issuer", async || {
        let there = world.config_maps().get_opt(NAME).await.unwrap();
        there.map_or(Ok(()), |c| Err(c.metadata.owner_references))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_of_somebody_else_is_left_alone_and_the_status_says_so() {
    let mut world = World::without_operator().await;
    let theirs: ConfigMap = serde_json::from_value(json!({
        "metadata": { "name": NAME }, "data": { "neo4j.conf": "theirs" },
    }))
    .unwrap();
    world
        .config_maps()
        .create(&PostParams::default(), &theirs)
        .await
        .unwrap();
    world.start_operator().await;
    world.issuer(json!({})).await;
    let problem = until("said", async || {
        let issuer = world.issuers().get("default").await.unwrap();
        let neo4j = issuer.status.and_then(|s| s.neo4j);
        neo4j.and_then(|n| n.problem).ok_or(())
    })
    .await;
    assert!(problem.contains(NAME), "{problem}");
    let kept = world.config_maps().get(NAME).await.unwrap();
    assert_eq!(kept.data, theirs.data);
    world
        .config_maps()
        .delete(NAME, &DeleteParams::default())
        .await
        .unwrap();
}
