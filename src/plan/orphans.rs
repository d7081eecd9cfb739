//! Orphans: apps at Okta that bear this installation's marker and whose account
//! is gone, because somebody took its finalizer away or left the app behind.
//! Pure. They lose groups and admission, are listed, and are deleted only when
//! somebody says so: an account could come back from a backup.

use std::collections::BTreeSet;

use serde_json::Value;

use super::app::{AppSpec, read_marker};
use super::identity::Marker;
use crate::api::Authentication;

/// An app of this installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Okta's id.
    pub app_id: String,
    /// The OAuth client id.
    pub client_id: String,
    /// Whose it was.
    pub marker: Marker,
}

/// What a look through an org found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many there are.
    pub orphans: usize,
    /// Nothing is taken from them, because there are so many.
    pub held: bool,
}

impl Orphan {
    /// Reads an app out of Okta's list; `None` when it is not of this
    /// installation. Those of former ones may still be in use there.
    #[must_use]
    pub fn read(app: &Value, installation: &str) -> Option<Self> {
        let marker = read_marker(app)?;
        (marker.installation == installation).then_some(())?;
        let client_id = &app["credentials"]["oauthClient"]["client_id"];
        Some(Self {
            app_id: app["id"].as_str()?.to_owned(),
            client_id: client_id.as_str()?.to_owned(),
            marker,
        })
    }
}

/// Whether so many orphans at once are rather a mistake of ours, such as a
/// cluster that was put back to an earlier state: then nothing is taken from
/// them until their number is confirmed.
#[must_use]
pub fn holds_back(orphans: usize, accounts: usize, confirmed: Option<usize>) -> bool {
    orphans > 10.max(accounts / 10) && confirmed != Some(orphans)
}

/// The app as it shall be while nobody claims it: without groups under any of the
/// attributes that issuers of the org use, and marked as stopped by us, with
/// everything else as it is. `None` when it is so already.
#[must_use]
pub fn stripped(app: &Value, attributes: &BTreeSet<&str>) -> Option<Value> {
    let there = |attribute: &&&str| app["profile"].get(**attribute).is_some();
    let mut body = None;
    for attribute in attributes.iter().filter(there) {
        let now = body.as_ref().unwrap_or(app);
        let next = neutral(now, attribute).and_then(|spec| spec.merge(now));
        body = next.or(body);
    }
    body
}

fn neutral(app: &Value, profile_attribute: &str) -> Option<AppSpec> {
    let marker = read_marker(app)?;
    let network = &app["settings"]["oauthClient"]["network"];
    let zones = network["include"].as_array().into_iter().flatten();
    Some(AppSpec {
        label: app["label"].as_str().unwrap_or_default().to_owned(),
        groups: BTreeSet::new(),
        profile_attribute: profile_attribute.to_owned(),
        marker: Marker {
            stopped: true,
            ..marker
        },
        network_zones: match network["connection"].as_str() {
            Some("ZONE") => zones.filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        },
        // Not part of what is compared or written.
        authentication: Authentication::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn app(installation: &str) -> Value {
        json!({
            "id": "0oa1", "label": "prod/payments/etl",
            "credentials": { "oauthClient": { "client_id": "prod.payments.etl.1" } },
            "settings": { "oauthClient": { "grant_types": ["client_credentials"] } },
            "profile": {
                "neo4j_groups": ["admin"], "note": "theirs",
                "neo4j_okta_operator": { "installation": installation, "cluster": "prod", "namespace": "payments", "name": "etl", "uid": "u" },
            },
        })
    }

    #[test]
    fn only_apps_of_this_installation_can_be_orphans() {
        assert!(Orphan::read(&app("ours"), "ours").is_some());
        assert_eq!(Orphan::read(&app("another"), "ours"), None);
        assert_eq!(Orphan::read(&json!({ "id": "0oa2" }), "ours"), None);
        let mut half = app("ours");
        half["credentials"] = json!(null);
        assert_eq!(Orphan::read(&half, "ours"), None);
    }

    #[test]
    fn an_orphan_loses_its_groups_whichever_issuer_gave_them_and_nothing_else() {
        let attributes = BTreeSet::from(["absent", "neo4j_groups", "of_another_issuer"]);
        let mut app = app("ours");
        app["profile"]["of_another_issuer"] = json!(["dba"]);
        let body = stripped(&app, &attributes).expect("a change");
        assert_eq!(body["profile"]["neo4j_groups"], json!([]));
        assert_eq!(body["profile"]["of_another_issuer"], json!([]));
        assert_eq!(body["profile"].get("absent"), None);
        assert_eq!(body["profile"]["note"], "theirs");
        assert_eq!(body["label"], app["label"]);
        assert_eq!(stripped(&body, &attributes), None);
    }

    #[test]
    fn many_orphans_at_once_are_rather_a_restored_backup() {
        assert!(!holds_back(10, 20, None));
        assert!(holds_back(11, 20, None) && !holds_back(11, 20, Some(11)));
        assert!(holds_back(11, 20, Some(12)));
        assert!(!holds_back(90, 1000, None));
    }
}
