//! The acts, in their order. Each does something as a user would, waits until it
//! happened, and shows what came of it.

mod life;
mod start;
mod token;

use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::{ACCOUNT, Cluster};
use crate::failure::Failure;
use crate::okta::Okta;
use crate::operator::Operator;
use crate::screen::Screen;
use crate::token::Claims;
use crate::watched::{Watched, status};

/// What the acts share.
pub(crate) struct Play<'a> {
    pub(crate) screen: &'a Screen,
    pub(crate) cluster: &'a Cluster,
    pub(crate) okta: &'a Okta,
    pub(crate) operator: &'a mut Operator,
    account: Watched,
    /// The issuer's status: where the keys are, and who signs.
    issuer: Value,
}

impl<'a> Play<'a> {
    pub(crate) fn new(
        screen: &'a Screen,
        cluster: &'a Cluster,
        okta: &'a Okta,
        operator: &'a mut Operator,
    ) -> Self {
        let account = Watched::new(cluster.accounts(), ACCOUNT);
        Self {
            screen,
            cluster,
            okta,
            operator,
            account,
            issuer: Value::Null,
        }
    }

    /// Returns only when the operator has ended, which it should not.
    pub(crate) async fn the_operator_ends(&mut self) -> Result<(), Failure> {
        loop {
            if let Some(exit) = self.operator.ended() {
                return Err(Failure::new(format!("the operator ended: {exit}")));
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    }

    /// Runs kubectl in the account's namespace, for all to see.
    async fn kubectl(&mut self, args: &[&str]) -> Result<(), Failure> {
        self.account.mark();
        self.cluster.show_kubectl(self.screen, args).await
    }

    /// A merge patch of the account's spec, by kubectl.
    async fn patch(&mut self, spec: &str) -> Result<(), Failure> {
        let patch = format!(r#"{{"spec":{spec}}}"#);
        self.kubectl(&["patch", "n4jsa", ACCOUNT, "--type", "merge", "-p", &patch])
            .await
    }

    /// The claims of the token that the Secret holds now.
    async fn token(&self) -> Result<Claims, Failure> {
        Claims::verified(self.cluster, &token_secret(), &self.issuer).await
    }

    /// The app at Okta.
    async fn app(&self) -> Result<Value, Failure> {
        let client_id = status(&self.account.now().await?, "/clientId");
        let app = self.okta.app(&client_id);
        app.ok_or_else(|| Failure::new(format!("Okta has no app with client id {client_id}")))
    }
}

fn token_secret() -> String {
    format!("{ACCOUNT}-neo4j-token")
}

fn credentials_secret() -> String {
    format!("{ACCOUNT}-okta-credentials")
}

/// Which write of the token Secret the status speaks of.
fn secret_version(account: &DynamicObject) -> String {
    status(account, "/token/secretVersion")
}
