//! A world whose issuer names groups and roles, and a server that was configured
//! from that issuer.

use neo4j_okta_operator::api::OktaIssuer;
use neo4j_okta_operator::neo4j::{Format, Provider, render};
use serde_json::{Value, json};
use testbed::neo4j::{Edition, Neo4j, Settings};

use crate::harness::{World, until};

/// What the server says when it does not accept a token.
pub(crate) const UNAUTHORIZED: &str = "Neo.ClientError.Security.Unauthorized";
/// What it says when the roles do not allow something.
pub(crate) const FORBIDDEN: &str = "Neo.ClientError.Security.Forbidden";

/// Groups that lead to built-in roles; `neo4j_stranger` leads nowhere.
pub(crate) fn mapped() -> Value {
    json!({ "neo4j": { "groupToRole": {
        "neo4j_reader": ["reader"],
        "neo4j_publisher": ["publisher"],
        "neo4j_etl": ["editor", "etl_ops"],
    } } })
}

/// A world with an operator, whose issuer is changed by `change`.
pub(crate) async fn world(change: Value) -> World {
    let mut world = World::without_operator().await;
    world.issuer(change).await;
    world.start_operator().await;
    world
}

/// The issuer, once Okta has told its authorization server.
pub(crate) async fn issuer(world: &World) -> OktaIssuer {
    until("an issuer with a server", async || {
        let issuer = world.issuers().get("default").await.expect("the issuer");
        match issuer.status.as_ref().and_then(|s| s.issuer.as_ref()) {
            Some(_) => Ok(issuer),
            None => Err(issuer.status),
        }
    })
    .await
}

/// A server that trusts the issuer's tokens.
pub(crate) async fn neo4j(world: &World) -> Neo4j {
    let provider = Provider::new(&issuer(world).await).expect("a provider");
    start(Edition::Oidc, &render(Format::Conf, &[provider]).unwrap()).await
}

pub(crate) async fn start(edition: Edition, conf: &str) -> Neo4j {
    Neo4j::start(edition, &Settings::Conf(conf.to_owned()))
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}
