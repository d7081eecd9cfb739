//! Finding the app of an account when its id is not known: after a crash
//! between creation and status, or after a restore. Pure.
//!
//! Never by label alone: the client id has to match exactly, and the marker
//! decides afterwards.

use super::desired::Desired;
use super::memory::App;
use super::observed::Observed;
use super::secret_meta::{ANNOTATION_STAGED, Slot};
use super::step::{Next, Step};

/// Where an app is.
pub(super) enum Located {
    /// One look is needed first.
    Look(Next),
    /// It is known to exist at Okta under this id.
    Known(String),
    /// There is none.
    Nowhere,
    /// Okta has the client and shows no app for it.
    Hidden,
}

/// Finds the app of `client_id`, whose label was `label` when it was sent.
pub(super) fn by_client_id(observed: &Observed, client_id: &str, label: &str) -> Located {
    let memory = &observed.memory;
    if let App::Present(view) = &memory.app
        && view.client_id.eq_ignore_ascii_case(client_id)
    {
        return Located::Known(view.id.clone());
    }
    if let Some(app_id) = observed.app_id_of(client_id) {
        return Located::Known(app_id);
    }
    let client_id = client_id.to_owned();
    match (memory.client_known, memory.searches) {
        (None, _) => Located::Look(Next::Do(Step::FindClient { client_id })),
        (Some(false), _) => Located::Nowhere,
        (Some(true), 0) => Located::Look(Next::Do(Step::FindApp {
            label: Some(label.to_owned()),
            client_id,
        })),
        // Somebody may have changed the label since: read them all, once.
        (Some(true), 1) => Located::Look(Next::Do(Step::FindApp {
            label: None,
            client_id,
        })),
        (Some(true), _) => Located::Hidden,
    }
}

/// After a crash in the middle of a new registration, the status may still name
/// the app before it: looks for the one after that.
pub(super) fn successor(desired: &Desired, observed: &Observed) -> Located {
    let client_id = observed
        .memory
        .registered
        .as_ref()
        .map(|r| r.client_id.as_str())
        .unwrap_or_default();
    by_client_id(
        observed,
        &desired.client_id(generation_of(client_id) + 1),
        &desired.label,
    )
}

/// The registration that a client id is of: the number behind its last part.
pub(super) fn generation_of(client_id: &str) -> u32 {
    let last = client_id.rsplit('.').next().unwrap_or_default();
    last.split_once('-')
        .and_then(|(_, number)| number.parse().ok())
        .unwrap_or(0)
}

/// Finds the app of an account that shall not live any more.
pub(super) fn of_account(desired: &Desired, observed: &Observed) -> Located {
    // Staged credentials may be those of an app that no status knows yet.
    if let Slot::Ours(meta) = &observed.credentials
        && observed.content().is_none()
        && (observed.memory.registered.is_none() || meta.annotation(ANNOTATION_STAGED).is_some())
    {
        return Located::Look(Next::Do(Step::ReadCredentials));
    }
    if let Some(staged) = observed.content().and_then(|c| c.staged.as_ref()) {
        return by_client_id(observed, &staged.client_id, &staged.label);
    }
    // Without a trace in Kubernetes the first registration may still exist.
    let registered = observed
        .memory
        .registered
        .as_ref()
        .map(|r| r.client_id.clone());
    let client_id = registered
        .or_else(|| observed.known_client_id())
        .unwrap_or_else(|| desired.client_id(0));
    by_client_id(observed, &client_id, &desired.label)
}
