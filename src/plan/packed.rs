//! The metadata of a Secret in one small piece of memory, for the cache: a fleet
//! has two Secrets an account, and as maps of strings they would weigh more than
//! all else that the operator knows. Pure.

use std::sync::LazyLock;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

use super::secret_meta::{self as annotations, Meta};
use crate::api::names as n;

/// A [`Meta`] that is kept and seldom looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    version: u64,
    /// JSON, compressed.
    bytes: Box<[u8]>,
}

impl Packed {
    /// Packs.
    #[must_use]
    pub fn of(meta: &Meta) -> Self {
        let json = json(meta);
        Self {
            version: number(&meta.version),
            bytes: compress_prepend_size_with_dict(&json, &ALIKE).into(),
        }
    }

    /// Unpacks. `None` would mean that memory is damaged: what is not understood
    /// is not ours.
    #[must_use]
    pub fn meta(&self) -> Option<Meta> {
        let json = decompress_size_prepended_with_dict(&self.bytes, &ALIKE).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// The resourceVersion as a number, see [`number`].
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }
}

/// Orders resourceVersions; Kubernetes promises since 1.35 that they can be
/// compared as numbers. What cannot be read as one counts as oldest: 0.
#[must_use]
pub fn number(version: &str) -> u64 {
    version.parse().unwrap_or(0)
}

/// Text throughout, which JSON can always hold.
fn json(meta: &Meta) -> Vec<u8> {
    serde_json::to_vec(meta).unwrap_or_default()
}

/// What is the same in all of them, by which the rest is told: never kept, so it
/// can change from version to version.
static ALIKE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let with = |keys: &[(&str, &str)]| Meta {
        labels: map(&[
            (n::LABEL_MANAGED_BY, n::OPERATOR),
            (n::LABEL_ACCOUNT_NAMESPACE, ""),
            (n::LABEL_ACCOUNT_UID, ""),
            (n::LABEL_SERVICE_ACCOUNT, ""),
        ]),
        annotations: map(keys),
        owners: vec![OwnerReference {
            api_version: format!("{}/{}", n::GROUP, n::VERSION),
            kind: "Neo4jServiceAccount".to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
            ..OwnerReference::default()
        }],
        ..Meta::default()
    };
    let credentials = with(&[
        (annotations::ANNOTATION_METHOD, "client_secret_basic"),
        (n::ANNOTATION_CLIENT_ID, ""),
        (annotations::ANNOTATION_KIND, "secret"),
        (annotations::ANNOTATION_DATA, ""),
        (annotations::ANNOTATION_ROTATED_AT, "20"),
    ]);
    let token = with(&[
        (annotations::ANNOTATION_APP_REVISION, ""),
        (n::ANNOTATION_CLIENT_ID, ""),
        (n::ANNOTATION_EXPIRES_AT, "20"),
        (n::ANNOTATION_GROUPS, ""),
        (n::ANNOTATION_ISSUED_AT, "20"),
        (n::ANNOTATION_REFRESH_AT, "20"),
        (n::ANNOTATION_RENEW, ""),
    ]);
    [json(&credentials), json(&token)].concat()
});

fn map(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            version in ".{0,12}", uid in ".{0,40}", touched in proptest::option::of(".{0,30}"),
            annotations in proptest::collection::btree_map(".{0,40}", ".{0,300}", 0..20),
            labels in proptest::collection::btree_map(".{0,40}", ".{0,60}", 0..8),
            owner in proptest::option::of((".{0,40}", any::<Option<bool>>())),
            finalizers in proptest::collection::vec(".{0,20}", 0..3), deleting: bool,
        ) {
            let owners = owner.map(|(uid, controller)| OwnerReference { uid, controller, ..OwnerReference::default() });
            let meta = Meta {
                version, uid, labels, annotations, finalizers, touched, deleting,
                owners: owners.into_iter().collect(),
            };
            prop_assert_eq!(Packed::of(&meta).meta(), Some(meta));
        }
    }

    #[test]
    fn the_metadata_of_a_token_secret_takes_half_of_its_json() {
        let meta = Meta {
            version: "1234567".to_owned(),
            uid: "0b54bb1b-7a2f-4d2c-8a2c-2f9d1f1e8f55".to_owned(),
            labels: map(&[
                (n::LABEL_MANAGED_BY, n::OPERATOR),
                (n::LABEL_SERVICE_ACCOUNT, "etl"),
            ]),
            annotations: map(&[
                (annotations::ANNOTATION_APP_REVISION, "8c5f2a7be0c1d94e"),
                (n::ANNOTATION_CLIENT_ID, "prod.payments.etl.4f1c9a2e"),
                (n::ANNOTATION_EXPIRES_AT, "2026-03-01T11:00:00Z"),
                (n::ANNOTATION_GROUPS, "neo4j_reader,neo4j_writer"),
                (n::ANNOTATION_ISSUED_AT, "2026-03-01T10:00:00Z"),
                (n::ANNOTATION_REFRESH_AT, "2026-03-01T10:41:37Z"),
            ]),
            owners: vec![OwnerReference {
                api_version: format!("{}/{}", n::GROUP, n::VERSION),
                kind: "Neo4jServiceAccount".to_owned(),
                name: "etl".to_owned(),
                uid: "4f1c9a2e-0c43-4b0e-9c5c-7d1e2f3a4b5c".to_owned(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            }],
            ..Meta::default()
        };
        let (packed, plain) = (Packed::of(&meta).bytes.len(), json(&meta).len());
        assert!(packed * 2 < plain, "{packed} of {plain}");
    }

    #[test]
    fn damaged_memory_is_nobodys() {
        let Packed { version, bytes } = Packed::of(&Meta::default());
        let bytes = bytes[..bytes.len() - 2].into();
        assert_eq!(Packed { version, bytes }.meta(), None);
    }
}
