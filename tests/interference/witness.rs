//! Looks at both sides all the time while a round goes on, and says what must
//! never be: two apps of one account, more than two active secrets, and a secret
//! that stands as live in a Secret while Okta does not know it.

use std::collections::HashMap;
use std::time::Duration;

use kube::{Client, ResourceExt};
use neo4j_okta_operator::api::names as n;
use okta_emulator::Admin;

use crate::deeds::Excused;
use crate::truth::{Cluster, active_secrets, marked, text};
use crate::weather::lock;

const PERIOD: Duration = Duration::from_millis(100);

pub(crate) struct Witness {
    pub(crate) client: Client,
    pub(crate) admin: Admin,
    pub(crate) namespaces: Vec<String>,
    pub(crate) excused: Excused,
}

impl Witness {
    /// Looks until it sees something that must never be, and says what.
    pub(crate) async fn watches(self) -> String {
        loop {
            if let Some(seen) = self.looks().await {
                return seen;
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn looks(&self) -> Option<String> {
        let before = Cluster::read(&self.client, &self.namespaces).await;
        let mut known: HashMap<String, Vec<String>> = HashMap::new();
        for (uid, apps) in marked(&self.admin) {
            if apps.len() > 1 {
                return Some(format!("account {uid} has {} apps: {apps:#?}", apps.len()));
            }
            let id = apps[0]["id"].as_str().unwrap_or_default();
            let client_id = apps[0]["credentials"]["oauthClient"]["client_id"].as_str();
            let secrets = active_secrets(&self.admin, id);
            if secrets.len() > 2 {
                return Some(format!(
                    "{client_id:?} has {} active secrets",
                    secrets.len()
                ));
            }
            known.insert(client_id.unwrap_or_default().to_owned(), secrets);
        }
        let after = Cluster::read(&self.client, &self.namespaces).await;
        // What was the same before and after the look at Okta stood all the while.
        let stood = before.secrets.iter().filter(|(key, secret)| {
            let later = after.secrets.get(*key);
            later.is_some_and(|later| later.resource_version() == secret.resource_version())
        });
        for (key, secret) in stood {
            let (Some(account), Some(client_id), Some(value)) = (
                key.strip_suffix(n::SUFFIX_CREDENTIALS),
                text(secret, n::KEY_CLIENT_ID),
                text(secret, n::KEY_CLIENT_SECRET),
            ) else {
                continue;
            };
            let accepted = known
                .get(client_id)
                .is_some_and(|known| known.iter().any(|known| known == value));
            if !accepted && !lock(&self.excused).contains(account) {
                return Some(format!(
                    "{key}: Okta does not know the live secret of {client_id}"
                ));
            }
        }
        None
    }
}
