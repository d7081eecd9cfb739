//! Bodies of Okta's answers: whatever JSON comes, reading does not panic, what
//! is written back is as described from then on, and holds no secret.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use neo4j_okta_operator::api::{Authentication, CreatedObjects, OktaIssuerSpec};
use neo4j_okta_operator::okta::credentials::Listed;
use neo4j_okta_operator::plan::app::{AppSpec, AppView, CredentialBody};
use neo4j_okta_operator::plan::identity::Marker;
use neo4j_okta_operator::plan::issuer::{Identity, ServerView, next, our_policies};
use neo4j_okta_operator::plan::policy::{edit, listed};
use serde_json::{Value, json};

static SPEC: LazyLock<AppSpec> = LazyLock::new(|| AppSpec {
    label: "prod/payments/etl".to_owned(),
    groups: BTreeSet::from(["readers".to_owned()]),
    profile_attribute: "neo4j_groups".to_owned(),
    marker: Marker {
        installation: "installation".to_owned(),
        cluster: "prod".to_owned(),
        namespace: "payments".to_owned(),
        name: "etl".to_owned(),
        uid: "9d1e7f3a".to_owned(),
        stopped: false,
    },
    network_zones: Vec::new(),
    authentication: Authentication::ClientSecretBasic,
});

static ISSUER: LazyLock<OktaIssuerSpec> = LazyLock::new(|| {
    serde_json::from_value(json!({
        "orgUrl": "https://acme.okta.com",
        "clusterName": "prod",
        "auth": { "apiToken": { "secretRef": { "name": "okta" } } },
        "authorizationServer": { "name": "neo4j", "audience": "neo4j", "management": "Managed" },
        "allow": [],
    }))
    .expect("a spec")
});

fn app(body: &Value) {
    let _ = AppView::read(body, &SPEC);
    if let Some(merged) = SPEC.merge(body) {
        // Otherwise each look would be a write.
        assert_eq!(SPEC.merge(&merged), None, "{merged}");
        let client = &merged["credentials"]["oauthClient"];
        assert!(client.get("client_secret").is_none(), "{merged}");
    }
    let merged = SPEC.merge_credential(body, CredentialBody::Secret("secret"));
    assert_eq!(SPEC.merge(&merged), None, "{merged}");
}

fn server(body: &Value) {
    let part = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    let policies = part("policies");
    let id = |policy: &Value| policy["id"].as_str().unwrap_or_default().to_owned();
    let view = ServerView {
        server: body.get("server").cloned(),
        scopes: part("scopes"),
        claims: part("claims"),
        rules: policies.iter().map(|p| (id(p), part("rules"))).collect(),
        policies,
    };
    let identity = Identity {
        name: "default",
        installation: "installation",
    };
    let created = CreatedObjects::default();
    let ours = our_policies(identity, &created, &view);
    let waiting = BTreeSet::from(["client-1".to_owned()]);
    let gone: BTreeSet<String> = ours.iter().flat_map(|policy| listed(policy)).collect();
    let edits = edit(&ours, &waiting, &gone, &waiting, 2, None);
    let _ = next(&ISSUER, identity, &created, &view, &edits);
}

fuzz_target!(|bytes: &[u8]| {
    let (first, rest) = bytes.split_first().unwrap_or((&0, bytes));
    let _ = neo4j_okta_operator::okta::fuzz::refusal(400 + u16::from(*first), rest);
    let Ok(body) = serde_json::from_slice::<Value>(rest) else {
        return;
    };
    app(&body);
    server(&body);
    let _ = serde_json::from_value::<Vec<Listed>>(body);
});
