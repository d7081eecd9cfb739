//! Hundreds of large Secrets of others appear: the operator's memory should not
//! show it, neither then nor after a restart, which lists them all.
//!
//! It needs room in etcd for a megabyte each. They stay, for the scenarios that
//! follow.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};

use crate::cli::Scale;
use crate::figures::Measured;
use crate::meter::Meter;
use crate::operator::Operator;
use crate::world::{World, of_operator};

const SIZE: usize = 1_000_000;
const AT_ONCE: usize = 4;

pub(super) async fn run(world: &mut World, scale: &Scale) -> Result<Measured> {
    world.quiet().await?;
    let process = world.operator.process();
    let before = process.memory()?;
    let mut meter = Meter::start(&world.cluster, &world.okta, of_operator, process).await?;
    create(world, scale.foreign).await?;
    process.quiet().await?;
    let beside = process.memory()?;

    world.operator.stop().await?;
    world.operator = Operator::start(&world.binary, &world.cluster)?;
    meter.restarted(world.operator.process());
    world.operator.ready().await?;
    world.operator.process().quiet().await?;

    let title = format!("{} foreign Secrets of 1 MB, then a restart", scale.foreign);
    let mut measured = meter.stop("foreign", &title, 0).await?;
    for (name, kibibytes) in [
        ("RSS before, MiB", before.resident),
        ("RSS beside them, MiB", beside.resident),
        ("peak meanwhile, MiB", beside.peak),
    ] {
        let mebibytes = kibibytes as f64 / 1024.0;
        measured.figures.insert(name.to_owned(), mebibytes);
    }
    Ok(measured)
}

async fn create(world: &World, count: usize) -> Result<()> {
    let named = |name: String| ObjectMeta {
        name: Some(name),
        ..ObjectMeta::default()
    };
    let namespace = Namespace {
        metadata: named("foreign".to_owned()),
        ..Namespace::default()
    };
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let post = PostParams::default();
    namespaces.create(&post, &namespace).await?;

    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), "foreign");
    let created = stream::iter(0..count).map(|number| {
        let secret = Secret {
            metadata: named(format!("foreign-{number}")),
            data: Some([("blob".to_owned(), ByteString(vec![b'x'; SIZE]))].into()),
            ..Secret::default()
        };
        let (secrets, post) = (&secrets, &post);
        async move { secrets.create(post, &secret).await.map(drop) }
    });
    let created = created.buffer_unordered(AT_ONCE).try_collect::<()>();
    created.await.context("creating a foreign Secret")
}
