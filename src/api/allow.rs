//! `OktaIssuer.spec.allow`: which namespaces may ask for which groups.

#![allow(
    unreachable_pub,
    reason = "kube's derive repeats each struct inside a function"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Lets namespaces ask for groups. A namespace matches when it is listed or
/// selected.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.namespaces) != has(self.namespaceSelector)").message("must have exactly one of namespaces and namespaceSelector: split the entry in two, or add one"))]
pub struct AllowEntry {
    /// Names of namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 32),
        inner(
            length(min = 1, max = 63),
            regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
        )
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub namespaces: Option<Vec<String>>,

    /// Selects namespaces by label; an empty selector selects them all. Whoever
    /// may label a namespace may then grant the groups: prefer labels that only
    /// the platform sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,

    /// Groups: literal, or a literal prefix with one `*` at the end. A `*`
    /// never covers a group that leads to Neo4j's role `admin`; list it.
    #[schemars(
        length(min = 1, max = 32),
        inner(
            length(min = 1, max = 100),
            regex(pattern = "^[A-Za-z0-9_.:@/*-]([A-Za-z0-9_.:@/* -]*[A-Za-z0-9_.:@/*-])?$")
        )
    )]
    #[x_kube(merge_strategy = ListMerge::Set, validation = Rule::new("self.all(g, g.matches('^[^*]*[*]?$'))").message("must have '*' only as the last character of a group, such as neo4j_*: list the groups instead"))]
    pub groups: Vec<String>,

    /// How many accounts each of these namespaces may have; the oldest count
    /// first. 1 to 10000.
    #[serde(default = "default_max_accounts")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_accounts: u32,
}

fn default_max_accounts() -> u32 {
    100
}
