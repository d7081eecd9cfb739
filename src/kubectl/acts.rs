//! Asks for an act and waits until the operator has carried it out. Needs `get` and
//! `patch` on accounts; `act` decides. Writes one annotation or `spec.suspended`,
//! nothing else.

use std::time::Duration;

use kube::api::{Patch, PatchParams};

use super::act::Act;
use super::cli;
use super::failure::{Failure, refused};
use super::session::{Session, out};
use super::view::View;
use crate::api::Neo4jServiceAccount;

/// How often the account is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn run(session: &Session, act: Act, arguments: &cli::Act) -> Result<u8, Failure> {
    let (name, api) = (&arguments.name, session.accounts());
    let what = session.account(name);
    let object = api.get(name).await.map_err(|e| refused(&what, &e))?;
    if let Some(why) = act.senseless(&object) {
        return Err(Failure::told(format!("{what}: {why}")));
    }
    if let Some(caution) = act.caution(&object) {
        eprintln!("warning: {caution}");
    }
    let now = session.clock.now();
    let parameters = PatchParams {
        field_manager: Some(cli::MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(act.patch(now));
    let asked = api.patch(name, &parameters, &patch).await;
    let asked = asked.map_err(|e| refused(&what, &e))?;
    if let Some(at) = act.later(&object, now) {
        out(&format!(
            "{what}: asked for; credentials are replaced once an hour at most, and so not before {at}\n"
        ))?;
        return Ok(0);
    }
    if !arguments.wait {
        out(&format!("{what}: asked for\n"))?;
        return Ok(0);
    }
    let mut last = asked.clone();
    let waited = tokio::time::timeout(
        arguments.timeout,
        carried_out(session, act, name, &asked, &mut last),
    );
    match waited.await {
        Ok(outcome) => {
            out(&format!("{what} {}\n", outcome?))?;
            Ok(0)
        }
        Err(_) => Err(Failure::told(in_time(
            &what,
            &View::of(&last, session.clock.now()),
        ))),
    }
}

async fn carried_out(
    session: &Session,
    act: Act,
    name: &str,
    asked: &Neo4jServiceAccount,
    last: &mut Neo4jServiceAccount,
) -> Result<String, Failure> {
    let api = session.accounts();
    loop {
        let found = api.get_opt(name).await;
        match found.map_err(|e| refused(&session.account(name), &e))? {
            None => return gone(session, act, name),
            // A namesake would be an account of its own.
            Some(object) if object.metadata.uid != asked.metadata.uid => {
                return gone(session, act, name);
            }
            Some(object) => {
                if let Some(outcome) = act.outcome(asked, &object) {
                    return Ok(outcome);
                }
                *last = object;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn gone(session: &Session, act: Act, name: &str) -> Result<String, Failure> {
    match act {
        Act::Abandon => Ok("is gone".to_owned()),
        _ => Err(Failure::told(format!(
            "{} was deleted meanwhile",
            session.account(name)
        ))),
    }
}

/// Why it was not done in time, as far as the account tells.
fn in_time(what: &str, view: &View) -> String {
    let why = view.message.as_deref().unwrap_or(
        "the account does not say why; is the operator running? kubectl neo4jsa doctor tells",
    );
    format!(
        "{what}: asked for, and not done in time ({}): {why}",
        view.state.word()
    )
}
