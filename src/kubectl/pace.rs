//! When accounts that wait for Okta's rate limit have their turn: foreseen from how
//! fast those before them had theirs. Needs nothing but accounts, so whoever may
//! list them sees it; `doctor` knows the limit itself. Pure. It says nothing before
//! there is a pace.

use std::collections::HashMap;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::view::condition;
use crate::api::Neo4jServiceAccount;
use crate::api::conditions::{READY, REGISTERED, Reason};

/// Only what happened lately says how fast it goes.
const LATELY: i64 = 600;
/// Fewer than this are no pace …
const ENOUGH: usize = 3;
/// … nor is what happened in less time than this: a minute's slots may come at once.
const LONG_ENOUGH: i64 = 60;

/// An account, as it is named.
type Key = (String, String);

/// What the accounts of one issuer are about.
#[derive(Default)]
struct Line<'a> {
    /// Those that wait, by namespace, who waits longest first.
    waiting: HashMap<String, Vec<&'a Neo4jServiceAccount>>,
    /// When others were registered.
    served: Vec<i64>,
}

/// Seconds until the turn of each account that waits, by namespace and name.
pub(super) fn foresee(accounts: &[Neo4jServiceAccount], now: Timestamp) -> HashMap<Key, i64> {
    let mut lines: HashMap<&str, Line<'_>> = HashMap::new();
    for account in accounts {
        let line = lines.entry(&account.spec.issuer_ref.name).or_default();
        if waits(account) {
            let namespace = account.namespace().unwrap_or_default();
            line.waiting.entry(namespace).or_default().push(account);
        } else if let Some(registered) = condition(account, REGISTERED)
            && registered.status == "True"
        {
            line.served
                .push(registered.last_transition_time.0.as_second());
        }
    }
    let mut foreseen = HashMap::new();
    for line in lines.values_mut() {
        for waiting in line.waiting.values_mut() {
            waiting.sort_by_key(|account| (since(account), account.name_any()));
        }
        let Some(each) = line.seconds_each(now.as_second()) else {
            continue;
        };
        for (namespace, waiting) in &line.waiting {
            for (place, account) in waiting.iter().enumerate() {
                // Namespaces take turns.
                let before: usize = line.waiting.values().map(|all| all.len().min(place)).sum();
                let seconds = (before + 1) as f64 * each;
                let key = (namespace.clone(), account.name_any());
                foreseen.insert(key, seconds.ceil() as i64);
            }
        }
    }
    foreseen
}

/// Whether it waits for its first token within Okta's limit.
pub(super) fn waits(account: &Neo4jServiceAccount) -> bool {
    let limited = |account| {
        condition(account, READY).is_some_and(|ready| {
            ready.status != "True" && ready.reason == Reason::RateLimited.as_str()
        })
    };
    let token = account.status.as_ref().and_then(|s| s.token.as_ref());
    token.is_none() && limited(account)
}

/// Since when it has not been ready.
fn since(account: &Neo4jServiceAccount) -> i64 {
    condition(account, READY).map_or(0, |ready| ready.last_transition_time.0.as_second())
}

impl Line<'_> {
    /// How many seconds one account takes, if there is a pace.
    fn seconds_each(&self, now: i64) -> Option<f64> {
        let oldest = self.waiting.values().flatten().map(|a| since(a)).min()?;
        let since = oldest.max(now - LATELY);
        let served = self.served.iter().filter(|at| **at >= since).count();
        let took = now - since;
        (served >= ENOUGH && took >= LONG_ENOUGH).then(|| took as f64 / served as f64)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::super::snapshots::{limited, now, ready};
    use super::*;

    fn at(seconds_ago: i64) -> Time {
        Time(Timestamp::from_second(now().as_second() - seconds_ago).unwrap())
    }

    fn waiting(namespace: &str, name: &str, seconds_ago: i64) -> Neo4jServiceAccount {
        let mut account = limited(name);
        account.metadata.namespace = Some(namespace.to_owned());
        let conditions = &mut account.status.as_mut().unwrap().conditions;
        conditions[0].last_transition_time = at(seconds_ago);
        account
    }

    fn registered(name: &str, seconds_ago: i64) -> Neo4jServiceAccount {
        let mut account = ready(name);
        let conditions = &mut account.status.as_mut().unwrap().conditions;
        for condition in conditions.iter_mut().filter(|c| c.type_ == REGISTERED) {
            condition.last_transition_time = at(seconds_ago);
        }
        account
    }

    fn when(foreseen: &HashMap<Key, i64>, namespace: &str, name: &str) -> Option<i64> {
        foreseen
            .get(&(namespace.to_owned(), name.to_owned()))
            .copied()
    }

    #[test]
    fn the_pace_of_those_before_says_when_and_namespaces_take_turns() {
        // Ten were served in the five minutes since the oldest began to wait.
        let mut accounts: Vec<_> = (0..10)
            .map(|i| registered(&format!("r{i}"), i * 30))
            .collect();
        accounts.push(registered("long-ago", 5000));
        accounts.extend((0..4).map(|i| waiting("large", &format!("w{i}"), 300 - i)));
        accounts.push(waiting("small", "one", 100));
        let foreseen = foresee(&accounts, now());
        assert_eq!(when(&foreseen, "large", "w0"), Some(30));
        assert_eq!(when(&foreseen, "small", "one"), Some(30));
        assert_eq!(when(&foreseen, "large", "w1"), Some(90));
        assert_eq!(when(&foreseen, "large", "w3"), Some(150));
        assert_eq!(foreseen.len(), 5);
    }

    #[test]
    fn without_a_pace_nothing_is_foreseen() {
        let few = [
            registered("a", 10),
            registered("b", 20),
            waiting("n", "w", 300),
        ];
        assert!(foresee(&few, now()).is_empty());
        let mut soon: Vec<_> = (0..5).map(|i| registered(&format!("r{i}"), 5)).collect();
        soon.push(waiting("n", "w", 20));
        assert!(foresee(&soon, now()).is_empty());
        // Those of another issuer say nothing.
        let mut other: Vec<_> = (0..5).map(|i| registered(&format!("r{i}"), 5)).collect();
        let mut one = serde_json::to_value(waiting("n", "w", 300)).unwrap();
        one["spec"]["issuerRef"] = json!({ "name": "other" });
        other.push(serde_json::from_value(one).unwrap());
        assert!(foresee(&other, now()).is_empty());
    }
}
