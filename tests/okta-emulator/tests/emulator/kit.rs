//! What the tests share: an emulator with a client of its management API, and
//! a key pair that signs assertions and DPoP proofs. It asserts nothing itself.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use okta_emulator::{Config, Emulator};
use serde_json::{Value, json};

/// A secret of the kind that needs no escaping anywhere.
pub(crate) const SECRET: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-ABCDEFGH";
pub(crate) const SCOPE: &str = "neo4j_groups";

pub(crate) struct Kit {
    pub(crate) emulator: Emulator,
    pub(crate) http: reqwest::Client,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }

    /// The URL of the `Link` with this `rel`.
    pub(crate) fn link(&self, rel: &str) -> Option<String> {
        let wanted = format!("rel=\"{rel}\"");
        self.headers.get_all("link").iter().find_map(|value| {
            let text = value.to_str().ok()?;
            let (url, found) = text.split_once("; ")?;
            (found == wanted).then(|| url.trim_matches(['<', '>']).to_owned())
        })
    }

    /// The text that tells one E0000001 from another.
    pub(crate) fn cause(&self) -> &str {
        self.body["errorCauses"][0]["errorSummary"]
            .as_str()
            .unwrap_or("")
    }
}

impl Kit {
    pub(crate) async fn start() -> Self {
        let emulator = Emulator::start(Config::default())
            .await
            .expect("a free port");
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self { emulator, http }
    }

    pub(crate) async fn try_api(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<Reply> {
        let url = if target.starts_with("http") {
            target.to_owned()
        } else {
            format!("{}{target}", self.emulator.url())
        };
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method.clone(), url).header(
            "authorization",
            format!("SSWS {}", self.emulator.api_token()),
        );
        if let Some(body) = body {
            request = request.json(body);
        } else if method == reqwest::Method::POST {
            request = request.header("content-length", "0");
        }
        reply(request).await
    }

    pub(crate) async fn api(&self, method: &str, target: &str, body: Option<&Value>) -> Reply {
        self.try_api(method, target, body).await.expect("an answer")
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.api("GET", target, None).await
    }

    pub(crate) async fn post(&self, target: &str, body: &Value) -> Reply {
        self.api("POST", target, Some(body)).await
    }

    /// Creates an app and returns its id.
    pub(crate) async fn app(&self, client_id: &str) -> String {
        let reply = self.post("/api/v1/apps", &app_body(client_id)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        text(&reply.body["id"])
    }

    /// A scope, the groups claim, a policy for all and a rule on `default`.
    pub(crate) fn open_default_server(&self) {
        let admin = self.emulator.admin();
        admin.add_scope("default", SCOPE);
        admin.add_claim("default", "groups", "app.profile.neo4j_groups", &[SCOPE]);
        let policy = admin.add_policy("default", "m2m", &["ALL_CLIENTS"], None);
        admin.add_rule("default", &policy, "m2m", &[SCOPE], 15);
    }

    /// Asks for a token with client_secret_basic.
    pub(crate) async fn token(&self, client_id: &str, secret: &str) -> Reply {
        self.token_with(
            client_id,
            secret,
            &[("grant_type", "client_credentials"), ("scope", SCOPE)],
        )
        .await
    }

    pub(crate) async fn token_with(
        &self,
        client_id: &str,
        secret: &str,
        form: &[(&str, &str)],
    ) -> Reply {
        let url = format!("{}/oauth2/default/v1/token", self.emulator.url());
        let request = self
            .http
            .post(url)
            .basic_auth(client_id, Some(secret))
            .form(form);
        reply(request).await.expect("an answer")
    }

    /// Posts a form without credentials of any header.
    pub(crate) async fn form(
        &self,
        path: &str,
        form: &[(&str, &str)],
        dpop: Option<&str>,
    ) -> Reply {
        let mut request = self
            .http
            .post(format!("{}{path}", self.emulator.url()))
            .form(form);
        if let Some(proof) = dpop {
            request = request.header("dpop", proof);
        }
        reply(request).await.expect("an answer")
    }
}

pub(crate) async fn reply(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await?;
    Ok(Reply {
        status,
        headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    })
}

/// What the operator sends to create an app.
pub(crate) fn app_body(client_id: &str) -> Value {
    json!({
        "name": "oidc_client",
        "label": format!("neo4j-sa {client_id}"),
        "signOnMode": "OPENID_CONNECT",
        "credentials": { "oauthClient": {
            "client_id": client_id,
            "client_secret": SECRET,
            "token_endpoint_auth_method": "client_secret_basic",
            "autoKeyRotation": true,
        } },
        "settings": { "oauthClient": {
            "application_type": "service",
            "grant_types": ["client_credentials"],
            "response_types": ["token"],
            "dpop_bound_access_tokens": false,
        } },
        "profile": { "neo4j_groups": ["readers", "etl"], "managed_by": "operator" },
    })
}

/// The claims of a JWT.
pub(crate) fn claims(jwt: &Value) -> Value {
    let middle = jwt
        .as_str()
        .and_then(|jwt| jwt.split('.').nth(1))
        .expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).expect("base64url")).expect("JSON")
}

/// A JSON string.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// An ES256 key pair.
pub(crate) struct Key {
    pair: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { pair }
    }

    pub(crate) fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]) })
    }

    pub(crate) fn jwk_named(&self, kid: &str) -> Value {
        let mut jwk = self.jwk();
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!("ES256");
        jwk["use"] = json!("sig");
        jwk
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self
            .pair
            .sign(&SystemRandom::new(), input.as_bytes())
            .expect("a signature");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A client assertion for a token endpoint.
    pub(crate) fn assertion(
        &self,
        kid: &str,
        client_id: &str,
        audience: &str,
        now: u64,
        jti: &str,
    ) -> String {
        self.sign(
            &json!({ "alg": "ES256", "kid": kid }),
            &json!({ "iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 300, "jti": jti }),
        )
    }

    /// A DPoP proof.
    pub(crate) fn proof(&self, claims: &Value) -> String {
        self.sign(
            &json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() }),
            claims,
        )
    }
}
