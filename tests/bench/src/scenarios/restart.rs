//! The operator's process is replaced while all tokens are valid: how long until
//! the new one knows when each is due, and what it asks for that.
//!
//! It needs accounts with tokens that do not come due meanwhile. A due time is
//! known when the account's expiry is among the metrics, which tell it from the
//! first look at an account.

use anyhow::Result;

use super::patience;
use crate::clock;
use crate::figures::Measured;
use crate::meter::Meter;
use crate::operator::Operator;
use crate::world::{World, of_operator};

pub(super) async fn run(world: &mut World) -> Result<Measured> {
    let process = world.operator.process();
    let mut meter = Meter::start(&world.cluster, &world.okta, of_operator, process).await?;
    world.operator.stop().await?;
    world.operator = Operator::start(&world.binary, &world.cluster)?;
    meter.restarted(world.operator.process());

    let start = clock::now();
    world.operator.ready().await?;
    let ready = start.elapsed().as_secs_f64();
    let accounts = world.accounts.len();
    clock::until("all due times", patience(accounts), async || {
        Ok(world.operator.accounts_with_a_token().await? >= accounts)
    })
    .await?;
    let known = start.elapsed().as_secs_f64();
    world.operator.process().quiet().await?;

    let title = "restart with valid tokens";
    let mut measured = meter.stop("restart", title, accounts).await?;
    measured.seconds = known;
    measured
        .figures
        .insert("seconds until ready".to_owned(), ready);
    let reads = measured.kubernetes.get("get secrets").copied().unwrap_or(0);
    measured
        .figures
        .insert("Secrets read".to_owned(), reads as f64);
    if measured.token_requests() > 0 {
        let asked = format!("a restart asked for tokens: {:?}", measured.okta);
        measured.wrong.push(asked);
    }
    if reads > 0 {
        measured
            .wrong
            .push(format!("a restart read {reads} Secrets"));
    }
    Ok(measured)
}
