//! The Kubernetes side of an account's steps: what is written. How a Secret is
//! written is `secret`'s.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use k8s_openapi::ByteString;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;

use super::finalizer;
use super::secret::{Annotations, Written};
use super::step::{Run, StepError};
use super::vault::{Credentials, Held};
use crate::api::names as n;
use crate::plan::check;
use crate::plan::desired::SecretSpec;
use crate::plan::observed::Observed;
use crate::plan::secret_meta::{
    ANNOTATION_APP_REVISION, ANNOTATION_DATA, ANNOTATION_KIND, ANNOTATION_METHOD,
    ANNOTATION_RETIRE, ANNOTATION_ROTATED_AT, ANNOTATION_STAGED, Meta, Slot, read,
};
use crate::plan::step::{Effect, Kind, Purpose, Retire, Staged, Step, Which};

impl Run<'_> {
    pub(super) async fn kubernetes(
        &mut self,
        step: &Step,
        observed: &Observed,
    ) -> Result<Effect, StepError> {
        match step {
            Step::AddFinalizer => self.finalizer(true).await,
            Step::RemoveFinalizer => self.finalizer(false).await,
            Step::ConfirmAccount => finalizer::stands(self.ctx, &self.desired.account).await,
            Step::ReadCredentials => self.read_credentials().await,
            Step::ReadToken => self.read_token(observed).await,
            Step::Stage(staged) => self.stage(staged, observed).await,
            Step::Promote { retire } => self.promote(retire.as_ref(), observed).await,
            Step::RewriteCredentials { lost } => self.rewrite(lost.as_ref(), observed).await,
            Step::RemoveCredentials => self.remove_credentials(observed).await,
            Step::Publish => self.publish(observed).await,
            Step::Withdraw => self.withdraw(observed).await,
            Step::EndSessions(ending) => {
                self.ctx.sessions.note(self.ctx, ending).await?;
                Ok(Effect::EndingNoted(ending.cause))
            }
            Step::Mark {
                which,
                labels,
                annotations,
            } => self.mark(*which, labels, annotations, observed).await,
            other => Err(StepError::Broken(format!(
                "{} is not a step in Kubernetes",
                other.name()
            ))),
        }
    }

    async fn finalizer(&mut self, present: bool) -> Result<Effect, StepError> {
        let Some(object) = self.remembered.object.clone() else {
            return Err(StepError::Stale);
        };
        if let Some(object) = finalizer::patch(self.ctx, &object, present).await? {
            self.remembered.object = Some(object);
        }
        Ok(if present {
            Effect::FinalizerAdded
        } else {
            Effect::FinalizerRemoved
        })
    }

    async fn read_credentials(&mut self) -> Result<Effect, StepError> {
        let secret = self
            .secrets(&self.desired.credentials)
            .get_opt(&self.desired.credentials.name)
            .await?;
        let Some(secret) = secret else {
            return Ok(Effect::CredentialsRead {
                meta: None,
                content: crate::plan::step::Content::default(),
                edited: false,
            });
        };
        let slot = self.classified(&self.desired.credentials, Some(&secret.metadata));
        let Slot::Ours(meta) = slot else {
            return Ok(Effect::Found {
                which: Which::Credentials,
                slot,
            });
        };
        let mut found = Credentials::read(&secret.data.unwrap_or_default());
        // What memory holds was proved by Okta. If somebody touched the Secret,
        // it stands; if only an operator wrote it, the Secret is newer.
        let edited = meta.touched.is_some()
            && match (&self.remembered.vault.live, &found.live) {
                (Some(held), Some(live)) => {
                    !(held.client_id == live.client_id && held.equals(&live.value))
                }
                (Some(_), None) => found.staged.is_none(),
                (None, _) => false,
            };
        if edited {
            found.live = self.remembered.vault.live.clone();
        }
        let content = found.content();
        self.remembered.vault = found;
        Ok(Effect::CredentialsRead {
            meta: Some(meta),
            content,
            edited,
        })
    }

    /// Whether the token in the Secret is what its annotations say.
    async fn read_token(&self, observed: &Observed) -> Result<Effect, StepError> {
        let secret = self
            .secrets(&self.desired.token)
            .get_opt(&self.desired.token.name)
            .await?;
        let (Some(secret), Some(facts)) = (secret, observed.token_facts()) else {
            return Ok(Effect::TokenRead { intact: false });
        };
        let data = secret.data.unwrap_or_default();
        let token = data
            .get(n::KEY_TOKEN)
            .and_then(|b| std::str::from_utf8(&b.0).ok());
        // The claims do not show a damaged signature: only the very token that we
        // wrote is intact. After a restart that is not known, and a touched one is
        // replaced.
        let intact = token.is_some_and(|token| {
            let (account, issuer) = (&self.desired.account, &self.desired.issuer);
            self.remembered.token_digest.as_deref() == Some(fingerprint(token).as_ref())
                && check::decode(token).is_some_and(|claims| {
                    facts.agrees_with(&claims, &issuer.groups_claim, &account.uid)
                })
        });
        Ok(Effect::TokenRead { intact })
    }

    async fn stage(&mut self, staged: &Staged, observed: &Observed) -> Result<Effect, StepError> {
        let held = Held::generate(staged.client_id.clone(), staged.authentication)
            .map_err(StepError::Broken)?;
        let vault = &self.remembered.vault;
        // A new registration makes the former one's credentials worthless.
        let live = if staged.purpose == Purpose::Create {
            None
        } else {
            vault.live.clone()
        };
        let generation = if live.is_some() {
            vault.generation
        } else {
            staged.generation
        };
        let next = Credentials {
            live,
            staged: Some((staged.clone(), held)),
            generation,
        };
        let mut annotations = Annotations::from([
            (ANNOTATION_STAGED.to_owned(), Some("true".to_owned())),
            // Whoever asked for new credentials gets these.
            (n::ANNOTATION_ROTATE.to_owned(), self.desired.rotate.clone()),
        ]);
        if next.live.is_none() {
            annotations.insert(n::ANNOTATION_CLIENT_ID.to_owned(), None);
        }
        if staged.purpose == Purpose::Create {
            annotations.insert(
                n::ANNOTATION_RESTORE.to_owned(),
                self.desired.restore.clone(),
            );
        }
        self.write_credentials(next, annotations, observed).await
    }

    async fn promote(
        &mut self,
        retire: Option<&Retire>,
        observed: &Observed,
    ) -> Result<Effect, StepError> {
        let Some((staged, held)) = self.remembered.vault.staged.clone() else {
            return Err(StepError::Stale);
        };
        let mut annotations = self.proved(&held);
        annotations.insert(ANNOTATION_STAGED.to_owned(), None);
        annotations.insert(ANNOTATION_RETIRE.to_owned(), retire.map(Retire::text));
        let next = Credentials {
            live: Some(held),
            staged: None,
            generation: staged.generation,
        };
        self.write_credentials(next, annotations, observed).await
    }

    async fn rewrite(
        &mut self,
        lost: Option<&Retire>,
        observed: &Observed,
    ) -> Result<Effect, StepError> {
        let Some(live) = self.remembered.vault.live.clone() else {
            return Err(StepError::Stale);
        };
        let mut annotations = self.proved(&live);
        // What was staged may stand at Okta already, and nobody else knows it.
        let staged = self.remembered.vault.staged.clone();
        let flag = staged.as_ref().map(|_| "true".to_owned());
        annotations.insert(ANNOTATION_STAGED.to_owned(), flag);
        // They are as old as they were, so that editing the Secret again and
        // again puts no rotation off.
        let rotated_at = match &observed.credentials {
            Slot::Ours(meta) => meta.instant(ANNOTATION_ROTATED_AT),
            Slot::Absent | Slot::Foreign | Slot::Predecessor => None,
        };
        if rotated_at.is_some_and(|at| at <= self.ctx.now()) {
            annotations.remove(ANNOTATION_ROTATED_AT);
        }
        if let Some(retire) = lost {
            // What was answered before is not asked again.
            let desired = self.desired;
            annotations.insert(ANNOTATION_RETIRE.to_owned(), Some(retire.text()));
            annotations.insert(n::ANNOTATION_ROTATE.to_owned(), desired.rotate.clone());
            annotations.insert(n::ANNOTATION_RESTORE.to_owned(), desired.restore.clone());
        }
        let next = Credentials {
            live: Some(live),
            staged,
            generation: self.remembered.vault.generation,
        };
        self.write_credentials(next, annotations, observed).await
    }

    /// What the annotations say about proved credentials.
    fn proved(&self, held: &Held) -> Annotations {
        let key = Kind::of(held.authentication) == Kind::Key;
        Annotations::from([
            (
                n::ANNOTATION_CLIENT_ID.to_owned(),
                Some(held.client_id.clone()),
            ),
            (
                ANNOTATION_KIND.to_owned(),
                Some(if key { "key" } else { "secret" }.to_owned()),
            ),
            (
                ANNOTATION_METHOD.to_owned(),
                Some(crate::plan::app::method_name(held.authentication).to_owned()),
            ),
            (
                ANNOTATION_ROTATED_AT.to_owned(),
                Some(whole(self.ctx.now())),
            ),
        ])
    }

    async fn write_credentials(
        &mut self,
        next: Credentials,
        annotations: Annotations,
        observed: &Observed,
    ) -> Result<Effect, StepError> {
        let issuer = &self.desired.issuer;
        let data = next.data(&issuer.token_endpoint, &issuer.scope);
        let mut annotations = annotations;
        annotations.insert(
            ANNOTATION_DATA.to_owned(),
            Some(crate::okta::jose::random_text(9).to_string()),
        );
        let written = self
            .write(
                &self.desired.credentials,
                n::SECRET_TYPE_CREDENTIALS,
                data,
                annotations,
                &observed.credentials,
            )
            .await?;
        Ok(match written {
            Written::Done(meta) => {
                let content = next.content();
                self.remembered.vault = next;
                Effect::CredentialsWritten { meta, content }
            }
            Written::Taken(slot) => Effect::Found {
                which: Which::Credentials,
                slot,
            },
        })
    }

    async fn publish(&mut self, observed: &Observed) -> Result<Effect, StepError> {
        let Some(minted) = &observed.memory.minted else {
            return Err(StepError::Stale);
        };
        let Ok(life) = minted.outcome else {
            return Err(StepError::Broken("the token must not be published".into()));
        };
        let desired = self.desired;
        let token = self.token()?;
        let digest = fingerprint(token).as_ref().to_vec();
        let mut data = BTreeMap::from([
            (n::KEY_TOKEN, token.to_owned()),
            (n::KEY_TYPE, "neo4j".to_owned()),
            (n::KEY_PROVIDER, "okta".to_owned()),
        ]);
        if let Some(uri) = &desired.issuer.neo4j.uri {
            data.insert(n::KEY_URI, uri.clone());
        }
        let data = data
            .into_iter()
            .map(|(k, v)| (k.to_owned(), ByteString(v.into_bytes())))
            .collect();
        let groups: Vec<&str> = desired.groups.iter().map(String::as_str).collect();
        let client_id = self
            .remembered
            .vault
            .live
            .as_ref()
            .map(|h| h.client_id.clone());
        let annotations = Annotations::from([
            (n::ANNOTATION_CLIENT_ID.to_owned(), client_id),
            (
                n::ANNOTATION_ISSUED_AT.to_owned(),
                Some(whole(life.issued_at)),
            ),
            (
                n::ANNOTATION_EXPIRES_AT.to_owned(),
                Some(whole(life.expires_at)),
            ),
            (
                n::ANNOTATION_REFRESH_AT.to_owned(),
                Some(whole(life.refresh_at)),
            ),
            (n::ANNOTATION_GROUPS.to_owned(), Some(groups.join(","))),
            (n::ANNOTATION_RENEW.to_owned(), desired.renew.clone()),
            (
                ANNOTATION_APP_REVISION.to_owned(),
                observed
                    .memory
                    .confirmed
                    .clone()
                    .or_else(|| observed.token_facts()?.app_revision),
            ),
        ]);
        let written = self
            .write(
                &desired.token,
                n::SECRET_TYPE_TOKEN,
                data,
                annotations,
                &observed.token,
            )
            .await?;
        self.remembered.withdrawn = None;
        self.remembered.token_digest = Some(digest);
        Ok(match written {
            Written::Done(meta) => Effect::TokenWritten { meta },
            Written::Taken(slot) => Effect::Found {
                which: Which::Token,
                slot,
            },
        })
    }

    async fn withdraw(&mut self, observed: &Observed) -> Result<Effect, StepError> {
        let Slot::Ours(meta) = &observed.token else {
            return Ok(Effect::TokenRemoved);
        };
        self.delete(&self.desired.token, meta).await?;
        self.remembered.withdrawn = Some(meta.uid.clone());
        Ok(Effect::TokenRemoved)
    }

    async fn remove_credentials(&mut self, observed: &Observed) -> Result<Effect, StepError> {
        if let Slot::Ours(meta) = &observed.credentials {
            self.delete(&self.desired.credentials, meta).await?;
        }
        self.remembered.vault = Credentials::default();
        Ok(Effect::CredentialsRemoved)
    }

    /// Deletes exactly the Secret that was planned on.
    async fn delete(&self, spec: &SecretSpec, meta: &Meta) -> Result<(), StepError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(meta.uid.clone()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match self.secrets(spec).delete(&spec.name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn mark(
        &self,
        which: Which,
        labels: &BTreeMap<String, String>,
        annotations: &Annotations,
        observed: &Observed,
    ) -> Result<Effect, StepError> {
        let (slot, spec) = match which {
            Which::Credentials => (&observed.credentials, &self.desired.credentials),
            Which::Token => (&observed.token, &self.desired.token),
        };
        let Slot::Ours(meta) = slot else {
            return Err(StepError::Stale);
        };
        let patch = json!({ "metadata": { "resourceVersion": meta.version, "labels": labels, "annotations": annotations } });
        let params = PatchParams {
            field_manager: Some(n::OPERATOR.to_owned()),
            ..PatchParams::default()
        };
        let secret = self
            .secrets(spec)
            .patch_metadata(&spec.name, &params, &Patch::Merge(&patch))
            .await?;
        Ok(Effect::Marked {
            which,
            meta: read(&secret.metadata),
        })
    }
}

/// Tells one token from another without keeping it.
pub(super) fn fingerprint(token: &str) -> Digest {
    digest(&SHA256, token.as_bytes())
}

fn whole(at: k8s_openapi::jiff::Timestamp) -> String {
    k8s_openapi::jiff::Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}
