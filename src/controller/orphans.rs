//! Looks once a day through an org's apps for those of this installation whose
//! account is gone, takes groups and admission from them, notes them, and deletes
//! them when an annotation on an issuer says how many. `plan::orphans` decides.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use serde_json::json;
use url::Url;

use super::context::Context;
use super::leftovers::{self, Leftover};
use crate::api::{Neo4jServiceAccount, OktaIssuer, names as n};
use crate::okta::budget::Turn;
use crate::okta::{Class, Error, Org};
use crate::plan::lane::Lane;
use crate::plan::orphans::{Found, Orphan, holds_back, stripped};
use crate::plan::schedule;
use crate::sync::lock;

const ROUND: Duration = Duration::from_secs(24 * 3600);
/// After a start the urgent things come first.
const FIRST: Duration = Duration::from_secs(600);

/// When each org was looked through.
#[derive(Debug, Default)]
pub(super) struct Rounds(Mutex<HashMap<String, Round>>);

#[derive(Clone, Debug)]
struct Round {
    next: Timestamp,
    /// What each issuer's annotation said when it was last acted on.
    told: HashMap<String, usize>,
    found: Found,
    /// How far a look has come that the rate limit has ended.
    search: Search,
}

/// A look through an org's apps, page by page.
#[derive(Clone, Debug, Default)]
struct Search {
    /// Where it goes on; `None` at the beginning.
    page: Option<Url>,
    /// All pages were read.
    read: bool,
    candidates: Vec<Orphan>,
    /// Orphans that were dealt with, by app id.
    done: BTreeSet<String>,
}

/// Looks if it is time, whichever issuer of the org asks. Returns when it is
/// time again.
pub(super) async fn look(object: &OktaIssuer, org: &Org, ctx: &Context) -> Timestamp {
    let now = ctx.now();
    let (host, name) = (org.host(), object.name_any());
    let number = |key| object.annotations().get(key).and_then(|v| v.parse().ok());
    let told: Option<usize> = number(n::ANNOTATION_DELETE_ORPHANS);
    let looked = {
        let mut rounds = lock(&ctx.orphans.0);
        let round = rounds.entry(host.clone()).or_insert_with(|| Round {
            next: schedule::after(now, FIRST),
            told: HashMap::new(),
            found: Found::default(),
            search: Search::default(),
        });
        let newly_told = told.filter(|told| round.told.get(&name) != Some(told));
        if told.is_none() {
            round.told.remove(&name);
        }
        // Further off only when the clock was ahead and was set right.
        let waits = now < round.next && round.next <= schedule::after(now, ROUND);
        if ctx.settings.fence.pass().is_err() {
            return round.next.max(now);
        }
        if waits && newly_told.is_none() {
            Err(round.next.max(now))
        } else {
            round.next = schedule::after(now, ROUND);
            round.told.extend(told.map(|told| (name.clone(), told)));
            Ok((std::mem::take(&mut round.search), newly_told))
        }
    };
    let (mut search, newly_told) = match looked {
        Ok(looked) => looked,
        Err(next) => {
            // Acted on before: it could not be taken away then, or is only still cached.
            if told.is_some() {
                answered(object, ctx).await;
            }
            return next;
        }
    };
    let confirmed = number(n::ANNOTATION_CONFIRM_REMOVALS);
    match through(object, org, newly_told, confirmed, &mut search, ctx).await {
        Ok(found) => {
            if newly_told.is_some() {
                answered(object, ctx).await;
            }
            ctx.settings.metrics.orphans(&host, found.orphans);
            let mut rounds = lock(&ctx.orphans.0);
            if let Some(round) = rounds.get_mut(&host) {
                round.found = found;
            }
        }
        Err(error) => {
            tracing::debug!(host, %error, "the look for orphans did not come to its end");
            if let Some(round) = lock(&ctx.orphans.0).get_mut(&host) {
                // It goes on where it was.
                round.next = match error.class {
                    Class::RateLimited { until, .. } => until,
                    _ => schedule::after(now, FIRST),
                };
                round.search = search;
                round.told.remove(&name);
            }
        }
    }
    let rounds = lock(&ctx.orphans.0);
    rounds.get(&host).map_or(Timestamp::MAX, |round| round.next)
}

/// Takes the annotation away once it was acted on: the same number must not delete
/// others later. Only while it says what was acted on, whatever else of the issuer
/// was written meanwhile, such as its status.
async fn answered(object: &OktaIssuer, ctx: &Context) {
    let told = object.annotations().get(n::ANNOTATION_DELETE_ORPHANS);
    let key = n::ANNOTATION_DELETE_ORPHANS.replace('/', "~1");
    let path = format!("/metadata/annotations/{key}");
    let patch = json!([
        { "op": "test", "path": path, "value": told },
        { "op": "remove", "path": path },
    ]);
    let api: Api<OktaIssuer> = Api::all(ctx.client.clone());
    let params = PatchParams {
        field_manager: Some(n::OPERATOR.to_owned()),
        ..PatchParams::default()
    };
    let removed = match serde_json::from_value(patch) {
        Ok(patch) => {
            let patch: Patch<()> = Patch::Json(patch);
            api.patch_metadata(&object.name_any(), &params, &patch)
                .await
        }
        Err(error) => Err(kube::Error::SerdeError(error)),
    };
    if let Err(error) = removed {
        tracing::debug!(issuer = object.name_any(), %error, "the annotation stays");
    }
}

async fn through(
    object: &OktaIssuer,
    org: &Org,
    told: Option<usize>,
    confirmed: Option<usize>,
    search: &mut Search,
    ctx: &Context,
) -> Result<Found, Error> {
    let turn = Turn::of_operator(Lane::Drift, format!("orphans/{}", org.host()));
    while !search.read {
        let (apps, next) = org.page_of_apps(search.page.clone(), &turn).await?;
        let ours = apps
            .iter()
            .filter_map(|app| Orphan::read(app, &ctx.installation));
        search.candidates.extend(ours.filter(|o| !cached(o, ctx)));
        search.read = next.is_none();
        search.page = next;
    }
    let mut orphans = Vec::new();
    for candidate in &search.candidates {
        if gone(candidate, ctx).await? {
            orphans.push(candidate.clone());
        }
    }
    let held = holds_back(orphans.len(), ctx.stores.accounts.len(), confirmed);
    let delete = !orphans.is_empty() && told == Some(orphans.len());
    for orphan in &orphans {
        if search.done.contains(&orphan.app_id) {
            continue;
        }
        let leftover = Leftover {
            org_url: object.spec.org_url.clone(),
            client_id: Some(orphan.client_id.clone()),
            account: format!("{}/{}", orphan.marker.namespace, orphan.marker.name),
            why: "orphan",
            since: ctx.now(),
        };
        leftovers::note(ctx, &orphan.app_id, &leftover).await;
        if held && !delete {
            continue;
        }
        ctx.issuers.leave(&object.spec.org_url, &orphan.client_id);
        let ours = take_groups(object, org, orphan, &turn, ctx).await?;
        if delete && ours && ctx.settings.fence.pass().is_ok() {
            org.deactivate_app(&orphan.app_id, &turn).await?;
            org.delete_app(&orphan.app_id, &turn).await?;
            tracing::warn!(
                app = orphan.app_id,
                client_id = orphan.client_id,
                "deleted an orphan, as told"
            );
            leftovers::forget(ctx, &orphan.app_id).await;
        }
        search.done.insert(orphan.app_id.clone());
    }
    Ok(Found {
        orphans: if delete { 0 } else { orphans.len() },
        held: held && !delete,
    })
}

/// What the last look at the org of this host found.
pub(super) fn found(host: &str, ctx: &Context) -> Found {
    let rounds = lock(&ctx.orphans.0);
    rounds
        .get(host)
        .map_or_else(Found::default, |round| round.found)
}

/// The account is in the cache.
fn cached(orphan: &Orphan, ctx: &Context) -> bool {
    let marker = &orphan.marker;
    let account = ctx
        .stores
        .accounts
        .get(&ObjectRef::new(&marker.name).within(&marker.namespace));
    account.is_some_and(|a| a.uid().as_deref() == Some(marker.uid.as_str()))
}

/// The API server says that there is no such account, past all caches.
async fn gone(orphan: &Orphan, ctx: &Context) -> Result<bool, Error> {
    let marker = &orphan.marker;
    let api: Api<Neo4jServiceAccount> = Api::namespaced(ctx.client.clone(), &marker.namespace);
    let account = api
        .get_metadata_opt(&marker.name)
        .await
        .map_err(|error| Error {
            class: Class::Transient,
            message: format!(
                "account {}/{} could not be looked up: {error}",
                marker.namespace, marker.name
            ),
            request_id: None,
        })?;
    Ok(account.is_none_or(|a| a.uid().as_deref() != Some(marker.uid.as_str())))
}

/// GET–merge–PUT, and only while the app bears the marker that was judged.
async fn take_groups(
    object: &OktaIssuer,
    org: &Org,
    orphan: &Orphan,
    turn: &Turn,
    ctx: &Context,
) -> Result<bool, Error> {
    let Some(app) = org.read_app(&orphan.app_id, turn).await? else {
        return Ok(false);
    };
    // Which issuer the app was for is not written on it.
    let of_org = |issuer: &OktaIssuer| issuer.spec.org_url == object.spec.org_url;
    let issuers = ctx.stores.issuers.state_filter(of_org);
    let attributes: BTreeSet<&str> = issuers
        .iter()
        .map(AsRef::as_ref)
        .chain([object])
        .map(|issuer| issuer.spec.authorization_server.profile_attribute.as_str())
        .collect();
    let same = crate::plan::app::read_marker(&app).is_some_and(|m| m.uid == orphan.marker.uid);
    if let Some(body) = stripped(&app, &attributes).filter(|_| same) {
        org.replace_app(&orphan.app_id, body, turn).await?;
        tracing::warn!(
            app = orphan.app_id,
            client_id = orphan.client_id,
            "took the groups from an orphan"
        );
    }
    Ok(same)
}
