//! What must hold in the model's world.

use super::*;

impl Model {
    /// What must hold at every moment.
    pub(in super::super) fn check(&self) {
        let ours: Vec<&App> = self
            .apps
            .iter()
            .filter(|a| self.desired.owns(a.marker.as_ref()))
            .collect();
        assert!(
            ours.len() <= 1,
            "two apps for one account\n{}",
            self.story()
        );
        for app in &self.apps {
            assert!(app.secrets.len() <= 2);
        }
        // The client secret that workloads see is one that Okta knows, unless
        // somebody removed the app, or its method is just being replaced.
        if let Some(credentials) = &self.credentials
            && let Some((client_id, method, value)) = &credentials.live
            && (credentials.staged.as_ref()).is_none_or(|(s, _)| s.purpose == Purpose::Add)
            && let Some(app) = self.apps.iter().find(|a| a.client_id == *client_id)
            && app.method == method_name(*method)
        {
            assert!(
                app.knows(Kind::of(*method), *value),
                "Okta does not accept the live credentials\n{}",
                self.story()
            );
        }
    }

    /// Before the token goes or loses a group, and before the app is stopped, it is
    /// noted that whoever is logged in with it is to be logged out.
    pub(in super::super) fn check_ending(&self, observed: &Observed, step: &Step) {
        if self.desired.issuer.end_sessions.is_none() {
            return;
        }
        let live = self.desired.wish == Wish::Live;
        let facts = observed.token_facts();
        let lost = facts
            .as_ref()
            .is_some_and(|f| !f.groups.is_subset(&self.desired.groups));
        let needed = match step {
            Step::Withdraw if !(live && lost) => Some(Cause::Stopped),
            Step::DeactivateApp { .. } if !live => Some(Cause::Stopped),
            Step::RemoveFinalizer if facts.is_some() => Some(Cause::Stopped),
            Step::Publish | Step::Withdraw if lost => Some(Cause::GroupLost),
            _ => None,
        };
        let Some(needed) = needed.filter(|_| observed.known_client_id().is_some()) else {
            return;
        };
        let ending = self.ending.as_ref();
        let noted = ending.is_some_and(|e| e.cause == needed || e.cause == Cause::Stopped);
        assert!(noted, "{needed:?}: {ending:?}\n{}", self.story());
        if let (Some(ending), Some(facts)) = (ending, facts) {
            assert!(ending.until >= facts.life.expires_at, "{}", self.story());
            assert!(ending.users.contains(&facts.client_id), "{}", self.story());
        }
    }

    /// What must hold once the account is settled.
    pub(in super::super) fn check_settled(&self) {
        let app = self
            .apps
            .iter()
            .find(|a| self.desired.owns(a.marker.as_ref()))
            .expect("an app");
        assert!(app.active && !app.dpop, "{app:?}");
        let listed = self.listed.contains(&app.client_id) && !self.leaving.contains(&app.client_id);
        assert!(listed, "{}", self.story());
        assert_eq!(
            (&app.label, &app.groups),
            (&self.desired.label, &self.desired.groups),
            "{}",
            self.story()
        );
        let credentials = self.credentials.as_ref().expect("credentials");
        assert!(credentials.staged.is_none());
        assert_eq!(
            credentials.live.as_ref().expect("live").1,
            self.desired.authentication
        );
        // Settled with the former credentials still at work is an overlap.
        let overlap = (credentials.meta.annotations).contains_key(sm::ANNOTATION_RETIRE);
        let ours = app.secrets.iter().chain(&app.keys).filter(|c| c.1 != 0);
        let count = ours.count();
        assert!(count == 1 || (overlap && count == 2), "{}", self.story());
        let facts = self.observe().token_facts().expect("a token");
        assert_eq!(facts.groups, self.desired.groups);
        assert!(facts.life.expires_at > self.now);
    }
}

/// Stalled only together with Ready=False, Reconciling never beside it; while a
/// token lives and the account is not stopped, it is ready.
pub(super) fn kstatus_reads_it_right(
    status: &Neo4jServiceAccountStatus,
    observed: &Observed,
    now: Timestamp,
) {
    let is = |type_: &str, value: &str| {
        status
            .conditions
            .iter()
            .any(|c| c.type_ == type_ && c.status == value)
    };
    assert!(
        !is("Stalled", "True") || is("Ready", "False"),
        "{status:#?}"
    );
    assert!(
        !(is("Stalled", "True") && is("Reconciling", "True")),
        "{status:#?}"
    );
    let token = observed.token_facts();
    if is("Ready", "True") {
        assert!(
            token.is_some_and(|t| t.life.expires_at > now),
            "{status:#?}"
        );
    }
    assert_eq!(status.token.is_some(), status.binding.is_some());
}

/// What a person would say who knows the account's token and how it went.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in super::super) enum Health {
    /// All is as asked for.
    Current,
    /// It serves, and something is still to be done or to be looked into.
    Serves,
    /// It will serve without anybody's help.
    InProgress,
    /// It does not serve until somebody acts.
    Failed,
}

pub(super) fn health(outcome: &Outcome, observed: &Observed, now: Timestamp) -> Health {
    let lives = observed
        .token_facts()
        .is_some_and(|token| token.life.expires_at > now);
    let reason = match outcome {
        Outcome::Settled => None,
        Outcome::Blocked(blocked) => Some(blocked.reason),
        Outcome::Failed { reason, .. } => Some(*reason),
    };
    match reason {
        None if lives => Health::Current,
        Some(reason) if needs_somebody(reason) && (!lives || stops(reason)) => Health::Failed,
        _ if lives => Health::Serves,
        _ => Health::InProgress,
    }
}

/// Whether a step changes nothing.
pub(super) fn is_read(step: &Step) -> bool {
    matches!(
        step,
        Step::ConfirmAccount
            | Step::ReadCredentials
            | Step::ReadToken
            | Step::FindClient { .. }
            | Step::FindApp { .. }
            | Step::FindFormerApp { .. }
            | Step::ReadApp { .. }
            | Step::Verify
            | Step::ListCredentials { .. }
            | Step::Admit { .. }
            | Step::Leave { .. }
    )
}
