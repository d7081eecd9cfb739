//! What else in an org lets tokens out or gives rights to the apps of this
//! operator: other authorization servers that issue tokens to any client, and a
//! setting that makes new client apps super admins. Pure. Nothing of it is changed:
//! it is somebody else's, and is said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::schedule;

/// How often all of it is looked at.
pub const ROUND: Duration = Duration::from_secs(24 * 3600);
/// After a start the urgent things come first, and between the parts of a round.
pub const PAUSE: Duration = Duration::from_secs(600);
/// Requests of one part of a round.
pub const CALLS: usize = 20;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Servers that issue tokens to any client, by id; each with its name.
    admitting: BTreeMap<String, String>,
    /// New client apps become super admins.
    pub new_clients_are_admins: bool,
}

impl Surroundings {
    /// Takes in what was found out about a server.
    pub fn note(&mut self, server: &Server, admits: bool) {
        if admits {
            let (id, name) = (server.id.clone(), server.name.clone());
            self.admitting.insert(id, name);
        } else {
            self.admitting.remove(&server.id);
        }
    }

    /// Forgets servers that are not in use any more.
    pub fn keep(&mut self, servers: &[Server]) {
        let there: BTreeSet<&String> = servers.iter().map(|server| &server.id).collect();
        self.admitting.retain(|id, _| there.contains(id));
    }

    /// The names of servers besides `own` that issue tokens to any client.
    pub fn others(&self, own: Option<&str>) -> impl Iterator<Item = &str> {
        let others = self.admitting.iter();
        others
            .filter(move |(id, _)| Some(id.as_str()) != own)
            .map(|(_, name)| name.as_str())
    }
}

/// An authorization server in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Okta's id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
}

/// The servers of an org that are in use.
#[must_use]
pub fn active(servers: &[Value]) -> Vec<Server> {
    let active = servers.iter().filter(|server| server["status"] == "ACTIVE");
    active
        .filter_map(|server| {
            let id = server["id"].as_str()?;
            let name = server["name"].as_str().unwrap_or(id);
            Some(Server {
                id: id.to_owned(),
                name: name.chars().filter(|c| !c.is_control()).take(100).collect(),
            })
        })
        .collect()
}

/// The policies that are there for any client, by id.
#[must_use]
pub fn for_any_client(policies: &[Value]) -> Vec<String> {
    let any = |policy: &&Value| {
        let clients = policy["conditions"]["clients"]["include"].as_array();
        policy["status"] == "ACTIVE"
            && clients.is_some_and(|c| c.iter().any(|c| c == "ALL_CLIENTS"))
    };
    let ids = policies.iter().filter(any).map(|policy| &policy["id"]);
    ids.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether a rule among these issues tokens to a service without a user.
#[must_use]
pub fn issues(rules: &[Value]) -> bool {
    rules.iter().any(|rule| {
        let grants = rule["conditions"]["grantTypes"]["include"].as_array();
        rule["status"] == "ACTIVE"
            && grants.is_some_and(|g| g.iter().any(|g| g == "client_credentials"))
            && !names_people(&rule["conditions"]["people"])
    })
}

/// A rule for certain people is for no service.
pub(super) fn names_people(people: &Value) -> bool {
    ["groups", "users"].iter().any(|kind| {
        let named = people[kind]["include"].as_array();
        named.is_some_and(|named| !named.is_empty() && !named.iter().any(|n| n == "EVERYONE"))
    })
}

/// When the first round begins: at once as long as nothing is registered, so that
/// it is said before there are credentials that could be misused.
#[must_use]
pub fn first(now: Timestamp, registered: bool) -> Timestamp {
    if registered {
        schedule::after(now, PAUSE)
    } else {
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(grant: &str, status: &str, people: &Value) -> Value {
        json!({ "status": status, "conditions": { "grantTypes": { "include": [grant] }, "people": people } })
    }

    #[test]
    fn only_an_active_rule_for_services_issues_tokens_to_them() {
        let everyone = json!({ "groups": { "include": ["EVERYONE"] } });
        let some = json!({ "groups": { "include": ["00g1"] } });
        let cases = [
            (rule("client_credentials", "ACTIVE", &Value::Null), true),
            (rule("client_credentials", "ACTIVE", &everyone), true),
            (rule("client_credentials", "ACTIVE", &some), false),
            (rule("client_credentials", "INACTIVE", &everyone), false),
            (rule("authorization_code", "ACTIVE", &everyone), false),
        ];
        for (rule, expected) in cases {
            assert_eq!(issues(std::slice::from_ref(&rule)), expected, "{rule}");
        }
        assert!(!issues(&[]));
    }

    #[test]
    fn only_active_policies_for_all_clients_are_for_any() {
        let policy = |id: &str, status: &str, client: &str| json!({ "id": id, "status": status, "conditions": { "clients": { "include": [client] } } });
        let policies = [
            policy("1", "ACTIVE", "ALL_CLIENTS"),
            policy("2", "INACTIVE", "ALL_CLIENTS"),
            policy("3", "ACTIVE", "0oa1"),
        ];
        assert_eq!(for_any_client(&policies), ["1"]);
    }

    #[test]
    fn a_server_that_was_put_right_or_is_gone_is_not_named_any_more() {
        let list = [
            json!({ "id": "a", "name": "A", "status": "ACTIVE" }),
            json!({ "id": "b", "name": "B", "status": "ACTIVE" }),
            json!({ "id": "c", "name": "C", "status": "INACTIVE" }),
        ];
        let servers = active(&list);
        let mut found = Surroundings::default();
        for server in &servers {
            found.note(server, true);
        }
        let others = |found: &Surroundings, own| found.others(own).collect::<Vec<_>>().join(",");
        assert_eq!(others(&found, None), "A,B");
        assert_eq!(others(&found, Some("a")), "B");
        found.note(&servers[0], false);
        found.keep(&servers[..1]);
        assert_eq!(others(&found, None), "");
    }
}
