//! One account as it is desired at first.

use super::*;

pub(super) fn spec() -> Neo4jServiceAccountSpec {
    serde_json::from_value(serde_json::json!({ "groups": ["group-0"] })).expect("a spec")
}

pub(super) fn desired() -> Desired {
    let labels = BTreeMap::from([(n::LABEL_MANAGED_BY.to_owned(), n::OPERATOR.to_owned())]);
    let secret = |name: &str| SecretSpec {
        namespace: "payments".to_owned(),
        name: name.to_owned(),
        labels: labels.clone(),
        annotations: BTreeMap::new(),
    };
    Desired {
        account: AccountRef {
            namespace: "payments".into(),
            name: "etl".into(),
            uid: "9d1e7f3a-0000".into(),
        },
        generation: 1,
        wish: Wish::Live,
        groups: ["group-0".to_owned()].into(),
        authentication: Authentication::ClientSecretBasic,
        label: "label-0".into(),
        credentials: secret("etl-okta-credentials"),
        token: secret("etl-neo4j-token"),
        renew: None,
        restore: None,
        rotate: None,
        rotation: Rotation {
            interval: None,
            overlap: Duration::from_secs(3600),
        },
        issuer: IssuerFacts {
            name: "default".into(),
            org_url: "https://acme.okta.com".into(),
            authorization_server_id: "aus1".into(),
            issuer: "https://acme.okta.com/oauth2/aus1".into(),
            audience: "neo4j".into(),
            token_endpoint: "https://acme.okta.com/oauth2/aus1/v1/token".into(),
            scope: "neo4j_groups".into(),
            groups_claim: "groups".into(),
            profile_attribute: "neo4j_groups".into(),
            lifetime: Some(Duration::from_secs(3600)),
            allow_list: true,
            network_zones: Vec::new(),
            on_delete: OnDelete::Delete,
            on_external_disable: OnExternalDisable::Respect,
            sweep: Duration::from_secs(24 * 3600),
            installation: "installation".into(),
            former_installations: Vec::new(),
            cluster: "prod".into(),
            neo4j: Default::default(),
            trust: 0,
            end_sessions: None,
            private_namespace: None,
        },
    }
}
