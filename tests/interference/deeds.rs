//! Does the deeds of a history: as the account's owner with kubectl, and as an
//! admin at Okta by hand. Needs a client and an Okta that nothing disturbs.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use neo4j_okta_operator::api::{Neo4jServiceAccount, names as n};
use neo4j_okta_operator::plan::app::read_marker;
use okta_emulator::Admin;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::history::{Deed, History};
use crate::weather::lock;

/// Accounts that are not blamed for credentials that Okta does not know.
pub(crate) type Excused = Arc<Mutex<HashSet<String>>>;

/// The secret that an admin adds.
const ADMINS_SECRET: &str = "an-admins-own-secret-0123456789-0123456789";

#[derive(Clone)]
pub(crate) struct Hand {
    pub(crate) client: Client,
    pub(crate) admin: Admin,
    pub(crate) issuer: String,
    pub(crate) excused: Excused,
}

impl Hand {
    fn accounts(&self, history: &History) -> Api<Neo4jServiceAccount> {
        Api::namespaced(self.client.clone(), &history.namespace)
    }

    fn secrets(&self, history: &History) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &history.namespace)
    }

    /// Does all, each when its tick has come.
    pub(crate) async fn live_through(self, history: History, mut ticks: watch::Receiver<u64>) {
        for (number, (tick, deed)) in history.deeds.iter().enumerate() {
            ticks
                .wait_for(|now| now >= tick)
                .await
                .expect("the round goes on");
            if deed.unsettles_credentials() {
                self.excuse(&history);
            }
            self.does(&history, *deed, number).await;
        }
    }

    fn excuse(&self, history: &History) {
        lock(&self.excused).insert(format!("{}/{}", history.namespace, history.name));
    }

    pub(crate) async fn does(&self, history: &History, deed: Deed, number: usize) {
        let annotate =
            |key: &str| json!({ "metadata": { "annotations": { key: number.to_string() } } });
        match deed {
            Deed::Create => self.create(history).await,
            Deed::Groups(groups) => {
                self.patch(history, json!({ "spec": { "groups": groups } }))
                    .await
            }
            Deed::Method(method) => {
                self.patch(history, json!({ "spec": { "authentication": method } }))
                    .await;
            }
            Deed::Suspend(suspended) => {
                self.patch(history, json!({ "spec": { "suspended": suspended } }))
                    .await;
            }
            Deed::Renew => self.patch(history, annotate(n::ANNOTATION_RENEW)).await,
            Deed::Rotate => self.patch(history, annotate(n::ANNOTATION_ROTATE)).await,
            Deed::DropCredentials => self.drop(history, n::SUFFIX_CREDENTIALS).await,
            Deed::DropToken => self.drop(history, n::SUFFIX_TOKEN).await,
            Deed::EditCredentials => {
                let edit =
                    json!({ "stringData": { "client_secret": "edited-by-hand-0123456789" } });
                self.edit(history, n::SUFFIX_CREDENTIALS, &edit).await;
            }
            Deed::EditToken => {
                let edit = json!({ "stringData": { "token": "edited-by-hand" } });
                self.edit(history, n::SUFFIX_TOKEN, &edit).await;
            }
            Deed::Delete => self.delete(history).await,
            Deed::AdminDeactivates => self.at_okta(history, |hand, id| {
                hand.by_hand(
                    "POST",
                    &format!("/api/v1/apps/{id}/lifecycle/deactivate"),
                    None,
                );
            }),
            Deed::AdminDeletes => self.at_okta(history, |hand, id| {
                hand.by_hand(
                    "POST",
                    &format!("/api/v1/apps/{id}/lifecycle/deactivate"),
                    None,
                );
                hand.by_hand("DELETE", &format!("/api/v1/apps/{id}"), None);
            }),
            Deed::AdminRenames => self.at_okta(history, |hand, id| {
                if let Some(mut app) = hand.admin.app(id) {
                    app["label"] = json!(format!("renamed {id}"));
                    hand.by_hand("PUT", &format!("/api/v1/apps/{id}"), Some(&app));
                }
            }),
            Deed::AdminAddsSecret => self.at_okta(history, |hand, id| {
                let body = json!({ "client_secret": ADMINS_SECRET });
                hand.by_hand(
                    "POST",
                    &format!("/api/v1/apps/{id}/credentials/secrets"),
                    Some(&body),
                );
            }),
        }
    }

    /// Until its predecessor of the same name is gone, it cannot be there.
    async fn create(&self, history: &History) {
        let mut spec = json!({
            "issuerRef": { "name": self.issuer },
            "groups": history.first.groups,
            "authentication": history.first.method,
        });
        if history.rotates {
            spec["rotation"] = json!({ "interval": "2h", "overlap": "20m" });
        }
        let account: Neo4jServiceAccount = serde_json::from_value(json!({
            "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
            "metadata": { "name": history.name, "namespace": history.namespace }, "spec": spec,
        }))
        .expect("an account");
        let accounts = self.accounts(history);
        loop {
            match accounts.create(&PostParams::default(), &account).await {
                Ok(_) => return,
                Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                Err(error) => panic!("{}: {error}", history.name),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn patch(&self, history: &History, change: Value) {
        self.accounts(history)
            .patch(
                &history.name,
                &PatchParams::default(),
                &Patch::Merge(&change),
            )
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", history.name));
    }

    /// Deletes a Secret, if it is there by now.
    async fn drop(&self, history: &History, suffix: &str) {
        let name = format!("{}{suffix}", history.name);
        let _ = self
            .secrets(history)
            .delete(&name, &DeleteParams::default())
            .await;
    }

    /// Changes a Secret, if it is there by now.
    async fn edit(&self, history: &History, suffix: &str, change: &Value) {
        let name = format!("{}{suffix}", history.name);
        let _ = self
            .secrets(history)
            .patch(&name, &PatchParams::default(), &Patch::Merge(change))
            .await;
    }

    /// Does something to the account's apps, if there are any by now.
    fn at_okta(&self, history: &History, deed: impl Fn(&Self, &str)) {
        for app in self.admin.apps() {
            let ours = read_marker(&app)
                .is_some_and(|m| m.namespace == history.namespace && m.name == history.name);
            if let Some(id) = app["id"].as_str().filter(|_| ours) {
                deed(self, id);
            }
        }
    }

    /// Okta may refuse: the operator was there first.
    fn by_hand(&self, method: &str, target: &str, body: Option<&Value>) {
        let _ = self.admin.call(method, target, body);
    }

    /// Takes back what the operator takes for an instruction and heeds: apps that
    /// admins disabled are to be restored, their secret goes, rotation ends.
    pub(crate) async fn reconciles(&self, histories: &[History]) {
        for history in histories.iter().filter(|h| h.wanted.exists) {
            let mut change = json!({ "spec": { "rotation": null } });
            let disabled = |(_, deed): &(u64, Deed)| {
                matches!(deed, Deed::AdminDeactivates | Deed::AdminDeletes)
            };
            if history.deeds.iter().any(disabled) {
                let annotations = BTreeMap::from([(n::ANNOTATION_RESTORE, "at last")]);
                change["metadata"] = json!({ "annotations": annotations });
            }
            self.patch(history, change).await;
            self.at_okta(history, |hand, id| {
                for secret in hand.admin.secrets(id) {
                    if secret["client_secret"] == ADMINS_SECRET {
                        let secret = secret["id"].as_str().unwrap_or_default();
                        let target = format!("/api/v1/apps/{id}/credentials/secrets/{secret}");
                        hand.by_hand("POST", &format!("{target}/lifecycle/deactivate"), None);
                        hand.by_hand("DELETE", &target, None);
                    }
                }
            });
        }
    }

    /// Asks for the deletion of all that is left.
    pub(crate) async fn deletes_all(&self, histories: &[History]) {
        for history in histories.iter().filter(|h| h.wanted.exists) {
            self.delete(history).await;
        }
    }

    /// Asks for the deletion of exactly what was seen. Without that, an API server
    /// that has begun to delete an object goes through with it although a finalizer
    /// is set meanwhile, and no operator can tell; such an app is an orphan.
    async fn delete(&self, history: &History) {
        self.excuse(history);
        let accounts = self.accounts(history);
        loop {
            let account = accounts.get(&history.name).await.expect("the account");
            let seen = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: account.uid(),
                    resource_version: account.resource_version(),
                }),
                ..DeleteParams::default()
            };
            match accounts.delete(&history.name, &seen).await {
                Ok(_) => return,
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                Err(error) => panic!("{}: {error}", history.name),
            }
        }
    }
}
