//! The gauges that name accounts. A family for each would keep the names of each
//! account as often; here they are kept once, and told when somebody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::plan::identity::AccountRef;
use crate::sync::lock;

/// What is told of one account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) ready: bool,
    /// None without one.
    pub(super) token: Option<Token>,
}

/// A published token, in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) issued_at: i64,
    pub(super) expires_at: i64,
    pub(super) fresh: bool,
}

/// Namespace and name.
type Name = (Box<str>, Box<str>);

/// All that are told of.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<BTreeMap<Name, Told>>);

/// Name and help of a gauge, and its value for an account.
type Gauge = (&'static str, &'static str, fn(&Told) -> Option<i64>);

const GAUGES: [Gauge; 4] = [
    (
        "account_token_issued_timestamp_seconds",
        "When the published token was issued",
        |told| told.token.map(|token| token.issued_at),
    ),
    (
        "account_token_expiry_timestamp_seconds",
        "When the published token expires",
        |told| told.token.map(|token| token.expires_at),
    ),
    (
        "account_token_fresh",
        "1 while no refresh of the account's token is overdue",
        |told| told.token.map(|token| token.fresh.into()),
    ),
    ("account_ready", "1 while the account is ready", |told| {
        Some(told.ready.into())
    }),
];

impl Accounts {
    pub(super) fn tell(&self, account: &AccountRef, told: Told) {
        lock(&self.0).insert(key(account), told);
    }

    pub(super) fn forget(&self, account: &AccountRef) {
        lock(&self.0).remove(&key(account));
    }
}

fn key(account: &AccountRef) -> Name {
    (
        account.namespace.as_str().into(),
        account.name.as_str().into(),
    )
}

impl Collector for Accounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let accounts = lock(&self.0);
        for (gauge, help, value) in GAUGES {
            let told = accounts.iter();
            let mut told = told
                .filter_map(|(name, told)| Some((name, value(told)?)))
                .peekable();
            // As a family without members.
            if told.peek().is_none() {
                continue;
            }
            let mut metric = encoder.encode_descriptor(gauge, help, None, MetricType::Gauge)?;
            for ((namespace, name), value) in told {
                let labels = [("namespace", &**namespace), ("name", &**name)];
                metric.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::api::Neo4jServiceAccountStatus;
    use crate::metrics::Metrics;
    use crate::plan::identity::AccountRef;

    #[test]
    fn an_account_is_told_of_until_it_is_gone() {
        let metrics = Metrics::default();
        let account = AccountRef {
            namespace: "payments".to_owned(),
            name: "etl".to_owned(),
            uid: "u".to_owned(),
        };
        let status = serde_json::json!({ "observedGeneration": 1, "token": {
            "secretName": "etl-neo4j-token", "secretVersion": "1", "groups": ["neo4j_reader"],
            "issuedAt": "1970-01-01T00:01:00Z", "expiresAt": "1970-01-01T00:02:00Z",
            "nextRefreshAt": "1970-01-01T00:01:40Z",
        } });
        let mut status: Neo4jServiceAccountStatus = serde_json::from_value(status).unwrap();
        let of_accounts = || {
            let text = metrics.render();
            let lines = text
                .lines()
                .filter(|line| line.starts_with("neo4j_okta_account_"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        metrics.account(&account, &status);
        let of = "{namespace=\"payments\",name=\"etl\"}";
        let ready = format!("neo4j_okta_account_ready{of} 0");
        assert_eq!(
            of_accounts(),
            [
                format!("neo4j_okta_account_token_issued_timestamp_seconds{of} 60"),
                format!("neo4j_okta_account_token_expiry_timestamp_seconds{of} 120"),
                format!("neo4j_okta_account_token_fresh{of} 0"),
                ready.clone(),
            ]
        );
        status.token = None;
        metrics.account(&account, &status);
        assert_eq!(of_accounts(), [ready]);
        metrics.forget_account(&account);
        assert_eq!(of_accounts(), [""; 0]);
    }
}
