//! A client of the authorization server: asks for a token as an account does, and
//! judges it as the operator does before it publishes one. The token goes nowhere.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;
use serde_json::Value;

use super::found::Trial;
use super::patience::{Interrupt, Patience};
use crate::api::{Authentication, Management, OktaIssuer};
use crate::okta::budget::Turn;
use crate::okta::{ClientCredential, Error, IssuedToken, Org};
use crate::plan::check::{Claims, Expected, Flaw, check};
use crate::plan::desired::duration;
use crate::plan::lane::Lane;
use crate::plan::schedule::{SETTLING, SETTLING_RETRY, after};
use crate::plan::step::Refusal;

/// The authorization server, as far as a token tells of it.
pub(super) struct Server {
    issuer: String,
    audience: String,
}

impl Server {
    /// From Okta's description of it.
    pub(super) fn read(server: &Value) -> Option<Self> {
        Some(Self {
            issuer: server["issuer"].as_str()?.to_owned(),
            audience: server["audiences"][0].as_str()?.to_owned(),
        })
    }
}

/// A client, and what its token should say.
pub(super) struct Client<'a> {
    pub(super) org: &'a Org,
    pub(super) issuer: &'a OktaIssuer,
    pub(super) server: &'a Server,
    pub(super) client_id: &'a str,
    pub(super) method: Authentication,
    pub(super) credential: ClientCredential,
    pub(super) groups: &'a BTreeSet<String>,
}

impl Client<'_> {
    /// A token, or why there is none. Of one that is `new` Okta may know nothing for
    /// a minute.
    pub(super) async fn token(
        &self,
        new: bool,
        patience: &Patience,
        interrupt: &Interrupt,
    ) -> Trial {
        let ends = after(self.org.okta_now(), SETTLING);
        loop {
            let question = patience.ask(async || self.mint().await);
            let Some(answer) = interrupt.or(question).await else {
                return Trial::Interrupted;
            };
            match answer {
                Err(error) => return Trial::NoAnswer(error),
                Ok(Ok(token)) => return Trial::Judged(self.judge(&token)),
                Ok(Err(Refusal::InvalidClient)) if new && self.org.okta_now() < ends => {}
                Ok(Err(refusal)) => return Trial::Refused(refusal),
            }
            let pause = tokio::time::sleep(SETTLING_RETRY);
            if interrupt.or(pause).await.is_none() {
                return Trial::Interrupted;
            }
        }
    }

    async fn mint(&self) -> Result<Result<IssuedToken, Refusal>, Error> {
        let endpoint = format!("{}/v1/token", self.server.issuer.trim_end_matches('/'));
        let scope = &self.issuer.spec.authorization_server.scope;
        let turn = Turn::of_operator(Lane::New, "doctor".to_owned());
        let (method, credential) = (self.method, &self.credential);
        self.org
            .mint(&endpoint, self.client_id, method, credential, scope, &turn)
            .await
    }

    fn judge(&self, token: &IssuedToken) -> Result<Claims, Flaw> {
        let wanted = &self.issuer.spec.authorization_server;
        let ours = wanted.management == Management::Managed;
        let expected = Expected {
            issuer: &self.server.issuer,
            audience: wanted.audience.as_deref().unwrap_or(&self.server.audience),
            client_id: self.client_id,
            groups_claim: &wanted.groups_claim,
            groups: self.groups,
            lifetime: ours.then(|| duration(&wanted.token_lifetime)).flatten(),
        };
        check(token.value.expose_secret(), &token.token_type, &expected)
    }
}
