//! What the metadata of a Secret tells without reading its values: whose it is,
//! what our annotations say, and whether somebody else changed what is ours.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    ManagedFieldsEntry, ObjectMeta, OwnerReference,
};
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::names as n;

/// Annotation, inside the operator's Secrets alone: staged keys are present.
pub const ANNOTATION_STAGED: &str = "neo4j-okta.dev/staged";
/// Annotation: former credentials are still to be removed at Okta: from when on,
/// and Okta's id of them if it is known.
pub const ANNOTATION_RETIRE: &str = "neo4j-okta.dev/retire";
/// Annotation on the token Secret: fingerprint of the app's description at Okta
/// when this token was issued.
pub const ANNOTATION_APP_REVISION: &str = "neo4j-okta.dev/app-revision";
/// Annotation on the credentials Secret: when its credentials were proved.
pub const ANNOTATION_ROTATED_AT: &str = "neo4j-okta.dev/rotated-at";

/// Annotation on the credentials Secret: when groups that others had taken out
/// of the app's profile were last put back.
pub const ANNOTATION_GROUPS_REPAIRED_AT: &str = "neo4j-okta.dev/groups-repaired-at";
/// Annotation on the credentials Secret: RFC 7591's name of the method of its
/// live credentials.
pub const ANNOTATION_METHOD: &str = "neo4j-okta.dev/authentication";
/// Annotation on the credentials Secret: `key` when it holds a private key.
pub const ANNOTATION_KIND: &str = "neo4j-okta.dev/credential";

/// Annotation on the credentials Secret: a random word, new with each write of
/// its data, so that other changes need no new look.
pub const ANNOTATION_DATA: &str = "neo4j-okta.dev/data-revision";

/// A Secret under the name that an account uses.
#[derive(Clone, Debug, PartialEq)]
pub enum Slot {
    /// There is none.
    Absent,
    /// It is somebody else's.
    Foreign,
    /// It is of a deleted account of the same name.
    Predecessor,
    /// It is ours.
    Ours(Meta),
}

/// Metadata of a Secret, as far as we need it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The resourceVersion that writes are planned on.
    pub version: String,
    /// The uid.
    pub uid: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
    /// All finalizers; none is ours.
    pub finalizers: Vec<String>,
    /// All owners; the controller is the account.
    pub owners: Vec<OwnerReference>,
    /// Set when somebody else changed one of our keys or annotations: who and
    /// when, so that one look at it is enough.
    pub touched: Option<String>,
    /// It is being deleted.
    pub deleting: bool,
}

impl Meta {
    /// One of our annotations.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// Names the data that the Secret holds: as long as it is the same and
    /// nobody touched the Secret, so is the data.
    #[must_use]
    pub fn data_revision(&self) -> &str {
        self.annotation(ANNOTATION_DATA).unwrap_or(&self.version)
    }

    /// One of our annotations as an instant; `None` when it is missing or none.
    #[must_use]
    pub fn instant(&self, key: &str) -> Option<Timestamp> {
        self.annotation(key)?.parse().ok()
    }
}

/// Classifies the Secret for the account with `uid`.
#[must_use]
pub fn classify(secret: Option<Meta>, uid: &str) -> Slot {
    let Some(meta) = secret else {
        return Slot::Absent;
    };
    let owner = meta.owners.iter().find(|o| o.controller == Some(true));
    match owner {
        Some(owner) if owner.kind == "Neo4jServiceAccount" && owner.uid == uid => Slot::Ours(meta),
        Some(owner) if owner.kind == "Neo4jServiceAccount" => Slot::Predecessor,
        _ => Slot::Foreign,
    }
}

/// Classifies a Secret in the operator's namespace: no account can own it there,
/// and nobody else may write there, so a label tells whose it is.
#[must_use]
pub fn classify_private(secret: Option<Meta>, uid: &str) -> Slot {
    let Some(meta) = secret else {
        return Slot::Absent;
    };
    match meta.labels.get(n::LABEL_ACCOUNT_UID) {
        Some(owner) if owner == uid => Slot::Ours(meta),
        _ => Slot::Foreign,
    }
}

/// Reads what is needed from the metadata of a Secret.
#[must_use]
pub fn read(meta: &ObjectMeta) -> Meta {
    let annotations = meta.annotations.clone().unwrap_or_default();
    let written = meta.managed_fields.as_deref().unwrap_or_default();
    Meta {
        version: meta.resource_version.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        labels: meta.labels.clone().unwrap_or_default(),
        touched: touched(written, &annotations),
        annotations,
        finalizers: meta.finalizers.clone().unwrap_or_default(),
        owners: meta.owner_references.clone().unwrap_or_default(),
        deleting: meta.deletion_timestamp.is_some(),
    }
}

fn owned(fields: &Value, path: &[&str], filter: impl Fn(&str) -> bool) -> BTreeSet<String> {
    path.iter()
        .try_fold(fields, |at, key| at.get(key))
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys)
        .filter_map(|key| key.strip_prefix("f:"))
        .filter(|key| filter(key))
        .map(str::to_owned)
        .collect()
}

fn is_ours(annotation: &str) -> bool {
    annotation.starts_with("neo4j-okta.dev/")
}

/// Who changed what is ours, if anybody. managedFields say for each key who
/// wrote it last; a key of ours that we no longer own was changed or removed.
fn touched(
    entries: &[ManagedFieldsEntry],
    annotations: &BTreeMap<String, String>,
) -> Option<String> {
    let mut held = BTreeSet::new();
    for entry in entries {
        let Some(fields) = &entry.fields_v1 else {
            continue;
        };
        let data = owned(&fields.0, &["f:data"], |_| true);
        let notes = owned(&fields.0, &["f:metadata", "f:annotations"], is_ours);
        if entry.manager.as_deref() == Some(n::OPERATOR) {
            held.extend(data);
            held.extend(notes);
        } else if data.iter().any(|key| is_our_key(key)) || !notes.is_empty() {
            let manager = entry.manager.as_deref().unwrap_or("somebody");
            let time = entry
                .time
                .as_ref()
                .map(|t| t.0.to_string())
                .unwrap_or_default();
            return Some(format!("{manager} {time}"));
        }
    }
    required(annotations)
        .into_iter()
        .find(|key| !held.contains(*key))
        .map(|key| format!("key {key} is gone"))
}

fn is_our_key(key: &str) -> bool {
    key.starts_with(n::PREFIX_STAGED)
        || [
            n::KEY_TOKEN,
            n::KEY_TYPE,
            n::KEY_PROVIDER,
            n::KEY_URI,
            n::KEY_CLIENT_ID,
            n::KEY_CLIENT_SECRET,
            n::KEY_PRIVATE_KEY,
            n::KEY_PRIVATE_JWK,
            n::KEY_KEY_ID,
            n::KEY_AUTH_METHOD,
            n::KEY_GENERATION,
            n::KEY_TOKEN_ENDPOINT,
            n::KEY_SCOPE,
        ]
        .contains(&key)
}

/// The keys that must be ours, judged by what the annotations say is inside.
fn required(annotations: &BTreeMap<String, String>) -> Vec<&'static str> {
    if annotations.contains_key(n::ANNOTATION_EXPIRES_AT) {
        return vec![
            n::KEY_TOKEN,
            n::ANNOTATION_EXPIRES_AT,
            n::ANNOTATION_REFRESH_AT,
        ];
    }
    let mut keys = vec![n::KEY_GENERATION, ANNOTATION_DATA];
    if annotations.contains_key(n::ANNOTATION_CLIENT_ID) {
        keys.extend([n::KEY_CLIENT_ID, n::KEY_AUTH_METHOD]);
        keys.push(
            if annotations
                .get(ANNOTATION_KIND)
                .is_some_and(|kind| kind == "key")
            {
                n::KEY_PRIVATE_KEY
            } else {
                n::KEY_CLIENT_SECRET
            },
        );
    }
    keys
}

#[cfg(test)]
#[path = "secret_meta_tests.rs"]
mod tests;
