//! An OIDC provider of Neo4j, from an issuer, with everything checked that its
//! settings will hold. Needs the issuer's status, because Okta decides on the
//! `iss`. Refuses names and values that mean something else in one of the forms
//! that they are written in.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use crate::api::{Neo4j, OktaIssuer};

/// Roles that each Neo4j has.
const BUILT_IN: [&str; 6] = [
    "PUBLIC",
    "admin",
    "architect",
    "editor",
    "publisher",
    "reader",
];

/// Why settings are not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Okta has not told the `iss` yet.
    #[error(
        "OktaIssuer {0}: its authorization server is not known yet; wait until AuthorizationServerReady is True"
    )]
    NotLooked(String),
    /// A value would be read as something else.
    #[error(
        "OktaIssuer {issuer}, {field}: {value:?} cannot be written into Neo4j's settings, because {why}; choose another"
    )]
    Unwritable {
        /// Of which issuer.
        issuer: String,
        /// In which field.
        field: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two issuers want the same provider to be different things.
    #[error(
        "OktaIssuers {0} and {1} describe Neo4j's provider {2} differently; give one of them another spec.neo4j.provider"
    )]
    SameName(String, String, String),
    /// Two providers would both answer for the same tokens.
    #[error(
        "OktaIssuers {0} and {1} have the same authorization server under two providers, and Neo4j could take either for a token; give both the same spec.neo4j.provider, audience and groupToRole"
    )]
    SameIssuer(String, String),
    /// A shell cannot hold the name of the variable.
    #[error(
        "OktaIssuer {0}, spec.neo4j.provider: {1} has a hyphen, which no environment variable may have; choose another name, or use neo4j.conf"
    )]
    NoVariable(String, String),
    /// There is nothing to write.
    #[error("there is no OktaIssuer to write settings for")]
    Nothing,
}

/// What Neo4j has to know about the tokens of one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The `OktaIssuer`.
    pub of: String,
    /// `<provider>` in `dbms.security.oidc.<provider>`.
    pub name: String,
    /// The `iss` of the tokens.
    pub issuer: String,
    /// Their `aud`.
    pub audience: String,
    /// The claim with the groups.
    pub groups_claim: String,
    /// From each group to its roles; empty means that a group is a role.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Roles that the settings refer to and Neo4j does not have by itself.
    pub roles: BTreeSet<String>,
    /// Beginnings of groups which may be asked for and whose roles are not known.
    pub prefixes: BTreeSet<String>,
    /// Groups which may be asked for and whose names no role can have.
    pub roleless: BTreeSet<String>,
}

impl Provider {
    /// From an issuer as it is in the cluster.
    ///
    /// # Errors
    ///
    /// When Okta has not been looked at yet, or a name cannot be written.
    pub fn new(object: &OktaIssuer) -> Result<Self, Refused> {
        let of = object.name_any();
        let status = object.status.as_ref();
        let told = status.and_then(|s| Some((s.issuer.clone()?, s.audience.clone()?)));
        let Some((issuer, audience)) = told else {
            return Err(Refused::NotLooked(of));
        };
        let spec = &object.spec;
        let (roles, prefixes) = roles(object);
        let mapped = !spec.neo4j.group_to_role.is_empty();
        // What stands in the map is refused below; a group of `allow` concerns the
        // roles alone.
        let (roles, roleless) = roles
            .into_iter()
            .partition(|role| mapped || unfit_role(role).is_none());
        let provider = Self {
            name: spec.neo4j.provider.clone(),
            groups_claim: spec.authorization_server.groups_claim.clone(),
            groups: spec.neo4j.group_to_role.clone(),
            of,
            issuer,
            audience,
            roles,
            prefixes,
            roleless,
        };
        provider.check()?;
        Ok(provider)
    }

    /// The provider as authentication and authorization providers name it.
    #[must_use]
    pub fn realm(&self) -> String {
        format!("oidc-{}", self.name)
    }

    /// Where Neo4j finds everything else.
    #[must_use]
    pub fn discovery_uri(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.issuer)
    }

    fn check(&self) -> Result<(), Refused> {
        let plain_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let checks = [
            (
                "spec.neo4j.provider",
                &self.name,
                wrong_unless(
                    !self.name.is_empty() && self.name.chars().all(plain_name),
                    "a provider has lower-case letters, digits and hyphens alone",
                ),
            ),
            ("status.issuer", &self.issuer, unfit(&self.issuer)),
            (
                "spec.authorizationServer.audience",
                &self.audience,
                unfit(&self.audience).or(wrong_unless(
                    !self.audience.contains(','),
                    "a comma separates audiences there",
                )),
            ),
            (
                "spec.authorizationServer.groupsClaim",
                &self.groups_claim,
                unfit(&self.groups_claim),
            ),
        ];
        for (field, value, why) in checks {
            self.refuse(field, value, why)?;
        }
        for (group, roles) in &self.groups {
            self.refuse("spec.neo4j.groupToRole", group, unfit_group(group))?;
            for role in roles {
                self.refuse("spec.neo4j.groupToRole", role, unfit_role(role))?;
            }
        }
        Ok(())
    }

    fn refuse(
        &self,
        field: &'static str,
        value: &str,
        why: Option<&'static str>,
    ) -> Result<(), Refused> {
        why.map_or(Ok(()), |why| {
            Err(Refused::Unwritable {
                issuer: self.of.clone(),
                field,
                value: value.to_owned(),
                why,
            })
        })
    }

    /// Whether one entry of the settings serves both.
    fn serves(&self, other: &Self) -> bool {
        self.issuer == other.issuer
            && self.audience == other.audience
            && self.groups_claim == other.groups_claim
            && self.groups == other.groups
    }
}

/// Providers side by side: those of issuers that describe the same one become one.
///
/// # Errors
///
/// When two of them contradict each other, or there is none.
pub(super) fn side_by_side(providers: &[Provider]) -> Result<Vec<Provider>, Refused> {
    let mut all: Vec<Provider> = Vec::new();
    for new in providers {
        let names = |known: &Provider| (known.of.clone(), new.of.clone());
        if let Some(known) = all.iter_mut().find(|known| known.name == new.name) {
            if !known.serves(new) {
                let (a, b) = names(known);
                return Err(Refused::SameName(a, b, new.name.clone()));
            }
            known.roles.extend(new.roles.iter().cloned());
            known.prefixes.extend(new.prefixes.iter().cloned());
            known.roleless.extend(new.roleless.iter().cloned());
        } else if let Some(known) = all.iter().find(|known| known.issuer == new.issuer) {
            let (a, b) = names(known);
            return Err(Refused::SameIssuer(a, b));
        } else {
            all.push(new.clone());
        }
    }
    if all.is_empty() {
        return Err(Refused::Nothing);
    }
    Ok(all)
}

/// Roles that have to be created, and beginnings of those that may have to be.
fn roles(object: &OktaIssuer) -> (BTreeSet<String>, BTreeSet<String>) {
    let Neo4j { group_to_role, .. } = &object.spec.neo4j;
    let (mut roles, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
    if group_to_role.is_empty() {
        // A group is the role of its name.
        for group in object.spec.allow.iter().flat_map(|entry| &entry.groups) {
            match group.strip_suffix('*') {
                Some(prefix) => prefixes.insert(prefix.to_owned()),
                None => roles.insert(group.clone()),
            };
        }
    } else {
        roles.extend(group_to_role.values().flatten().cloned());
    }
    roles.retain(|role| !BUILT_IN.contains(&role.as_str()));
    (roles, prefixes)
}

fn wrong_unless(right: bool, why: &'static str) -> Option<&'static str> {
    (!right).then_some(why)
}

/// A value must mean the same as a line of a properties file, as an environment
/// variable and as the content of a file, in which Neo4j's charts keep it.
fn unfit(value: &str) -> Option<&'static str> {
    if value.is_empty() || value.trim() != value {
        Some("it is empty, or begins or ends with a space, which is lost there")
    } else if !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        Some("it has characters that are not printable ASCII")
    } else if value.contains('\\') {
        Some("a backslash is an escape in neo4j.conf")
    } else if value.contains("$(") {
        Some("Neo4j takes what follows $( for a command to run")
    } else {
        None
    }
}

/// Groups stand between quotes, in a list that semicolons separate.
fn unfit_group(group: &str) -> Option<&'static str> {
    unfit(group).or_else(|| {
        wrong_unless(
            !group.contains(['"', '\'', ';', '=', ',']),
            "a group in group_to_role_mapping has no quotes, semicolons, commas or equals signs",
        )
    })
}

fn unfit_role(role: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    wrong_unless(
        !role.is_empty() && role.chars().all(plain),
        "a role has ASCII letters, digits and _ . - alone",
    )
}
