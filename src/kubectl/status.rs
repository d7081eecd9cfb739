//! `status`: fetches accounts and shows them, once or at each change. Needs `get`
//! and `list` on accounts, and `watch` for `--watch`.

use std::collections::HashMap;
use std::pin::pin;

use futures::StreamExt as _;
use kube::api::ListParams;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};

use super::cli::{Status, TableOutput};
use super::failure::{Failure, refused};
use super::pace;
use super::render::{Columns, detail};
use super::session::{Session, json, out, yaml};
use super::style::{Cell, Tone, line, table, widths};
use super::view::View;
use crate::api::Neo4jServiceAccount;

pub(super) async fn run(session: &Session, arguments: &Status) -> Result<u8, Failure> {
    let api: Api<Neo4jServiceAccount> = match arguments.all_namespaces {
        true => Api::all(session.client.clone()),
        false => session.accounts(),
    };
    let found = fetch(session, &api, arguments).await?;
    let shown = Shown {
        session,
        output: arguments.output,
        columns: Columns {
            namespaces: arguments.all_namespaces,
            wide: arguments.output == TableOutput::Wide,
        },
        one: arguments.names.len() == 1,
    };
    if found.is_empty() && !arguments.watch {
        eprintln!("{}", nothing(session, arguments));
        if matches!(arguments.output, TableOutput::Table | TableOutput::Wide) {
            return Ok(0);
        }
    }
    let foreseen = foreseen(session, &api, arguments, &found).await;
    let widths = shown.all(&found, &foreseen)?;
    if arguments.watch {
        changes(&shown, api, arguments, &found, &widths).await?;
    }
    Ok(0)
}

fn nothing(session: &Session, arguments: &Status) -> String {
    match arguments.all_namespaces {
        true => "No accounts found.".to_owned(),
        false => format!("No accounts found in namespace {}.", session.namespace),
    }
}

async fn fetch(
    session: &Session,
    api: &Api<Neo4jServiceAccount>,
    arguments: &Status,
) -> Result<Vec<Neo4jServiceAccount>, Failure> {
    if arguments.names.is_empty() {
        let mut parameters = ListParams::default();
        parameters.label_selector.clone_from(&arguments.selector);
        let list = api.list(&parameters).await;
        return list
            .map(|list| list.items)
            .map_err(|e| refused("Neo4jServiceAccounts", &e));
    }
    let mut found = Vec::new();
    for name in &arguments.names {
        let account = api.get(name).await;
        found.push(account.map_err(|e| refused(&session.account(name), &e))?);
    }
    Ok(found)
}

/// When those that wait have their turn. Of one account alone there is no pace, so
/// those of its namespace are looked at, as far as that is allowed.
async fn foreseen(
    session: &Session,
    api: &Api<Neo4jServiceAccount>,
    arguments: &Status,
    found: &[Neo4jServiceAccount],
) -> HashMap<(String, String), i64> {
    let now = session.clock.now();
    if !found.iter().any(pace::waits) {
        return HashMap::new();
    }
    let all = arguments.names.is_empty() && arguments.selector.is_none();
    let list = match all {
        true => None,
        false => api.list(&ListParams::default()).await.ok(),
    };
    list.map_or_else(
        || pace::foresee(found, now),
        |list| pace::foresee(&list.items, now),
    )
}

struct Shown<'a> {
    session: &'a Session,
    output: TableOutput,
    columns: Columns,
    one: bool,
}

impl Shown<'_> {
    /// Shows what was found; tells how wide the columns are.
    fn all(
        &self,
        found: &[Neo4jServiceAccount],
        foreseen: &HashMap<(String, String), i64>,
    ) -> Result<Vec<usize>, Failure> {
        let (style, now) = (self.session.style, self.session.clock.now());
        let view = |object| {
            let view = View::of(object, now);
            let turn = foreseen.get(&(view.namespace.clone(), view.name.clone()));
            View {
                seconds_to_turn: turn.copied(),
                ..view
            }
        };
        let views: Vec<View> = found.iter().map(view).collect();
        let header = self.columns.header();
        let rows: Vec<Vec<Cell>> = views
            .iter()
            .map(|view| self.columns.row(view, style))
            .collect();
        let text = match (self.output, views.as_slice()) {
            (TableOutput::Table, [view]) if self.one => detail(view, style),
            (TableOutput::Table | TableOutput::Wide, _) => table(style, &header, &rows),
            (TableOutput::Json, [view]) if self.one => json(view)?,
            (TableOutput::Json, views) => json(&views)?,
            (TableOutput::Yaml, [view]) if self.one => yaml(view)?,
            (TableOutput::Yaml, views) => yaml(&views)?,
        };
        out(&text)?;
        Ok(widths(&header, &rows))
    }

    /// Shows one that has changed.
    fn change(
        &self,
        object: &Neo4jServiceAccount,
        gone: bool,
        widths: &[usize],
    ) -> Result<(), Failure> {
        let style = self.session.style;
        let view = View::of(object, self.session.clock.now());
        out(&match self.output {
            TableOutput::Json => json(&view)?,
            TableOutput::Yaml => format!("---\n{}", yaml(&view)?),
            TableOutput::Table | TableOutput::Wide => {
                let mut row = self.columns.row(&view, style);
                if gone {
                    row[usize::from(self.columns.namespaces) + 1] =
                        Cell(Tone::Dim, "Gone".to_owned());
                }
                line(style, widths, &row)
            }
        })
    }
}

async fn changes(
    shown: &Shown<'_>,
    api: Api<Neo4jServiceAccount>,
    arguments: &Status,
    found: &[Neo4jServiceAccount],
    widths: &[usize],
) -> Result<(), Failure> {
    let version = |object: &Neo4jServiceAccount| object.resource_version().unwrap_or_default();
    let key = |object: &Neo4jServiceAccount| (object.namespace(), object.name_any());
    let mut seen: HashMap<_, _> = found.iter().map(|o| (key(o), version(o))).collect();
    let mut config = watcher::Config::default();
    config.label_selector.clone_from(&arguments.selector);
    let mut events = pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        let (object, gone) = match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => (object, false),
            Ok(Event::Delete(object)) => (object, true),
            Ok(Event::Init | Event::InitDone) => continue,
            // A watch ends now and then, and the next one begins; a right that is
            // missing does not come back.
            Err(
                watcher::Error::WatchStartFailed(error) | watcher::Error::InitialListFailed(error),
            ) if matches!(error, kube::Error::Api(_)) => {
                return Err(refused("Neo4jServiceAccounts", &error));
            }
            Err(_) => continue,
        };
        let named = arguments.names.is_empty() || arguments.names.contains(&object.name_any());
        let known = seen.insert(key(&object), version(&object)) == Some(version(&object));
        if named && (gone || !known) {
            shown.change(&object, gone, widths)?;
        }
    }
    Ok(())
}
