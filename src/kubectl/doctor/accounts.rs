//! The accounts that concern an issuer: how many there are and wait, who should be
//! let in, and the token of one of them. Needs `list` on accounts in all
//! namespaces, and `get` on the token's Secret; without, it says so.

use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use url::Url;

use super::super::failure::refused;
use super::super::session::Session;
use super::super::token;
use super::cluster::words;
use super::found::{Accounts, Sample};
use crate::api::conditions::STALLED;
use crate::api::{Neo4jServiceAccount, OktaIssuer, RateLimit};
use crate::okta::limits::combined;

/// The issuers of the same org, the one that is looked at among them; that one
/// alone when the others may not be listed.
pub(super) async fn issuers(session: &Session, issuer: &OktaIssuer) -> Vec<OktaIssuer> {
    let api: Api<OktaIssuer> = Api::all(session.client.clone());
    let origin = |issuer: &OktaIssuer| {
        Url::parse(&issuer.spec.org_url)
            .map(|url| url.origin())
            .ok()
    };
    match api.list(&ListParams::default()).await {
        Ok(mut list) => {
            list.items.retain(|other| origin(other) == origin(issuer));
            list.items
        }
        Err(_) => vec![issuer.clone()],
    }
}

/// What all of them together take of the org's limits.
pub(super) fn share(issuers: &[OktaIssuer], issuer: &OktaIssuer) -> RateLimit {
    let all = issuers.iter().map(|issuer| issuer.spec.rate_limit);
    combined(all.chain([issuer.spec.rate_limit]))
}

/// All accounts that may be seen; in the namespace of the context when others may
/// not, and then why.
pub(super) async fn list(session: &Session) -> (Vec<Neo4jServiceAccount>, Result<(), String>) {
    let all: Api<Neo4jServiceAccount> = Api::all(session.client.clone());
    let why = match all.list(&ListParams::default()).await {
        Ok(list) => return (list.items, Ok(())),
        Err(error) => words(refused("Neo4jServiceAccounts of all namespaces", &error)),
    };
    let own = session.accounts().list(&ListParams::default()).await;
    (own.map(|list| list.items).unwrap_or_default(), Err(why))
}

/// Counts them. Pure.
pub(super) fn count(
    accounts: &[Neo4jServiceAccount],
    issuers: &[OktaIssuer],
    name: &str,
) -> Accounts {
    let mut counted = Accounts::default();
    for account in accounts {
        let of = &account.spec.issuer_ref.name;
        if of != name && !issuers.iter().any(|issuer| issuer.name_any() == *of) {
            continue;
        }
        let status = account.status.clone().unwrap_or_default();
        let deleting = account.metadata.deletion_timestamp.is_some();
        let stalled = status
            .conditions
            .iter()
            .any(|c| c.type_ == STALLED && c.status == "True");
        let lives = !deleting && !stalled && !account.spec.suspended;
        counted.of_org += 1;
        counted.new += usize::from(lives && status.app_id.is_none());
        counted.leaving += usize::from(deleting && status.app_id.is_some());
        if of == name {
            counted.of_issuer += 1;
            counted.clients.extend(
                status
                    .client_id
                    .filter(|_| lives && status.app_id.is_some())
                    .map(|id| id.to_lowercase()),
            );
        }
    }
    counted
}

/// The account of the issuer whose token is the newest, and its client id. Pure.
pub(super) fn newest<'a>(
    accounts: &'a [Neo4jServiceAccount],
    name: &str,
    now: Timestamp,
) -> Option<(&'a Neo4jServiceAccount, &'a str)> {
    let alive = |account: &'a Neo4jServiceAccount| {
        let status = account.status.as_ref()?;
        let token = status.token.as_ref().filter(|t| t.expires_at.0 > now)?;
        Some((token.issued_at.0, account, status.client_id.as_deref()?))
    };
    accounts
        .iter()
        .filter(|account| account.spec.issuer_ref.name == name)
        .filter_map(alive)
        .max_by_key(|(issued_at, ..)| *issued_at)
        .map(|(_, account, client_id)| (account, client_id))
}

/// The token that such an account has out.
pub(super) async fn sample(
    session: &Session,
    newest: Option<(&Neo4jServiceAccount, &str)>,
) -> Sample {
    let Some((account, client_id)) = newest else {
        return Sample::None;
    };
    let there = Session {
        namespace: account.namespace().unwrap_or_default(),
        ..session.clone()
    };
    match token::fetch(&there, account).await {
        Ok((_, token)) => Sample::Read {
            account: format!("{}/{}", there.namespace, account.name_any()),
            client_id: client_id.to_owned(),
            groups: account.spec.groups.iter().cloned().collect(),
            token,
        },
        Err(failure) => Sample::Unread(words(failure)),
    }
}
