//! A token file through refreshes, expiries and delays, for each language.

use std::time::Duration;

use testbed::neo4j::{Neo4j, available};

use super::file::{Mount, expired};
use super::languages::{Language, Program};
use super::sample::Sample;
use crate::harness::{PATIENCE, World, until};
use crate::server::{mapped, neo4j, world};

/// The connection that asks and the user that the server sees on it.
pub(super) const WHO: &str =
    "SHOW TRANSACTIONS YIELD connectionId, username RETURN connectionId, username";

/// With tokens of an hour the next one is there after this.
const REFRESH: Duration = Duration::from_secs(45 * 60);

/// A world, and how far it is ahead of the sample's clock.
pub(super) struct Stage {
    world: World,
    neo4j: Neo4j,
    pub(super) mount: Mount,
    ahead: Duration,
    token: String,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let world = world(mapped()).await;
        world.account("etl", serde_json::json!({})).await;
        world.ready("etl").await;
        let neo4j = neo4j(&world).await;
        let token = world.token("etl").await;
        Self {
            world,
            neo4j,
            mount: Mount::new(),
            ahead: Duration::ZERO,
            token,
        }
    }

    pub(super) fn sample(&self, program: &Program, reread: u32) -> Sample {
        let file = self.mount.path("token").display().to_string();
        let env = [
            ("NEO4J_TOKEN_FILE", file),
            ("NEO4J_TOKEN_REREAD", reread.to_string()),
        ];
        Sample::start(program, &self.neo4j, env)
    }

    async fn user(&self) -> String {
        self.world
            .ready("etl")
            .await
            .status
            .unwrap()
            .client_id
            .unwrap()
    }

    pub(super) async fn expiry(&self) -> u64 {
        self.world.claims("etl").await["exp"].as_u64().unwrap()
    }

    /// The operator refreshes; the pod does not see it yet.
    pub(super) async fn refresh(&mut self) {
        self.world.pass(REFRESH);
        self.ahead += REFRESH;
        let old = self.token.clone();
        self.token = until("a new token", async || {
            let new = self.world.token("etl").await;
            if new == old {
                Err("the old one")
            } else {
                Ok(new)
            }
        })
        .await;
    }

    /// For the server the token before the newest has expired.
    pub(super) fn expire(&mut self) {
        self.neo4j
            .set_ahead(self.ahead + Duration::from_secs(20 * 60))
            .unwrap();
    }

    pub(super) fn show(&self) {
        self.mount.token(&self.token);
    }
}

pub(super) async fn stays_logged_in(language: Language) {
    if !available() {
        return;
    }
    let Some(program) = language.program().await else {
        return;
    };
    let mut stage = Stage::new().await;
    let user = stage.user().await;

    // A file that is not there, then one with a token that has ended.
    let mut sample = stage.sample(&program, 7 * 86400);
    sample.send(WHO).await;
    sample.retries(&["token"]).await;
    stage.mount.token(&expired());
    sample.retries(&["expired"]).await;
    stage.show();
    let said = sample.done().await;
    assert_eq!(said.tokens, [stage.expiry().await]);
    let mut row = said.rows.first().expect("a row").clone();
    assert!(row.starts_with("bolt-") && row.ends_with(&user), "{row}");

    // Three refreshes, each with an expiry on the one open connection.
    for _ in 0..3 {
        stage.refresh().await;
        stage.show();
        stage.expire();
        let said = sample.run(WHO).await;
        println!("{language:?}, expired on an open connection: {said:?}");
        assert_eq!(said.tokens, [stage.expiry().await]);
        assert_eq!(said.retries, [""; 0], "the driver alone mends it");
        let kept = said.rows == [row.as_str()];
        assert_eq!(kept, language.keeps_connections(), "{said:?}");
        row = said.rows.into_iter().next().expect("a row");
        assert!(row.ends_with(&user), "{row}");
    }

    // One in the middle of an explicit transaction.
    sample.run(":begin").await;
    assert_eq!(sample.run(WHO).await.rows, [row.as_str()]);
    stage.refresh().await;
    stage.show();
    stage.expire();
    let within = sample.run(WHO).await;
    assert_eq!(within.rows, [row.as_str()]);
    assert_eq!(within.tokens, [0; 0], "the transaction keeps its login");
    sample.run(":commit").await;
    let said = sample.run(WHO).await;
    assert_eq!(said.tokens, [stage.expiry().await]);

    sample.end().await;

    // The file read anew after a second: a new token is taken up while the old one lives.
    let mut sample = stage.sample(&program, 1);
    let row = sample.run(WHO).await.rows;
    stage.refresh().await;
    stage.show();
    let mut said = sample.run(WHO).await;
    // Nobody judges how soon; only that it is before the driver has to be told.
    for _ in 0..PATIENCE.as_secs() * 10 {
        if !said.tokens.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        said = sample.run(WHO).await;
    }
    assert_eq!(said.tokens, [stage.expiry().await]);
    assert_eq!(
        (said.rows, said.retries),
        (row, vec![]),
        "the same connection"
    );

    // An expiry that the pod sees later than the server.
    stage.refresh().await;
    stage.expire();
    sample.send(WHO).await;
    sample.retries(&["Unauthorized", "TokenExpired"]).await;
    stage.show();
    let said = sample.done().await;
    assert_eq!(said.tokens, [stage.expiry().await]);
    assert!(said.rows[0].ends_with(&user), "{said:?}");
    sample.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_driver_stays_logged_in() {
    stays_logged_in(Language::Python).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_javascript_driver_stays_logged_in() {
    stays_logged_in(Language::JavaScript).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_go_driver_stays_logged_in() {
    stays_logged_in(Language::Go).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_java_driver_stays_logged_in() {
    stays_logged_in(Language::Java).await;
}
