//! What Okta sees of an account while it lives, pauses and ends.

use serde_json::Value;

use super::{Play, credentials_secret, token_secret};
use crate::cluster::ACCOUNT;
use crate::failure::Failure;
use crate::watched::{condition, is_ready, status, until};

impl Play<'_> {
    /// Act 7: the app in Okta's Admin Console; suspended, and resumed.
    pub(crate) async fn at_okta(&mut self) -> Result<(), Failure> {
        self.screen.act(7, "What Okta sees");
        self.show_app(&self.app().await?);

        self.screen.line("");
        self.screen.say("The team stops the account for a while:");
        self.patch(r#"{"suspended":true}"#).await?;
        self.account
            .follow(
                self.screen,
                self.operator,
                "the account is suspended",
                |account| {
                    condition(account, "Ready")
                        .is_some_and(|c| c.status == "False" && c.reason == "Suspended")
                },
            )
            .await?;
        self.app_becomes("INACTIVE").await?;
        self.secret_goes(&token_secret()).await?;
        self.screen
            .proved("the app is INACTIVE at Okta, and the token Secret is gone");

        self.screen.line("");
        self.screen.say("And goes on:");
        self.patch(r#"{"suspended":false}"#).await?;
        self.account
            .follow(self.screen, self.operator, "the account resumes", is_ready)
            .await?;
        self.app_becomes("ACTIVE").await?;
        let groups = self.token().await?.get("groups");
        self.screen.proved(&format!(
            "the same app is ACTIVE, and a new token carries {groups}"
        ));
        Ok(())
    }

    /// Act 8: nothing stays behind.
    pub(crate) async fn deletion(&mut self) -> Result<(), Failure> {
        self.screen.act(8, "Gone without a trace");
        let client_id = status(&self.account.now().await?, "/clientId");
        self.kubectl(&["delete", "n4jsa", ACCOUNT, "--timeout", "60s"])
            .await?;
        if self.okta.app(&client_id).is_some() {
            return Err(Failure::new(format!(
                "the account is gone, but app {client_id} is still at Okta"
            )));
        }
        self.screen
            .proved(&format!("Okta has {} apps", self.okta.apps().len()));
        for name in [token_secret(), credentials_secret()] {
            self.secret_goes(&name).await?;
            self.screen.proved(&format!("Secret {name} is gone"));
        }
        Ok(())
    }

    fn show_app(&self, app: &Value) {
        let text = |pointer: &str| {
            app.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        self.screen.fact("label", &text("/label"));
        self.screen.fact("status", &text("/status"));
        self.screen
            .fact("client id", &text("/credentials/oauthClient/client_id"));
        self.screen.block("profile");
        let profile = serde_json::to_string_pretty(&app["profile"]).unwrap_or_default();
        self.screen.block(&profile);
    }

    async fn app_becomes(&mut self, wanted: &str) -> Result<(), Failure> {
        let client_id = status(&self.account.now().await?, "/clientId");
        let okta = self.okta;
        until(
            self.operator,
            &format!("the app is {wanted} at Okta"),
            async || okta.app(&client_id).filter(|app| app["status"] == wanted),
        )
        .await?;
        Ok(())
    }

    async fn secret_goes(&mut self, name: &str) -> Result<(), Failure> {
        let secrets = self.cluster.secrets(&self.cluster.namespace);
        until(
            self.operator,
            &format!("Secret {name} is gone"),
            async || matches!(secrets.get_metadata_opt(name).await, Ok(None)).then_some(()),
        )
        .await
    }
}
