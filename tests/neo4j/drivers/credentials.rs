//! The self-minting style: a program that asks Okta for its tokens by itself, with the
//! mounted credentials Secret.
//!
//! Needs Python, and the emulator for Okta. Refuses to move Okta ahead of a program that
//! signs assertions: Okta takes none that has ended by its own clock.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::neo4j::{Neo4j, available};

use super::file::Mount;
use super::languages::Language;
use super::logins::WHO;
use super::sample::Sample;
use crate::harness::World;
use crate::server::{mapped, neo4j, world};

/// A world with an account of this kind, and the program with its credentials.
async fn minting(account: Value, margin: u32) -> Option<(World, Neo4j, Mount, Sample)> {
    if !available() {
        return None;
    }
    let program = Language::Python.program().await?;
    let world = world(mapped()).await;
    world.account("etl", account).await;
    world.ready("etl").await;
    let neo4j = neo4j(&world).await;
    let mount = Mount::new();
    let credentials = world.data("etl-okta-credentials").await;
    mount.swap(credentials.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let env = [
        ("NEO4J_CREDENTIALS", mount.path("").display().to_string()),
        ("NEO4J_TOKEN_MARGIN", margin.to_string()),
    ];
    let sample = Sample::start(&program, &neo4j, env);
    Some((world, neo4j, mount, sample))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_with_a_client_secret_asks_for_a_token_at_each_expiry() {
    let Some((world, neo4j, _mount, mut sample)) = minting(json!({}), 30).await else {
        return;
    };
    let first = sample.run(WHO).await;
    assert_eq!(first.tokens.len(), 1);
    let mut ahead = Duration::ZERO;
    for _ in 0..3 {
        ahead += Duration::from_secs(61 * 60);
        world.okta.clock().advance(Duration::from_secs(61 * 60));
        neo4j.set_ahead(ahead).unwrap();
        let said = sample.run(WHO).await;
        assert_eq!(said.tokens.len(), 1, "one token for one expiry");
        assert_eq!(said.rows, first.rows, "the same connection");
        assert_eq!(said.retries, [""; 0]);
    }

    // Okta is away while a token ends.
    ahead += Duration::from_secs(61 * 60);
    world.okta.stop_answering(true);
    world.okta.clock().advance(Duration::from_secs(61 * 60));
    neo4j.set_ahead(ahead).unwrap();
    sample.send(WHO).await;
    sample.retries(&["Okta"]).await;
    world.okta.stop_answering(false);
    assert_eq!(sample.done().await.tokens.len(), 1);
    sample.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_with_a_private_key_signs_an_assertion_for_each_token() {
    // Each token is due at once, so that each statement asks for one.
    let account = json!({ "authentication": "PrivateKeyJwt" });
    let Some((world, _neo4j, _mount, mut sample)) = minting(account, 7 * 86400).await else {
        return;
    };
    let asked = world.tokens_asked();
    for _ in 0..3 {
        let said = sample.run(WHO).await;
        assert!(
            !said.tokens.is_empty() && said.retries.is_empty(),
            "{said:?}"
        );
        assert_eq!(said.rows.len(), 1, "{said:?}");
    }
    assert!(world.tokens_asked() >= asked + 3);
    sample.end().await;
}
