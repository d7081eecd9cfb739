//! Whom the server lets in, as whom, and whom it does not.

use std::time::Duration;

use neo4j_okta_operator::neo4j::{Format, Provider, render};
use serde_json::json;
use testbed::neo4j::{Edition, available};

use crate::server::{FORBIDDEN, UNAUTHORIZED, issuer, mapped, neo4j, start, world};

const WHOAMI: &str = "CALL oidc.whoami()";

#[tokio::test(flavor = "multi_thread")]
async fn a_published_token_logs_in_as_its_client_with_the_roles_of_its_groups() {
    if !available() {
        return;
    }
    let world = world(mapped()).await;
    for (name, groups) in [
        ("both", json!(["neo4j_reader", "neo4j_etl"])),
        ("reader", json!(["neo4j_reader"])),
        ("stranger", json!(["neo4j_stranger"])),
    ] {
        world.account(name, json!({ "groups": groups })).await;
    }
    let neo4j = neo4j(&world).await;
    for (name, roles) in [
        ("both", json!(["PUBLIC", "editor", "etl_ops", "reader"])),
        ("reader", json!(["PUBLIC", "reader"])),
        ("stranger", json!(["PUBLIC"])),
    ] {
        let client_id = world.ready(name).await.status.unwrap().client_id.unwrap();
        let answer = neo4j.query(&world.token(name).await, WHOAMI).await;
        assert_eq!(
            (answer.status, answer.values()),
            (202, &json!([[client_id, roles]])),
            "{answer:?}\n{}",
            neo4j.log()
        );
    }

    let (reader, stranger) = (world.token("reader").await, world.token("stranger").await);
    let write = neo4j.query(&reader, "CREATE (:Order)").await;
    assert_eq!(write.error(), Some(FORBIDDEN), "{write:?}");
    let read = neo4j.query(&reader, "MATCH (n) RETURN count(n)").await;
    assert_eq!(read.values(), &json!([[0]]), "{read:?}");
    // A group that nothing maps logs in, and may do nothing.
    let read = neo4j.query(&stranger, "MATCH (n) RETURN n").await;
    assert!(
        read.error() == Some(FORBIDDEN) || read.values() == &json!([]),
        "{read:?}"
    );

    // Twice, so that the key in use is none that the server has seen.
    let server = issuer(&world).await.status.unwrap().issuer.unwrap();
    let server = server.rsplit('/').next().unwrap();
    world.okta.admin().rotate_keys(server);
    world.okta.admin().rotate_keys(server);
    world.annotate("reader", "neo4j-okta.dev/renew", "1").await;
    crate::harness::until("a new token", async || {
        let new = world.token("reader").await;
        if new == reader {
            Err("the old one")
        } else {
            Ok(())
        }
    })
    .await;
    let answer = neo4j.query(&world.token("reader").await, WHOAMI).await;
    assert_eq!(answer.status, 202, "{answer:?}\n{}", neo4j.log());

    neo4j.set_ahead(Duration::from_secs(3601)).unwrap();
    let late = neo4j.query(&world.token("reader").await, WHOAMI).await;
    assert_eq!((late.status, late.error()), (401, Some(UNAUTHORIZED)));
    assert!(neo4j.log().contains("Expired JWT"), "{}", neo4j.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_otherwise_refuses_the_same_token() {
    if !available() {
        return;
    }
    let world = world(mapped()).await;
    world.account("etl", json!({})).await;
    let right = Provider::new(&issuer(&world).await).unwrap();
    world.ready("etl").await;
    let token = world.token("etl").await;
    let other_audience = Provider {
        audience: "another".into(),
        ..right.clone()
    };
    let nowhere = Provider {
        issuer: format!("http://127.0.0.1:{}/oauth2/x", testbed::free_port()),
        ..right.clone()
    };
    for (edition, provider, why) in [
        (Edition::Oidc, &other_audience, "audience"),
        (Edition::Oidc, &nowhere, "cannot be reached"),
        // The control: the realm is what accepts it elsewhere.
        (Edition::Community, &right, ""),
    ] {
        let conf = render(Format::Conf, std::slice::from_ref(provider)).unwrap();
        let neo4j = start(edition, &conf).await;
        let answer = neo4j.query(&token, WHOAMI).await;
        assert_eq!(answer.status, 401, "{edition:?} {why}: {answer:?}");
        assert_eq!(answer.error(), Some(UNAUTHORIZED), "{answer:?}");
        assert!(neo4j.log().contains(why), "{why}: {}", neo4j.log());
        println!("{edition:?} {why}: {}", answer.body);
    }
}
