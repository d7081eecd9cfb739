//! Does what workloads do: signs in with what stands in each credentials Secret,
//! and checks each published token as Neo4j would.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client};
use neo4j_okta_operator::api::names as n;
use neo4j_okta_operator::okta::jose::SigningKey;
use secrecy::{ExposeSecret, SecretString};

use crate::history::History;
use crate::truth::text;

/// # Errors
/// Whose credentials or token are refused.
pub(crate) async fn of_all(
    client: &Client,
    histories: &[History],
    now: Timestamp,
) -> Result<(), Vec<String>> {
    let http = reqwest::Client::new();
    let mut wrong = Vec::new();
    let mut keys: Option<jsonwebtoken::jwk::JwkSet> = None;
    for history in histories
        .iter()
        .filter(|h| h.wanted.exists && !h.wanted.suspended)
    {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &history.namespace);
        let read = async |suffix: &str| {
            let name = format!("{}{suffix}", history.name);
            secrets.get(&name).await.expect("it was there")
        };
        let mut credentials = read(n::SUFFIX_CREDENTIALS).await;
        let mut accepted = signs_in(&http, &credentials, now).await;
        // Replaced since it was read: a workload would read it again, too.
        let newest = read(n::SUFFIX_CREDENTIALS).await;
        if !accepted && newest.metadata.resource_version != credentials.metadata.resource_version {
            credentials = newest;
            accepted = signs_in(&http, &credentials, now).await;
        }
        if !accepted {
            wrong.push(format!("{}: the credentials do not sign in", history.name));
        }
        if keys.is_none() {
            let endpoint = text(&credentials, n::KEY_TOKEN_ENDPOINT).expect("an endpoint");
            let url = endpoint.replace("/token", "/keys");
            let answer = http.get(url).send().await.expect("an answer");
            keys = Some(answer.json().await.expect("a JWK set"));
        }
        let token = read(n::SUFFIX_TOKEN).await;
        let token = text(&token, n::KEY_TOKEN).unwrap_or_default();
        if !keys.as_ref().is_some_and(|keys| is_signed(token, keys)) {
            wrong.push(format!("{}: the token's signature is wrong", history.name));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn is_signed(token: &str, keys: &jsonwebtoken::jwk::JwkSet) -> bool {
    let kid = jsonwebtoken::decode_header(token).ok().and_then(|h| h.kid);
    let key = kid.and_then(|kid| keys.find(&kid));
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.validate_exp = false; // Okta's clock is not ours
    validation.set_audience(&["neo4j"]);
    key.and_then(|key| jsonwebtoken::DecodingKey::from_jwk(key).ok())
        .is_some_and(|key| {
            jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation).is_ok()
        })
}

async fn signs_in(http: &reqwest::Client, secret: &Secret, now: Timestamp) -> bool {
    let of = |key: &str| text(secret, key).unwrap_or_default().to_owned();
    let (endpoint, client_id) = (of(n::KEY_TOKEN_ENDPOINT), of(n::KEY_CLIENT_ID));
    let mut form = vec![
        ("grant_type", "client_credentials".to_owned()),
        ("scope", of(n::KEY_SCOPE)),
    ];
    let mut request = http.post(&endpoint);
    match of(n::KEY_AUTH_METHOD).as_str() {
        "client_secret_basic" => {
            request = request.basic_auth(client_id, Some(of(n::KEY_CLIENT_SECRET)));
        }
        "client_secret_post" => {
            form.push(("client_id", client_id));
            form.push(("client_secret", of(n::KEY_CLIENT_SECRET)));
        }
        _ => {
            let pem = SecretString::from(of(n::KEY_PRIVATE_KEY));
            let Ok(key) = SigningKey::from_pem(&pem, Some(&of(n::KEY_KEY_ID))) else {
                return false;
            };
            let assertion = key
                .client_assertion(&client_id, &endpoint, now)
                .expect("signed");
            form.push((
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
            ));
            form.push(("client_assertion", assertion.expose_secret().to_owned()));
        }
    }
    let answer = request.form(&form).send().await.expect("an answer");
    answer.status().is_success()
}
