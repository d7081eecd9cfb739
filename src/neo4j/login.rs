//! What came of logging in to Neo4j with a token, and what is to be done about it.
//! Pure. It claims no more than a server said: one that does not tell roles is not
//! taken for one that gives the right ones.

use std::collections::BTreeSet;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::api::Neo4j;
use crate::api::conditions::Reason;

/// Each user has this role in Neo4j.
const PUBLIC: &str = "PUBLIC";
/// A clock that is off by less refuses no token that just came.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// Why there are no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No answer, or none of Neo4j's.
    Unreachable(String),
    /// The login was refused.
    Refused(String),
    /// Logged in, and the roles do not allow the statement.
    Forbidden(String),
    /// Logged in, and the statement failed.
    Failed(String),
}

/// One login at one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// The URL of its Query API.
    pub server: String,
    /// Who Neo4j says it is, or why nobody.
    pub seen: Result<Seen, Trouble>,
    /// How far its clock is ahead of ours, if it tells.
    pub ahead: Option<SignedDuration>,
    /// What it had accepted before.
    pub accepted: Option<Accepted>,
}

/// The last token of an issuer that a server accepted while the operator runs, and
/// has not refused since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Whose.
    pub user: String,
    /// The key (`kid`) that signed it.
    pub key: String,
}

impl Accepted {
    /// What holds after a server was asked to let in `user` with a token signed by
    /// `key`.
    #[must_use]
    pub fn after(
        before: Option<Self>,
        seen: &Result<Seen, Trouble>,
        user: &str,
        key: Option<&str>,
    ) -> Option<Self> {
        match (seen, key) {
            (Ok(_) | Err(Trouble::Forbidden(_) | Trouble::Failed(_)), Some(key)) => Some(Self {
                user: user.to_owned(),
                key: key.to_owned(),
            }),
            // Something has changed there, for this account or for all.
            (Err(Trouble::Refused(_)), Some(key)) => {
                before.filter(|accepted| accepted.user != user || accepted.key != key)
            }
            _ => before,
        }
    }
}

/// What a server says of whoever is logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The name of the user.
    pub user: Option<String>,
    /// Its roles; Neo4j's community edition does not tell them.
    pub roles: Option<BTreeSet<String>>,
}

impl Seen {
    /// From the rows of `SHOW CURRENT USER YIELD user, roles`. `None` when there is
    /// none: a community server has no row for a user that only a token knows.
    #[must_use]
    pub fn current_user(rows: &[Vec<Value>]) -> Option<Self> {
        let [user, roles] = rows.first()?.as_slice() else {
            return None;
        };
        let roles = roles.as_array().map(|roles| {
            let names = roles.iter().filter_map(Value::as_str);
            names.map(str::to_owned).collect()
        });
        Some(Self {
            user: user.as_str().map(str::to_owned),
            roles,
        })
    }

    /// From the rows of `SHOW TRANSACTIONS YIELD username, currentQuery`, in which
    /// `statement` itself appears. Who may see everybody's sees others there too:
    /// `expected` is looked for first.
    #[must_use]
    pub fn transaction(rows: &[Vec<Value>], statement: &str, expected: &str) -> Self {
        let users = rows.iter().filter_map(|row| match row.as_slice() {
            [user, query] if query.as_str() == Some(statement) => user.as_str(),
            _ => None,
        });
        let users: Vec<&str> = users.collect();
        let found = users.iter().find(|user| **user == expected);
        Self {
            user: found.or(users.first()).map(|user| (*user).to_owned()),
            roles: None,
        }
    }
}

/// What a login should show.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The client id.
    pub user: &'a str,
    /// The groups in the token.
    pub groups: &'a BTreeSet<String>,
    /// The key that signed the token.
    pub key: Option<&'a str>,
    /// The token's `iss`.
    pub issuer: &'a str,
    /// The token's `aud`.
    pub audience: &'a str,
    /// From when the token is good, and until when.
    pub good: (Timestamp, Timestamp),
    /// The issuer's Neo4j.
    pub neo4j: &'a Neo4j,
}

/// What is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Everything that was seen is as expected.
    pub good: bool,
    /// The stable reason.
    pub reason: Reason,
    /// In words, with the repair.
    pub message: String,
}

/// Judges the logins at all servers; the worst of them counts.
#[must_use]
pub fn judge(expected: &Expected<'_>, logins: &[Login], now: Timestamp) -> Verdict {
    let bad = logins.iter().filter_map(|login| {
        let (reason, words) = fault(expected, login, now)?;
        Some((rank(reason), reason, &login.server, words))
    });
    if let Some((_, reason, server, words)) = bad.min_by_key(|(rank, ..)| *rank) {
        return Verdict {
            good: false,
            reason,
            message: format!("{server}: {words}"),
        };
    }
    if let Some(group) = unmapped(expected) {
        return Verdict {
            good: false,
            reason: Reason::GroupNotMapped,
            message: format!(
                "Neo4j accepts the token, but group {group:?} gives no role, because spec.neo4j.groupToRole of the OktaIssuer does not list it; list it there and in Neo4j's group_to_role_mapping, or remove it from spec.groups"
            ),
        };
    }
    Verdict {
        good: true,
        reason: Reason::TokenAccepted,
        message: accepted(expected, logins),
    }
}

/// Access that nobody wanted comes before access that is lacking.
fn rank(reason: Reason) -> u8 {
    match reason {
        Reason::UnexpectedRoles => 0,
        Reason::UserDiffers => 1,
        Reason::RoleMissing => 3,
        Reason::Neo4jUnreachable => 4,
        _ => 2,
    }
}

fn fault(expected: &Expected<'_>, login: &Login, now: Timestamp) -> Option<(Reason, String)> {
    match &login.seen {
        Ok(seen) => differs(expected, seen),
        Err(Trouble::Unreachable(why)) => Some((
            Reason::Neo4jUnreachable,
            format!("{why}; whether Neo4j accepts the token is not known"),
        )),
        Err(Trouble::Refused(words)) => Some(refused(expected, login, words, now)),
        // Only who is logged in is told so.
        Err(Trouble::Forbidden(_) | Trouble::Failed(_)) => None,
    }
}

fn differs(expected: &Expected<'_>, seen: &Seen) -> Option<(Reason, String)> {
    let provider = &expected.neo4j.provider;
    if let Some(user) = seen.user.as_deref().filter(|user| *user != expected.user) {
        return Some((
            Reason::UserDiffers,
            format!(
                "Neo4j takes the token for user {user}, and not for {}; set dbms.security.oidc.{provider}.claims.username=sub",
                expected.user
            ),
        ));
    }
    let roles = seen.roles.as_ref()?;
    let wanted = wanted(expected);
    let more = list(
        roles
            .iter()
            .filter(|r| *r != PUBLIC && !wanted.contains(*r)),
    );
    if !more.is_empty() {
        return Some((
            Reason::UnexpectedRoles,
            format!(
                "Neo4j gives the account more than the issuer says: {more}; make dbms.security.oidc.{provider}.authorization.group_to_role_mapping and spec.neo4j.groupToRole of the OktaIssuer the same, and look for roles granted to the user by hand"
            ),
        ));
    }
    let less = list(wanted.iter().filter(|role| !roles.contains(*role)));
    (!less.is_empty()).then(|| {
        (
            Reason::RoleMissing,
            format!(
                "Neo4j does not give the account what the issuer says: {less}; create the role (CREATE ROLE), or make dbms.security.oidc.{provider}.authorization.group_to_role_mapping and spec.neo4j.groupToRole of the OktaIssuer the same"
            ),
        )
    })
}

fn refused(
    expected: &Expected<'_>,
    login: &Login,
    words: &str,
    now: Timestamp,
) -> (Reason, String) {
    let provider = &expected.neo4j.provider;
    let said = format!("Neo4j refuses the token ({words})");
    let lower = words.to_lowercase();
    if lower.contains("scheme") && lower.contains("bearer") {
        return (
            Reason::ProviderNotConfigured,
            format!(
                "{said}: it has no OIDC provider, which needs Neo4j Enterprise or Aura; set what kubectl neo4jsa config prints, and restart it for dbms.security.authentication_providers"
            ),
        );
    }
    if let Some(ahead) = login.ahead {
        let theirs = now.saturating_add(ahead).unwrap_or(now);
        let (from, until) = expected.good;
        let early = theirs.saturating_add(CLOCK_TOLERANCE).unwrap_or(theirs) < from;
        if early || theirs >= until {
            return (
                Reason::Neo4jClockSkew,
                format!(
                    "{said}: by the server's clock it is {}; set the clock right (NTP) where it is wrong",
                    if early {
                        "not valid yet"
                    } else {
                        "expired already"
                    }
                ),
            );
        }
    }
    match (&login.accepted, expected.key) {
        (Some(Accepted { key: before, .. }), Some(key)) if before != key => (
            Reason::KeysStale,
            format!(
                "{said}: it is signed with key {key}, and the last one accepted there was signed with {before}; Okta has changed its signing key and Neo4j has not read it: see that Neo4j reaches {}/v1/keys, or restart it",
                expected.issuer
            ),
        ),
        (Some(Accepted { user, .. }), _) if user != expected.user => (
            Reason::UserRefused,
            format!(
                "{said}, and accepted that of {user} before; with dbms.security.require_local_user=true each needs: CREATE USER `{}` SET AUTH 'oidc-{provider}' {{SET ID '{}'}}",
                expected.user, expected.user
            ),
        ),
        _ => (
            Reason::RefusedByNeo4j,
            format!(
                "{said}; compare dbms.security.oidc.{provider}.audience={} and well_known_discovery_uri={}/.well-known/openid-configuration, see that Neo4j reaches the latter and that oidc-{provider} is among dbms.security.authentication_providers; its security.log says more",
                expected.audience, expected.issuer
            ),
        ),
    }
}

/// The roles that the groups lead to.
fn wanted(expected: &Expected<'_>) -> BTreeSet<String> {
    let map = &expected.neo4j.group_to_role;
    if map.is_empty() {
        return expected.groups.clone();
    }
    let roles = expected.groups.iter().filter_map(|group| map.get(group));
    let roles = roles.flatten().filter(|role| *role != PUBLIC);
    roles.cloned().collect()
}

fn unmapped<'a>(expected: &'a Expected<'_>) -> Option<&'a String> {
    let map = &expected.neo4j.group_to_role;
    let mut groups = expected.groups.iter();
    groups.find(|group| !map.is_empty() && !map.contains_key(*group))
}

fn accepted(expected: &Expected<'_>, logins: &[Login]) -> String {
    let seen = || logins.iter().map(|login| login.seen.as_ref().ok());
    let as_user = seen().all(|s| s.is_some_and(|s| s.user.is_some()));
    let with_roles = seen().all(|s| s.is_some_and(|s| s.roles.is_some()));
    let mut words = "Neo4j accepts the token".to_owned();
    if as_user {
        words += &format!(" as user {}", expected.user);
    }
    words += &match (with_roles, list(wanted(expected).iter())) {
        (true, roles) if roles.is_empty() => " without a role".to_owned(),
        (true, roles) => format!(" with what its groups lead to: {roles}"),
        (false, _) if as_user => "; it does not tell its roles".to_owned(),
        (false, _) => "; it tells neither user nor roles".to_owned(),
    };
    words
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
