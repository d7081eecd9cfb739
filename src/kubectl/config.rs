//! `config`: the settings with which Neo4j trusts the tokens of issuers, ready to
//! be put where Neo4j reads them. Needs `get` on the issuers that are named, or
//! `list` for all of them. Changes nothing, in the cluster or in Neo4j.

use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::cli::{self, Form};
use super::failure::{Failure, refused};
use super::session::{Session, out};
use crate::api::OktaIssuer;
use crate::neo4j::{Format, Provider, render};

impl From<Form> for Format {
    fn from(form: Form) -> Self {
        match form {
            Form::Conf => Self::Conf,
            Form::Env => Self::Env,
            Form::Helm => Self::Helm,
            Form::Cypher => Self::Cypher,
            Form::Aura => Self::Aura,
        }
    }
}

pub(super) async fn run(session: &Session, arguments: &cli::Config) -> Result<u8, Failure> {
    let issuers = fetch(session, &arguments.issuers).await?;
    out(&settings(arguments.format, &issuers)?)?;
    Ok(0)
}

async fn fetch(session: &Session, names: &[String]) -> Result<Vec<OktaIssuer>, Failure> {
    let api: Api<OktaIssuer> = Api::all(session.client.clone());
    if names.is_empty() {
        let list = api.list(&ListParams::default()).await;
        let mut all = list.map_err(|e| refused("OktaIssuers", &e))?.items;
        all.sort_by_key(ResourceExt::name_any);
        return Ok(all);
    }
    let mut found = Vec::new();
    for name in names {
        let issuer = api.get(name).await;
        found.push(issuer.map_err(|e| refused(&format!("OktaIssuer {name}"), &e))?);
    }
    Ok(found)
}

/// The settings for these issuers, side by side. Pure.
fn settings(form: Form, issuers: &[OktaIssuer]) -> Result<String, Failure> {
    let providers: Result<Vec<Provider>, _> = issuers.iter().map(Provider::new).collect();
    providers
        .and_then(|providers| render(form.into(), &providers))
        .map_err(|refused| Failure::told(refused.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use serde_json::json;

    use super::super::snapshots::{issuer, snapshot};
    use super::*;

    fn two() -> [OktaIssuer; 2] {
        let default = issuer("default", |spec| {
            spec["neo4j"] = json!({ "groupToRole": {
                "neo4j_reader": ["reader"], "neo4j_publisher": ["publisher", "etl_ops"],
            } });
        });
        let mut partner = issuer("partner", |spec| {
            spec["neo4j"] = json!({ "provider": "partner" });
        });
        let status = partner.status.as_mut().unwrap();
        status.issuer = Some("https://partner.okta.com/oauth2/aus2".to_owned());
        [default, partner]
    }

    #[test]
    fn two_issuers_stand_side_by_side_in_each_form() {
        for form in Form::value_variants() {
            let text = settings(*form, &two()).unwrap();
            let file = Format::from(*form).file();
            snapshot(&format!("config-{file}"), &text);
        }
    }

    #[test]
    fn what_cannot_be_written_is_a_failure_in_words() {
        let mut unseen = issuer("default", |_| ());
        unseen.status = None;
        let Err(Failure::Told(words)) = settings(Form::Conf, &[unseen]) else {
            panic!("told");
        };
        assert!(words.contains("is not known yet"), "{words}");
        let [default, _] = two();
        let mut twin = issuer("twin", |_| ());
        twin.status.as_mut().unwrap().audience = Some("other".to_owned());
        assert!(settings(Form::Conf, &[default, twin]).is_err());
        assert!(settings(Form::Conf, &[]).is_err());
    }
}
