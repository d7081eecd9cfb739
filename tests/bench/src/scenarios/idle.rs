//! Nothing happens: the operator must not write, and costs next to nothing.
//!
//! It needs accounts whose tokens are fresh for longer than the scenario lasts. It
//! begins when what is done once a minute has been done after the registration: the
//! issuer has written how many accounts there are, and the operator has read in
//! Okta's System Log all that it did itself, and kept how far it read. The Lease is
//! renewed meanwhile, and counted apart.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;
use testbed::OPERATOR_NAMESPACE;

use crate::cli::Scale;
use crate::clock;
use crate::figures::Measured;
use crate::world::{World, issuers};

const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether the log, when it is read next, says something new.
async fn reads_news(world: &mut World) -> Result<bool> {
    let notes: Api<ConfigMap> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let notes = async || -> Result<Vec<_>> {
        let all = notes.list_metadata(&ListParams::default()).await?;
        Ok(all
            .into_iter()
            .map(|note| note.metadata.resource_version)
            .collect())
    };
    let before = notes().await?;
    let read = || world.okta.count("GET", "/api/v1/logs");
    let reads = read();
    clock::until("the log is read", PATIENCE, async || Ok(read() > reads)).await?;
    world.quiet().await?;
    Ok(notes().await? != before)
}

pub(super) async fn run(world: &mut World, scale: &Scale) -> Result<Measured> {
    let issuers = issuers(&world.client);
    clock::until("the issuer counts its accounts", PATIENCE, async || {
        let issuer = issuers.get("default").await?;
        Ok(issuer.data["status"]["accounts"] == world.accounts.len())
    })
    .await?;
    // In a shorter time than a minute the log is not read again.
    while scale.idle >= MINUTE && reads_news(world).await? {}
    world.quiet().await?;

    let meter = world.meter().await?;
    tokio::time::sleep(scale.idle).await;
    let title = format!("idle for {} s", scale.idle.as_secs());
    let mut measured = meter.stop("idle", &title, 0).await?;
    if measured.writes() > 0 {
        let wrote = format!("an idle operator wrote: {:?}", measured.kubernetes);
        measured.wrong.push(wrote);
    }
    Ok(measured)
}
