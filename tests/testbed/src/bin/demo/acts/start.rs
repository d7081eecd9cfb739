//! From nothing to a token: the issuer, the account, what stands afterwards.

use super::{Play, credentials_secret, token_secret};
use crate::failure::Failure;
use crate::watched::{is_ready, until};

const ISSUER: &str = include_str!("../issuer.yaml");
const ACCOUNT_YAML: &str = include_str!("../account.yaml");

impl Play<'_> {
    /// What a platform team does once.
    pub(crate) async fn prologue(&mut self) -> Result<(), Failure> {
        self.screen.line("");
        self.screen.say("The platform team says once which Okta org serves the cluster, and who may ask for what:");
        let manifest = self.fill(ISSUER);
        self.cluster
            .apply(self.screen, "issuer.yaml", &manifest)
            .await?;
        let issuers = self.cluster.issuers();
        let issuer = until(self.operator, "OktaIssuer default is ready", async || {
            issuers.get("default").await.ok().filter(is_ready)
        })
        .await?;
        self.issuer = issuer.data["status"].clone();
        let signs = self.issuer["issuer"].as_str().unwrap_or_default();
        self.screen.proved(&format!(
            "ready; Okta has an authorization server for Neo4j now: {signs}"
        ));
        Ok(())
    }

    /// Act 1: what an application team does.
    pub(crate) async fn one_object(&mut self) -> Result<(), Failure> {
        self.screen.act(1, "One small object becomes an identity");
        self.screen
            .say("An application team asks for an identity. That is all it has to write:");
        let manifest = self.fill(ACCOUNT_YAML);
        self.account.mark();
        self.cluster
            .apply(self.screen, "account.yaml", &manifest)
            .await?;
        self.screen.say(
            "The operator registers an app at Okta, proves its credentials, and gets a token:",
        );
        self.account
            .follow(
                self.screen,
                self.operator,
                "the account gets its first token",
                is_ready,
            )
            .await?;
        Ok(())
    }

    /// Act 2: the account as people see it, and its Secrets.
    pub(crate) async fn what_stands(&mut self) -> Result<(), Failure> {
        self.screen.act(2, "What stands in the cluster");
        self.kubectl(&["get", "n4jsa", "-o", "wide"]).await?;
        self.screen.line("");
        self.screen
            .say("Its two Secrets, of which a pod mounts only the token (keys, never values):");
        for name in [credentials_secret(), token_secret()] {
            let secret = self
                .cluster
                .secrets(&self.cluster.namespace)
                .get(&name)
                .await;
            let secret = secret.map_err(Failure::because(format!("reading Secret {name}")))?;
            let keys: Vec<String> = secret.data.unwrap_or_default().into_keys().collect();
            let type_ = secret.type_.unwrap_or_default();
            self.screen.block(&format!("Secret {name}, type {type_}"));
            self.screen.block(&format!("  {}", keys.join(", ")));
        }
        Ok(())
    }

    fn fill(&self, manifest: &str) -> String {
        manifest
            .replace("{{org}}", self.okta.url())
            .replace("{{namespace}}", &self.cluster.namespace)
    }
}
