//! The Okta side of an account's steps.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::step::{Run, StepError};
use super::vault::Held;
use crate::api::Authentication;
use crate::okta::budget::Turn;
use crate::okta::credentials::{Added, Listed};
use crate::okta::jose::SigningKey;
use crate::okta::{Class, Error, IssuedToken};
use crate::plan::app::{AppView, CredentialBody, read_marker};
use crate::plan::check::check;
use crate::plan::schedule::TokenLife;
use crate::plan::step::{Credential, Effect, Kind, Minted, OktaCredential, Step};

/// What a body needs of a credential: a secret, or a public key.
enum Material {
    Secret(SecretString),
    Jwk(Value),
}

impl Material {
    fn of(held: &Held) -> Result<Self, StepError> {
        Ok(match held.authentication {
            Authentication::ClientSecretBasic | Authentication::ClientSecretPost => {
                Self::Secret(held.value.clone())
            }
            Authentication::PrivateKeyJwt => {
                let key = SigningKey::from_pem(&held.value, None)
                    .map_err(|e| StepError::Broken(e.to_string()))?;
                Self::Jwk(key.public_jwk())
            }
        })
    }

    fn body(&self) -> CredentialBody<'_> {
        match self {
            Self::Secret(secret) => CredentialBody::Secret(secret.expose_secret()),
            Self::Jwk(jwk) => CredentialBody::Jwk(jwk),
        }
    }
}

impl Run<'_> {
    pub(super) async fn okta(&mut self, step: &Step, turn: &Turn) -> Result<Effect, StepError> {
        let org = self.runtime.org.clone();
        match step {
            Step::FindClient { client_id } => Ok(Effect::ClientFound(
                org.client_exists(client_id, turn).await?,
            )),
            Step::FindApp { label, client_id } => {
                let is_it = |app: &Value| {
                    let id = app["credentials"]["oauthClient"]["client_id"].as_str();
                    id.is_some_and(|id| id.eq_ignore_ascii_case(client_id))
                };
                let app = org.find_app(label.as_deref(), is_it, turn).await?;
                Ok(Effect::AppFound(
                    app.as_ref().and_then(|app| self.view(app)),
                ))
            }
            Step::FindFormerApp { label } => {
                let ours = |app: &Value| self.desired.owns(read_marker(app).as_ref());
                let app = org.find_app(Some(label), ours, turn).await?;
                let view = app.as_ref().and_then(|app| self.view(app));
                if let Some(view) = &view {
                    tracing::info!(account = %self.desired.account, app = view.id, "took over the app of a former installation");
                }
                Ok(Effect::FormerAppFound(view))
            }
            Step::CreateApp => self.create(turn).await,
            Step::ReadApp { app_id } => {
                self.app = org.read_app(app_id, turn).await?;
                match &self.app {
                    None => Ok(Effect::App(None)),
                    Some(app) => self.whole_view(app).map(|view| Effect::App(Some(view))),
                }
            }
            Step::UpdateApp { app_id } => self.update(app_id, turn).await,
            Step::ActivateApp { app_id } => {
                gone_is_absent(org.activate_app(app_id, turn).await, Effect::Activated)
            }
            Step::DeactivateApp { app_id } => Ok(org
                .deactivate_app(app_id, turn)
                .await
                .map(|()| Effect::Deactivated)?),
            Step::DeleteApp { app_id } => Ok(org
                .delete_app(app_id, turn)
                .await
                .map(|()| Effect::AppGone)?),
            Step::ListCredentials { app_id, kind } => {
                let listed = org.list_credentials(app_id, *kind, turn).await?;
                Ok(Effect::Credentials(self.compared(listed)?))
            }
            Step::AddCredential { app_id } => self.add_credential(app_id, turn).await,
            Step::DeactivateCredential { app_id, kind, id } => {
                // What was read of the app lists its keys.
                self.app = None;
                kept_if_refused(
                    org.deactivate_credential(app_id, *kind, id, turn).await,
                    Effect::CredentialDeactivated(id.clone()),
                )
            }
            Step::DeleteCredential { app_id, kind, id } => {
                self.app = None;
                kept_if_refused(
                    org.delete_credential(app_id, *kind, id, turn).await,
                    Effect::CredentialDeleted(id.clone()),
                )
            }
            Step::ReplaceCredentials { app_id } => self.replace_credentials(app_id, turn).await,
            Step::Mint(credential) => self.mint(*credential, turn).await,
            Step::Abandon { app_id } => {
                // One try: whoever asked for this knows that Okta may not answer.
                match org.deactivate_app(app_id, turn).await {
                    // Nothing was sent yet.
                    Err(error)
                        if matches!(error.class, Class::RateLimited { by_okta: false, .. }) =>
                    {
                        Err(error.into())
                    }
                    Err(error) => {
                        tracing::warn!(account = %self.desired.account, app = app_id, %error, "the app is left behind active");
                        Ok(Effect::AppGone)
                    }
                    Ok(()) => Ok(Effect::AppGone),
                }
            }
            other => Err(StepError::Broken(format!(
                "{} is not a step at Okta",
                other.name()
            ))),
        }
    }

    fn view(&self, app: &Value) -> Option<AppView> {
        AppView::read(app, &self.desired.app_spec())
    }

    fn whole_view(&self, app: &Value) -> Result<AppView, StepError> {
        self.view(app)
            .ok_or_else(|| StepError::Okta(half("Okta answered half an app")))
    }

    fn staged(&self) -> Result<Held, StepError> {
        self.remembered
            .vault
            .staged
            .as_ref()
            .map(|(_, held)| held.clone())
            .ok_or(StepError::Stale)
    }

    async fn create(&mut self, turn: &Turn) -> Result<Effect, StepError> {
        let Some((staged, held)) = self.remembered.vault.staged.clone() else {
            return Err(StepError::Stale);
        };
        let material = Material::of(&held)?;
        // As staged, so that a search by label finds it after a crash, whatever
        // the account says by now.
        let mut spec = self.desired.app_spec();
        spec.label.clone_from(&staged.label);
        spec.authentication = staged.authentication;
        let body = spec.create_body(&staged.client_id, material.body());
        match self.runtime.org.create_app(body, turn).await {
            Ok(app) => {
                let view = self.whole_view(&app)?;
                tracing::info!(account = %self.desired.account, app = view.id, client_id = view.client_id, "registered an app");
                Ok(Effect::AppWritten(view))
            }
            Err(Error {
                class: Class::Rejected { .. } | Class::Conflict,
                message,
                ..
            }) => Ok(Effect::CreateRefused(message)),
            Err(error) => Err(error.into()),
        }
    }

    /// GET–merge–PUT, back to back; the GET may have been this reconcile's.
    async fn update(&mut self, app_id: &str, turn: &Turn) -> Result<Effect, StepError> {
        let org = self.runtime.org.clone();
        let current = match self.app.take().filter(|app| app["id"] == app_id) {
            Some(app) => app,
            None => match org.read_app(app_id, turn).await? {
                Some(app) => app,
                None => return Ok(Effect::App(None)),
            },
        };
        let view = self.whole_view(&current)?;
        // Whose app it is was judged on an earlier read; this is the last one.
        if !self.desired.owns(view.marker.as_ref()) {
            return Ok(Effect::App(Some(view)));
        }
        let Some(body) = self.desired.app_spec().merge(&current) else {
            return Ok(Effect::App(Some(view)));
        };
        match org.replace_app(app_id, body, turn).await {
            Ok(app) => {
                tracing::info!(account = %self.desired.account, app = app_id, "described the app anew");
                Ok(Effect::AppWritten(self.whole_view(&app)?))
            }
            Err(error) if error.class == Class::NotFound => Ok(Effect::App(None)),
            Err(error) => Err(error.into()),
        }
    }

    async fn replace_credentials(
        &mut self,
        app_id: &str,
        turn: &Turn,
    ) -> Result<Effect, StepError> {
        let org = self.runtime.org.clone();
        let held = self.staged()?;
        let material = Material::of(&held)?;
        let Some(current) = org.read_app(app_id, turn).await? else {
            return Ok(Effect::App(None));
        };
        let view = self.whole_view(&current)?;
        if !self.desired.owns(view.marker.as_ref()) {
            return Ok(Effect::App(Some(view)));
        }
        let mut spec = self.desired.app_spec();
        spec.authentication = held.authentication;
        org.replace_app(
            app_id,
            spec.merge_credential(&current, material.body()),
            turn,
        )
        .await?;
        Ok(Effect::Replaced)
    }

    /// Which of the listed credentials are ours.
    fn compared(&self, listed: Vec<Listed>) -> Result<Vec<OktaCredential>, StepError> {
        let vault = &self.remembered.vault;
        let live = vault.live.as_ref().map(Likeness::of).transpose()?;
        let staged = vault.staged.as_ref().map(|(_, held)| Likeness::of(held));
        let staged = staged.transpose()?;
        let is = |ours: &Option<Likeness<'_>>, one: &Listed| {
            ours.as_ref().is_some_and(|ours| ours.is(one))
        };
        let compared = listed.into_iter().map(|one| OktaCredential {
            staged: is(&staged, &one),
            live: is(&live, &one),
            active: one.status == "ACTIVE",
            id: one.id,
        });
        Ok(compared.collect())
    }

    async fn add_credential(&mut self, app_id: &str, turn: &Turn) -> Result<Effect, StepError> {
        self.app = None;
        let held = self.staged()?;
        let material = Material::of(&held)?;
        let added = match &material {
            Material::Secret(secret) => Added::Secret(secret),
            Material::Jwk(jwk) => Added::Jwk(jwk),
        };
        let org = &self.runtime.org;
        match org.add_credential(app_id, &added, turn).await {
            Ok(id) => Ok(Effect::CredentialAdded(id)),
            Err(error) if error.class == Class::NotFound => Ok(Effect::App(None)),
            Err(error) => Err(error.into()),
        }
    }

    async fn mint(&mut self, credential: Credential, turn: &Turn) -> Result<Effect, StepError> {
        let held = match credential {
            Credential::Staged => self.staged()?,
            Credential::Live => self.remembered.vault.live.clone().ok_or(StepError::Stale)?,
        };
        let issuer = &self.desired.issuer;
        let shown = held.credential().map_err(StepError::Broken)?;
        let outcome = self
            .runtime
            .org
            .mint(
                &issuer.token_endpoint,
                &held.client_id,
                held.authentication,
                &shown,
                &issuer.scope,
                turn,
            )
            .await;
        let metrics = &self.ctx.settings.metrics;
        let issued = match outcome {
            Ok(Ok(issued)) => issued,
            Ok(Err(refusal)) => {
                metrics.token_request("refused");
                tracing::warn!(account = %self.desired.account, ?refusal, "Okta refused a token");
                return Ok(Effect::MintRefused(credential, refusal));
            }
            Err(error) => {
                metrics.token_request(error.class.as_str());
                return Err(error.into());
            }
        };
        let outcome = self.judge(&issued, &held.client_id);
        metrics.token_request(if outcome.is_ok() { "ok" } else { "unfit" });
        match &outcome {
            Ok(life) => tracing::info!(
                account = %self.desired.account, okta_request = issued.request_id.as_deref().unwrap_or("-"),
                expires_at = %life.expires_at, refresh_at = %life.refresh_at, "got a token"
            ),
            Err(flaw) => tracing::warn!(
                account = %self.desired.account, okta_request = issued.request_id.as_deref().unwrap_or("-"),
                flaw = flaw.message(), "got a token that must not be published"
            ),
        }
        self.token = outcome.is_ok().then_some(issued.value);
        Ok(Effect::Minted(Minted {
            credential,
            outcome,
        }))
    }

    fn judge(
        &self,
        issued: &IssuedToken,
        client_id: &str,
    ) -> Result<TokenLife, crate::plan::check::Flaw> {
        let expected = self.desired.expected_token(client_id);
        let claims = check(issued.value.expose_secret(), &issued.token_type, &expected)?;
        let by_claims = u64::try_from(claims.exp.saturating_sub(claims.iat)).unwrap_or(0);
        // Whichever Okta says is shorter; a missing expires_in says nothing.
        let lifetime = match issued.expires_in {
            0 => by_claims,
            told => told.min(by_claims),
        };
        Ok(TokenLife::new(
            issued.sent_at,
            Duration::from_secs(lifetime),
            &self.desired.account.uid,
        ))
    }
}

/// What tells a credential of ours in Okta's list: the secret, or the key's name.
enum Likeness<'a> {
    Secret(&'a Held),
    Kid(String),
}

impl<'a> Likeness<'a> {
    fn of(held: &'a Held) -> Result<Self, StepError> {
        match Kind::of(held.authentication) {
            Kind::Secret => Ok(Self::Secret(held)),
            Kind::Key => SigningKey::from_pem(&held.value, None)
                .map(|key| Self::Kid(key.kid().to_owned()))
                .map_err(|e| StepError::Broken(e.to_string())),
        }
    }

    fn is(&self, listed: &Listed) -> bool {
        match self {
            Self::Secret(held) => listed
                .client_secret
                .as_ref()
                .is_some_and(|s| held.equals(s)),
            Self::Kid(kid) => listed.kid.as_ref() == Some(kid),
        }
    }
}

/// Okta refuses to take away what is in use: then a look at the list decides.
fn kept_if_refused(outcome: Result<(), Error>, effect: Effect) -> Result<Effect, StepError> {
    match outcome {
        Ok(()) => Ok(effect),
        Err(error) if matches!(error.class, Class::Rejected { .. }) => Ok(Effect::CredentialKept),
        Err(error) => Err(error.into()),
    }
}

fn half(message: &str) -> Error {
    Error {
        class: Class::Transient,
        message: message.to_owned(),
        request_id: None,
    }
}

fn gone_is_absent(outcome: Result<(), Error>, effect: Effect) -> Result<Effect, StepError> {
    match outcome {
        Ok(()) => Ok(effect),
        Err(error) if error.class == Class::NotFound => Ok(Effect::App(None)),
        Err(error) => Err(error.into()),
    }
}
