//! How the model carries out each step, with Okta's rules.

use super::*;

impl Model {
    #[allow(clippy::too_many_lines, reason = "one arm a step")]
    pub(super) fn carry_out(&mut self, step: &Step, observed: &Observed) -> Effect {
        let spec = self.desired.app_spec();
        if !rules::is_read(step) {
            self.writes += 1;
        }
        self.check_ending(observed, step);
        match step {
            Step::AddFinalizer => {
                self.finalizer = true;
                Effect::FinalizerAdded
            }
            Step::RemoveFinalizer => {
                self.finalizer = false;
                Effect::FinalizerRemoved
            }
            Step::ConfirmAccount => Effect::AccountStands,
            Step::ReadCredentials => {
                self.vault.clone_from(&self.credentials);
                let content = self
                    .credentials
                    .as_ref()
                    .map(Credentials::content)
                    .unwrap_or_default();
                Effect::CredentialsRead {
                    meta: self.credentials.as_ref().map(|c| c.meta.clone()),
                    content,
                    edited: false,
                }
            }
            Step::ReadToken => Effect::TokenRead { intact: true },
            Step::Stage(staged) => {
                let before = self.vault.clone().unwrap_or_default();
                let live = if staged.purpose == Purpose::Create {
                    None
                } else {
                    before.live
                };
                self.next_value += 1;
                let generation = if live.is_some() {
                    before.generation
                } else {
                    staged.generation
                };
                let mut notes = vec![
                    (sm::ANNOTATION_STAGED, Some("true".to_owned())),
                    (n::ANNOTATION_ROTATE, self.desired.rotate.clone()),
                ];
                if live.is_none() {
                    notes.push((n::ANNOTATION_CLIENT_ID, None));
                }
                if staged.purpose == Purpose::Create {
                    notes.push((n::ANNOTATION_RESTORE, self.desired.restore.clone()));
                }
                self.write(
                    live,
                    Some((staged.clone(), self.next_value)),
                    generation,
                    notes,
                )
            }
            Step::Promote { retire } => {
                let (staged, value) = self.vault.clone().and_then(|v| v.staged).expect("staged");
                let mut notes = self.proved(&staged.client_id, staged.authentication);
                notes.push((sm::ANNOTATION_STAGED, None));
                notes.push((sm::ANNOTATION_RETIRE, retire.as_ref().map(Retire::text)));
                self.write(
                    Some((staged.client_id.clone(), staged.authentication, value)),
                    None,
                    staged.generation,
                    notes,
                )
            }
            Step::RewriteCredentials { lost } => {
                let held = self.vault.clone().expect("a vault");
                let live = held.live.clone().expect("live");
                let mut notes = self.proved(&live.0, live.1);
                let flag = held.staged.as_ref().map(|_| "true".to_owned());
                notes.push((sm::ANNOTATION_STAGED, flag));
                if let Some(retire) = lost {
                    notes.push((sm::ANNOTATION_RETIRE, Some(retire.text())));
                    notes.push((n::ANNOTATION_ROTATE, self.desired.rotate.clone()));
                    notes.push((n::ANNOTATION_RESTORE, self.desired.restore.clone()));
                }
                self.write(Some(live), held.staged, held.generation, notes)
            }
            Step::RemoveCredentials => {
                self.credentials = None;
                self.vault = None;
                Effect::CredentialsRemoved
            }
            Step::Publish => {
                let Some(Minted {
                    outcome: Ok(life), ..
                }) = &observed.memory.minted
                else {
                    panic!("published without a fit token")
                };
                let client_id = self
                    .vault
                    .as_ref()
                    .and_then(|v| v.live.clone())
                    .expect("live")
                    .0;
                let meta = self.token_meta(*life, client_id, observed.memory.confirmed.clone());
                self.token = Some(meta.clone());
                Effect::TokenWritten { meta }
            }
            Step::Withdraw => {
                self.token = None;
                Effect::TokenRemoved
            }
            Step::Verify => Effect::Verified {
                key: Some("k1".to_owned()),
                logins: vec![Login {
                    server: "https://graph:7473".to_owned(),
                    seen: if self.neo4j_refuses {
                        Err(AtNeo4j::Refused("no".to_owned()))
                    } else {
                        Ok(Seen {
                            user: observed.token_facts().map(|f| f.client_id),
                            roles: Some(self.desired.groups.clone()),
                        })
                    },
                    ahead: None,
                    accepted: None,
                }],
            },
            Step::EndSessions(ending) => {
                self.ending = Some(Ending::clone(ending));
                Effect::EndingNoted(ending.cause)
            }
            Step::Mark {
                which,
                labels,
                annotations,
            } => {
                let meta = match which {
                    super::super::super::step::Which::Credentials => {
                        &mut self.credentials.as_mut().expect("credentials").meta
                    }
                    super::super::super::step::Which::Token => {
                        self.token.as_mut().expect("a token")
                    }
                };
                meta.labels.extend(labels.clone());
                for (key, value) in annotations {
                    match value {
                        Some(value) => meta.annotations.insert(key.clone(), value.clone()),
                        None => meta.annotations.remove(key),
                    };
                }
                Effect::Marked {
                    which: *which,
                    meta: meta.clone(),
                }
            }
            Step::FindClient { client_id } => {
                let known = self.apps.iter().any(|a| a.client_id == *client_id);
                Effect::ClientFound(known && !self.hidden)
            }
            Step::FindApp { label, client_id } => {
                let found = self.apps.iter().find(|a| {
                    a.client_id == *client_id
                        && label.as_ref().is_none_or(|l| a.label.starts_with(l))
                });
                Effect::AppFound(found.map(|a| self.view(a, &spec)))
            }
            Step::FindFormerApp { .. } => Effect::FormerAppFound(None),
            Step::CreateApp => {
                let (staged, value) = self.vault.clone().and_then(|v| v.staged).expect("staged");
                if self.apps.iter().any(|a| a.client_id == staged.client_id) {
                    return Effect::CreateRefused("client_id taken".into());
                }
                let mut app = App {
                    id: format!("0oa{}", self.next_value),
                    client_id: staged.client_id,
                    active: true,
                    method: method_name(staged.authentication),
                    dpop: false,
                    label: staged.label,
                    groups: spec.groups.clone(),
                    marker: Some(spec.marker.clone()),
                    secrets: Vec::new(),
                    keys: Vec::new(),
                };
                app.credentials(Kind::of(staged.authentication)).push((
                    format!("id{value}"),
                    value,
                    true,
                ));
                let view = self.view(&app, &spec);
                self.apps.push(app);
                Effect::AppWritten(view)
            }
            Step::ReadApp { app_id } => {
                let app = self.apps.iter().find(|a| a.id == *app_id);
                let app = app.filter(|_| !self.hidden);
                Effect::App(app.map(|a| self.view(a, &spec)))
            }
            // It is read before it is written.
            Step::UpdateApp { .. } if self.hidden => Effect::App(None),
            Step::UpdateApp { app_id } => {
                let Some(app) = self.app(app_id) else {
                    return Effect::App(None);
                };
                app.label.clone_from(&spec.label);
                app.groups.clone_from(&spec.groups);
                app.marker = Some(spec.marker.clone());
                app.dpop = false;
                let app = app.clone();
                Effect::AppWritten(self.view(&app, &spec))
            }
            Step::ActivateApp { app_id } => match self.app(app_id) {
                Some(app) => {
                    app.active = true;
                    Effect::Activated
                }
                None => Effect::App(None),
            },
            Step::DeactivateApp { app_id } | Step::Abandon { app_id } => {
                if let Some(app) = self.app(app_id) {
                    app.active = false;
                }
                Effect::Deactivated
            }
            Step::DeleteApp { app_id } => {
                assert!(
                    self.app(app_id).is_none_or(|a| !a.active),
                    "Okta deletes inactive apps only"
                );
                self.apps.retain(|a| a.id != *app_id);
                Effect::AppGone
            }
            Step::ListCredentials { app_id, kind } => {
                let vault = self.vault.clone().unwrap_or_default();
                let list = self
                    .app(app_id)
                    .map(|a| a.credentials(*kind).clone())
                    .unwrap_or_default();
                Effect::Credentials(
                    list.into_iter()
                        .map(|(id, value, active)| OktaCredential {
                            staged: vault.staged.as_ref().is_some_and(|(_, v)| *v == value),
                            live: vault.live.as_ref().is_some_and(|(_, _, v)| *v == value),
                            id,
                            active,
                        })
                        .collect(),
                )
            }
            Step::AddCredential { app_id } => {
                let (staged, value) = self.vault.clone().and_then(|v| v.staged).expect("staged");
                let kind = Kind::of(staged.authentication);
                let Some(app) = self.app(app_id) else {
                    return Effect::App(None);
                };
                let id = format!("id{value}");
                let list = app.credentials(kind);
                assert!(list.len() < kind.slots(), "Okta keeps so many");
                assert!(list.iter().all(|c| c.0 != id), "added twice");
                list.push((id.clone(), value, true));
                Effect::CredentialAdded(id)
            }
            Step::DeactivateCredential { app_id, kind, id } => {
                let list = self.app(app_id).expect("the app").credentials(*kind);
                let only = list.iter().filter(|c| c.2).count() == 1;
                let Some(one) = list.iter_mut().find(|c| c.0 == *id) else {
                    return Effect::CredentialDeactivated(id.clone());
                };
                if one.2 && only {
                    return Effect::CredentialKept;
                }
                one.2 = false;
                Effect::CredentialDeactivated(id.clone())
            }
            Step::DeleteCredential { app_id, kind, id } => {
                let list = self.app(app_id).expect("the app").credentials(*kind);
                if list.iter().any(|c| c.0 == *id && c.2) {
                    return Effect::CredentialKept;
                }
                list.retain(|c| c.0 != *id);
                Effect::CredentialDeleted(id.clone())
            }
            Step::ReplaceCredentials { app_id } => {
                let (staged, value) = self.vault.clone().and_then(|v| v.staged).expect("staged");
                let kept = if self.okta_makes_secrets { 0 } else { value };
                let Some(app) = self.app(app_id) else {
                    return Effect::App(None);
                };
                app.method = method_name(staged.authentication);
                app.secrets.clear();
                app.keys.clear();
                let kind = Kind::of(staged.authentication);
                let kept = match kind {
                    Kind::Secret => kept,
                    Kind::Key => value,
                };
                app.credentials(kind)
                    .push((format!("id{value}"), kept, true));
                Effect::Replaced
            }
            Step::Admit { client_id } => {
                self.leaving.remove(client_id);
                let listed = self.listed.contains(client_id);
                if !listed {
                    self.waiting.insert(client_id.clone());
                }
                Effect::Admission(listed)
            }
            Step::Leave { client_id, dead: _ } => {
                self.waiting.remove(client_id);
                self.leaving.insert(client_id.clone());
                Effect::Left
            }
            Step::Mint(credential) => self.mint(*credential),
        }
    }

    fn mint(&mut self, credential: Credential) -> Effect {
        let vault = self.vault.clone().expect("a vault");
        let (client_id, method, value) = match credential {
            Credential::Staged => vault
                .staged
                .map(|(s, v)| (s.client_id, s.authentication, v))
                .expect("staged"),
            Credential::Live => vault.live.expect("live"),
        };
        let app = self
            .apps
            .iter()
            .find(|a| a.client_id == client_id && a.active && a.method == method_name(method));
        let right = app.is_some_and(|a| a.knows(Kind::of(method), value));
        let Some(app) = app.filter(|_| right) else {
            return Effect::MintRefused(credential, Refusal::InvalidClient);
        };
        if app.dpop {
            return Effect::MintRefused(credential, Refusal::Other("invalid_dpop_proof".into()));
        }
        if !self.listed.contains(&client_id) {
            return Effect::MintRefused(
                credential,
                Refusal::AccessDenied("no_matching_policy".into()),
            );
        }
        let outcome = if app.groups == self.desired.groups {
            Ok(TokenLife::new(
                self.now,
                Duration::from_secs(3600),
                &self.desired.account.uid,
            ))
        } else {
            Err(super::super::super::check::Flaw::Groups(
                "old groups".into(),
            ))
        };
        Effect::Minted(Minted {
            credential,
            outcome,
        })
    }

    fn proved(
        &self,
        client_id: &str,
        method: Authentication,
    ) -> Vec<(&'static str, Option<String>)> {
        vec![
            (n::ANNOTATION_CLIENT_ID, Some(client_id.to_owned())),
            (sm::ANNOTATION_METHOD, Some(method_name(method).to_owned())),
            (sm::ANNOTATION_ROTATED_AT, Some(self.now.to_string())),
        ]
    }

    fn write(
        &mut self,
        live: Option<(String, Authentication, Value)>,
        staged: Option<(Staged, Value)>,
        generation: u32,
        notes: Vec<(&'static str, Option<String>)>,
    ) -> Effect {
        let mut meta = self
            .credentials
            .as_ref()
            .map(|c| c.meta.clone())
            .unwrap_or_default();
        meta.labels.extend(self.desired.credentials.labels.clone());
        meta.version = self.writes.to_string();
        meta.annotations
            .insert(sm::ANNOTATION_DATA.to_owned(), self.writes.to_string());
        for (key, value) in notes {
            match value {
                Some(value) => meta.annotations.insert(key.to_owned(), value),
                None => meta.annotations.remove(key),
            };
        }
        let credentials = Credentials {
            meta: meta.clone(),
            live,
            staged,
            generation,
        };
        let content = credentials.content();
        self.vault = Some(credentials.clone());
        self.credentials = Some(credentials);
        Effect::CredentialsWritten { meta, content }
    }

    fn token_meta(&self, life: TokenLife, client_id: String, revision: Option<String>) -> Meta {
        let before = self.token.clone().unwrap_or_default();
        let groups: Vec<&str> = self.desired.groups.iter().map(String::as_str).collect();
        let mut annotations = BTreeMap::from([
            (n::ANNOTATION_CLIENT_ID.to_owned(), client_id),
            (
                n::ANNOTATION_ISSUED_AT.to_owned(),
                life.issued_at.to_string(),
            ),
            (
                n::ANNOTATION_EXPIRES_AT.to_owned(),
                life.expires_at.to_string(),
            ),
            (
                n::ANNOTATION_REFRESH_AT.to_owned(),
                life.refresh_at.to_string(),
            ),
            (n::ANNOTATION_GROUPS.to_owned(), groups.join(",")),
        ]);
        annotations.extend(
            self.desired
                .renew
                .clone()
                .map(|r| (n::ANNOTATION_RENEW.to_owned(), r)),
        );
        annotations.extend(revision.map(|r| (sm::ANNOTATION_APP_REVISION.to_owned(), r)));
        Meta {
            version: self.writes.to_string(),
            labels: self.desired.token.labels.clone(),
            annotations,
            ..before
        }
    }
}
