//! `orphans`: the apps that are left at Okta and have no account, as the operator
//! notes them, and the order to delete them. Needs `get` on ConfigMaps in the
//! operator's namespace, and `patch` on issuers for `--delete`.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::cli::{self, MANAGER};
use super::failure::{Failure, refused};
use super::session::{Session, out, show};
use super::style::{Cell, Style, table};
use crate::api::conditions::{READY, Reason};
use crate::api::{OktaIssuer, names as n};
use crate::controller::LEFTOVERS;

const LOOK: Duration = Duration::from_millis(500);

/// An app that is left.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Left {
    #[serde(default)]
    app_id: String,
    org_url: String,
    #[serde(default)]
    client_id: Option<String>,
    account: String,
    why: String,
    since: Timestamp,
}

pub(super) async fn run(session: &Session, arguments: &cli::Orphans) -> Result<u8, Failure> {
    if let Some(number) = arguments.delete {
        return delete(session, arguments, number).await;
    }
    let left = fetch(session, &arguments.operator.operator_namespace).await?;
    show(arguments.output, &left, || text(&left, session.style))?;
    Ok(0)
}

async fn fetch(session: &Session, namespace: &str) -> Result<Vec<Left>, Failure> {
    let api: Api<ConfigMap> = Api::namespaced(session.client.clone(), namespace);
    let map = api.get_opt(LEFTOVERS).await;
    let map = map.map_err(|e| refused(&format!("ConfigMap {namespace}/{LEFTOVERS}"), &e))?;
    Ok(read(map.unwrap_or_default()))
}

/// The notes, the oldest first. What cannot be read is left out.
fn read(map: ConfigMap) -> Vec<Left> {
    let notes = map.data.unwrap_or_default().into_iter();
    let mut left: Vec<Left> = notes
        .filter_map(|(app_id, note)| {
            let left: Left = serde_json::from_str(&note).ok()?;
            Some(Left { app_id, ..left })
        })
        .collect();
    left.sort_by(|a, b| (a.since, &a.app_id).cmp(&(b.since, &b.app_id)));
    left
}

fn text(left: &[Left], style: Style) -> String {
    if left.is_empty() {
        return "No app is left at Okta without an account.\n".to_owned();
    }
    let header = ["APP-ID", "CLIENT-ID", "ACCOUNT", "WHY", "SINCE", "ORG"];
    let row = |left: &Left| {
        let client_id = left.client_id.as_deref().unwrap_or("-");
        let since = left.since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let cells = [
            &left.app_id,
            client_id,
            &left.account,
            &left.why,
            &since,
            &left.org_url,
        ];
        cells.into_iter().map(Cell::plain).collect()
    };
    let rows: Vec<Vec<Cell>> = left.iter().map(row).collect();
    table(style, &header, &rows)
}

/// Sets the annotation and waits until the operator has acted on it, which it shows
/// by taking it away.
async fn delete(session: &Session, arguments: &cli::Orphans, number: u32) -> Result<u8, Failure> {
    let name = &arguments.issuer;
    let what = format!("OktaIssuer {name}");
    let api: Api<OktaIssuer> = Api::all(session.client.clone());
    let annotate = json!({ "metadata": { "annotations": {
        n::ANNOTATION_DELETE_ORPHANS: number.to_string(),
    } } });
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patched = api.patch(name, &parameters, &Patch::Merge(&annotate)).await;
    patched.map_err(|e| refused(&what, &e))?;
    let answered = async {
        loop {
            let issuer = api.get(name).await.map_err(|e| refused(&what, &e))?;
            if !issuer
                .annotations()
                .contains_key(n::ANNOTATION_DELETE_ORPHANS)
            {
                return Ok::<_, Failure>(issuer);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let Ok(answered) = tokio::time::timeout(arguments.timeout, answered).await else {
        return Err(Failure::told(format!(
            "{what}: asked for, and not answered in time; the operator tries again by itself, and kubectl neo4jsa doctor {name} tells what is in the way"
        )));
    };
    let issuer = answered?;
    let namespace = &arguments.operator.operator_namespace;
    let org = &issuer.spec.org_url;
    let orphan = |left: &&Left| left.why == "orphan" && left.org_url == *org;
    let left = fetch(session, namespace).await?;
    match left.iter().filter(orphan).count() {
        0 => {
            out(&format!(
                "{number} apps without an account are deleted at {org}\n"
            ))?;
            Ok(0)
        }
        found => Err(Failure::told(format!(
            "{what}: nothing was deleted, because the operator did not find {number} orphans; {found} are noted{}",
            said(&issuer)
        ))),
    }
}

fn said(issuer: &OktaIssuer) -> String {
    let status = issuer.status.clone().unwrap_or_default();
    let orphaned = |c: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        c.type_ == READY && c.reason == Reason::OrphanedApps.as_str()
    };
    let ready = status.conditions.iter().find(orphaned);
    ready.map_or_else(String::new, |c| format!(": {}", c.message))
}

#[cfg(test)]
mod tests {
    use super::super::snapshots::{now, snapshot};
    use super::*;
    use crate::controller::Leftover;

    #[test]
    fn what_the_operator_notes_is_read_and_shown() {
        let note = |client_id: Option<&str>, why| {
            let leftover = Leftover {
                org_url: "https://acme.okta.com".to_owned(),
                client_id: client_id.map(str::to_owned),
                account: "payments/etl".to_owned(),
                why,
                since: now(),
            };
            serde_json::to_string(&leftover).unwrap()
        };
        let data = [
            ("0oa2".to_owned(), note(None, "abandoned")),
            (
                "0oa1".to_owned(),
                note(Some("prod.payments.etl.1"), "orphan"),
            ),
            ("0oa3".to_owned(), "not a note".to_owned()),
        ];
        let map = ConfigMap {
            data: Some(data.into()),
            ..ConfigMap::default()
        };
        snapshot("orphans.txt", &text(&read(map), Style::plain(80)));
        assert!(text(&[], Style::plain(80)).starts_with("No app"));
    }
}
