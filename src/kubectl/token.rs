//! The token of an account: fetched from its Secret, taken apart without being
//! shown. Needs `get` on that Secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};

use super::failure::{Failure, refused};
use super::session::Session;
use crate::api::{Neo4jServiceAccount, names as n};
use crate::plan::desired::token_name;

/// What a token says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Parts {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

/// Takes a compact JWS apart; the signature is dropped. `None` when it is none.
pub(super) fn parts(token: &SecretString) -> Option<Parts> {
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let mut parts = token.expose_secret().split('.');
    let (header, claims) = (parts.next()?, parts.next()?);
    parts.next().filter(|_| parts.next().is_none())?;
    Some(Parts {
        header: read(header)?,
        claims: read(claims)?,
    })
}

/// An account's token, and the name of its Secret.
pub(super) async fn fetch(
    session: &Session,
    account: &Neo4jServiceAccount,
) -> Result<(String, SecretString), Failure> {
    let name = token_name(account);
    let what = format!("Secret {}/{name}", session.namespace);
    let api: Api<Secret> = Api::namespaced(session.client.clone(), &session.namespace);
    let secret = api.get(&name).await.map_err(|e| refused(&what, &e))?;
    let ours = secret.owner_references().iter();
    if !ours
        .into_iter()
        .any(|o| Some(&o.uid) == account.metadata.uid.as_ref())
    {
        return Err(Failure::told(format!("{what} is not this account's")));
    }
    let bytes = secret.data.and_then(|mut data| data.remove(n::KEY_TOKEN));
    let token = bytes.and_then(|bytes| String::from_utf8(bytes.0).ok());
    let token = token.ok_or_else(|| {
        Failure::told(format!(
            "{what} has no token; kubectl neo4jsa renew asks for one"
        ))
    })?;
    Ok((name, SecretString::from(token)))
}
