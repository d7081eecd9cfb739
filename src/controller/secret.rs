//! Writing a Secret: whole, with the resourceVersion that the plan was made on,
//! so that a writer that was frozen cannot destroy what is newer. Labels,
//! annotations, finalizers and owners of others stay.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, Resource};

use super::step::{Run, StepError};
use crate::api::names as n;
use crate::plan::desired::SecretSpec;
use crate::plan::secret_meta::{Meta, Slot, classify, classify_private, read};

/// Annotations to set or remove.
pub(super) type Annotations = BTreeMap<String, Option<String>>;

fn post() -> PostParams {
    PostParams {
        field_manager: Some(n::OPERATOR.to_owned()),
        ..PostParams::default()
    }
}

impl Run<'_> {
    pub(super) fn secrets(&self, spec: &SecretSpec) -> Api<Secret> {
        Api::namespaced(self.ctx.client.clone(), &spec.namespace)
    }

    /// Whose a Secret under the name that `spec` says is.
    pub(super) fn classified(&self, spec: &SecretSpec, secret: Option<&ObjectMeta>) -> Slot {
        let account = &self.desired.account;
        let secret = secret.map(read);
        if spec.namespace == account.namespace {
            classify(secret, &account.uid)
        } else {
            classify_private(secret, &account.uid)
        }
    }

    /// Creates the Secret, or replaces the one that was planned on. Labels and
    /// annotations of others stay.
    pub(super) async fn write(
        &self,
        spec: &SecretSpec,
        type_: &str,
        data: BTreeMap<String, ByteString>,
        annotations: Annotations,
        slot: &Slot,
    ) -> Result<Written, StepError> {
        let before = match slot {
            Slot::Ours(meta) => meta.clone(),
            Slot::Absent => Meta::default(),
            Slot::Foreign | Slot::Predecessor => {
                return Err(StepError::Broken(
                    "a Secret of somebody else is not written".into(),
                ));
            }
        };
        let mut notes = before.annotations;
        notes.extend(spec.annotations.clone());
        for (key, value) in annotations {
            match value {
                Some(value) => notes.insert(key, value),
                None => notes.remove(&key),
            };
        }
        let mut labels = before.labels;
        labels.extend(spec.labels.clone());
        let mut owners = before.owners;
        // An owner in another namespace would be no owner to the collector.
        if owners.is_empty() && spec.namespace == self.desired.account.namespace {
            let object = self.remembered.object.as_ref();
            owners.extend(object.and_then(|o| o.controller_owner_ref(&())));
        }
        let update = !before.version.is_empty();
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(spec.name.clone()),
                namespace: Some(spec.namespace.clone()),
                labels: Some(labels),
                annotations: Some(notes),
                owner_references: (!owners.is_empty()).then_some(owners),
                finalizers: (!before.finalizers.is_empty()).then_some(before.finalizers),
                resource_version: update.then_some(before.version),
                uid: update.then_some(before.uid),
                ..ObjectMeta::default()
            },
            type_: Some(type_.to_owned()),
            data: Some(data),
            ..Secret::default()
        };
        let api = self.secrets(spec);
        if update {
            let written = api.replace(&spec.name, &post(), &secret).await?;
            return Ok(Written::Done(read(&written.metadata)));
        }
        match api.create(&post(), &secret).await {
            Ok(written) => Ok(Written::Done(read(&written.metadata))),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                let existing = api.get_metadata_opt(&spec.name).await?;
                let existing = existing.as_ref().map(|s| &s.metadata);
                Ok(Written::Taken(self.classified(spec, existing)))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What came of writing a Secret.
pub(super) enum Written {
    Done(Meta),
    Taken(Slot),
}
