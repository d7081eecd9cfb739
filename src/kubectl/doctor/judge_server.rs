//! The authorization server and its parts, by the planner's own rules, and which
//! policy and rule answer in the end. Pure.

use kube::ResourceExt;
use serde_json::Value;

use super::super::checks::Check;
use super::found::{Found, Sample};
use super::judge::denied;
use super::pages::Pages;
use crate::api::{AccessPolicy, Management, OktaIssuer};
use crate::plan::desired::duration;
use crate::plan::issuer::{Identity, IssuerNext, Piece, ServerView, our_policies, piece};
use crate::plan::policy::{Edits, listed};
use crate::plan::precedence::{Answer, answers, in_front};

/// All of it.
pub(super) fn checks(issuer: &OktaIssuer, found: &Found, pages: &Pages) -> Vec<Check> {
    let Some(org) = &found.org else {
        return Vec::new();
    };
    let view = match &org.view {
        Ok(view) => view,
        Err(error) => return vec![denied("server", error, pages)],
    };
    let mut checks = vec![made(issuer, found, view, Piece::Server, pages)];
    let Some(server) = &view.server else {
        checks.push(Check::skipped("scope, claim", "not without the server"));
        return checks;
    };
    checks.extend(encrypted_or_moving(server, pages));
    checks.extend(found.keys.as_ref().map(|keys| match keys {
        Ok(0) => Check::failed("keys", "it publishes none").at(pages.servers()),
        Ok(number) => Check::passed("keys", format!("{number}, which Neo4j fetches by itself")),
        Err(why) => {
            Check::failed("keys", why).at("this machine's way to Okta; Neo4j needs one of its own")
        }
    }));
    for part in [Piece::Scope, Piece::Claim, Piece::Policy] {
        checks.push(made(issuer, found, view, part, pages));
    }
    checks.extend(answering(issuer, found, view, pages));
    checks
}

/// Whether a piece is as the planner would have it.
fn made(
    issuer: &OktaIssuer,
    found: &Found,
    view: &ServerView,
    part: Piece,
    pages: &Pages,
) -> Check {
    let (name, page) = match part {
        Piece::Server => ("server", pages.servers()),
        Piece::Scope => ("scope", pages.server("Scopes")),
        Piece::Claim => ("claim", pages.server("Claims")),
        Piece::Policy => ("policy", pages.server("Access Policies")),
    };
    let created = issuer.status.as_ref().and_then(|s| s.created.clone());
    let created = created.unwrap_or_default();
    let who = issuer.name_any();
    let identity = identity(&who, found);
    let edits = Edits::default();
    match piece(part, &issuer.spec, identity, &created, view, &edits) {
        None => Check::passed(name, good(issuer, view, part)),
        Some(IssuerNext::Blocked { message, .. }) => Check::failed(name, message),
        Some(IssuerNext::Do(_) | IssuerNext::Done) => Check::warning(
            name,
            "missing, or not as the spec says; the operator makes it so at its next look, within ten minutes",
        ),
    }
    .at(page)
}

fn identity<'a>(name: &'a str, found: &'a Found) -> Identity<'a> {
    Identity {
        name,
        // Without it the ids in the issuer's status tell what is ours.
        installation: found.installation.as_deref().unwrap_or_default(),
    }
}

/// A piece that is in order, in words.
fn good(issuer: &OktaIssuer, view: &ServerView, part: Piece) -> String {
    let wanted = &issuer.spec.authorization_server;
    let of = |list: &[Value], name: &str| -> Option<Value> {
        list.iter().find(|one| one["name"] == name).cloned()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match part {
        Piece::Server => {
            let server = view.server.clone().unwrap_or_default();
            format!(
                "{}, issuer {}, audience {}",
                text(&server["name"]),
                text(&server["issuer"]),
                text(&server["audiences"][0])
            )
        }
        Piece::Scope => {
            let scope = of(&view.scopes, &wanted.scope).unwrap_or_default();
            format!(
                "{}, consent {}",
                wanted.scope,
                text(&scope["consent"]).to_lowercase()
            )
        }
        Piece::Claim => {
            let claim = of(&view.claims, &wanted.groups_claim).unwrap_or_default();
            format!("{} = {}", wanted.groups_claim, text(&claim["value"]))
        }
        Piece::Policy => match (wanted.management, wanted.access_policy) {
            (Management::External, _) => "somebody's, with a rule for the scope".to_owned(),
            (Management::Managed, AccessPolicy::AllClients) => "for all clients".to_owned(),
            (Management::Managed, AccessPolicy::AllowList) => {
                "for the accounts' apps alone".to_owned()
            }
        },
    }
}

/// Settings of a server that look harmless and make Neo4j refuse every token.
fn encrypted_or_moving(server: &Value, pages: &Pages) -> Vec<Check> {
    let mut checks = Vec::new();
    if server["issuerMode"] == "DYNAMIC" {
        checks.push(
            Check::warning(
                "issuer mode",
                "dynamic: the issuer in a token follows the host that it was asked of, and Neo4j trusts one; set it to a fixed URL",
            )
            .at(pages.server("Settings")),
        );
    }
    if server["accessTokenEncryptedResponseAlgorithm"].is_string() {
        checks.push(
            Check::failed(
                "encryption",
                "access tokens are encrypted, and Neo4j reads signed ones alone",
            )
            .at(pages.server("Settings")),
        );
    }
    checks
}

/// Who answers when an account asks for a token, and who else is let in.
fn answering(issuer: &OktaIssuer, found: &Found, view: &ServerView, pages: &Pages) -> Vec<Check> {
    let wanted = &issuer.spec.authorization_server;
    let page = pages.server("Access Policies");
    if wanted.management == Management::External {
        let client = match &found.sample {
            Sample::Read { client_id, .. } => Some(client_id.as_str()),
            Sample::None | Sample::Unread(_) => None,
        };
        let answer = answers(view, client, &wanted.scope);
        return vec![theirs(answer, client).at(page)];
    }
    let created = issuer.status.as_ref().and_then(|s| s.created.clone());
    let created = created.unwrap_or_default();
    let name = issuer.name_any();
    let ours = our_policies(identity(&name, found), &created, view);
    if ours.is_empty() {
        return Vec::new();
    }
    let mut checks = vec![
        match in_front(view, &ours, &wanted.scope) {
            Some(answer) => Check::failed(
                "rule",
                format!(
                    "rule {} of policy {} stands in front of ours and answers in its place{}; move that policy behind ours, or take our clients or the scope {} out of it",
                    answer.rule_name(),
                    answer.policy_name(),
                    lives(answer),
                    wanted.scope
                ),
            ),
            None => Check::passed(
                "rule",
                format!("ours answers first; a token lives {}", wanted.token_lifetime),
            ),
        }
        .at(page.clone()),
    ];
    if wanted.access_policy == AccessPolicy::AllowList {
        checks.push(allow_list(found, view, &ours, &wanted.scope).at(page));
    }
    checks
}

fn lives(answer: Answer<'_>) -> String {
    answer.minutes().map_or_else(String::new, |minutes| {
        format!(", with tokens of {minutes} min")
    })
}

/// The rule of a server that is somebody else's.
fn theirs(answer: Option<Answer<'_>>, client: Option<&str>) -> Check {
    const NAME: &str = "rule";
    match answer {
        Some(answer) => Check::passed(
            NAME,
            format!(
                "rule {} of policy {} answers{}",
                answer.rule_name(),
                answer.policy_name(),
                lives(answer)
            ),
        ),
        None => Check::failed(
            NAME,
            format!(
                "no policy is for {}; make one for all clients, or add each client to one: client ids of new accounts are not known in advance",
                client.map_or_else(|| "all clients".to_owned(), |id| format!("client {id}"))
            ),
        ),
    }
}

/// Whether those and only those are let in that should be.
fn allow_list(found: &Found, view: &ServerView, ours: &[&Value], scope: &str) -> Check {
    const NAME: &str = "allow list";
    if let Some(answer) = answers(view, None, scope) {
        return Check::warning(
            NAME,
            format!(
                "rule {} of policy {} also gives tokens to any other client of the org; its groups are what its profile says. Name the clients there, or take the scope {scope} out",
                answer.rule_name(),
                answer.policy_name()
            ),
        );
    }
    let listed: std::collections::BTreeSet<String> = ours.iter().flat_map(|p| listed(p)).collect();
    let Ok(accounts) = &found.accounts else {
        return Check::passed(NAME, format!("{} clients, and no others", listed.len()));
    };
    match accounts.clients.difference(&listed).count() {
        0 => Check::passed(NAME, format!("{} clients, and no others", listed.len())),
        missing => Check::warning(
            NAME,
            format!(
                "{missing} of {} accounts with an app are not listed; the operator lists them at its next look",
                accounts.clients.len()
            ),
        ),
    }
}

/// How long a token lives, whoever's rule says so.
pub(super) fn lifetime(issuer: &OktaIssuer, view: &ServerView) -> Option<std::time::Duration> {
    let wanted = &issuer.spec.authorization_server;
    match wanted.management {
        Management::Managed => duration(&wanted.token_lifetime),
        Management::External => answers(view, None, &wanted.scope)?
            .minutes()
            .map(|minutes| std::time::Duration::from_secs(minutes * 60)),
    }
}
