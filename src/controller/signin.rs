//! Prepares the connection to an issuer's org: reads the sign-in Secret in the
//! operator's namespace and keeps the connection as long as nothing about it
//! changed. The Secret must name the host that it may be sent to.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;
use url::Url;

use super::context::Context;
use super::runtime::Runtime;
use crate::api::conditions::Reason;
use crate::api::{Management, OktaIssuer, OktaIssuerSpec, RateLimit, SecretRef, names as n};
use crate::okta::jose::SigningKey;
use crate::okta::limits::combined;
use crate::okta::{Org, Sender, SignIn, connect};

/// A connection, and what is wrong with the sign-in.
pub(super) struct Prepared {
    pub(super) org: Arc<Org>,
    pub(super) problem: Option<Problem>,
}

type Problem = (Reason, String);

pub(super) async fn prepare(
    object: &OktaIssuer,
    before: Option<&Runtime>,
    ctx: &Context,
) -> Prepared {
    let spec = &object.spec;
    let Ok(url) = Url::parse(&spec.org_url) else {
        let problem = (
            Reason::InvalidIssuer,
            "spec.orgUrl is not a URL; create the issuer anew".to_owned(),
        );
        return nowhere(problem, ctx);
    };
    // Also tells the org's other issuers when the share has changed.
    let limits = ctx.orgs.limits(&url, share(&url, spec, ctx));
    let same = before.filter(|before| same_connection(&before.spec, spec));
    let secret = read(spec, ctx).await;
    let origin = match &secret {
        Ok(secret) => format!(
            "{}/{}",
            secret.uid().unwrap_or_default(),
            secret.resource_version().unwrap_or_default()
        ),
        Err((reason, message)) => format!("{reason:?} {message}"),
    };
    // That the API server cannot tell is no reason to sign out.
    let unknown = matches!(secret, Err((Reason::KubernetesError, _)));
    if let Some(same) = same.filter(|same| unknown || same.org.origin() == origin) {
        if let (true, Err((_, message))) = (unknown, &secret) {
            tracing::warn!(
                issuer = object.name_any(),
                message,
                "the sign-in stays as it was"
            );
        }
        return Prepared {
            org: same.org.clone(),
            problem: same.signed_out.clone(),
        };
    }
    let (http, untrusted) = match connect::client(spec.ca_bundle.as_deref()) {
        Ok(http) => (http, None),
        // Accounts go on refreshing as they did.
        Err(message) => (
            match before {
                Some(before) => before.org.http().clone(),
                None => connect::client(None).unwrap_or_else(|_| connect::trusting_nobody()),
            },
            Some((Reason::InvalidIssuer, message)),
        ),
    };
    let signin = match untrusted {
        None => secret.and_then(|secret| sign_in(spec, &secret)),
        Some(problem) => Err(problem),
    };
    let (signin, problem) = match signin {
        Ok(signin) => (signin, None),
        Err(problem) => (SignIn::Missing(problem.1.clone()), Some(problem)),
    };
    let (clock, metrics) = (ctx.settings.clock.clone(), ctx.settings.metrics.clone());
    let org = Org::new(http, url, signin, limits, clock, metrics)
        .with_origin(origin)
        .with_sender(Sender {
            instance: ctx.settings.instance.clone(),
            fence: ctx.settings.fence.clone(),
            timeout: ctx.settings.okta_timeout,
        });
    Prepared {
        org: Arc::new(org),
        problem,
    }
}

/// The issuers of the org at `url`, as the cache has them.
fn issuers_of(url: &Url, ctx: &Context) -> Vec<Arc<OktaIssuer>> {
    let there = |issuer: &OktaIssuer| {
        Url::parse(&issuer.spec.org_url).is_ok_and(|other| other.origin() == url.origin())
    };
    ctx.stores.issuers.state_filter(there)
}

/// What all issuers of the org at `url` take together of its limits.
fn share(url: &Url, spec: &OktaIssuerSpec, ctx: &Context) -> RateLimit {
    let issuers = issuers_of(url, ctx);
    let shares = issuers.iter().map(|issuer| issuer.spec.rate_limit);
    combined(shares.chain([spec.rate_limit]))
}

/// How many accounts draw on the limits of the issuer's org.
pub(super) fn accounts_of_org(spec: &OktaIssuerSpec, ctx: &Context) -> usize {
    let Ok(url) = Url::parse(&spec.org_url) else {
        return 0;
    };
    let issuers = issuers_of(&url, ctx);
    let names: HashSet<String> = issuers.iter().map(|issuer| issuer.name_any()).collect();
    ctx.stores
        .accounts
        .state_filter(|account| names.contains(&account.spec.issuer_ref.name))
        .len()
}

fn same_connection(old: &OktaIssuerSpec, new: &OktaIssuerSpec) -> bool {
    old.org_url == new.org_url
        && old.auth == new.auth
        && old.ca_bundle == new.ca_bundle
        && old.authorization_server.management == new.authorization_server.management
}

/// A connection that refuses everything, for an issuer that cannot have one.
fn nowhere(problem: Problem, ctx: &Context) -> Prepared {
    let url = Url::parse("https://invalid.").expect("a constant URL");
    let limits = ctx.orgs.limits(&url, RateLimit::default());
    let org = Org::new(
        connect::trusting_nobody(),
        url,
        SignIn::Missing(problem.1.clone()),
        limits,
        ctx.settings.clock.clone(),
        ctx.settings.metrics.clone(),
    );
    Prepared {
        org: Arc::new(org),
        problem: Some(problem),
    }
}

/// The Secret that the issuer names, and the key in it when the issuer names none.
pub(crate) fn secret_ref(spec: &OktaIssuerSpec) -> Option<(&SecretRef, &'static str)> {
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

/// The host of the org; an IPv6 address without its brackets.
pub(crate) fn host(spec: &OktaIssuerSpec) -> String {
    let url = Url::parse(&spec.org_url);
    let host = url.as_ref().ok().and_then(Url::host_str);
    bare(host.unwrap_or_default()).to_owned()
}

fn bare(host: &str) -> &str {
    host.trim().trim_start_matches('[').trim_end_matches(']')
}

/// What the Secret holds, made ready to sign in with. Refuses one that does not
/// allow to be sent to the org.
pub(crate) fn sign_in(spec: &OktaIssuerSpec, secret: &Secret) -> Result<SignIn, Problem> {
    let name = secret.name_any();
    let host = host(spec);
    let allowed = secret.annotations().get(n::ANNOTATION_ALLOW_HOST);
    if !allowed.is_some_and(|allowed| bare(allowed).eq_ignore_ascii_case(&host)) {
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
