//! Which access policy and rule answer when a client asks for a token: the first
//! policy for the client that has a rule for the grant and the scope (Okta,
//! "Configure an access policy"). Pure. Decides nothing about the operator's own
//! policies; it tells who stands in front of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::issuer::{ServerView, grants, rules_of};
use super::policy::{included, listed};
use super::surroundings::names_people;

/// A policy and its rule that issue the token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer<'a> {
    /// The policy.
    pub policy: &'a Value,
    /// The rule.
    pub rule: &'a Value,
}

impl Answer<'_> {
    /// The policy's name, for people.
    #[must_use]
    pub fn policy_name(&self) -> &str {
        name(self.policy)
    }

    /// The rule's name, for people.
    #[must_use]
    pub fn rule_name(&self) -> &str {
        name(self.rule)
    }

    /// How long a token lives that it issues.
    #[must_use]
    pub fn minutes(&self) -> Option<u64> {
        self.rule["actions"]["token"]["accessTokenLifetimeMinutes"].as_u64()
    }
}

fn name(value: &Value) -> &str {
    let name = value["name"].as_str();
    name.or(value["id"].as_str()).unwrap_or("without a name")
}

/// Who answers a client with this id; without an id, any client that no policy
/// names.
#[must_use]
pub fn answers<'a>(
    view: &'a ServerView,
    client_id: Option<&str>,
    scope: &str,
) -> Option<Answer<'a>> {
    let for_it = |policy: &&Value| {
        is_for_all(policy)
            || client_id.is_some_and(|id| listed(policy).contains(&id.to_lowercase()))
    };
    in_order(view)
        .into_iter()
        .filter(for_it)
        .find_map(|policy| rule(view, policy, scope))
}

/// Who answers, in front of the policies `ours`, some of the clients that those
/// list.
#[must_use]
pub fn in_front<'a>(view: &'a ServerView, ours: &[&Value], scope: &str) -> Option<Answer<'a>> {
    let is_ours = |policy: &Value| ours.iter().any(|our| our["id"] == policy["id"]);
    let clients: BTreeSet<String> = ours.iter().flat_map(|policy| listed(policy)).collect();
    let of_ours = |policy: &Value| {
        is_for_all(policy) || included(policy).any(|id| clients.contains(&id.to_lowercase()))
    };
    in_order(view)
        .into_iter()
        .take_while(|policy| !is_ours(policy))
        .filter(|policy| of_ours(policy))
        .find_map(|policy| rule(view, policy, scope))
}

fn is_for_all(policy: &Value) -> bool {
    included(policy).any(|id| id == "ALL_CLIENTS")
}

/// The policies in use, first things first.
fn in_order(view: &ServerView) -> Vec<&Value> {
    let mut policies: Vec<&Value> = view
        .policies
        .iter()
        .filter(|policy| policy["status"] != "INACTIVE")
        .collect();
    // Stable: without a priority the order of Okta's list stands.
    policies.sort_by_key(|policy| policy["priority"].as_u64().unwrap_or(u64::MAX));
    policies
}

fn rule<'a>(view: &'a ServerView, policy: &'a Value, scope: &str) -> Option<Answer<'a>> {
    let mut rules: Vec<&Value> = rules_of(view, policy).iter().collect();
    rules.sort_by_key(|rule| rule["priority"].as_u64().unwrap_or(u64::MAX));
    rules
        .into_iter()
        .find(|rule| grants(rule, scope) && !names_people(&rule["conditions"]["people"]))
        .map(|rule| Answer { policy, rule })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(id: &str, priority: u64, clients: &[&str]) -> Value {
        json!({ "id": id, "name": id, "status": "ACTIVE", "priority": priority, "conditions": { "clients": { "include": clients } } })
    }

    fn rule(grant: &str, scope: &str, minutes: u64) -> Value {
        json!({
            "id": "r", "name": "r", "status": "ACTIVE",
            "conditions": { "grantTypes": { "include": [grant] }, "scopes": { "include": [scope] } },
            "actions": { "token": { "accessTokenLifetimeMinutes": minutes } },
        })
    }

    fn view(all: &[(Value, Value)]) -> ServerView {
        let of = |(policy, rule): &(Value, Value)| {
            let id = policy["id"].as_str().unwrap_or_default().to_owned();
            (id, vec![rule.clone()])
        };
        ServerView {
            policies: all.iter().map(|(policy, _)| policy.clone()).collect(),
            rules: all.iter().map(of).collect(),
            ..ServerView::default()
        }
    }

    fn machines(minutes: u64) -> Value {
        rule("client_credentials", "*", minutes)
    }

    #[test]
    fn the_first_policy_with_a_rule_that_fits_answers() {
        let ours = policy("ours", 4, &["prod.a"]);
        let view = view(&[
            (ours.clone(), rule("client_credentials", "s", 60)),
            (
                policy("people", 1, &["ALL_CLIENTS"]),
                rule("authorization_code", "*", 5),
            ),
            (
                policy("scope", 2, &["ALL_CLIENTS"]),
                rule("client_credentials", "other", 5),
            ),
            (policy("all", 3, &["ALL_CLIENTS"]), machines(30)),
        ]);
        let found = answers(&view, Some("PROD.A"), "s").expect("an answer");
        assert_eq!((found.policy_name(), found.minutes()), ("all", Some(30)));
        assert_eq!(
            in_front(&view, &[&ours], "s").map(|a| a.policy_name().to_owned()),
            Some("all".into())
        );
        assert_eq!(
            answers(&view, None, "s").map(|a| a.policy_name().to_owned()),
            Some("all".into())
        );
    }

    #[test]
    fn behind_ours_or_for_others_nobody_stands_in_front() {
        let ours = policy("ours", 2, &["prod.a"]);
        let mut off = policy("off", 1, &["ALL_CLIENTS"]);
        off["status"] = json!("INACTIVE");
        let view = view(&[
            (off, machines(5)),
            (policy("theirs", 1, &["0oaTheirs"]), machines(5)),
            (ours.clone(), machines(60)),
            (policy("last", 3, &["ALL_CLIENTS"]), machines(5)),
        ]);
        assert_eq!(in_front(&view, &[&ours], "s"), None);
        let found = answers(&view, Some("prod.a"), "s").expect("an answer");
        assert_eq!(found.policy_name(), "ours");
        // A client that nobody lists is answered by the last.
        let found = answers(&view, Some("prod.b"), "s").expect("an answer");
        assert_eq!((found.policy_name(), found.minutes()), ("last", Some(5)));
    }

    #[test]
    fn a_rule_for_certain_people_is_for_no_service() {
        let mut people = machines(5);
        people["conditions"]["people"] = json!({ "groups": { "include": ["00g1"] } });
        let view = view(&[(policy("all", 1, &["ALL_CLIENTS"]), people)]);
        assert_eq!(answers(&view, None, "s"), None);
    }
}
