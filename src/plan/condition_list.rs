//! A list of conditions under construction. Pure: a condition keeps its time for
//! as long as its status does.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use crate::api::conditions::Reason;

/// Conditions under construction.
pub(crate) struct Conditions<'a> {
    pub(crate) old: &'a [Condition],
    pub(crate) new: Vec<Condition>,
    pub(crate) generation: i64,
    pub(crate) now: Timestamp,
}

impl Conditions<'_> {
    /// Adds a condition; its time stays as long as its status does.
    pub(crate) fn set(&mut self, type_: &str, status: bool, reason: Reason, message: String) {
        let status = if status { "True" } else { "False" };
        let since = self
            .old
            .iter()
            .find(|c| c.type_ == type_ && c.status == status)
            .map_or_else(
                || Time(whole_seconds(self.now)),
                |c| c.last_transition_time.clone(),
            );
        self.new.push(Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message: cut(message),
            observed_generation: Some(self.generation),
            last_transition_time: since,
        });
    }
}

/// Kubernetes stores whole seconds; comparing anything finer would never settle.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The API server refuses messages over 32768 bytes; people stop far earlier.
fn cut(message: String) -> String {
    if message.chars().count() <= 1024 {
        return message;
    }
    message.chars().take(1023).chain(['…']).collect()
}
