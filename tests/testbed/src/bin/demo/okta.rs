//! The emulated Okta org, in this process, and what an administrator sees there.

use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use okta_emulator::{Config, Emulator};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use testbed::Folder;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::screen::Screen;

/// The org.
pub(crate) struct Okta {
    emulator: Emulator,
    curl: PathBuf,
}

/// How many calls the operator made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) tokens: usize,
    pub(crate) management: usize,
}

impl Okta {
    pub(crate) async fn start(folder: &Folder) -> Result<Self, Failure> {
        let emulator = Emulator::start(Config::default())
            .await
            .map_err(Failure::because(
                "the Okta emulator cannot listen on 127.0.0.1",
            ))?;
        // For curl's -K, so that the token need not be on a screen or in a
        // command line. The folder is readable by this user alone.
        let header = format!(
            "header = \"Authorization: SSWS {}\"\n",
            emulator.api_token()
        );
        let curl = folder.write("okta.curl", &header)?;
        Ok(Self { emulator, curl })
    }

    pub(crate) fn url(&self) -> &str {
        self.emulator.url()
    }

    /// A configuration for curl that signs in at the org.
    pub(crate) fn curl(&self) -> &Path {
        &self.curl
    }

    /// What a platform team hands to the operator: the sign-in, and the one
    /// host that it may be sent to.
    pub(crate) async fn sign_in_secret(
        &self,
        cluster: &Cluster,
        screen: &Screen,
    ) -> Result<(), Failure> {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": { "name": "okta", "annotations": { "neo4j-okta.dev/allow-host": "127.0.0.1" } },
            "stringData": { "token": self.emulator.api_token() },
        }))
        .map_err(Failure::because("the sign-in Secret"))?;
        let namespace = &cluster.operator_namespace;
        cluster
            .secrets(namespace)
            .create(&PostParams::default(), &secret)
            .await
            .map_err(Failure::because("creating the sign-in Secret"))?;
        screen.ready(
            "Okta",
            &format!(
                "emulated at {}; the sign-in is Secret {namespace}/okta",
                self.url()
            ),
        );
        Ok(())
    }

    /// The app with this client id, as the Admin Console would show it.
    pub(crate) fn app(&self, client_id: &str) -> Option<Value> {
        self.emulator.admin().app_by_client_id(client_id)
    }

    /// All apps.
    pub(crate) fn apps(&self) -> Vec<Value> {
        self.emulator.admin().apps()
    }

    /// What was asked of Okta so far, but for the keys that we fetch ourselves.
    pub(crate) fn calls(&self) -> Calls {
        let mut calls = Calls::default();
        for request in self.emulator.requests() {
            if request.route.ends_with("/token") {
                calls.tokens += 1;
            } else if request.principal != "anonymous" {
                calls.management += 1;
            }
        }
        calls
    }
}
