//! Proved credentials of an app that the status does not name: the operator died,
//! or the API server failed, between the proof and the status. The app is found
//! by its client id; until then nothing about it could be kept true. Pure.

use k8s_openapi::jiff::Timestamp;

use super::desired::Desired;
use super::instructed;
use super::locate::{Located, by_client_id};
use super::observed::Observed;
use super::secret_meta::Slot;
use super::settling;
use super::step::{Next, Step};
use crate::api::names as n;

pub(super) fn found(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    let Slot::Ours(meta) = &o.credentials else {
        return None;
    };
    if o.memory.registered.is_some() {
        return None;
    }
    // Gone while a new registration is under way, which finds its app itself.
    let client_id = meta.annotation(n::ANNOTATION_CLIENT_ID)?;
    match by_client_id(o, client_id, &d.label) {
        Located::Look(look) => Some(look),
        Located::Known(_) => None,
        Located::Hidden => Some(settling(
            now,
            "Okta has the client and shows no app for it yet",
        )),
        // Which registration was the last one stands in the Secret.
        Located::Nowhere if o.content().is_none() => Some(Next::Do(Step::ReadCredentials)),
        Located::Nowhere => {
            let app = format!("the app of client {client_id}");
            Some(instructed::deleted(d, o, &app, now))
        }
    }
}
