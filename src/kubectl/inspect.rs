//! `inspect`: the claims of an account's token, in words and with its instants.
//! Needs `get` on the account and on its token Secret. Never shows the token.

use std::fmt::Write as _;

use k8s_openapi::jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;

use super::cli::One;
use super::failure::{Failure, refused};
use super::render::when;
use super::session::{Session, show};
use super::token::{self, Parts};
use crate::plan::check::MAX_TOKEN_BYTES;

/// Claims that are instants (RFC 7519, RFC 9068).
const INSTANTS: [&str; 4] = ["iat", "exp", "nbf", "auth_time"];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected {
    account: String,
    secret_name: String,
    bytes: usize,
    #[serde(flatten)]
    parts: Parts,
}

pub(super) async fn run(session: &Session, arguments: &One) -> Result<u8, Failure> {
    let what = session.account(&arguments.name);
    let account = session.accounts().get(&arguments.name).await;
    let account = account.map_err(|e| refused(&what, &e))?;
    let (secret_name, token) = token::fetch(session, &account).await?;
    let parts = token::parts(&token)
        .ok_or_else(|| Failure::told(format!("{what}: what is in its Secret is no JWT")))?;
    let inspected = Inspected {
        account: format!("{}/{}", session.namespace, arguments.name),
        secret_name,
        bytes: token.expose_secret().len(),
        parts,
    };
    let now = session.clock.now();
    show(arguments.output, &inspected, || text(&inspected, now))?;
    Ok(0)
}

fn text(inspected: &Inspected, now: Timestamp) -> String {
    let mut text = format!(
        "Token of Neo4jServiceAccount {}, in Secret {}: {} of at most {MAX_TOKEN_BYTES} bytes\n",
        inspected.account, inspected.secret_name, inspected.bytes
    );
    for (title, part) in [
        ("Header", &inspected.parts.header),
        ("Claims", &inspected.parts.claims),
    ] {
        let width = part.keys().map(String::len).max().unwrap_or_default();
        let _ = writeln!(text, "\n{title}");
        for (name, value) in part {
            let _ = writeln!(text, "  {name:<width$}  {}", words(name, value, now));
        }
    }
    text
}

fn words(name: &str, value: &Value, now: Timestamp) -> String {
    let instant = value.as_i64().filter(|_| INSTANTS.contains(&name));
    match (value, instant.map(Timestamp::from_second)) {
        (_, Some(Ok(at))) => format!("{at} ({})", when(at.as_second() - now.as_second())),
        (Value::String(text), _) => text.clone(),
        (Value::Array(list), _) if list.iter().all(Value::is_string) => {
            let list: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            list.join(", ")
        }
        (value, _) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshots::{now, snapshot};
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use secrecy::SecretString;
    use serde_json::json;

    #[test]
    fn the_claims_are_told_and_the_token_is_not() {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(&json!({ "alg": "RS256", "kid": "k1" }));
        let claims = part(&json!({
            "iss": "https://acme.okta.com/oauth2/aus1", "aud": "neo4j", "cid": "prod.payments.etl.1",
            "iat": now().as_second() - 1200, "exp": now().as_second() + 2400,
            "groups": ["neo4j_publisher", "neo4j_reader"], "ver": 1,
        }));
        let token = SecretString::from(format!("{header}.{claims}.c2lnbmF0dXJl"));
        let inspected = Inspected {
            account: "payments/etl".to_owned(),
            secret_name: "etl-neo4j-token".to_owned(),
            bytes: 900,
            parts: token::parts(&token).expect("a JWT"),
        };
        let text = text(&inspected, now());
        for hidden in [header.as_str(), claims.as_str(), "c2lnbmF0dXJl"] {
            assert!(!text.contains(hidden));
            assert!(!serde_json::to_string(&inspected).unwrap().contains(hidden));
        }
        snapshot("inspect.txt", &text);
        for garbage in ["hunter2", "a.b", "a.b.c.d", "e30.e30"] {
            assert_eq!(token::parts(&SecretString::from(garbage)), None);
        }
    }
}
