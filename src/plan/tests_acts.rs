//! What people and accidents do to the model's world, and how it comes to rest.
//! Used by the property tests and by the fuzzer, which choose what happens.

use std::time::Duration;

use super::model::{METHODS, Model, Trouble};
use crate::plan::{Next, Wish};

/// What people and accidents do between two reconciles.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Groups(u8),
    Label(u8),
    Suspend(bool),
    Allow(bool),
    Renew(u8),
    Restore(u8),
    Pass(u32),
    Restart,
    DeleteToken,
    DeleteCredentials,
    DisableApp,
    DeleteApp,
    AddForeignSecret,
    SwitchDpopOn,
    TakeGroups,
    Notice(bool),
    Method(u8),
    Rotate(u8),
    RotateEvery(bool),
    Reconcile {
        crash_after: Option<u8>,
        trouble: Option<Trouble>,
    },
}

/// Does it, and holds the world to its rules.
pub(super) fn perform(model: &mut Model, act: &Act) {
    match act {
        Act::Groups(n) => model.desired.groups = (0..=*n).map(|i| format!("group-{i}")).collect(),
        Act::Label(n) => model.desired.label = format!("label-{n}"),
        Act::Suspend(yes) => model.desired.wish = if *yes { Wish::Suspended } else { Wish::Live },
        Act::Allow(yes) => {
            model.desired.wish = if *yes {
                Wish::Live
            } else {
                Wish::NotAllowed("no".into())
            }
        }
        Act::Renew(n) => model.desired.renew = Some(n.to_string()),
        Act::Restore(n) => model.desired.restore = Some(n.to_string()),
        Act::Pass(seconds) => model.pass(Duration::from_secs(u64::from(*seconds))),
        Act::Restart => model.restart(),
        Act::DeleteToken => model.token = None,
        Act::DeleteCredentials => model.credentials = None,
        Act::DisableApp => model.disable_by_admin(),
        Act::DeleteApp => model.delete_by_admin(),
        Act::AddForeignSecret => model.add_foreign_secret(),
        Act::SwitchDpopOn => model.switch_dpop_on(),
        Act::TakeGroups => model.take_groups_by_admin(),
        Act::Notice(credentials) => model.notice(*credentials),
        Act::Rotate(n) => model.desired.rotate = Some(n.to_string()),
        Act::RotateEvery(yes) => {
            model.desired.rotation.interval = yes.then_some(Duration::from_secs(7200));
        }
        Act::Method(n) => model.desired.authentication = METHODS[usize::from(*n)],
        Act::Reconcile {
            crash_after,
            trouble,
        } => {
            model.reconcile(crash_after.map(usize::from), trouble.clone());
        }
    }
    model.check();
}

/// Lets time pass and reconciles until the account stands still.
pub(super) fn settle(model: &mut Model) -> Next {
    for _ in 0..60 {
        let end = model.reconcile(None, None);
        model.check();
        let writes = model.writes;
        let again = model.reconcile(None, None);
        if model.writes == writes && end == again && model.stands(&end) {
            return end;
        }
        model.pass(Duration::from_secs(301));
    }
    panic!("does not settle:\n{}", model.story())
}
