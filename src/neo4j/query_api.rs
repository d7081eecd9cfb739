//! Neo4j's Query API: one statement, one answer.
//!
//! Needs the base URL of a server's HTTP interface and a bearer token, which goes
//! there as it is (neo4j.com/docs/query-api). It refuses redirects, answers over
//! 8 MiB, and to repeat what a server says if that holds the token.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::login::{Seen, Trouble};
use crate::okta::connect;
use crate::okta::root_cause;

/// For one statement, from connecting to the last byte.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// A server lists each of its connections in a hundred bytes or so.
const LARGEST: usize = 8 << 20;
const WHO: &str = "SHOW CURRENT USER YIELD user, roles";
const WHOSE: &str = "SHOW TRANSACTIONS YIELD username, currentQuery";
const LONGEST_WORDS: usize = 200;

/// One server, and as whom to log in there.
#[derive(Debug)]
pub struct QueryApi<'a> {
    /// How to reach it.
    pub http: &'a reqwest::Client,
    /// As `spec.neo4j.queryApiUrls` has it.
    pub base: &'a str,
    /// An access token.
    pub token: &'a SecretString,
}

/// What came of a statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The rows, each with a value for each field; or why there are none.
    pub rows: Result<Vec<Vec<Value>>, Trouble>,
    /// The server's clock.
    pub date: Option<Timestamp>,
}

impl QueryApi<'_> {
    /// Runs `statement` on the database `system`, which each server has.
    pub async fn run(&self, statement: &str, parameters: &Value) -> Reply {
        match tokio::time::timeout(TIMEOUT, self.ask(statement, parameters)).await {
            Ok(reply) => reply,
            Err(_) => Reply::unreachable(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }

    /// Who is logged in, from what the server offers, and its clock: Neo4j's
    /// community edition knows no current user whom only a token knows, but it knows
    /// whose transaction is whose. `expected` is who it should be.
    pub async fn who(&self, expected: &str) -> (Result<Seen, Trouble>, Option<Timestamp>) {
        let none = json!({});
        let Reply { rows, date } = self.run(WHO, &none).await;
        let rows = match rows {
            Ok(rows) => rows,
            Err(trouble) => return (Err(trouble), date),
        };
        if let Some(seen) = Seen::current_user(&rows) {
            return (Ok(seen), date);
        }
        // Logged in is who came so far, whatever this tells.
        let rows = self.run(WHOSE, &none).await.rows.unwrap_or_default();
        (Ok(Seen::transaction(&rows, WHOSE, expected)), date)
    }

    async fn ask(&self, statement: &str, parameters: &Value) -> Reply {
        let url = format!("{}/db/system/query/v2", self.base.trim_end_matches('/'));
        let sent = self
            .http
            .post(url)
            .bearer_auth(self.token.expose_secret())
            .json(&json!({ "statement": statement, "parameters": parameters }))
            .send()
            .await;
        let mut answer = match sent {
            Ok(answer) => answer,
            Err(error) => return Reply::unreachable(connect::to_neo4j(&error)),
        };
        let (status, date) = (answer.status().as_u16(), date(answer.headers()));
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => return Reply::unreachable("its answer is over 8 MiB".into()),
                Ok(None) => break,
                Err(error) => {
                    let why = format!("its answer broke off: {}", root_cause(&error));
                    return Reply::unreachable(why);
                }
            }
        }
        let rows = read(status, &body, self.token.expose_secret());
        Reply { rows, date }
    }
}

impl Reply {
    fn unreachable(why: String) -> Self {
        Self {
            rows: Err(Trouble::Unreachable(why)),
            date: None,
        }
    }
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let parsed = k8s_openapi::jiff::fmt::rfc2822::parse(text).ok()?;
    Some(parsed.timestamp())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    data: Data,
    errors: Vec<Told>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    values: Vec<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    code: String,
    message: String,
}

/// Reads an answer. Success is 202; a refused login is 401, and everything else
/// that Neo4j has to say comes after the login (Query API, error responses).
fn read(status: u16, body: &[u8], token: &str) -> Result<Vec<Vec<Value>>, Trouble> {
    let body: Option<Body> = serde_json::from_slice(body).ok();
    let told = body.as_ref().and_then(|b| b.errors.first());
    let is_neo4js = told.is_some_and(|t| t.code.starts_with("Neo."));
    let words = || {
        let text = told.map_or("", |t| t.message.as_str());
        let text = text.replace(token, "<token>");
        let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().take(LONGEST_WORDS).collect::<String>()
    };
    let code = told.map_or("", |t| t.code.as_str());
    let security = code.strip_prefix("Neo.ClientError.Security.");
    match (status, security) {
        (200 | 202, None) if told.is_none() => match body {
            Some(body) => Ok(body.data.values),
            None => Err(Trouble::Unreachable(
                "it does not answer as the Query API does".to_owned(),
            )),
        },
        (_, Some("Forbidden")) => Err(Trouble::Forbidden(words())),
        (401, _) if is_neo4js => Err(Trouble::Refused(words())),
        (_, Some(_)) => Err(Trouble::Refused(format!("{code}: {}", words()))),
        (_, None) if is_neo4js => Err(Trouble::Failed(format!("{code}: {}", words()))),
        _ => Err(Trouble::Unreachable(format!(
            "it answers {status}, and not as the Query API does; look for a proxy in between, and for server.http.enabled or server.https.enabled"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "ey.J.x";

    fn error(code: &str, message: &str) -> Vec<u8> {
        json!({ "errors": [{ "code": code, "message": message }] })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn an_answer_is_read_for_what_it_says_of_the_login() {
        let rows = json!({ "data": { "fields": ["user"], "values": [["etl"]] } }).to_string();
        assert_eq!(
            read(202, rows.as_bytes(), TOKEN),
            Ok(vec![vec![json!("etl")]])
        );
        let unauthorized = "Neo.ClientError.Security.Unauthorized";
        assert_eq!(
            read(401, &error(unauthorized, "Invalid credential."), TOKEN),
            Err(Trouble::Refused("Invalid credential.".into()))
        );
        assert!(matches!(
            read(
                403,
                &error("Neo.ClientError.Security.Forbidden", "no"),
                TOKEN
            ),
            Err(Trouble::Forbidden(_))
        ));
        let unknown = "Neo.ClientError.Database.DatabaseNotFound";
        assert!(matches!(
            read(404, &error(unknown, "no"), TOKEN),
            Err(Trouble::Failed(_))
        ));
        for (status, body) in [
            (200, "<html>login</html>"),
            (401, "<html>proxy</html>"),
            (502, ""),
            (302, ""),
        ] {
            assert!(
                matches!(
                    read(status, body.as_bytes(), TOKEN),
                    Err(Trouble::Unreachable(_))
                ),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_server_that_repeats_the_token_is_not_quoted() {
        let code = "Neo.ClientError.Security.Unauthorized";
        let said = read(401, &error(code, "bad ey.J.x\n here"), TOKEN);
        assert_eq!(said, Err(Trouble::Refused("bad <token> here".into())));
    }
}
