//! Whether an issuer lets a namespace ask for groups. Pure: the controller
//! decides by it, whatever was admitted earlier.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

use crate::api::{AllowEntry, OktaIssuerSpec};

/// Neo4j's role that may do everything.
const ADMIN_ROLE: &str = "admin";

/// The namespace that asks.
#[derive(Clone, Debug)]
pub struct Namespace<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// Why a request is refused, in words for the person who wrote the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied(pub String);

/// Decides whether an account in `namespace` may carry `groups`, being number
/// `position` (from 0, oldest first) of the accounts there.
///
/// # Errors
/// [`Denied`] names the group or the limit, and who can change it.
pub fn decide(
    issuer_name: &str,
    spec: &OktaIssuerSpec,
    namespace: &Namespace<'_>,
    groups: &[String],
    position: usize,
) -> Result<(), Denied> {
    let entries: Vec<&AllowEntry> = spec
        .allow
        .iter()
        .filter(|entry| matches(entry, namespace))
        .collect();
    if entries.is_empty() {
        return Err(Denied(format!(
            "OktaIssuer {issuer_name} has no entry in spec.allow for namespace {}; ask the platform team for one",
            namespace.name
        )));
    }
    for group in groups {
        let admin = reaches_admin(spec, group);
        let covered = entries
            .iter()
            .flat_map(|entry| &entry.groups)
            .any(|pattern| covers(pattern, group, admin));
        if !covered {
            let hint = if admin {
                " (it leads to the role admin, which no wildcard covers)"
            } else {
                ""
            };
            return Err(Denied(format!(
                "spec.groups: OktaIssuer {issuer_name} does not allow group \"{group}\" in namespace {}{hint}; remove it or ask the platform team to allow it",
                namespace.name
            )));
        }
    }
    let limit = entries
        .iter()
        .map(|entry| entry.max_accounts)
        .max()
        .unwrap_or(0);
    if position >= limit as usize {
        return Err(Denied(format!(
            "OktaIssuer {issuer_name} allows {limit} accounts in namespace {} (maxAccounts), and older ones use them up",
            namespace.name
        )));
    }
    Ok(())
}

/// How many of an issuer's accounts that hold a token lost their permission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Accounts that hold a token and are no longer permitted.
    pub denied: usize,
    /// Accounts that hold a token.
    pub holding: usize,
}

impl Census {
    /// Whether that many at once is held back until somebody confirms it: more
    /// than ten, and more than a tenth of all, is more likely a slip than a
    /// wish. `confirmed` is how many removals were confirmed.
    #[must_use]
    pub fn holds_back(self, confirmed: Option<usize>) -> bool {
        self.denied > 10.max(self.holding / 10) && confirmed.is_none_or(|n| n < self.denied)
    }
}

/// Whether an account that lost its permission keeps what it has until somebody
/// confirms the loss of so many. Nothing new is given: only an account whose
/// token carries exactly the `groups` that it asks for stays as it is.
#[must_use]
pub fn keeps_what_it_has(
    published: Option<&[String]>,
    groups: &[String],
    census: Census,
    confirmed: Option<usize>,
) -> bool {
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    published.is_some_and(|published| set(published) == set(groups)) && census.holds_back(confirmed)
}

fn matches(entry: &AllowEntry, namespace: &Namespace<'_>) -> bool {
    entry
        .namespaces
        .iter()
        .flatten()
        .any(|name| name == namespace.name)
        || entry
            .namespace_selector
            .as_ref()
            .is_some_and(|s| selects(s, namespace.labels))
}

/// An empty selector selects everything, as everywhere in Kubernetes; one that
/// cannot be parsed selects nothing.
fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

fn covers(pattern: &str, group: &str, admin: bool) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => !admin && group.starts_with(prefix),
        None => pattern == group,
    }
}

/// By the map if there is one, else by name: then Neo4j takes a group for the
/// role of that name.
fn reaches_admin(spec: &OktaIssuerSpec, group: &str) -> bool {
    let map = &spec.neo4j.group_to_role;
    if map.is_empty() {
        return group.eq_ignore_ascii_case(ADMIN_ROLE);
    }
    map.get(group)
        .is_some_and(|roles| roles.iter().any(|r| r.eq_ignore_ascii_case(ADMIN_ROLE)))
}

#[cfg(test)]
#[path = "allow_tests.rs"]
mod tests;
