//! Each rendering against what Neo4j documents, and names that it would read as
//! something else. That a real server takes the renderings is shown in tests/neo4j.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::{Format, Provider, Refused, Settings, render};
use crate::api::OktaIssuer;

fn issuer(name: &str, neo4j: &Value, change: impl FnOnce(&mut Value)) -> OktaIssuer {
    let mut object = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "OktaIssuer", "metadata": { "name": name },
        "spec": {
            "orgUrl": "https://acme.okta.com", "clusterName": "prod",
            "auth": { "apiToken": { "secretRef": { "name": "okta" } } },
            "authorizationServer": { "name": "neo4j", "audience": "neo4j" },
            "allow": [{ "namespaces": ["a"], "groups": ["reader", "etl_writer", "team_*"] }],
            "neo4j": neo4j,
        },
        "status": {
            "issuer": format!("https://acme.okta.com/oauth2/{name}"), "audience": "neo4j",
            "conditions": [],
        },
    });
    change(&mut object);
    serde_json::from_value(object).expect("an issuer")
}

fn provider(name: &str, neo4j: &Value) -> Provider {
    Provider::new(&issuer(name, neo4j, |_| ())).expect("a provider")
}

fn mapped() -> Value {
    json!({ "groupToRole": { "readers": ["reader"], "etl": ["publisher", "etl_ops"] } })
}

fn settings(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with(['#', '/']))
        .collect()
}

#[test]
fn neo4j_conf_is_as_documented() {
    let text = render(Format::Conf, &[provider("default", &mapped())]).expect("conf");
    assert_eq!(
        settings(&text),
        [
            "dbms.security.authentication_providers=oidc-okta,native",
            "dbms.security.authorization_providers=oidc-okta,native",
            "dbms.security.oidc.okta.display_name=Okta (default)",
            "dbms.security.oidc.okta.well_known_discovery_uri=https://acme.okta.com/oauth2/default/.well-known/openid-configuration",
            "dbms.security.oidc.okta.audience=neo4j",
            "dbms.security.oidc.okta.claims.username=sub",
            "dbms.security.oidc.okta.claims.groups=groups",
            "dbms.security.oidc.okta.authorization.group_to_role_mapping=\"etl\"=publisher,etl_ops;\"readers\"=reader",
        ]
    );
}

#[test]
fn the_environment_doubles_underscores_and_has_no_hyphen() {
    let text = render(Format::Env, &[provider("default", &mapped())]).expect("env");
    for wanted in [
        "NEO4J_dbms_security_authentication__providers=oidc-okta,native",
        "NEO4J_dbms_security_oidc_okta_well__known__discovery__uri=https://acme.okta.com/oauth2/default/.well-known/openid-configuration",
        "NEO4J_dbms_security_oidc_okta_authorization_group__to__role__mapping=\"etl\"=publisher,etl_ops;\"readers\"=reader",
    ] {
        assert!(settings(&text).contains(&wanted), "{wanted}\n{text}");
    }
    let hyphened = provider("default", &json!({ "provider": "okta-eu" }));
    assert_eq!(
        render(Format::Env, std::slice::from_ref(&hyphened)),
        Err(Refused::NoVariable("default".into(), "okta-eu".into()))
    );
    let conf = render(Format::Conf, &[hyphened]).expect("conf");
    assert!(conf.contains("\ndbms.security.oidc.okta-eu.audience=neo4j\n"));
}

#[test]
fn helm_values_are_yaml_with_strings_alone() {
    let providers = [provider("default", &mapped())];
    let text = render(Format::Helm, &providers).expect("values");
    let values: Value = serde_saphyr::from_str(&text).expect("YAML");
    assert_eq!(values["neo4j"]["edition"], "enterprise");
    let config = values["config"].as_object().expect("config");
    assert_eq!(
        config["dbms.security.oidc.okta.authorization.group_to_role_mapping"],
        "\"etl\"=publisher,etl_ops;\"readers\"=reader"
    );
    assert!(config.values().all(Value::is_string));
    let conf = render(Format::Conf, &providers).expect("conf");
    for (key, value) in config {
        let line = format!("{key}={}", value.as_str().expect("text"));
        assert!(settings(&conf).contains(&line.as_str()), "{line}");
    }
}

#[test]
fn cypher_creates_the_roles_that_neo4j_lacks() {
    let text = render(Format::Cypher, &[provider("default", &mapped())]).expect("cypher");
    assert_eq!(settings(&text), ["CREATE ROLE `etl_ops` IF NOT EXISTS;"]);
    let text = render(Format::Cypher, &[provider("default", &json!({}))]).expect("cypher");
    assert_eq!(settings(&text), ["CREATE ROLE `etl_writer` IF NOT EXISTS;"]);
    assert!(text.contains("\"team_\""), "{text}");
}

#[test]
fn issuers_stand_side_by_side_or_say_why_not() {
    let (okta, other) = (
        provider("default", &mapped()),
        provider("partner", &json!({ "provider": "partner" })),
    );
    let text = render(Format::Conf, &[okta.clone(), other.clone()]).expect("conf");
    for wanted in [
        "dbms.security.authorization_providers=oidc-okta,oidc-partner,native",
        "dbms.security.oidc.okta.display_name=Okta (default)",
        "dbms.security.oidc.partner.display_name=Okta (partner)",
    ] {
        assert!(settings(&text).contains(&wanted), "{wanted}\n{text}");
    }

    let mut twin = Provider {
        of: "twin".into(),
        ..okta.clone()
    };
    let both = [okta.clone(), twin.clone()];
    let text = render(Format::Conf, &both).expect("one provider for both");
    assert_eq!(text.matches("okta.audience=").count(), 1);
    twin.audience = "other".into();
    let refused = render(Format::Conf, &[okta.clone(), twin.clone()]);
    assert_eq!(
        refused,
        Err(Refused::SameName(
            "default".into(),
            "twin".into(),
            "okta".into()
        ))
    );
    twin.name = "twin".into();
    assert_eq!(
        render(Format::Conf, &[okta, twin]),
        Err(Refused::SameIssuer("default".into(), "twin".into()))
    );
    assert_eq!(render(Format::Conf, &[]), Err(Refused::Nothing));
}

#[test]
fn what_neo4j_would_read_as_something_else_is_refused_with_the_reason() {
    let group = |group: &str| json!({ "groupToRole": { group: ["reader"] } });
    let role = |role: &str| json!({ "groupToRole": { "g": [role] } });
    for (neo4j, why) in [
        (group("a\";\"b"), "quotes"),
        (group("a=admin;b"), "semicolons"),
        (group("it's"), "quotes"),
        (group("a,b"), "commas"),
        (group("back\\slash"), "backslash"),
        (group(" led"), "space"),
        (group("zwei\nzeilen"), "printable"),
        (group("gruppe ä"), "printable"),
        (group("$(id)"), "command"),
        (role("reader;\"x\"=admin"), "role"),
        (role("a`b"), "role"),
        (role(""), "role"),
        (json!({ "provider": "a.b" }), "hyphens"),
    ] {
        let refused = Provider::new(&issuer("default", &neo4j, |_| ())).expect_err("refused");
        assert!(refused.to_string().contains(why), "{refused}");
    }
    for (audience, why) in [
        ("a,b", "comma"),
        ("a\nb=c", "printable"),
        ("$(id)", "command"),
    ] {
        let object = issuer("default", &json!({}), |o| {
            o["status"]["audience"] = json!(audience)
        });
        let refused = Provider::new(&object).expect_err("refused").to_string();
        assert!(refused.contains(why), "{refused}");
    }
    // Without a map a group is a role: one that cannot exist stops nothing.
    let object = issuer("default", &json!({}), |o| {
        o["spec"]["allow"][0]["groups"] = json!(["cn:etl"]);
    });
    let odd = [Provider::new(&object).expect("a provider")];
    let text = render(Format::Cypher, &odd).expect("cypher");
    assert!(
        settings(&text).is_empty() && text.contains("\"cn:etl\""),
        "{text}"
    );
    let object = issuer("default", &json!({}), |o| o["status"] = Value::Null);
    assert_eq!(
        Provider::new(&object),
        Err(Refused::NotLooked("default".into()))
    );
}

#[test]
fn aura_gets_each_field_of_its_form() {
    let text = render(Format::Aura, &[provider("default", &mapped())]).expect("aura");
    for wanted in [
        "Discovery URI: https://acme.okta.com/oauth2/default/.well-known/openid-configuration",
        "Audience: neo4j",
        "Groups claim: groups",
        "Role mapping: etl -> publisher,etl_ops",
    ] {
        assert!(settings(&text).contains(&wanted), "{wanted}\n{text}");
    }
}

#[test]
fn only_what_is_this_issuers_is_written_and_only_if_it_differs() {
    let issuer = issuer("default", &mapped(), |object| {
        object["metadata"]["uid"] = json!("now");
    });
    let files = BTreeMap::from([("neo4j.conf".to_owned(), "a=b".to_owned())]);
    let decide = |there: Option<&ConfigMap>| Settings::of(&issuer, there, &files);
    assert_eq!(decide(None), Settings::Write);
    assert_eq!(decide(Some(&ConfigMap::default())), Settings::Foreign);
    for (kind, uid, text, expected) in [
        ("OktaIssuer", "now", "a=b", Settings::Current),
        ("OktaIssuer", "now", "a=c", Settings::Write),
        ("OktaIssuer", "before", "a=b", Settings::Write),
        ("Deployment", "now", "a=b", Settings::Foreign),
    ] {
        let owner = json!({ "apiVersion": "v1", "kind": kind, "name": "default", "uid": uid });
        let there = json!({
            "metadata": { "name": "settings", "ownerReferences": [owner] },
            "data": { "neo4j.conf": text, "notes": "added by hand" },
        });
        let there = serde_json::from_value(there).expect("a ConfigMap");
        assert_eq!(decide(Some(&there)), expected, "{kind} {uid} {text}");
    }
}
