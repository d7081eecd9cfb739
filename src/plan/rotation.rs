//! Rotation: when new credentials take the place of working ones, on demand and
//! regularly, and how the former ones end. Pure.
//!
//! Add new → prove → promote → overlap → deactivate old → delete old: at no
//! moment does Okta refuse what stands in the Secret. It waits behind everything
//! else that an account needs, and a rotation that is stuck stops nothing.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use super::desired::Desired;
use super::memory::Retiring;
use super::observed::Observed;
use super::register;
use super::schedule::{self, TENANT_CREDENTIALS_INTERVAL};
use super::secret_meta::{ANNOTATION_RETIRE, ANNOTATION_ROTATED_AT, Meta, Slot};
use super::step::{Content, Kind, Next, Purpose, Retire, Staged, Step, Which};
use crate::api::names as n;

/// When the next rotation begins; `None` when none is wanted. One that was asked
/// for comes an hour after the one before it at the earliest, and each waits
/// until the former credentials are gone, because Okta has two slots.
#[must_use]
pub fn due(d: &Desired, meta: &Meta) -> Option<Timestamp> {
    let rotated_at = meta.instant(ANNOTATION_ROTATED_AT)?;
    let asked = asked(d, meta).then(|| schedule::after(rotated_at, TENANT_CREDENTIALS_INTERVAL));
    let regular = d.rotation.interval.map(|i| schedule::after(rotated_at, i));
    let at = asked.into_iter().chain(regular).min()?;
    Some(retire(meta).map_or(at, |retire| at.max(retire.at)))
}

/// The rotate annotation has a value that was not answered yet.
#[must_use]
pub fn asked(d: &Desired, meta: &Meta) -> bool {
    d.rotate.is_some() && d.rotate.as_deref() != meta.annotation(n::ANNOTATION_ROTATE)
}

/// What still has to end at Okta.
#[must_use]
pub fn retire(meta: &Meta) -> Option<Retire> {
    meta.annotation(ANNOTATION_RETIRE).map(Retire::read)
}

impl Retire {
    /// Reads the annotation: an instant, and Okta's id. One that cannot be read
    /// means all former ones, at once.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut words = text.split_whitespace();
        let at = words.next().and_then(|word| word.parse().ok());
        Self {
            at: at.unwrap_or(Timestamp::MIN),
            id: at.and_then(|_| words.next()).map(str::to_owned),
        }
    }

    /// The annotation's text.
    #[must_use]
    pub fn text(&self) -> String {
        let at = Timestamp::from_second(self.at.as_second()).unwrap_or(self.at);
        match &self.id {
            Some(id) => format!("{at} {id}"),
            None => at.to_string(),
        }
    }
}

/// What ends once the staged credentials are promoted. Beside working ones
/// there is an overlap, in which workloads come to see the new ones; former ones
/// that nobody here knows end at once.
pub(super) fn retiring(
    d: &Desired,
    o: &Observed,
    content: &Content,
    staged: &Staged,
    now: Timestamp,
) -> Option<Retire> {
    let at_once = Retire { at: now, id: None };
    match (staged.purpose, Kind::of(staged.authentication)) {
        (Purpose::Create, _) | (Purpose::Replace, Kind::Key) => None,
        (Purpose::Replace, Kind::Secret) => Some(at_once),
        (Purpose::Add, _) => {
            let list = o.memory.credentials.iter().flatten();
            let former = list.clone().find(|c| c.live && c.active);
            Some(match former.filter(|_| content.live.is_some()) {
                Some(former) => Retire {
                    id: Some(former.id.clone()),
                    ..after_overlap(d, now)
                },
                None => at_once,
            })
        }
    }
}

/// All but the live ones, once whoever uses others had time to see these.
pub(super) fn after_overlap(d: &Desired, now: Timestamp) -> Retire {
    Retire {
        at: schedule::after(now, d.rotation.overlap),
        id: None,
    }
}

/// Ends former credentials when their time has come.
pub(super) fn retired(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    let Slot::Ours(meta) = &o.credentials else {
        return None;
    };
    let retire = retire(meta)?;
    if now < retire.at {
        return None;
    }
    let app_id = o.memory.registered.as_ref()?.app_id.clone();
    let kind = Kind::of(d.authentication);
    let step = match (retire.id, o.memory.retiring) {
        (Some(id), Retiring::NotYet) => Some(Step::DeactivateCredential { app_id, kind, id }),
        (Some(id), Retiring::Deactivated) => Some(Step::DeleteCredential { app_id, kind, id }),
        (Some(_), Retiring::Deleted) => None,
        (former, _) => {
            if o.content().is_none() {
                return Some(Next::Do(Step::ReadCredentials));
            }
            let Some(list) = &o.memory.credentials else {
                return Some(Next::Do(Step::ListCredentials { app_id, kind }));
            };
            let former = list.iter().find(|c| {
                !c.live && !c.staged && former.as_ref().is_none_or(|former| *former == c.id)
            });
            let safe = list.iter().any(|c| c.live && c.active);
            former.filter(|_| safe).map(|former| {
                let id = former.id.clone();
                if former.active {
                    Step::DeactivateCredential { app_id, kind, id }
                } else {
                    Step::DeleteCredential { app_id, kind, id }
                }
            })
        }
    };
    Some(Next::Do(step.unwrap_or_else(|| Step::Mark {
        which: Which::Credentials,
        labels: BTreeMap::new(),
        annotations: BTreeMap::from([(ANNOTATION_RETIRE.to_owned(), None)]),
    })))
}

/// Begins a rotation that is due, and goes on with one that has begun.
pub(super) fn rotate(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    let Slot::Ours(meta) = &o.credentials else {
        return None;
    };
    if let Some(content) = o.content()
        && let Some(staged) = &content.staged
    {
        return Some(register::prove(d, o, content, staged, now));
    }
    if retire(meta).is_some() || due(d, meta)? > now {
        return None;
    }
    // Staging keeps what is live, and so it has to be known.
    if o.content().is_none() || !o.memory.holds_live {
        return Some(Next::Do(Step::ReadCredentials));
    }
    Some(register::stage_anew(d, o, Purpose::Add))
}

/// The next instant at which a rotation or its end has something to do.
pub(super) fn wake(d: &Desired, o: &Observed) -> Option<Timestamp> {
    let Slot::Ours(meta) = &o.credentials else {
        return None;
    };
    retire(meta).map(|r| r.at).or_else(|| due(d, meta))
}
