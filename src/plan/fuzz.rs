//! A door for `fuzz/`: bytes decide what happens to the planner's model of the
//! world. Built with `--cfg fuzzing` alone.
#![allow(dead_code, reason = "the model serves the property tests too")]
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "tests_acts.rs"]
mod acts;
#[path = "tests_model.rs"]
mod model;

use acts::{Act, perform, settle};
use model::{Model, Trouble};

/// More happens to nobody between two quiet hours.
const MOST: usize = 40;

/// Performs what the bytes say and lets the account come to rest, then deletes
/// it. Panics when a rule of the model breaks, or when it comes to no rest.
pub fn life(bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let mut model = Model::with_neo4j(bytes.next().is_some_and(|b| b % 2 == 0));
    for _ in 0..MOST {
        let Some(act) = act(&mut bytes) else { break };
        perform(&mut model, &act);
    }
    settle(&mut model);
    model.desired.wish = super::Wish::Deleted { abandon: false };
    for _ in 0..40 {
        model.reconcile(None, None);
        model.pass(std::time::Duration::from_secs(61));
    }
    assert!(!model.finalizer, "{}", model.story());
    assert!(model.our_apps().is_empty(), "{}", model.story());
}

fn act(bytes: &mut impl Iterator<Item = u8>) -> Option<Act> {
    let kind = bytes.next()?;
    let mut byte = || bytes.next().unwrap_or(0);
    Some(match kind % 16 {
        0 => Act::Groups(byte() % 4),
        1 => Act::Label(byte() % 3),
        2 => Act::Suspend(byte() % 2 == 0),
        3 => Act::Allow(byte() % 2 == 0),
        4 => Act::Renew(byte() % 3),
        5 => Act::Restore(byte() % 3),
        6 => Act::Pass(1 + u32::from(byte()) * 20),
        7 => Act::Restart,
        8 => Act::DeleteToken,
        9 => Act::DeleteCredentials,
        10 => Act::DisableApp,
        11 => Act::DeleteApp,
        12 => Act::AddForeignSecret,
        13 => Act::SwitchDpopOn,
        14 => Act::Method(byte() % 3),
        _ => {
            let choice = byte();
            Act::Reconcile {
                crash_after: (choice & 1 == 0).then_some(choice >> 4),
                trouble: match choice >> 1 & 3 {
                    0 => Some(Trouble::LostBefore),
                    1 => Some(Trouble::LostAfter),
                    _ => None,
                },
            }
        }
    })
}
