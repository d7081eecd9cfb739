//! What the token says, and what changes it: a wish, other groups. And what does
//! not: groups that the issuer does not allow.

use super::{Play, secret_version};
use crate::cluster::ACCOUNT;
use crate::failure::Failure;
use crate::token::Claims;
use crate::watched::{condition, is_ready};

impl Play<'_> {
    /// Act 3: the claims, verified as Neo4j does.
    pub(crate) async fn claims(&mut self) -> Result<(), Failure> {
        self.screen.act(3, "What Neo4j reads in the token");
        let token = self.token().await?;
        for (name, value) in token.all() {
            self.screen.fact(&name, &value);
        }
        self.screen.proved(&format!(
            "the signature is right ({}, from the JWKS that Okta publishes)",
            token.signature
        ));
        Ok(())
    }

    /// Act 4: a new token when somebody asks for one.
    pub(crate) async fn renew(&mut self) -> Result<(), Failure> {
        self.screen.act(4, "A fresh token, on demand");
        self.screen.say("The operator refreshes by itself after two thirds of a token's life. Who cannot wait asks:");
        let before = self.token().await?;
        let version = secret_version(&self.account.now().await?);
        let renew = "neo4j-okta.dev/renew=now";
        self.kubectl(&["annotate", "n4jsa", ACCOUNT, renew, "--overwrite"])
            .await?;
        self.account
            .follow(
                self.screen,
                self.operator,
                "a new token replaces the old one",
                |account| is_ready(account) && secret_version(account) != version,
            )
            .await?;
        let after = self.token().await?;
        self.compare(&before, &after, &["jti", "iat"]);
        if before.get("jti") == after.get("jti") {
            return Err(Failure::new(
                "the Secret was written, but holds the same token",
            ));
        }
        Ok(())
    }

    /// Act 5: other groups reach the next token.
    pub(crate) async fn groups(&mut self) -> Result<(), Failure> {
        self.screen.act(5, "Other groups, in the next token");
        let before = self.token().await?;
        let version = secret_version(&self.account.now().await?);
        self.patch(r#"{"groups":["neo4j_publisher","neo4j_reader"]}"#)
            .await?;
        self.account
            .follow(
                self.screen,
                self.operator,
                "the new groups reach the token",
                |account| is_ready(account) && secret_version(account) != version,
            )
            .await?;
        let after = self.token().await?;
        self.compare(&before, &after, &["groups", "jti"]);
        let groups = after.get("groups");
        if !["neo4j_publisher", "neo4j_reader"]
            .iter()
            .all(|group| groups.contains(group))
        {
            return Err(Failure::new(format!(
                "the new token carries the groups {groups}"
            )));
        }
        Ok(())
    }

    /// Act 6: a group that the platform team has not allowed.
    pub(crate) async fn not_allowed(&mut self) -> Result<(), Failure> {
        self.screen.act(6, "A group that is not allowed");
        self.screen
            .say("The issuer allows this namespace neo4j_* and nothing else:");
        self.patch(r#"{"groups":["neo4j_publisher","finance_admin"]}"#)
            .await?;
        self.account
            .follow(
                self.screen,
                self.operator,
                "the group is refused",
                |account| {
                    condition(account, "Ready")
                        .is_some_and(|c| c.status == "False" && c.reason == "NotAllowed")
                },
            )
            .await?;
        self.screen.line("");
        self.screen
            .say("A slip of the pen, corrected within the minute, costs nothing:");
        self.patch(r#"{"groups":["neo4j_publisher","neo4j_reader"]}"#)
            .await?;
        self.account
            .follow(
                self.screen,
                self.operator,
                "the corrected account is ready again",
                is_ready,
            )
            .await?;
        Ok(())
    }

    fn compare(&self, before: &Claims, after: &Claims, names: &[&str]) {
        for name in names {
            self.screen.fact(
                name,
                &format!("{}  →  {}", before.get(name), after.get(name)),
            );
        }
    }
}
