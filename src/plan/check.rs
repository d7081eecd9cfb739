//! Looks into an access token before anybody else gets it. Pure. Does not check
//! the signature: the token came over TLS from the issuer itself, and Neo4j
//! checks it against the JWKS.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// Bolt refuses a LOGON with a longer token.
pub const MAX_TOKEN_BYTES: usize = 8192;

/// The claims of an access token that matter here (RFC 9068, Okta).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// For whom; a string or a list of them.
    pub aud: Value,
    /// The subject: for a service app its client id.
    #[serde(default)]
    pub sub: String,
    /// Okta's own claim for the client id.
    #[serde(default)]
    pub cid: String,
    /// Seconds since the epoch.
    pub iat: i64,
    /// Seconds since the epoch.
    pub exp: i64,
    /// All other claims.
    #[serde(flatten)]
    pub others: serde_json::Map<String, Value>,
}

/// What the token has to be.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The issuer that Neo4j trusts.
    pub issuer: &'a str,
    /// The audience that Neo4j expects.
    pub audience: &'a str,
    /// The client that asked.
    pub client_id: &'a str,
    /// The claim that carries the groups.
    pub groups_claim: &'a str,
    /// Exactly these groups.
    pub groups: &'a BTreeSet<String>,
    /// The lifetime that our own rule sets; `None` when the rule is somebody
    /// else's and whatever it says is right.
    pub lifetime: Option<Duration>,
}

/// Why a token is not published, in words that name the repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Groups differ right after our own write: Okta may not show it yet.
    Groups(String),
    /// The lifetime is another policy's.
    Lifetime(String),
    /// Anything else.
    Other(String),
}

impl Flaw {
    /// The words.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Groups(text) | Self::Lifetime(text) | Self::Other(text) => text,
        }
    }
}

/// Decodes the claims of a compact JWS. `None` when it is none.
#[must_use]
pub fn decode(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The groups in `claims`: a list of strings or one string, as Neo4j takes it.
#[must_use]
pub fn groups(claims: &Claims, claim: &str) -> Option<BTreeSet<String>> {
    match claims.others.get(claim)? {
        Value::String(one) => Some(BTreeSet::from([one.clone()])),
        Value::Array(many) => many.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Checks a token that Okta issued for `expected`. Never quotes the token.
///
/// # Errors
/// The first [`Flaw`] found.
pub fn check(token: &str, token_type: &str, expected: &Expected<'_>) -> Result<Claims, Flaw> {
    let other = |text: String| Err(Flaw::Other(text));
    if !token_type.eq_ignore_ascii_case("Bearer") {
        return other(format!(
            "Okta issued a token of type {token_type}, and Neo4j takes bearer tokens only: switch off \"Require DPoP\" for the app"
        ));
    }
    if token.len() > MAX_TOKEN_BYTES {
        return other(format!(
            "the token has {} bytes and Neo4j's Bolt protocol refuses more than {MAX_TOKEN_BYTES}: ask for fewer groups or remove other claims from the authorization server",
            token.len()
        ));
    }
    let Some(claims) = decode(token) else {
        return other("Okta answered with something that is not a JWT: is this a custom authorization server?".to_owned());
    };
    if claims.iss != expected.issuer {
        return other(format!(
            "the token's issuer is {} and Neo4j is told to trust {}: set the authorization server's issuer mode to a fixed URL",
            claims.iss, expected.issuer
        ));
    }
    let audience_matches = claims.aud == expected.audience
        || claims
            .aud
            .as_array()
            .is_some_and(|list| list.iter().any(|a| a == expected.audience));
    if !audience_matches {
        return other(format!(
            "the token's audience is {}, expected {}",
            claims.aud, expected.audience
        ));
    }
    if claims.sub != expected.client_id
        || (!claims.cid.is_empty() && claims.cid != expected.client_id)
    {
        return other(format!(
            "the token's subject is {}, expected the client id {}: does the authorization server have a sub claim of its own?",
            claims.sub, expected.client_id
        ));
    }
    let life = claims.exp.saturating_sub(claims.iat);
    if life <= 0 {
        return other("the token expires before it begins".to_owned());
    }
    if groups(&claims, expected.groups_claim).as_ref() != Some(expected.groups) {
        let found = claims
            .others
            .get(expected.groups_claim)
            .unwrap_or(&Value::Null);
        return Err(Flaw::Groups(format!(
            "the token's claim {} is {found}, expected exactly the groups asked for: check the claim's expression in the authorization server (app.profile.…, as appuser is empty without a user)",
            expected.groups_claim
        )));
    }
    if let Some(lifetime) = expected
        .lifetime
        .filter(|lifetime| life.unsigned_abs() != lifetime.as_secs())
    {
        return Err(Flaw::Lifetime(format!(
            "the token lives {life} s instead of {} s: another access policy or rule of the authorization server matches first; move it behind ours or take our clients out of it",
            lifetime.as_secs()
        )));
    }
    Ok(claims)
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
