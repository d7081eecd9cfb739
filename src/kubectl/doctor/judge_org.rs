//! Tokens, the clock, and what else in the org concerns the accounts' apps; with the
//! limits, all that is said behind the authorization server. Pure.

use k8s_openapi::jiff::Timestamp;
use secrecy::ExposeSecret;

use super::super::checks::{Check, Verdict};
use super::super::render::human;
use super::found::{Found, Fresh, Minted, Org, Sample, Trial};
use super::judge::{denied, right, unanswered};
use super::judge_limits::{limits, outage, waiting};
use super::pages::Pages;
use crate::api::{AccessPolicy, Management, OktaIssuer};
use crate::okta::Class;
use crate::plan::check::{Claims, Expected, Flaw, check, groups};
use crate::plan::desired::duration;
use crate::plan::issuer::ServerView;
use crate::plan::issuer_status::SKEW;
use crate::plan::step::Refusal;

/// All of it.
pub(super) fn checks(
    issuer: &OktaIssuer,
    found: &Found,
    pages: &Pages,
    now: Timestamp,
) -> Vec<Check> {
    let Some(org) = &found.org else {
        return Vec::new();
    };
    let view = org.view.as_ref().ok();
    let mut checks = Vec::new();
    if let Some(minted) = &found.minted {
        checks.extend(mint(issuer, minted, pages));
    }
    checks.extend(found.fresh.as_ref().map(|asked| fresh(asked, pages)));
    if let Some(view) = view {
        checks.extend(published(issuer, found, view, pages, now));
    }
    checks.push(clock(org));
    checks.extend(limits(&org.limits, pages));
    checks.push(waiting(found, &org.limits, pages));
    checks.extend(view.and_then(|view| outage(issuer, found, view, &org.limits, pages)));
    checks.push(other_servers(org, view, pages));
    checks.push(new_apps(org, pages));
    checks
}

/// A token with an app of our own.
fn mint(issuer: &OktaIssuer, minted: &Minted, pages: &Pages) -> Vec<Check> {
    const NAME: &str = "mint";
    const SECRETS: &str = "client secrets";
    let wanted = &issuer.spec.authorization_server;
    let listed =
        wanted.management == Management::Managed && wanted.access_policy == AccessPolicy::AllowList;
    let policies = pages.server("Access Policies");
    let check = match &minted.token {
        Trial::NotBegun(why) => Check::failed(NAME, why),
        Trial::NotRegistered(error) if error.class == Class::Forbidden => denied(NAME, error, pages),
        Trial::NotRegistered(error) | Trial::NoAnswer(error) => unanswered(NAME, error),
        Trial::Interrupted => Check::skipped(NAME, "interrupted"),
        Trial::Refused(Refusal::AccessDenied(_)) if listed => Check::passed(
            NAME,
            "an app can be registered and deleted; as it is not listed, it is refused a token, which is right, so the claim is seen in an account's token",
        ),
        Trial::Refused(Refusal::AccessDenied(words)) => Check::failed(
            NAME,
            format!("the authorization server refuses a new app ({words}); a policy for all clients with a rule for client_credentials and scope {} is needed", wanted.scope),
        )
        .at(policies),
        Trial::Refused(Refusal::InvalidClient) => Check::failed(
            NAME,
            "a minute after it was registered the app still may not sign in; look for the app.oauth2 events of it in the System Log",
        )
        .at(pages.applications()),
        Trial::Refused(Refusal::Other(words)) => {
            Check::failed(NAME, format!("Okta refuses a token: {words}")).at(pages.server("Claims"))
        }
        Trial::Judged(Ok(claims)) if listed => Check::warning(
            NAME,
            format!("an app that is not listed gets a token of {}, so a policy besides ours lets it in", life(claims)),
        )
        .at(policies),
        Trial::Judged(Ok(claims)) => Check::passed(
            NAME,
            format!("a new app gets a token of {} with exactly its groups", life(claims)),
        ),
        Trial::Judged(Err(flaw)) => flawed(NAME, flaw, pages),
    };
    // An app that was not registered tells the rest.
    let secrets = minted.secrets.as_ref().map(|read| match read {
        Err(error) if error.class == Class::NotFound => {
            Check::skipped(SECRETS, "Okta does not show the new app yet")
        }
        read => {
            let said = right(SECRETS, read, "can be read, which a rotation needs", pages);
            let message = match said.verdict {
                Verdict::Failed => format!(
                    "cannot be read, so no rotation comes to its end: {}",
                    said.message
                ),
                _ => said.message,
            };
            Check { message, ..said }
        }
    });
    let removed = match &minted.removed {
        Ok(()) => None,
        Err(left) => Some(Check::failed("leftover", left).at(pages.applications())),
    };
    std::iter::once(check)
        .chain(secrets)
        .chain(removed)
        .collect()
}

/// A token with an account's credentials.
fn fresh(asked: &Fresh, pages: &Pages) -> Check {
    const NAME: &str = "fresh token";
    let said = match &asked.token {
        Trial::NotBegun(why) => Check::skipped(NAME, why),
        Trial::Interrupted => Check::skipped(NAME, "interrupted"),
        Trial::NotRegistered(error) | Trial::NoAnswer(error) => unanswered(NAME, error),
        Trial::Refused(Refusal::AccessDenied(words)) => Check::failed(
            NAME,
            format!("the authorization server refuses its client ({words}), so it is not listed, or another policy stands in front"),
        )
        .at(pages.server("Access Policies")),
        Trial::Refused(Refusal::InvalidClient) => Check::failed(
            NAME,
            "Okta refuses its credentials; kubectl neo4jsa status tells what the operator does about it",
        )
        .at(pages.applications()),
        Trial::Refused(Refusal::Other(words)) => {
            Check::failed(NAME, format!("Okta refuses a token: {words}")).at(pages.server("Claims"))
        }
        Trial::Judged(Ok(claims)) => {
            Check::passed(NAME, format!("lives {}, with exactly its groups", life(claims)))
        }
        Trial::Judged(Err(flaw)) => flawed(NAME, flaw, pages),
    };
    Check {
        message: format!("of {}: {}", asked.account, said.message),
        ..said
    }
}

fn life(claims: &Claims) -> String {
    human(claims.exp.saturating_sub(claims.iat))
}

fn flawed(name: &'static str, flaw: &Flaw, pages: &Pages) -> Check {
    let page = match flaw {
        Flaw::Groups(_) => pages.server("Claims"),
        Flaw::Lifetime(_) => pages.server("Access Policies"),
        Flaw::Other(_) => pages.server("Settings"),
    };
    Check::failed(name, flaw.message()).at(page)
}

/// The token that an account has out.
fn published(
    issuer: &OktaIssuer,
    found: &Found,
    view: &ServerView,
    pages: &Pages,
    now: Timestamp,
) -> Option<Check> {
    const NAME: &str = "token";
    let (account, client_id, wanted, token) = match &found.sample {
        Sample::None => {
            let how = match found.minted.is_some() {
                true => "no account has one",
                false => {
                    "no account has one; --mint asks for one with an app of its own, which is deleted again"
                }
            };
            return Some(Check::skipped(NAME, how));
        }
        Sample::Unread(why) => return Some(Check::skipped(NAME, why)),
        Sample::Read {
            account,
            client_id,
            groups,
            token,
        } => (account, client_id, groups, token),
    };
    let server = view.server.as_ref()?;
    let spec = &issuer.spec.authorization_server;
    let ours = spec.management == Management::Managed;
    let expected = Expected {
        issuer: server["issuer"].as_str()?,
        audience: spec
            .audience
            .as_deref()
            .or(server["audiences"][0].as_str())?,
        client_id,
        groups_claim: &spec.groups_claim,
        groups: wanted,
        lifetime: ours.then(|| duration(&spec.token_lifetime)).flatten(),
    };
    let token = token.expose_secret();
    Some(match check(token, "Bearer", &expected) {
        Ok(claims) => {
            let names = groups(&claims, &spec.groups_claim).unwrap_or_default();
            let names: Vec<String> = names.into_iter().collect();
            Check::passed(
                NAME,
                format!(
                    "of {account}, {} old: claim {} has {}; lives {}; {} bytes",
                    human(now.as_second() - claims.iat),
                    spec.groups_claim,
                    names.join(", "),
                    life(&claims),
                    token.len()
                ),
            )
        }
        Err(flaw) => {
            let said = flawed(NAME, &flaw, pages);
            Check {
                message: format!("of {account}: {}", said.message),
                ..said
            }
        }
    })
}

fn clock(org: &Org) -> Check {
    const NAME: &str = "clock";
    let seconds = org.skew.as_secs();
    match org.skew.abs() > SKEW {
        true => Check::warning(
            NAME,
            format!(
                "Okta's is {} {} this machine's; what is signed here may be refused there, and if the operator's nodes are like that, its tokens are refreshed at the wrong time",
                human(seconds.abs()),
                if seconds > 0 { "ahead of" } else { "behind" }
            ),
        )
        .at("this machine's time service (timedatectl status)"),
        false => Check::passed(NAME, "within half a minute of Okta's"),
    }
}

fn other_servers(org: &Org, view: Option<&ServerView>, pages: &Pages) -> Check {
    const NAME: &str = "other servers";
    let own = view
        .and_then(|v| v.server.as_ref())
        .and_then(|s| s["id"].as_str());
    match &org.surroundings {
        Ok(found) => match found.others(own).collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => {
                Check::passed(NAME, "none issues tokens to any client of the org")
            }
            names => Check::warning(
                NAME,
                format!("these issue tokens to any client of the org, the accounts' apps among them: {names}; where that is not wanted, list the clients in the access policies there"),
            )
            .at(pages.servers()),
        },
        Err(error) => unanswered(NAME, error),
    }
}

fn new_apps(org: &Org, pages: &Pages) -> Check {
    const NAME: &str = "new apps";
    match &org.new_apps_are_admins {
        Ok(false) => Check::passed(NAME, "get no admin role by themselves"),
        Ok(true) => Check::failed(
            NAME,
            "the org makes new public client apps super admins, which may include each app that an account registers; switch it off, and look at the admin roles of the apps made since",
        )
        .at(pages.account()),
        Err(error) if matches!(error.class, Class::Forbidden | Class::Unauthorized | Class::NotFound) => {
            Check::skipped(NAME, "whether they become super admins can be seen with the scope okta.orgs.read alone")
        }
        Err(error) => unanswered(NAME, error),
    }
}
