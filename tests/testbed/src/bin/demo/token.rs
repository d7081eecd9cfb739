//! The token in the Secret, looked at as Neo4j would: signature, then claims.
//! The token itself never leaves this module.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::failure::Failure;

const TIMEOUT: Duration = Duration::from_secs(10);
const AUDIENCE: &str = "neo4j";

/// What a verified token says.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    claims: Value,
    /// The key that signed it, and how.
    pub(crate) signature: String,
}

impl Claims {
    /// Reads the Secret, and checks the signature, the issuer, the audience and
    /// the expiry with the keys that Okta publishes.
    pub(crate) async fn verified(
        cluster: &Cluster,
        secret: &str,
        issuer: &Value,
    ) -> Result<Self, Failure> {
        let secret = cluster
            .secrets(&cluster.namespace)
            .get(secret)
            .await
            .map_err(Failure::because("reading the token Secret"))?;
        let data = secret.data.unwrap_or_default();
        let token = data
            .get("token")
            .map(|token| token.0.clone())
            .unwrap_or_default();

        let bad = || Failure::because("the token in the Secret is not valid");
        let header = decode_header(&token).map_err(bad())?;
        let kid = header.kid.unwrap_or_default();
        let keys = keys(issuer["jwksUri"].as_str().unwrap_or_default()).await?;
        let key = keys
            .find(&kid)
            .ok_or_else(|| Failure::new(format!("Okta does not publish the key {kid}")))?;
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[issuer["issuer"].as_str().unwrap_or_default()]);
        let key = DecodingKey::from_jwk(key).map_err(bad())?;
        let claims = decode::<Value>(&token, &key, &validation)
            .map_err(bad())?
            .claims;
        let signature = format!("{:?}, key {kid}", header.alg);
        Ok(Self { claims, signature })
    }

    /// A claim as text.
    pub(crate) fn get(&self, name: &str) -> String {
        match &self.claims[name] {
            Value::String(text) => text.clone(),
            Value::Number(number) if matches!(name, "iat" | "exp") => instant(number.as_i64()),
            Value::Array(list) => {
                let items: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                items.join(", ")
            }
            other => other.to_string(),
        }
    }

    /// All claims, the interesting ones first.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        const FIRST: [&str; 9] = [
            "iss", "aud", "sub", "cid", "scp", "groups", "iat", "exp", "jti",
        ];
        let mut names: Vec<&str> = self
            .claims
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, _)| k.as_str())
            .collect();
        names.sort_by_key(|name| {
            FIRST
                .iter()
                .position(|first| first == name)
                .unwrap_or(FIRST.len())
        });
        names
            .iter()
            .map(|name| ((*name).to_owned(), self.get(name)))
            .collect()
    }
}

fn instant(seconds: Option<i64>) -> String {
    let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.map_or_else(|| "?".to_owned(), |at| at.to_string())
}

async fn keys(uri: &str) -> Result<JwkSet, Failure> {
    let failed = || Failure::because(format!("fetching the keys from {uri}"));
    // They are on this machine, whatever the environment says about proxies.
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .map_err(failed())?;
    let answer = client.get(uri).send().await.map_err(failed())?;
    let answer = answer.error_for_status().map_err(failed())?;
    answer.json().await.map_err(failed())
}
