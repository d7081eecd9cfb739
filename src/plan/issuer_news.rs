//! What an issuer's status tells: why it is not ready, and what has turned since the
//! last one. Pure.

use crate::api::OktaIssuerStatus as Status;
use crate::api::conditions::{READY, Reason, SESSIONS_ENDABLE};

impl Status {
    /// Why the issuer is not ready, if it is not.
    #[must_use]
    pub fn problem(&self) -> Option<(Reason, String)> {
        self.told(READY)
            .filter(|(good, ..)| !good)
            .map(|(_, reason, message)| (reason, message))
    }

    /// A condition.
    fn told(&self, type_: &str) -> Option<(bool, Reason, String)> {
        let told = self.conditions.iter().find(|c| c.type_ == type_)?;
        let reason = Reason::ALL.iter().find(|r| r.as_str() == told.reason)?;
        Some((told.status == "True", *reason, told.message.clone()))
    }

    /// What people should hear of: the conditions that are not as they were
    /// `before`.
    #[must_use]
    pub fn news(&self, before: Option<&Self>) -> Vec<(&'static str, bool, Reason, String)> {
        let short = |told: Option<(bool, Reason, String)>| told.map(|t| (t.0, t.1));
        let turned = |type_: &&str| {
            let before = before.and_then(|before| before.told(type_));
            short(self.told(type_)) != short(before)
        };
        let news = [READY, SESSIONS_ENDABLE].into_iter().filter(turned);
        let news = news.filter_map(|type_| {
            let (good, reason, message) = self.told(type_)?;
            Some((type_, good, reason, message))
        });
        news.filter(|(_, _, reason, _)| *reason != Reason::NotVerified)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(conditions: &[(&str, &str, &str)]) -> Status {
        let condition = |(type_, status, reason): &(&str, &str, &str)| {
            json!({
                "type": type_, "status": status, "reason": reason, "message": "in words",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        };
        let conditions: Vec<_> = conditions.iter().map(condition).collect();
        serde_json::from_value(json!({ "conditions": conditions })).unwrap()
    }

    #[test]
    fn only_what_turned_is_news() {
        let ready = ("Ready", "True", "IssuerReady");
        let said = |before: Option<&Status>, after: &Status| -> Vec<&str> {
            let news = after.news(before).into_iter();
            news.map(|(_, _, reason, _)| reason.as_str()).collect()
        };
        let first = status(&[ready, ("SessionsEndable", "False", "NotVerified")]);
        assert_eq!(said(None, &first), ["IssuerReady"]);
        assert!(said(Some(&first), &first).is_empty());
        let next = status(&[ready, ("SessionsEndable", "False", "NotAdministrator")]);
        assert_eq!(said(Some(&first), &next), ["NotAdministrator"]);
        let other = status(&[ready, ("SessionsEndable", "False", "Neo4jUnreachable")]);
        assert_eq!(said(Some(&next), &other), ["Neo4jUnreachable"]);
        // Nobody asks for it any more.
        assert!(said(Some(&other), &status(&[ready])).is_empty());
        assert_eq!(first.problem(), None);
    }
}
