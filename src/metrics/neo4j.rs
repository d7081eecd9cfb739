//! What the operator does at Neo4j, counted. Needs nothing; names no account.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Metrics, Outcome};

#[derive(Debug, Default)]
pub(super) struct AtNeo4j {
    logins: Family<Outcome, Counter>,
    ended: Counter,
    rounds: Family<Outcome, Counter>,
}

impl AtNeo4j {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "neo4j_logins",
            "Tokens tried at Neo4j by outcome",
            self.logins.clone(),
        );
        registry.register(
            "ended_sessions",
            "Connections and transactions of stopped accounts that were ended at Neo4j",
            self.ended.clone(),
        );
        registry.register(
            "session_rounds",
            "Looks at a server for sessions to end by outcome",
            self.rounds.clone(),
        );
    }
}

impl Metrics {
    pub(crate) fn neo4j_login(&self, outcome: &'static str) {
        self.0
            .neo4j
            .logins
            .get_or_create(&Outcome { outcome })
            .inc();
    }

    /// A look at a server for sessions to end; `ended` were.
    pub(crate) fn session_round(&self, outcome: &'static str, ended: usize) {
        let neo4j = &self.0.neo4j;
        neo4j.rounds.get_or_create(&Outcome { outcome }).inc();
        neo4j.ended.inc_by(u64::try_from(ended).unwrap_or(u64::MAX));
    }
}
