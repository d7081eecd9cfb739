//! Neo4j's settings for one or more providers, in five forms: `neo4j.conf`, the
//! environment of the Docker image, values of the official Helm chart, Cypher for
//! the roles, and what to type into Aura's console. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::provider::{Provider, Refused, side_by_side};

/// What reads the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `neo4j.conf`.
    Conf,
    /// Environment variables of the Docker image, one a line.
    Env,
    /// Values of the chart `neo4j/neo4j`.
    Helm,
    /// Cypher that creates the roles.
    Cypher,
    /// The fields of Aura's console.
    Aura,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Conf, Self::Env, Self::Helm, Self::Cypher, Self::Aura];

    /// The name of a file that holds it.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Conf => "neo4j.conf",
            Self::Env => "neo4j.env",
            Self::Helm => "values.yaml",
            Self::Cypher => "roles.cypher",
            Self::Aura => "aura.txt",
        }
    }
}

/// Writes the settings for these providers, side by side.
///
/// # Errors
///
/// When the providers contradict each other, or a name does not fit the format.
pub fn render(format: Format, providers: &[Provider]) -> Result<String, Refused> {
    let providers = side_by_side(providers)?;
    match format {
        Format::Conf => Ok(conf(&providers)),
        Format::Env => env(&providers),
        Format::Helm => Ok(helm(&providers)),
        Format::Cypher => Ok(cypher(&providers)),
        Format::Aura => Ok(aura(&providers)),
    }
}

type Settings = Vec<(String, String)>;

/// The two settings that only a restart changes.
fn realms(providers: &[Provider]) -> Settings {
    // Native users come last: so a person can still get in when Okta is away.
    let names: Vec<String> = providers.iter().map(Provider::realm).collect();
    let value = format!("{},native", names.join(","));
    ["authentication", "authorization"]
        .map(|of| (format!("dbms.security.{of}_providers"), value.clone()))
        .to_vec()
}

/// What Neo4j takes on while it runs.
fn provider(provider: &Provider) -> Settings {
    let key = |of: &str| format!("dbms.security.oidc.{}.{of}", provider.name);
    let mut settings = vec![
        (key("display_name"), format!("Okta ({})", provider.of)),
        (key("well_known_discovery_uri"), provider.discovery_uri()),
        (key("audience"), provider.audience.clone()),
        (key("claims.username"), "sub".to_owned()),
        (key("claims.groups"), provider.groups_claim.clone()),
    ];
    if !provider.groups.is_empty() {
        settings.push((
            key("authorization.group_to_role_mapping"),
            mapping(provider),
        ));
    }
    settings
}

fn mapping(provider: &Provider) -> String {
    let entries = provider.groups.iter();
    let entries: Vec<String> = entries
        .map(|(group, roles)| format!("\"{group}\"={}", roles.join(",")))
        .collect();
    entries.join(";")
}

fn all(providers: &[Provider]) -> Settings {
    let each = providers.iter().flat_map(provider);
    realms(providers).into_iter().chain(each).collect()
}

/// Comment lines for people; each begins with `mark`.
fn head(mark: &str, providers: &[Provider], how: &str) -> String {
    let mut text = String::new();
    for provider in providers {
        let _ = writeln!(
            text,
            "{mark} Neo4j trusts the tokens of OktaIssuer {}: {}",
            provider.of, provider.issuer
        );
    }
    for line in how.lines() {
        let _ = writeln!(text, "{mark} {line}");
    }
    text
}

const RESTART: &str = "The two *_providers settings need a restart; if they name other providers already, keep those.";

fn conf(providers: &[Provider]) -> String {
    let mut text = head("#", providers, RESTART);
    for (key, value) in all(providers) {
        let _ = writeln!(text, "{key}={value}");
    }
    text
}

/// The image writes each variable into `neo4j.conf`, with `_` for `.` and `__`
/// for `_`.
fn env(providers: &[Provider]) -> Result<String, Refused> {
    if let Some(hyphened) = providers.iter().find(|p| p.name.contains('-')) {
        return Err(Refused::NoVariable(
            hyphened.of.clone(),
            hyphened.name.clone(),
        ));
    }
    let mut text = head("#", providers, RESTART);
    for (key, value) in all(providers) {
        let name = key.replace('_', "__").replace('.', "_");
        let _ = writeln!(text, "NEO4J_{name}={value}");
    }
    Ok(text)
}

fn helm(providers: &[Provider]) -> String {
    let how = format!(
        "For the chart neo4j/neo4j, beside neo4j.acceptLicenseAgreement and the rest of your values.\n{RESTART}"
    );
    let mut text = head("#", providers, &how);
    text.push_str("neo4j:\n  edition: enterprise\nconfig:\n");
    for (key, value) in all(providers) {
        // Printable ASCII without backslashes: what JSON quotes, YAML reads.
        let value = value.replace('"', "\\\"");
        let _ = writeln!(text, "  {key}: \"{value}\"");
    }
    text
}

fn cypher(providers: &[Provider]) -> String {
    let mut text = head(
        "//",
        providers,
        "Run against the system database as an administrator. New roles may do nothing: GRANT them what they need.",
    );
    let roles: BTreeSet<&String> = providers.iter().flat_map(|p| &p.roles).collect();
    if roles.is_empty() {
        text.push_str("// Neo4j has every role that the groups are known to lead to.\n");
    }
    for role in roles {
        let _ = writeln!(text, "CREATE ROLE `{role}` IF NOT EXISTS;");
    }
    for prefix in providers.iter().flat_map(|p| &p.prefixes) {
        let _ = writeln!(
            text,
            "// Accounts may also ask for groups that begin with {prefix:?}: each is the role of its name, and has to exist."
        );
    }
    for group in providers.iter().flat_map(|p| &p.roleless) {
        let _ = writeln!(
            text,
            "// No role can be called {group:?}: say in spec.neo4j.groupToRole what the group leads to."
        );
    }
    text
}

fn aura(providers: &[Provider]) -> String {
    let how = "Aura's console: Organization settings, Security, Single Sign-On, New configuration,\n\"Use as login method for instances\". Aura also asks for the id and secret of a web\napplication at Okta, through which people log in: the accounts' apps are none.";
    let mut text = head("#", providers, how);
    for provider in providers {
        let _ = writeln!(
            text,
            "IdP Type: Okta\nDiscovery URI: {}\nAudience: {}\nUsername claim: sub\nGroups claim: {}",
            provider.discovery_uri(),
            provider.audience,
            provider.groups_claim
        );
        if provider.groups.is_empty() {
            text.push_str("Role mapping: none, a group is the role of its name\n");
        }
        for (group, roles) in &provider.groups {
            let _ = writeln!(text, "Role mapping: {group} -> {}", roles.join(","));
        }
    }
    text
}
