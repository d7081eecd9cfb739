//! The real server's own validation, which is strict, takes each rendering.

use std::collections::BTreeMap;

use neo4j_okta_operator::api::OktaIssuer;
use neo4j_okta_operator::neo4j::{Format, Provider, render};
use serde_json::{Value, json};
use testbed::neo4j::{Edition, Neo4j, Settings, available};

fn provider(name: &str, neo4j: &Value) -> Provider {
    let object = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "OktaIssuer", "metadata": { "name": name },
        "spec": {
            "orgUrl": "https://acme.okta.com", "clusterName": "prod",
            "auth": { "apiToken": { "secretRef": { "name": "okta" } } },
            "authorizationServer": { "name": "neo4j", "audience": "https://graph.acme.example/$db?a=1" },
            "neo4j": neo4j,
        },
        "status": {
            "issuer": format!("https://acme.okta.com/oauth2/{name}"),
            "audience": "https://graph.acme.example/$db?a=1",
            "conditions": [],
        },
    });
    let issuer: OktaIssuer = serde_json::from_value(object).unwrap();
    Provider::new(&issuer).unwrap()
}

/// Names with everything that an issuer may have in them.
fn providers() -> [Provider; 2] {
    let map = json!({
        "a group: of @many/characters.-_": ["reader", "role.with-all_1"],
        "etl": ["publisher"],
    });
    [
        provider("default", &json!({ "groupToRole": map })),
        provider("partner", &json!({ "provider": "partner2" })),
    ]
}

/// The lines that the Docker image makes of its environment.
fn as_the_image_writes(env: &str) -> String {
    let lines = env.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        let key = name.strip_prefix("NEO4J_").unwrap();
        let key = key.replace('_', ".").replace("..", "_");
        format!("{key}={value}\n")
    });
    lines.collect()
}

/// The files that the official chart makes of its values.
fn as_the_chart_mounts(values: &str) -> BTreeMap<String, String> {
    let values: Value = serde_saphyr::from_str(values).unwrap();
    serde_json::from_value(values["config"].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_starts_with_each_rendering_under_strict_validation() {
    if !available() {
        return;
    }
    let conf = render(Format::Conf, &providers()).unwrap();
    let env = render(Format::Env, &providers()).unwrap();
    let helm = render(Format::Helm, &providers()).unwrap();
    let settings = conf.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(
        as_the_image_writes(&env).lines().collect::<Vec<_>>(),
        settings.collect::<Vec<_>>(),
        "of the environment the image makes the same file"
    );
    for (what, settings) in [
        ("neo4j.conf", Settings::Conf(conf.clone())),
        ("chart", Settings::Files(as_the_chart_mounts(&helm))),
    ] {
        let neo4j = Neo4j::start(Edition::Oidc, &settings)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        // Of a key that it does not know below a provider the server says
        // nothing: ask it what it took.
        let taken = neo4j
            .query_as_admin(
                "SHOW SETTINGS YIELD name, value WHERE name STARTS WITH 'dbms.security.' AND value IS NOT NULL RETURN name, value",
            )
            .await;
        let taken: BTreeMap<String, String> =
            serde_json::from_value::<Vec<(String, String)>>(taken.values().clone())
                .unwrap_or_else(|error| panic!("{error}: {taken:?}"))
                .into_iter()
                .collect();
        for line in conf.lines().filter(|line| !line.starts_with('#')) {
            let (key, value) = line.split_once('=').unwrap();
            let took = taken.get(key).map(|took| took.replace(", ", ","));
            assert_eq!(took.as_deref(), Some(value), "{what}: {key}");
        }
    }

    // The check checks: a key that there is not.
    let settings = Settings::Conf(format!("{conf}dbms.security.authentication_provider=x\n"));
    let refused = Neo4j::start(Edition::Oidc, &settings).await.unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("authentication_provider"), "{refused}");
}
