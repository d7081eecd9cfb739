//! What each act writes, when it makes no sense, and how one sees that it was
//! carried out. Pure.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::view::{View, condition};
use crate::api::conditions::{READY, Reason};
use crate::api::{Neo4jServiceAccount, names as n};

/// What may be asked of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Renew,
    Rotate,
    Suspend,
    Resume,
    Restore,
    Abandon,
}

/// Stops that only `restore` ends.
const INSTRUCTED: [Reason; 3] = [
    Reason::DisabledInOkta,
    Reason::DeletedInOkta,
    Reason::DisputedInOkta,
];

/// Who applies an account from elsewhere, and so undoes what is changed here.
const APPLIED_BY: [(&str, &str); 4] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
];

impl Act {
    /// The merge patch that asks for it.
    pub(super) fn patch(self, now: Timestamp) -> Value {
        // To the millisecond, so that asking twice is asking twice.
        let value = format!("{now:.3}");
        let annotation = |key: &str| json!({ "metadata": { "annotations": { key: value } } });
        match self {
            Self::Renew => annotation(n::ANNOTATION_RENEW),
            Self::Rotate => annotation(n::ANNOTATION_ROTATE),
            Self::Restore => annotation(n::ANNOTATION_RESTORE),
            Self::Abandon => annotation(n::ANNOTATION_ABANDON),
            Self::Suspend => json!({ "spec": { "suspended": true } }),
            Self::Resume => json!({ "spec": { "suspended": false } }),
        }
    }

    /// Why it makes no sense for the account as it is, and what would.
    pub(super) fn senseless(self, object: &Neo4jServiceAccount) -> Option<String> {
        let deleted = object.metadata.deletion_timestamp.is_some();
        let place = format!(
            "{} -n {}",
            object.name_any(),
            object.namespace().unwrap_or_default()
        );
        let ready = condition(object, READY);
        let reason = ready.map(|ready| ready.reason.as_str()).unwrap_or_default();
        let instructed = INSTRUCTED.iter().any(|r| r.as_str() == reason);
        match self {
            Self::Abandon if deleted => None,
            Self::Abandon => Some(format!(
                "it is not being deleted; kubectl delete n4jsa {place} is all that is needed, unless Okta or the issuer does not come back"
            )),
            _ if deleted => Some("it is being deleted".to_owned()),
            Self::Suspend => None,
            Self::Resume if object.spec.suspended => None,
            Self::Resume if instructed => Some(format!(
                "it is not suspended, but stopped at Okta ({reason}); if that is settled: kubectl neo4jsa restore {place}"
            )),
            Self::Resume => Some("it is not suspended".to_owned()),
            _ if object.spec.suspended => Some(format!(
                "it is suspended; first: kubectl neo4jsa resume {place}"
            )),
            Self::Restore if instructed => None,
            Self::Restore => {
                Some("nobody stopped it at Okta, and so there is nothing to restore".to_owned())
            }
            Self::Renew | Self::Rotate if instructed => Some(format!(
                "it was stopped at Okta ({reason}); if that is settled: kubectl neo4jsa restore {place}"
            )),
            Self::Renew | Self::Rotate => None,
        }
    }

    /// What is worth knowing beforehand.
    pub(super) fn caution(self, object: &Neo4jServiceAccount) -> Option<String> {
        let status = object.status.clone().unwrap_or_default();
        match self {
            Self::Suspend | Self::Resume => {
                let known = |key: &str| {
                    object.labels().contains_key(key) || object.annotations().contains_key(key)
                };
                let (_, tool) = APPLIED_BY.iter().find(|(key, _)| known(key))?;
                Some(format!(
                    "{tool} applies this account and may undo the change: set spec.suspended at its source too"
                ))
            }
            Self::Abandon => Some(format!(
                "the app may stay at Okta, active; note it, and deactivate and delete it there: {} {} {}",
                status.org_url.as_deref().unwrap_or("(no org)"),
                status.app_id.as_deref().unwrap_or("(no app)"),
                status.client_id.as_deref().unwrap_or("(no client)"),
            )),
            Self::Renew | Self::Rotate | Self::Restore => None,
        }
    }

    /// When a rotation that is asked for now comes, if not at once.
    pub(super) fn later(self, object: &Neo4jServiceAccount, now: Timestamp) -> Option<Timestamp> {
        let rotates = || View::of(object, now).credentials.rotates_again_at();
        (self == Self::Rotate)
            .then(rotates)
            .flatten()
            .filter(|at| *at > now)
    }

    /// Says what came of it, once it is carried out. `asked` is the account as the
    /// patch left it.
    pub(super) fn outcome(
        self,
        asked: &Neo4jServiceAccount,
        object: &Neo4jServiceAccount,
    ) -> Option<String> {
        let status = object.status.as_ref()?;
        let before = asked.status.clone().unwrap_or_default();
        let current = status.observed_generation >= asked.metadata.generation.unwrap_or_default();
        let ready = condition(object, READY)?;
        match self {
            Self::Renew => {
                let token = status.token.as_ref()?;
                let old = before.token.map(|token| token.secret_version);
                (old.as_ref() != Some(&token.secret_version))
                    .then(|| format!("has a new token, until {}", token.expires_at.0))
            }
            Self::Rotate => {
                let credentials = status.credentials.as_ref()?;
                let rotated = credentials.rotated_at.as_ref()?;
                let old = before.credentials.and_then(|c| c.rotated_at);
                (old.as_ref() != Some(rotated)).then(|| {
                    "has new client credentials; status tells until when the former ones work"
                        .to_owned()
                })
            }
            Self::Suspend => {
                let stopped = current && ready.reason == Reason::Suspended.as_str();
                let until = before.token.map_or_else(String::new, |token| {
                    format!(
                        "; Neo4j honours its last token until {}",
                        token.expires_at.0
                    )
                });
                stopped.then(|| format!("is suspended{until}"))
            }
            Self::Resume | Self::Restore => {
                (current && ready.status == "True").then(|| "is ready again".to_owned())
            }
            // It is gone then.
            Self::Abandon => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshots::{disabled, now, ready};
    use super::*;

    #[test]
    fn what_makes_no_sense_is_said_with_what_does() {
        let mut suspended = ready("etl");
        suspended.spec.suspended = true;
        let mut leaving = ready("etl");
        leaving.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now()));
        let cases = [
            (
                Act::Renew,
                &suspended,
                Some("neo4jsa resume etl -n payments"),
            ),
            (Act::Rotate, &disabled("etl"), Some("neo4jsa restore etl")),
            (Act::Resume, &disabled("etl"), Some("neo4jsa restore etl")),
            (Act::Resume, &ready("etl"), Some("not suspended")),
            (Act::Resume, &suspended, None),
            (Act::Restore, &ready("etl"), Some("nothing to restore")),
            (Act::Restore, &disabled("etl"), None),
            (
                Act::Abandon,
                &ready("etl"),
                Some("kubectl delete n4jsa etl"),
            ),
            (Act::Abandon, &leaving, None),
            (Act::Renew, &leaving, Some("being deleted")),
            (Act::Suspend, &disabled("etl"), None),
        ];
        for (act, object, word) in cases {
            let said = act.senseless(object);
            let expected = match (&said, word) {
                (Some(said), Some(word)) => said.contains(word),
                (said, word) => said.is_none() && word.is_none(),
            };
            assert!(expected, "{act:?}: {said:?}, not {word:?}");
        }
    }

    #[test]
    fn a_status_that_is_older_than_the_act_is_no_outcome() {
        let asked = ready("etl");
        for act in [Act::Renew, Act::Rotate, Act::Suspend] {
            assert_eq!(act.outcome(&asked, &asked), None, "{act:?}");
        }
        let mut resumed = ready("etl");
        resumed.metadata.generation = Some(2);
        assert_eq!(Act::Resume.outcome(&resumed, &resumed), None);
        let mut renewed = ready("etl");
        let token = renewed.status.as_mut().and_then(|s| s.token.as_mut());
        token.unwrap().secret_version = "8".to_owned();
        assert!(Act::Renew.outcome(&asked, &renewed).is_some());
    }

    #[test]
    fn a_second_rotation_within_the_hour_is_foretold() {
        let object = ready("etl");
        let rotated: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let soon = "2026-11-20T09:40:00Z".parse().unwrap();
        let at = Act::Rotate.later(&object, soon).unwrap();
        assert_eq!(at.as_second() - rotated.as_second(), 3600);
        assert_eq!(Act::Rotate.later(&object, now()), None);
        assert_eq!(Act::Renew.later(&object, soon), None);
    }

    #[test]
    fn whoever_applies_the_account_from_elsewhere_is_named() {
        let mut object = ready("etl");
        assert_eq!(Act::Suspend.caution(&object), None);
        let label = ("kustomize.toolkit.fluxcd.io/name".into(), "apps".into());
        object.metadata.labels = Some([label].into());
        assert!(Act::Suspend.caution(&object).unwrap().contains("Flux"));
    }
}
