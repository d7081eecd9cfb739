//! Logs in to Neo4j as the account that ends sessions, and ends some. What is whose
//! is `neo4j::sessions`' to say.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::context::Context;
use super::report;
use super::sessions::{Done, Round};
use crate::api::conditions::Reason;
use crate::api::{OktaIssuer, names as n};
use crate::neo4j::login::Trouble;
use crate::neo4j::query_api::QueryApi;
use crate::neo4j::sessions::{Found, MOST, connections, names};
use crate::okta::connect;
use crate::plan::desired::{AccountName, token_name};

/// Whoever may see this is an administrator; and these users are not a provider's.
const NATIVE: &str = "SHOW USERS WITH AUTH YIELD user, provider WHERE provider = 'native' AND user IN $users RETURN user";
const CONNECTIONS: &str = "CALL dbms.listConnections() YIELD connectionId, username";
const KILL: &str = "CALL dbms.killConnections($ids) YIELD connectionId, username, message";
/// Transactions without a connection: those of the HTTP interfaces.
const TERMINATE: &str = "SHOW TRANSACTIONS YIELD transactionId AS id, username AS owner WHERE owner IN $users TERMINATE TRANSACTIONS id YIELD username, message RETURN username, message";

/// Makes the rounds at an issuer's servers, as the account named.
pub(super) async fn rounds(
    ctx: &Context,
    issuer: &OktaIssuer,
    name: &AccountName,
    rounds: Vec<Round>,
) -> Vec<Done> {
    let all_fail = |reason: Reason, message: &str| {
        let fail = |round: &Round| Done {
            url: round.url.clone(),
            ended: BTreeMap::new(),
            more: false,
            found: Err((reason, message.to_owned())),
        };
        rounds.iter().map(fail).collect()
    };
    let (user, token) = match log_in(ctx, name).await {
        Ok(found) => found,
        Err(message) => return all_fail(Reason::AdministratorNotReady, &message),
    };
    let http = match connect::client(issuer.spec.ca_bundle.as_deref()) {
        Ok(http) => http,
        Err(message) => return all_fail(Reason::Neo4jUnreachable, &message),
    };
    let each = rounds.iter().map(|round| {
        let api = QueryApi {
            http: &http,
            base: &round.url,
            token: &token,
        };
        one(ctx, issuer, api, round, &user)
    });
    join_all(each).await
}

/// The account's user name and its token.
async fn log_in(ctx: &Context, name: &AccountName) -> Result<(String, SecretString), String> {
    let AccountName { namespace, name } = name;
    let what = format!("Neo4jServiceAccount {name} in namespace {namespace}");
    let known = ObjectRef::new(name).within(namespace);
    let Some(account) = ctx.stores.accounts.get(&known) else {
        return Err(format!(
            "spec.neo4j.endSessionsAs: there is no {what}; create it, with a group that leads to the role admin"
        ));
    };
    let status = account.status.clone().unwrap_or_default();
    let live = status.token.filter(|t| t.expires_at.0 > ctx.now());
    let (Some(user), Some(_)) = (status.client_id, live) else {
        return Err(format!(
            "spec.neo4j.endSessionsAs: {what} has no valid token; see kubectl describe n4jsa {name} -n {namespace}"
        ));
    };
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    let secret = secrets.get_opt(&token_name(&account)).await;
    let secret = secret.map_err(|error| format!("the token of {what} cannot be read: {error}"))?;
    let mut data = secret.and_then(|s| s.data).unwrap_or_default();
    let token = data.remove(n::KEY_TOKEN);
    let token = token.and_then(|bytes| String::from_utf8(bytes.0).ok());
    token
        .map(|token| (user, token.into()))
        .ok_or_else(|| format!("the token Secret of {what} is not there; it is written anew"))
}

async fn one(
    ctx: &Context,
    issuer: &OktaIssuer,
    api: QueryApi<'_>,
    round: &Round,
    own: &str,
) -> Done {
    let mut done = Done {
        url: round.url.clone(),
        ended: BTreeMap::new(),
        more: false,
        found: Ok(()),
    };
    if let Err(trouble) = end(&api, round, own, &mut done).await {
        done.found = found(&round.url, trouble);
    }
    let outcome = done
        .found
        .as_ref()
        .map_or_else(|e| e.0.as_str(), |()| "done");
    let ended: usize = done.ended.values().sum();
    ctx.settings.metrics.session_round(outcome, ended);
    for (user, count) in &done.ended {
        let words = format!("Ended {count} sessions of user {user} at {}", round.url);
        tracing::info!(issuer = issuer.name_any(), "{words}");
        report::issuer(ctx, issuer, true, Reason::SessionsEnded, words).await;
    }
    done
}

async fn end(api: &QueryApi<'_>, round: &Round, own: &str, done: &mut Done) -> Result<(), Trouble> {
    let asked = json!({ "users": round.users });
    let native = names(&api.run(NATIVE, &asked).await.rows?);
    let spared = |user: &&String| native.contains(*user) || *user == own;
    for user in round.users.iter().filter(spared) {
        tracing::warn!(
            user,
            "not ended, because it is a native user's name or the operator's own"
        );
    }
    let users = round.users.iter().filter(|user| !spared(user));
    let users: BTreeSet<String> = users.cloned().collect();
    if users.is_empty() {
        return Ok(());
    }
    let listed = api.run(CONNECTIONS, &json!({})).await.rows?;
    let ids = connections(&listed, &users);
    done.more = ids.len() == MOST;
    if !ids.is_empty() {
        let killed = api.run(KILL, &json!({ "ids": ids })).await.rows?;
        let killed = killed.into_iter().map(|mut row| {
            row.drain(..1.min(row.len()));
            row
        });
        count(killed, &users, "Connection found", &mut done.ended);
    }
    let terminated = api.run(TERMINATE, &json!({ "users": users })).await.rows?;
    count(
        terminated.into_iter(),
        &users,
        "Transaction terminated.",
        &mut done.ended,
    );
    Ok(())
}

/// Counts rows of a user and a message that says that it was done.
fn count(
    rows: impl Iterator<Item = Vec<Value>>,
    users: &BTreeSet<String>,
    message: &str,
    ended: &mut BTreeMap<String, usize>,
) {
    for row in rows {
        if let [user, said] = row.as_slice()
            && said.as_str() == Some(message)
            && let Some(user) = user.as_str().filter(|user| users.contains(*user))
        {
            *ended.entry(user.to_owned()).or_default() += 1;
        }
    }
}

fn found(url: &str, trouble: Trouble) -> Found {
    Err(match trouble {
        Trouble::Unreachable(why) => (Reason::Neo4jUnreachable, format!("{url}: {why}")),
        Trouble::Failed(words) => (
            Reason::Neo4jUnreachable,
            format!("{url}: the server cannot list or end sessions: {words}"),
        ),
        Trouble::Refused(words) => (
            Reason::RefusedByNeo4j,
            format!(
                "{url}: Neo4j refuses the token of spec.neo4j.endSessionsAs ({words}); with spec.neo4j.verify the condition Neo4jVerified of that account says why"
            ),
        ),
        Trouble::Forbidden(words) => (
            Reason::NotAdministrator,
            format!(
                "{url}: the account of spec.neo4j.endSessionsAs is no administrator there ({words}); give it a group that leads to the role admin"
            ),
        ),
    })
}
