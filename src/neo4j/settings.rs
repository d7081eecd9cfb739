//! Whether the ConfigMap that holds an issuer's settings is written. Needs what is
//! there under its name. Refuses to take over what is not this issuer's. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Resource, ResourceExt};

use crate::api::OktaIssuer;

/// What is to be done with the ConfigMap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settings {
    /// It is as it should be.
    Current,
    /// It is missing, or says something else.
    Write,
    /// Somebody else's.
    Foreign,
}

impl Settings {
    /// `there` is what has its name, `files` what the issuer's should hold.
    #[must_use]
    pub fn of(
        issuer: &OktaIssuer,
        there: Option<&ConfigMap>,
        files: &BTreeMap<String, String>,
    ) -> Self {
        let Some(there) = there else {
            return Self::Write;
        };
        let owners = there.owner_references();
        // Of a former issuer of that name, too: the garbage collector may not have
        // come to it yet.
        let name = issuer.name_any();
        let mut named = owners.iter().filter(|o| o.name == name);
        if !named.any(|o| o.kind == OktaIssuer::kind(&())) {
            return Self::Foreign;
        }
        let is_this = owners.iter().any(|o| Some(&o.uid) == issuer.uid().as_ref());
        let data = there.data.as_ref();
        let holds = |(key, text)| data.and_then(|data| data.get(key)) == Some(text);
        if is_this && files.iter().all(holds) {
            Self::Current
        } else {
            Self::Write
        }
    }
}
