//! Prepares the connection to an issuer's org: reads the sign-in Secret in the
//! operator's namespace and keeps the connection as long as nothing about it
//! changed. The Secret must name the host that it may be sent to.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;
use url::Url;

use super::context::Context;
use super::runtime::Runtime;
use crate::api::conditions::Reason;
use crate::api::{Management, OktaIssuer, OktaIssuerSpec, SecretRef, names as n};
use crate::okta::jose::SigningKey;
use crate::okta::{Org, Sender, SignIn};

/// A connection, and what is wrong with the sign-in.
pub(super) struct Prepared {
    pub(super) org: Arc<Org>,
    pub(super) problem: Option<(Reason, String)>,
}

type Problem = (Reason, String);

pub(super) async fn prepare(
    object: &OktaIssuer,
    before: Option<&Runtime>,
    ctx: &Context,
) -> Prepared {
    let spec = &object.spec;
    let secret = read(spec, ctx).await;
    let origin = match &secret {
        Ok(secret) => format!(
            "{}/{}",
            secret.uid().unwrap_or_default(),
            secret.resource_version().unwrap_or_default()
        ),
        Err((reason, message)) => format!("{reason:?} {message}"),
    };
    if let Some(before) = before
        && before.org.origin() == origin
        && same_connection(&before.spec, spec)
    {
        before.org.set_share(spec.rate_limit);
        return Prepared {
            org: before.org.clone(),
            problem: secret.err(),
        };
    }
    let (signin, problem) = match secret.and_then(|secret| sign_in(spec, &secret)) {
        Ok(signin) => (signin, None),
        Err(problem) => (SignIn::Missing(problem.1.clone()), Some(problem)),
    };
    match connect(spec, signin, origin, ctx) {
        Ok(org) => Prepared {
            org: Arc::new(org),
            problem,
        },
        Err(problem) => Prepared {
            org: offline(spec, &problem, ctx),
            problem: Some(problem),
        },
    }
}

fn same_connection(old: &OktaIssuerSpec, new: &OktaIssuerSpec) -> bool {
    old.org_url == new.org_url
        && old.auth == new.auth
        && old.ca_bundle == new.ca_bundle
        && old.authorization_server.management == new.authorization_server.management
}

fn connect(
    spec: &OktaIssuerSpec,
    signin: SignIn,
    origin: String,
    ctx: &Context,
) -> Result<Org, Problem> {
    let url = Url::parse(&spec.org_url)
        .map_err(|e| (Reason::InvalidIssuer, format!("spec.orgUrl: {e}")))?;
    let settings = &ctx.settings;
    Org::new(
        url,
        signin,
        spec.ca_bundle.as_deref(),
        spec.rate_limit,
        settings.clock.clone(),
        settings.metrics.clone(),
    )
    .map(|org| {
        org.with_origin(origin).with_sender(Sender {
            instance: settings.instance.clone(),
            fence: settings.fence.clone(),
            timeout: settings.okta_timeout,
        })
    })
    .map_err(|message| (Reason::InvalidIssuer, message))
}

/// A connection that refuses everything, for an issuer that cannot have one.
fn offline(spec: &OktaIssuerSpec, problem: &Problem, ctx: &Context) -> Arc<Org> {
    Arc::new(Org::offline(
        SignIn::Missing(problem.1.clone()),
        spec.rate_limit,
        ctx.settings.clock.clone(),
        ctx.settings.metrics.clone(),
    ))
}

fn secret_ref(spec: &OktaIssuerSpec) -> Option<(&SecretRef, &'static str)> {
    match (&spec.auth.api_token, &spec.auth.private_key_jwt) {
        (Some(token), None) => Some((&token.secret_ref, "token")),
        (None, Some(key)) => Some((&key.secret_ref, "private-key")),
        _ => None,
    }
}

/// Whether an issuer signs in with this Secret of the operator's namespace.
pub(super) fn refers_to(spec: &OktaIssuerSpec, secret: &str) -> bool {
    secret_ref(spec).is_some_and(|(reference, _)| reference.name == secret)
}

async fn read(spec: &OktaIssuerSpec, ctx: &Context) -> Result<Secret, Problem> {
    let namespace = &ctx.settings.namespace;
    let Some((reference, _)) = secret_ref(spec) else {
        return Err((
            Reason::InvalidIssuer,
            "spec.auth must have exactly one of apiToken and privateKeyJwt".to_owned(),
        ));
    };
    let name = &reference.name;
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    match api.get_opt(name).await {
        Ok(Some(secret)) => Ok(secret),
        Ok(None) => Err((
            Reason::SignInSecretNotFound,
            format!(
                "spec.auth: there is no Secret {name} in namespace {namespace}; create it with the annotation {}={}",
                n::ANNOTATION_ALLOW_HOST,
                host(spec)
            ),
        )),
        Err(error) => Err((
            Reason::KubernetesError,
            format!("Secret {name} in namespace {namespace} could not be read: {error}"),
        )),
    }
}

fn host(spec: &OktaIssuerSpec) -> String {
    Url::parse(&spec.org_url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default()
}

fn sign_in(spec: &OktaIssuerSpec, secret: &Secret) -> Result<SignIn, Problem> {
    let name = secret.name_any();
    let host = host(spec);
    let allowed = secret.annotations().get(n::ANNOTATION_ALLOW_HOST);
    if allowed.map(|h| h.trim()) != Some(host.as_str()) {
        return Err((
            Reason::SignInHostNotAllowed,
            format!(
                "Secret {name} may not be sent to {host}; if it may: kubectl annotate secret {name} -n {} {}={host} --overwrite",
                secret.namespace().unwrap_or_default(),
                n::ANNOTATION_ALLOW_HOST
            ),
        ));
    }
    let Some((reference, default_key)) = secret_ref(spec) else {
        return Err((
            Reason::InvalidIssuer,
            "spec.auth must have exactly one of apiToken and privateKeyJwt".to_owned(),
        ));
    };
    let key = reference.key.as_deref().unwrap_or(default_key);
    let bytes = secret.data.as_ref().and_then(|data| data.get(key));
    let value = bytes
        .and_then(|b| std::str::from_utf8(&b.0).ok())
        .map(str::trim)
        .filter(|v| !v.is_empty());
    let Some(value) = value else {
        return Err((
            Reason::SignInSecretInvalid,
            format!(
                "Secret {name} has no text under the key {key}; add it, or name another key in spec.auth"
            ),
        ));
    };
    let value = SecretString::from(value);
    let Some(app) = &spec.auth.private_key_jwt else {
        return Ok(SignIn::ApiToken(value));
    };
    let unusable = |error: crate::okta::jose::KeyError| {
        (
            Reason::SignInSecretInvalid,
            format!("Secret {name}, key {key}: {error}"),
        )
    };
    let signing = SigningKey::from_pem(&value, Some(&app.key_id)).map_err(unusable)?;
    let mut scopes = vec![
        "okta.apps.manage",
        "okta.apps.read",
        "okta.clients.read",
        "okta.authorizationServers.read",
    ];
    if spec.authorization_server.management == Management::Managed {
        scopes.push("okta.authorizationServers.manage");
    }
    SignIn::private_key_jwt(app.client_id.clone(), signing, scopes).map_err(unusable)
}
