//! What the findings mean: a list of checks in the order in which an issuer is set
//! up. Pure. The rules are the operator's own, from `plan`; here they become lines,
//! each failure with the place where it is put right.

use kube::ResourceExt;

use super::super::checks::Check;
use super::found::{Found, Leader, Org, SignIn};
use super::pages::Pages;
use super::{judge_org, judge_server};
use crate::api::OktaIssuer;
use crate::api::conditions::{READY, Reason};
use crate::okta::{Class, Error};
use crate::plan::issuer_status::renewal;
use k8s_openapi::jiff::Timestamp;

/// Everything that there is to say about an issuer.
pub(super) fn checks(issuer: &OktaIssuer, found: &Found, now: Timestamp) -> Vec<Check> {
    let view = found.org.as_ref().and_then(|org| org.view.as_ref().ok());
    let server = view.and_then(|view| view.server.as_ref());
    let pages = Pages::new(issuer, server.and_then(|server| server["name"].as_str()));
    let mut checks = vec![operator(&found.leader), issuer_itself(issuer)];
    checks.push(match &found.sign_in {
        SignIn::Ready => Check::passed("sign-in Secret", "there, and made for this org"),
        SignIn::NoRight(why) | SignIn::Wrong(why) => Check::failed("sign-in Secret", why),
    });
    let Some(org) = &found.org else {
        checks.push(Check::skipped(
            "Okta",
            "nothing was asked without a sign-in",
        ));
        return checks;
    };
    checks.extend(signed_in(issuer, org, &pages));
    if signed_out(issuer, org) {
        checks.push(Check::skipped(
            "Okta",
            "nothing else was asked without a sign-in",
        ));
        return checks;
    }
    checks.push(right("apps", &org.apps, "they can be looked at", &pages));
    checks.push(right(
        "clients",
        &org.clients,
        "they can be looked up",
        &pages,
    ));
    checks.push(log(org, &pages));
    checks.extend(judge_server::checks(issuer, found, &pages));
    checks.extend(judge_org::checks(issuer, found, &pages, now));
    checks
}

fn operator(leader: &Leader) -> Check {
    const NAME: &str = "operator";
    match leader {
        Leader::Holds(replica) => Check::passed(NAME, format!("{replica} leads")),
        Leader::Late(replica, seconds) => Check::failed(
            NAME,
            format!("none leads: {replica} did not renew its lease for {seconds} s"),
        )
        .at("kubectl get pods -A -l app.kubernetes.io/name=neo4j-okta-operator, and the logs of those"),
        Leader::Nobody(namespace) => Check::warning(
            NAME,
            format!("there is no lease in namespace {namespace}: no operator runs there, or it is elsewhere"),
        )
        .at("--operator-namespace, or OPERATOR_NAMESPACE in the environment"),
        Leader::Unknown(why) => Check::skipped(NAME, why),
    }
}

/// What the operator itself says.
fn issuer_itself(issuer: &OktaIssuer) -> Check {
    const NAME: &str = "issuer";
    let name = issuer.name_any();
    let status = issuer.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().find(|c| c.type_ == READY);
    let Some(ready) = ready else {
        return Check::failed(
            NAME,
            "the operator has not looked at it yet; is it running?",
        );
    };
    if status.observed_generation != issuer.metadata.generation.unwrap_or_default() {
        return Check::warning(
            NAME,
            "the operator has not looked at the latest change of the spec yet",
        )
        .at(format!(
            "kubectl wait oktaissuer/{name} --for=condition=Ready"
        ));
    }
    let said = format!("{}: {}", ready.reason, ready.message);
    match (ready.status.as_str(), ready.reason.as_str()) {
        ("True", reason) if reason == Reason::IssuerReady.as_str() => Check::passed(NAME, said),
        ("True", _) => Check::warning(NAME, said),
        _ => Check::failed(NAME, said),
    }
    .at(format!("kubectl describe oktaissuer {name}"))
}

/// Whether there was no sign-in at all.
fn signed_out(issuer: &OktaIssuer, org: &Org) -> bool {
    let by_key = issuer.spec.auth.private_key_jwt.is_some();
    match &org.view {
        Ok(_) => false,
        Err(error) => error.class == Class::Unauthorized || (by_key && org.granted.is_none()),
    }
}

fn signed_in(issuer: &OktaIssuer, org: &Org, pages: &Pages) -> Vec<Check> {
    const NAME: &str = "sign-in";
    let auth = &issuer.spec.auth;
    let Some(app) = &auth.private_key_jwt else {
        return vec![match &org.view {
            Err(error) if error.class == Class::Unauthorized => {
                Check::failed(NAME, format!("Okta refuses it: {error}; {}", renewal(auth)))
            }
            Err(error) if error.class == Class::Transient => Check::failed(NAME, error.to_string()),
            _ => Check::warning(
                NAME,
                "by an API token, which has all rights of the admin who made it and ends with that admin; prefer spec.auth.privateKeyJwt, with a role of its own",
            ),
        }
        .at(pages.sign_in())];
    };
    let by = format!("as client {} with key {}", app.client_id, app.key_id);
    match (&org.granted, &org.view) {
        (Some(granted), _) => vec![
            Check::passed(NAME, by),
            Check::passed("scopes", granted.join(", ")),
        ],
        (None, Err(error)) if error.class == Class::Forbidden => vec![
            Check::passed(NAME, by),
            Check::failed("scopes", &error.message).at(pages.app("Okta API Scopes")),
        ],
        (None, Err(error)) if error.class == Class::Unauthorized => vec![
            Check::failed(NAME, format!("Okta refuses it: {error}; {}", renewal(auth)))
                .at(pages.app("General")),
        ],
        (None, Err(error)) => vec![unanswered(NAME, error)],
        (None, Ok(_)) => vec![Check::passed(NAME, by)],
    }
}

/// A right that a question needed.
pub(super) fn right<T>(
    name: &'static str,
    answer: &Result<T, Error>,
    good: &str,
    pages: &Pages,
) -> Check {
    match answer {
        Ok(_) => Check::passed(name, good),
        Err(error) => denied(name, error, pages),
    }
}

/// A question that Okta did not answer as wished.
pub(super) fn denied(name: &'static str, error: &Error, pages: &Pages) -> Check {
    match error.class {
        Class::Forbidden => Check::failed(name, error.to_string()).at(place(error, pages)),
        _ => unanswered(name, error),
    }
}

/// Where a right is given that is missing.
fn place(error: &Error, pages: &Pages) -> String {
    match error.message.contains("not granted to the operator's app") {
        true => pages.app("Okta API Scopes"),
        false => pages.app("Admin roles"),
    }
}

/// No answer, or one that says nothing about rights.
pub(super) fn unanswered(name: &'static str, error: &Error) -> Check {
    match &error.class {
        Class::RateLimited { until, .. } => Check::skipped(
            name,
            format!(
                "Okta's limit is used up until {until:.0}; ask again then, or with a longer --timeout"
            ),
        ),
        _ => Check::failed(name, error.to_string()),
    }
}

fn log(org: &Org, pages: &Pages) -> Check {
    const NAME: &str = "System Log";
    match &org.log {
        Ok(()) => Check::passed(NAME, "it can be read"),
        Err(error) if matches!(error.class, Class::Forbidden | Class::Unauthorized) => Check::warning(
            NAME,
            "it cannot be read, so what others change at Okta is seen within hours instead of two minutes; grant okta.logs.read and an admin role that reads reports, such as Report Administrator",
        )
        .at(place(error, pages)),
        Err(error) => unanswered(NAME, error),
    }
}
