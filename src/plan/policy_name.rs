//! How an issuer's access policies are named and marked at Okta, so that issuers
//! and clusters that share an authorization server tell theirs from each other's.
//! Pure.

use serde_json::Value;

use super::identity;

/// How much of an issuer's name goes into names and descriptions at Okta, which
/// are bounded to 100 and 255 characters.
const NAME_MAX: usize = 60;

/// Who the issuer is, for names and markers.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Name of the `OktaIssuer`.
    pub name: &'a str,
    /// The installation.
    pub installation: &'a str,
}

impl Identity<'_> {
    /// What marks a policy as ours, in its description.
    #[must_use]
    pub fn marker(&self) -> String {
        format!(
            "Managed by neo4j-okta-operator: installation {}, issuer {}.",
            self.installation,
            identity::cut(self.name, NAME_MAX)
        )
    }

    /// Whether a policy bears our marker. Names may contain dots, so what follows
    /// it decides too.
    #[must_use]
    pub fn marks(&self, policy: &Value) -> bool {
        let description = policy["description"].as_str().unwrap_or_default();
        description
            .split_once(&self.marker())
            .is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(char::is_whitespace))
    }

    /// The first of our names that no policy of the server has: Okta refuses one
    /// twice.
    #[must_use]
    pub fn free_name(&self, policies: &[Value]) -> String {
        let installation: String = self.installation.chars().take(8).collect();
        let issuer = identity::cut(self.name, NAME_MAX);
        let name = |number| format!("neo4j-okta-operator {installation} {issuer} {number}");
        let taken = |name: &String| policies.iter().any(|p| p["name"] == *name);
        let mut number = 1;
        while taken(&name(number)) {
            number += 1;
        }
        name(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const fn of<'a>(installation: &'a str, name: &'a str) -> Identity<'a> {
        Identity { name, installation }
    }

    #[test]
    fn a_policy_is_marked_by_one_issuer_of_one_installation_alone() {
        let (long, longer) = ("i".repeat(200), format!("{}x", "i".repeat(200)));
        let all = [
            of("one", "prod"),
            of("two", "prod"),
            of("one", "prod.eu"),
            of("one", &long),
            of("one", &longer),
        ];
        for (i, who) in all.iter().enumerate() {
            let marker = who.marker();
            assert!(marker.len() <= 255, "{marker}");
            let noted = json!({ "description": format!("{marker} Ask the platform team.") });
            for (k, other) in all.iter().enumerate() {
                assert_eq!(other.marks(&noted), i == k, "{marker}");
            }
        }
    }

    #[test]
    fn a_name_that_is_taken_is_passed_over_and_none_is_too_long() {
        let long = "i".repeat(253);
        let who = of("3f2a9c1e-0000-0000-0000-000000000000", &long);
        let first = who.free_name(&[]);
        let third = json!({ "name": first.replace(" 1", " 3") });
        let second = who.free_name(&[json!({ "name": first }), third.clone()]);
        assert_ne!(second, first);
        assert_ne!(json!(second), third["name"]);
        assert!(first.len() < 100, "{first}");
    }
}
