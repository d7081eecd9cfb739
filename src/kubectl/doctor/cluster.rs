//! What the cluster says: the sign-in Secret, the lease, the installation. Needs
//! `get` on each; which right is missing is told.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::Api;

use super::super::failure::{Failure, refused};
use super::super::session::Session;
use super::found::{Leader, SignIn};
use crate::api::{OktaIssuerSpec, names as n};
use crate::controller;
use crate::leader::LEASE;
use crate::okta;

/// Reads the sign-in, as the operator does.
pub(super) async fn sign_in(
    session: &Session,
    spec: &OktaIssuerSpec,
    namespace: &str,
) -> Result<okta::SignIn, SignIn> {
    let Some((reference, _)) = controller::secret_ref(spec) else {
        return Err(SignIn::Wrong(
            "spec.auth must have exactly one of apiToken and privateKeyJwt".to_owned(),
        ));
    };
    let name = &reference.name;
    let api: Api<Secret> = Api::namespaced(session.client.clone(), namespace);
    let secret = match api.get_opt(name).await {
        Ok(Some(secret)) => secret,
        Ok(None) => {
            return Err(SignIn::Wrong(format!(
                "there is no Secret {name} in namespace {namespace}; create it with the annotation {}={}, or say where the operator is with --operator-namespace",
                n::ANNOTATION_ALLOW_HOST,
                controller::host(spec)
            )));
        }
        Err(error) => return Err(SignIn::NoRight(unread(name, namespace, &error))),
    };
    controller::sign_in(spec, &secret).map_err(|(_, message)| SignIn::Wrong(message))
}

fn unread(name: &str, namespace: &str, error: &kube::Error) -> String {
    let what = format!("Secret {name} in namespace {namespace}");
    match error {
        kube::Error::Api(status) if status.code == 403 => format!(
            "you may not read {what}, with which the operator signs in, so nothing can be asked of Okta; that needs the verb get on secrets in namespace {namespace}: ask the platform team to run this, or for that right (kubectl auth can-i get secrets/{name} -n {namespace})"
        ),
        error => words(refused(&what, error)),
    }
}

/// Which replica leads.
pub(super) async fn leader(session: &Session, namespace: &str) -> Leader {
    let api: Api<Lease> = Api::namespaced(session.client.clone(), namespace);
    match api.get_opt(LEASE).await {
        Ok(Some(lease)) => of(&lease, session.clock.now()),
        Ok(None) => Leader::Nobody(namespace.to_owned()),
        Err(error) => Leader::Unknown(words(refused(
            &format!("Lease {namespace}/{LEASE}"),
            &error,
        ))),
    }
}

fn of(lease: &Lease, now: Timestamp) -> Leader {
    let spec = lease.spec.clone().unwrap_or_default();
    let holder = spec.holder_identity.unwrap_or_default();
    let renewed = spec.renew_time.map_or(0, |at| at.0.as_second());
    let silent = now.as_second() - renewed;
    match i64::from(spec.lease_duration_seconds.unwrap_or_default()) {
        lasts if silent <= lasts => Leader::Holds(holder),
        _ => Leader::Late(holder, silent),
    }
}

/// The uid of `kube-system`, by which the operator knows what is its own at Okta.
pub(super) async fn installation(session: &Session) -> Result<String, String> {
    let api: Api<Namespace> = Api::all(session.client.clone());
    let system = api.get("kube-system").await;
    let system = system.map_err(|e| words(refused("Namespace kube-system", &e)))?;
    system
        .metadata
        .uid
        .ok_or_else(|| "Namespace kube-system has no uid".to_owned())
}

/// A failure's words.
pub(super) fn words(failure: Failure) -> String {
    match failure {
        Failure::Told(words) => words,
        Failure::Unread => String::new(),
    }
}
