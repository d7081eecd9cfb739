//! `verify`: checks an account's token as Neo4j does, against the public keys of
//! the issuer's authorization server. Needs `get` on the account, its issuer and
//! its token Secret, and a way to the authorization server. The token goes to the
//! servers of `spec.neo4j.queryApiUrls` alone, and there over TLS.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::{Host, Url};

use super::checks::{self, Check};
use super::cli::One;
use super::failure::{Failure, refused};
use super::render::when;
use super::session::{Session, show};
use super::token;
use crate::api::{Neo4jServiceAccount, OktaIssuer};
use crate::neo4j::login::{self, Expected, Login, Trouble};
use crate::neo4j::query_api::QueryApi;
use crate::okta::connect;
use crate::plan::check::{Claims, MAX_TOKEN_BYTES, decode, groups};

/// From here on a token is near Bolt's limit.
const WIDE_TOKEN_BYTES: usize = MAX_TOKEN_BYTES / 4 * 3;
const NEO4J: &str = "Neo4j";
const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) async fn run(session: &Session, arguments: &One) -> Result<u8, Failure> {
    let what = session.account(&arguments.name);
    let account = session.accounts().get(&arguments.name).await;
    let account = account.map_err(|e| refused(&what, &e))?;
    let name = &account.spec.issuer_ref.name;
    let issuers: Api<OktaIssuer> = Api::all(session.client.clone());
    let issuer = issuers.get(name).await;
    let issuer = issuer.map_err(|e| refused(&format!("OktaIssuer {name}"), &e))?;
    let (secret, token) = token::fetch(session, &account).await?;
    let keys = keys(&issuer).await;
    let now = session.clock.now();
    let mut checks = judge(&token, keys, &account, &issuer, now);
    checks.extend(at_neo4j(&token, &issuer, now).await);
    let title = format!("Token of {what}, in Secret {secret}");
    show(arguments.output, &checks, || {
        checks::text(&title, &checks, session.style)
    })?;
    Ok(checks::code(&checks))
}

/// The keys that sign the issuer's tokens, or why there are none.
async fn keys(issuer: &OktaIssuer) -> Result<JwkSet, String> {
    let status = issuer.status.clone().unwrap_or_default();
    let uri = status
        .jwks_uri
        .ok_or("the issuer does not know its authorization server yet: kubectl neo4jsa doctor")?;
    keys_at(&uri, issuer.spec.ca_bundle.as_deref()).await
}

/// The keys that are published there.
pub(super) async fn keys_at(uri: &str, ca_bundle: Option<&str>) -> Result<JwkSet, String> {
    let http = connect::client(ca_bundle)?;
    let words = |e: reqwest::Error| format!("no keys from {uri}: {e}");
    let answer = http.get(uri).timeout(TIMEOUT).send().await.map_err(words)?;
    let answer = answer.error_for_status().map_err(words)?;
    answer.json().await.map_err(words)
}

/// What each server says of the token.
async fn at_neo4j(token: &SecretString, issuer: &OktaIssuer, now: Timestamp) -> Vec<Check> {
    let urls = &issuer.spec.neo4j.query_api_urls;
    let claims = decode(token.expose_secret());
    let http = connect::client(issuer.spec.ca_bundle.as_deref());
    let (Some(claims), false) = (claims, urls.is_empty()) else {
        return Vec::new();
    };
    let http = match http {
        Ok(http) => http,
        Err(why) => return vec![Check::failed(NEO4J, why)],
    };
    let each = urls.iter().map(async |url| {
        if !is_private(url) {
            let why = format!("{url}: plain http is for inside the cluster; not asked from here");
            return Check::skipped(NEO4J, why);
        }
        let api = QueryApi {
            http: &http,
            base: url,
            token,
        };
        let (seen, date) = api.who(&claims.sub).await;
        let login = Login {
            server: url.clone(),
            seen,
            ahead: date.map(|date| date.duration_since(now)),
            accepted: None,
        };
        logged_in(&claims, issuer, login, now)
    });
    join_all(each).await
}

/// Nobody on the way reads along.
fn is_private(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        url.scheme() == "https" || loopback
    })
}

fn logged_in(claims: &Claims, issuer: &OktaIssuer, login: Login, now: Timestamp) -> Check {
    let claim = &issuer.spec.authorization_server.groups_claim;
    let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    let expected = Expected {
        user: &claims.sub,
        groups: &groups(claims, claim).unwrap_or_default(),
        key: None,
        issuer: &claims.iss,
        audience: claims.aud.as_str().unwrap_or_default(),
        good: (at(claims.iat), at(claims.exp)),
        neo4j: &issuer.spec.neo4j,
    };
    // The operator may reach what this machine does not.
    let unreachable = matches!(login.seen, Err(Trouble::Unreachable(_)));
    let verdict = login::judge(&expected, &[login], now);
    match (verdict.good, unreachable) {
        (true, _) => Check::passed(NEO4J, verdict.message),
        (false, true) => Check::warning(NEO4J, format!("from here: {}", verdict.message)),
        (false, false) => Check::failed(NEO4J, verdict.message),
    }
}

fn judge(
    token: &SecretString,
    keys: Result<JwkSet, String>,
    account: &Neo4jServiceAccount,
    issuer: &OktaIssuer,
    now: Timestamp,
) -> Vec<Check> {
    let mut checks = vec![match keys {
        Ok(keys) => signature(token, &keys),
        Err(why) => Check::failed("signature", why),
    }];
    let Some(claims) = decode(token.expose_secret()) else {
        checks.push(Check::failed(
            "claims",
            "what is in the Secret is no JWT; renew it",
        ));
        return checks;
    };
    let status = issuer.status.clone().unwrap_or_default();
    let client_id = account.status.as_ref().and_then(|s| s.client_id.as_deref());
    checks.push(equal("issuer", &claims.iss, status.issuer.as_deref()));
    checks.push(audience(&claims, status.audience.as_deref()));
    checks.push(equal("user name", &claims.sub, client_id));
    checks.push(expiry(&claims, now));
    checks.push(grouped(&claims, account, issuer));
    checks.push(size(token.expose_secret().len()));
    checks
}

/// Claims are added at Okta without a thought of Bolt's limit.
fn size(bytes: usize) -> Check {
    let message = format!("{bytes} bytes, and Bolt refuses more than {MAX_TOKEN_BYTES}");
    let repair = "ask for fewer groups or remove other claims from the authorization server";
    match (bytes > WIDE_TOKEN_BYTES, bytes > MAX_TOKEN_BYTES) {
        (false, _) => Check::passed("size", format!("{bytes} bytes")),
        (true, false) => Check::warning("size", message),
        (true, true) => Check::failed("size", format!("{message}; {repair}")),
    }
}

fn signature(token: &SecretString, keys: &JwkSet) -> Check {
    const NAME: &str = "signature";
    let kid = jsonwebtoken::decode_header(token.expose_secret())
        .ok()
        .and_then(|header| header.kid);
    let Some(kid) = kid else {
        return Check::failed(NAME, "the token names no key; renew it");
    };
    let Some(key) = keys.find(&kid) else {
        return Check::failed(
            NAME,
            format!(
                "the authorization server does not list key {kid} any more; kubectl neo4jsa renew gets a token with a key that it does"
            ),
        );
    };
    // Okta signs access tokens with RS256 alone.
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let valid = DecodingKey::from_jwk(key)
        .and_then(|key| jsonwebtoken::decode::<Value>(token.expose_secret(), &key, &validation));
    match valid {
        Ok(_) => Check::passed(
            NAME,
            format!("made with key {kid} of the authorization server"),
        ),
        Err(_) => Check::failed(
            NAME,
            format!("not made with key {kid}: somebody changed the token; kubectl neo4jsa renew"),
        ),
    }
}

fn equal(name: &'static str, found: &str, expected: Option<&str>) -> Check {
    match expected {
        Some(expected) if expected == found => Check::passed(name, found),
        Some(expected) => Check::failed(
            name,
            format!("is {found}, expected {expected}; kubectl neo4jsa renew"),
        ),
        None => Check::skipped(
            name,
            format!("is {found}; what it should be is not known yet"),
        ),
    }
}

fn audience(claims: &Claims, expected: Option<&str>) -> Check {
    let found: Vec<&str> = match &claims.aud {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    match expected.filter(|expected| found.contains(expected)) {
        Some(expected) => Check::passed("audience", expected),
        None => equal("audience", &found.join(", "), expected),
    }
}

fn expiry(claims: &Claims, now: Timestamp) -> Check {
    let left = claims.exp - now.as_second();
    let at = Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX);
    match left {
        1.. => Check::passed("expiry", format!("{}, at {at}", when(left))),
        _ => Check::failed(
            "expiry",
            format!(
                "{}, at {at}; kubectl neo4jsa status tells why there is no other",
                when(left)
            ),
        ),
    }
}

fn grouped(claims: &Claims, account: &Neo4jServiceAccount, issuer: &OktaIssuer) -> Check {
    let claim = &issuer.spec.authorization_server.groups_claim;
    let wanted: BTreeSet<String> = account.spec.groups.iter().cloned().collect();
    let join = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
    match groups(claims, claim) {
        Some(found) if found == wanted => Check::passed("groups", join(&found)),
        found => Check::failed(
            "groups",
            format!(
                "claim {claim} has {}, expected {}; kubectl neo4jsa status tells why",
                found.map_or("no groups".to_owned(), |found| join(&found)),
                join(&wanted)
            ),
        ),
    }
}
