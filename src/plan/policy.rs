//! The access policies that list an issuer's clients, edited by difference and
//! never from a computed whole: what others wrote into them stays. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// What cannot be undone by a slip of ours is held back beyond this many, or a
/// tenth of all.
const PLAUSIBLE_REMOVALS: usize = 5;

/// One change to one policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Open a new shard with these clients.
    Create {
        /// The clients.
        include: Vec<String>,
    },
    /// Replace the policy by this body.
    Replace {
        /// Okta's id.
        id: String,
        /// The whole body, with everything else as it was read.
        body: Value,
    },
}

/// What the difference came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits {
    /// In order.
    pub edits: Vec<Edit>,
    /// How many removals were held back; 0 when none.
    pub held: usize,
}

/// The clients that a policy lists, as they are written there.
pub fn included(policy: &Value) -> impl Iterator<Item = &str> {
    let list = policy["conditions"]["clients"]["include"].as_array();
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// The clients that a policy lists, in lower case.
#[must_use]
pub fn listed(policy: &Value) -> BTreeSet<String> {
    included(policy).map(str::to_lowercase).collect()
}

/// Edits that add `waiting` and remove `gone` from our `policies`. A client
/// stays in its shard; a shard holds at most `max`. More than a plausible number
/// of removals is held back unless exactly that number is `confirmed`; those that
/// Okta itself says are `dead` leave in any number, because with one of them in
/// it Okta takes no change of a policy at all.
#[must_use]
pub fn edit(
    policies: &[&Value],
    waiting: &BTreeSet<String>,
    gone: &BTreeSet<String>,
    dead: &BTreeSet<String>,
    max: usize,
    confirmed: Option<usize>,
) -> Edits {
    let shards: Vec<BTreeSet<String>> = policies.iter().map(|p| listed(p)).collect();
    let total: usize = shards.iter().map(BTreeSet::len).sum();
    let guarded = |s: &BTreeSet<String>| {
        s.intersection(gone)
            .filter(|id| !dead.contains(*id))
            .count()
    };
    let removals: usize = shards.iter().map(guarded).sum();
    let plausible = removals <= PLAUSIBLE_REMOVALS.max(total / 10) || confirmed == Some(removals);
    let mut missing: Vec<String> = waiting
        .iter()
        .filter(|id| !gone.contains(*id) && !dead.contains(*id))
        .filter(|id| !shards.iter().any(|s| s.contains(*id)))
        .cloned()
        .collect();
    let mut edits = Vec::new();
    for (policy, shard) in policies.iter().zip(&shards) {
        // As they are written: Okta's own ids are not all in lower case.
        let mut next: Vec<String> = included(policy)
            .filter(|id| {
                let id = id.to_lowercase();
                !dead.contains(&id) && (!plausible || !gone.contains(&id))
            })
            .map(str::to_owned)
            .collect();
        let room = max.saturating_sub(next.len()).min(missing.len());
        next.extend(missing.drain(..room));
        // A policy without clients is not known to be accepted by Okta: the last
        // one stays until another takes its place.
        let after: BTreeSet<String> = next.iter().map(|id| id.to_lowercase()).collect();
        if next.is_empty() || after == *shard {
            continue;
        }
        if let Some(id) = policy["id"].as_str() {
            edits.push(Edit::Replace {
                id: id.to_owned(),
                body: with_clients(policy, &next),
            });
        }
    }
    while !missing.is_empty() {
        let include: Vec<String> = missing.drain(..max.max(1).min(missing.len())).collect();
        edits.push(Edit::Create { include });
    }
    Edits {
        edits,
        held: if plausible { 0 } else { removals },
    }
}

/// The change from `was` to `wanted`, made to the policy as it is `now`: what
/// somebody else wrote into it meanwhile stays.
#[must_use]
pub fn rebase(now: &Value, was: &Value, wanted: &Value) -> Value {
    let (before, after) = (listed(was), listed(wanted));
    let mut next: Vec<String> = included(now)
        .filter(|id| {
            let id = id.to_lowercase();
            after.contains(&id) || !before.contains(&id)
        })
        .map(str::to_owned)
        .collect();
    let there = listed(now);
    let added = included(wanted).filter(|id| !before.contains(&id.to_lowercase()));
    next.extend(
        added
            .filter(|id| !there.contains(&id.to_lowercase()))
            .map(str::to_owned),
    );
    with_clients(now, &next)
}

/// The policy as it was read, with another list of clients. The priority just
/// read is part of it, because Okta would move the policy to the end otherwise.
fn with_clients(policy: &Value, include: &[String]) -> Value {
    let mut body = policy.clone();
    if let Some(object) = body.as_object_mut() {
        for key in ["created", "lastUpdated", "_links", "_embedded", "system"] {
            object.remove(key);
        }
    }
    body["conditions"]["clients"]["include"] = json!(include);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(id: &str, clients: &[String]) -> Value {
        json!({ "id": id, "name": id, "priority": 3, "description": "d", "conditions": { "clients": { "include": clients } }, "_links": {} })
    }

    fn ids(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|i| format!("client-{i:03}")).collect()
    }

    fn set(ids: &[String]) -> BTreeSet<String> {
        ids.iter().cloned().collect()
    }

    #[test]
    fn foreign_ids_stay_and_nothing_to_do_is_no_write() {
        let one = policy(
            "p1",
            &["0oaSomebodyElses".to_owned(), "client-000".to_owned()],
        );
        assert_eq!(
            edit(
                &[&one],
                &set(&ids(0..1)),
                &BTreeSet::new(),
                &BTreeSet::new(),
                10,
                None
            ),
            Edits::default()
        );
        let edits = edit(
            &[&one],
            &set(&ids(1..2)),
            &BTreeSet::new(),
            &BTreeSet::new(),
            10,
            None,
        )
        .edits;
        let [Edit::Replace { id, body }] = edits.as_slice() else {
            panic!("{edits:?}")
        };
        assert_eq!((id.as_str(), body["priority"].as_i64()), ("p1", Some(3)));
        assert_eq!(
            included(body).collect::<Vec<_>>(),
            ["0oaSomebodyElses", "client-000", "client-001"]
        );
    }

    #[test]
    fn what_others_write_between_a_look_and_a_change_stays() {
        let list = |clients: &[&str]| {
            let clients: Vec<String> = clients.iter().map(|c| (*c).to_owned()).collect();
            policy("p1", &clients)
        };
        let mut now = list(&["a", "b", "0oaTheirs"]);
        now["priority"] = json!(7);
        now["conditions"]["people"] = json!({ "theirs": true });
        let body = rebase(
            &now,
            &list(&["a", "b", "0oaGone"]),
            &list(&["b", "0oaGone", "c"]),
        );
        assert_eq!(included(&body).collect::<Vec<_>>(), ["b", "0oaTheirs", "c"]);
        assert_eq!(body["priority"], json!(7));
        assert_eq!(body["conditions"]["people"], now["conditions"]["people"]);
    }

    #[test]
    fn clients_beyond_a_shard_open_another() {
        let full = policy("p1", &ids(0..3));
        let edits = edit(
            &[&full],
            &set(&ids(3..8)),
            &BTreeSet::new(),
            &BTreeSet::new(),
            3,
            None,
        )
        .edits;
        assert_eq!(edits.len(), 2);
        assert!(
            edits
                .iter()
                .all(|e| matches!(e, Edit::Create { include } if include.len() <= 3))
        );
    }

    #[test]
    fn many_removals_at_once_are_held_until_their_number_is_confirmed() {
        let all = policy("p1", &ids(0..40));
        let few = edit(
            &[&all],
            &BTreeSet::new(),
            &set(&ids(0..5)),
            &BTreeSet::new(),
            500,
            None,
        );
        assert_eq!((few.edits.len(), few.held), (1, 0));
        let many = edit(
            &[&all],
            &BTreeSet::new(),
            &set(&ids(0..6)),
            &BTreeSet::new(),
            500,
            None,
        );
        assert_eq!((many.edits.len(), many.held), (0, 6));
        let confirmed = edit(
            &[&all],
            &BTreeSet::new(),
            &set(&ids(0..6)),
            &BTreeSet::new(),
            500,
            Some(6),
        );
        assert_eq!((confirmed.edits.len(), confirmed.held), (1, 0));
        let held_but_adding = edit(
            &[&all],
            &set(&ids(50..51)),
            &set(&ids(0..6)),
            &BTreeSet::new(),
            500,
            None,
        );
        assert_eq!((held_but_adding.edits.len(), held_but_adding.held), (1, 6));
    }

    #[test]
    fn clients_that_okta_does_not_know_leave_however_many_they_are_and_hold_up_nobody() {
        let (all, unknown) = (policy("p1", &ids(0..40)), set(&ids(0..8)));
        let gone = set(&ids(0..9));
        let edits = edit(&[&all], &set(&ids(50..51)), &gone, &unknown, 500, None);
        let [Edit::Replace { body, .. }] = edits.edits.as_slice() else {
            panic!("{edits:?}")
        };
        let left: Vec<String> = ids(9..40).into_iter().chain(ids(50..51)).collect();
        assert_eq!((listed(body), edits.held), (set(&left), 0));
        let gone = set(&ids(0..20));
        let edits = edit(&[&all], &set(&ids(50..51)), &gone, &unknown, 500, None);
        let [Edit::Replace { body, .. }] = edits.edits.as_slice() else {
            panic!("{edits:?}")
        };
        let left: Vec<String> = ids(8..40).into_iter().chain(ids(50..51)).collect();
        assert_eq!((listed(body), edits.held), (set(&left), 12));
    }

    #[test]
    fn the_last_client_of_a_policy_stays_listed() {
        let one = policy("p1", &ids(0..1));
        assert_eq!(
            edit(
                &[&one],
                &BTreeSet::new(),
                &set(&ids(0..1)),
                &BTreeSet::new(),
                10,
                None
            )
            .edits,
            Vec::new()
        );
    }

    #[test]
    fn clients_that_okta_does_not_know_leave_whatever_their_number() {
        let all = policy("p1", &ids(0..40));
        let (dead, new) = (set(&ids(0..30)), set(&ids(50..51)));
        let gone = set(&ids(0..32));
        let edits = edit(&[&all], &new, &gone, &dead, 500, None);
        assert_eq!((edits.edits.len(), edits.held), (1, 0));
        let [Edit::Replace { body, .. }] = edits.edits.as_slice() else {
            panic!("{edits:?}")
        };
        assert_eq!(listed(body).len(), 9);
    }
}
