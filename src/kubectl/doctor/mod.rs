//! `doctor`: checks an issuer from end to end, with its own sign-in: what the
//! operator would find at Okta, and what is in its way. Needs the issuer and its
//! sign-in Secret, and a way to Okta from this machine. Reads alone, but for
//! `--mint`. Shows no credential and no token, and repairs nothing.

mod accounts;
mod client;
mod cluster;
mod found;
mod fresh;
mod judge;
mod judge_limits;
mod judge_org;
mod judge_server;
mod look;
mod mint;
mod pages;
mod patience;

#[cfg(test)]
mod tests;

use kube::Api;
use serde::Serialize;

use super::checks::{self, Check};
use super::cli;
use super::failure::{Failure, refused};
use super::session::{Session, show};
use crate::api::OktaIssuer;
use found::Found;

/// What `-o json` and `-o yaml` show.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    issuer: &'a str,
    org_url: &'a str,
    in_order: bool,
    checks: &'a [Check],
}

pub(super) async fn run(session: &Session, arguments: &cli::Doctor) -> Result<u8, Failure> {
    let name = &arguments.issuer;
    let issuers: Api<OktaIssuer> = Api::all(session.client.clone());
    let issuer = issuers.get(name).await;
    let issuer = issuer.map_err(|e| refused(&format!("OktaIssuer {name}"), &e))?;
    let found = look::around(session, arguments, &issuer).await?;
    let checks = judge::checks(&issuer, &found, session.clock.now());
    let code = code(&found, &checks);
    let report = Report {
        issuer: name,
        org_url: &issuer.spec.org_url,
        in_order: code == 0,
        checks: &checks,
    };
    let title = format!("OktaIssuer {name}, {}", issuer.spec.org_url);
    show(arguments.output, &report, || {
        checks::text(&title, &checks, session.style)
    })?;
    if found.interrupted {
        return Err(Failure::told("interrupted; what was left to do was left"));
    }
    Ok(code)
}

/// As documented: who lacks a right of their own has not looked at all.
fn code(found: &Found, checks: &[Check]) -> u8 {
    match found.sign_in {
        found::SignIn::NoRight(_) => 1,
        found::SignIn::Wrong(_) | found::SignIn::Ready => checks::code(checks),
    }
}
