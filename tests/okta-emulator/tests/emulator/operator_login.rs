//! The org authorization server and DPoP: how an operator signs in.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::kit::{Key, Kit, Reply, SECRET, app_body, reply, text};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const APPS: &[&str] = &["okta.apps.manage", "okta.authorizationServers.read"];

struct Operator {
    kit: Kit,
    key: Key,
    count: std::cell::Cell<u32>,
}

impl Operator {
    async fn new(dpop: bool, roles: &[&str]) -> Self {
        let (kit, key) = (Kit::start().await, Key::new());
        let jwks = json!({ "keys": [key.jwk_named("op")] });
        kit.emulator
            .admin()
            .add_service_app_for_operator("operator.app", &jwks, APPS, dpop, roles);
        Self {
            kit,
            key,
            count: std::cell::Cell::new(0),
        }
    }

    fn jti(&self) -> String {
        self.count.set(self.count.get() + 1);
        format!("jti-{}", self.count.get())
    }

    fn proof(&self, method: &str, path: &str, more: &[(&str, &str)]) -> String {
        let mut claims = json!({
            "htm": method, "htu": format!("{}{path}", self.kit.emulator.url()),
            "iat": self.kit.emulator.clock().now(), "jti": self.jti(),
        });
        for (name, value) in more {
            claims[*name] = json!(value);
        }
        self.key.proof(&claims)
    }

    async fn sign_in(&self, scope: &str, proof: Option<&str>) -> Reply {
        let url = format!("{}/oauth2/v1/token", self.kit.emulator.url());
        let now = self.kit.emulator.clock().now();
        let assertion = self
            .key
            .assertion("op", "operator.app", &url, now, &self.jti());
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", scope),
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
        ];
        self.kit.form("/oauth2/v1/token", &form, proof).await
    }

    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        auth: &str,
        proof: Option<&str>,
        body: Option<&Value>,
    ) -> Reply {
        let mut request = self
            .kit
            .http
            .request(method, format!("{}{path}", self.kit.emulator.url()))
            .header("authorization", auth);
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        reply(request).await.expect("an answer")
    }
}

#[tokio::test]
async fn bearer_with_scopes_and_roles() {
    let operator = Operator::new(false, &["APP_ADMIN"]).await;
    let reply = operator
        .sign_in("okta.apps.manage okta.authorizationServers.read", None)
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(
        (&reply.body["token_type"], &reply.body["expires_in"]),
        (&json!("Bearer"), &json!(3600))
    );
    let auth = format!("Bearer {}", text(&reply.body["access_token"]));
    let get = async |path: &str| {
        operator
            .call(reqwest::Method::GET, path, &auth, None, None)
            .await
    };
    assert_eq!(get("/api/v1/apps").await.status, 200);
    let body = app_body("made.by.operator");
    let created = operator
        .call(
            reqwest::Method::POST,
            "/api/v1/apps",
            &auth,
            None,
            Some(&body),
        )
        .await;
    assert_eq!(created.status, 200);
    // The scope is there, the role is not; and the other way round.
    let no_role = get("/api/v1/authorizationServers").await;
    assert_eq!(
        (no_role.status, &no_role.body["errorCode"]),
        (403, &json!("E0000006"))
    );
    let no_scope = get("/api/v1/logs").await;
    assert_eq!(no_scope.status, 403);
    assert!(
        no_scope
            .header("www-authenticate")
            .contains("insufficient_scope")
    );
    let event = operator.kit.emulator.admin().logs();
    let made = event
        .iter()
        .rfind(|event| event["eventType"] == "application.lifecycle.create")
        .unwrap();
    assert_eq!(made["actor"]["id"], "operator.app");

    let refused = operator.sign_in("okta.users.manage", None).await;
    assert_eq!(
        (refused.status, &refused.body["error"]),
        (400, &json!("invalid_scope"))
    );
    operator
        .kit
        .emulator
        .clock()
        .advance(Duration::from_secs(3601));
    assert_eq!(get("/api/v1/apps").await.status, 401);
}

#[tokio::test]
async fn a_secret_does_not_open_the_org_server() {
    let kit = Kit::start().await;
    kit.app("client.secret").await;
    let request = kit
        .http
        .post(format!("{}/oauth2/v1/token", kit.emulator.url()))
        .basic_auth("client.secret", Some(SECRET))
        .form(&[
            ("grant_type", "client_credentials"),
            ("scope", "okta.apps.manage"),
        ]);
    let reply = reply(request).await.unwrap();
    assert_eq!(
        (reply.status, &reply.body["error"]),
        (401, &json!("invalid_client"))
    );
}

#[tokio::test]
async fn the_dpop_round_trip() {
    let operator = Operator::new(true, &["SUPER_ADMIN"]).await;
    let reply = operator.sign_in("okta.apps.manage", None).await;
    assert_eq!(
        (reply.status, &reply.body["error"]),
        (400, &json!("invalid_dpop_proof"))
    );
    let path = "/oauth2/v1/token";
    let reply = operator
        .sign_in("okta.apps.manage", Some(&operator.proof("POST", path, &[])))
        .await;
    assert_eq!(
        (reply.status, &reply.body["error"]),
        (400, &json!("use_dpop_nonce"))
    );
    let nonce = reply.header("dpop-nonce").to_owned();
    let proof = operator.proof("POST", path, &[("nonce", &nonce)]);
    let reply = operator.sign_in("okta.apps.manage", Some(&proof)).await;
    assert_eq!(
        (reply.status, &reply.body["token_type"]),
        (200, &json!("DPoP")),
        "{}",
        reply.body
    );
    let used = operator.sign_in("okta.apps.manage", Some(&proof)).await;
    assert_eq!(
        (used.status, &used.body["error"]),
        (400, &json!("invalid_dpop_proof"))
    );

    let token = text(&reply.body["access_token"]);
    let ath = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()));
    let auth = format!("DPoP {token}");
    let get = async |proof: Option<String>, auth: &str| {
        operator
            .call(
                reqwest::Method::GET,
                "/api/v1/apps?limit=5",
                auth,
                proof.as_deref(),
                None,
            )
            .await
    };
    let good = operator.proof("GET", "/api/v1/apps", &[("ath", &ath)]);
    assert_eq!(get(Some(good.clone()), &auth).await.status, 200);
    let refused = [
        Some(good),
        None,
        Some(operator.proof("GET", "/api/v1/apps", &[])),
        Some(operator.proof("GET", "/api/v1/apps?limit=5", &[("ath", &ath)])),
        Some(operator.proof("POST", "/api/v1/apps", &[("ath", &ath)])),
    ];
    for proof in refused {
        let reply = get(proof, &auth).await;
        assert_eq!(reply.status, 401);
        assert!(reply.header("www-authenticate").starts_with("DPoP error="));
    }
    let bearer = get(None, &format!("Bearer {token}")).await;
    assert_eq!(bearer.status, 401);

    // The nonce changes after a day; the old one is good for three.
    operator
        .kit
        .emulator
        .clock()
        .advance(Duration::from_secs(2 * 86_400));
    let reply = operator
        .sign_in(
            "okta.apps.manage",
            Some(&operator.proof("POST", path, &[("nonce", &nonce)])),
        )
        .await;
    assert_eq!(reply.status, 200);
    operator
        .kit
        .emulator
        .clock()
        .advance(Duration::from_secs(3 * 86_400));
    let reply = operator
        .sign_in(
            "okta.apps.manage",
            Some(&operator.proof("POST", path, &[("nonce", &nonce)])),
        )
        .await;
    assert_eq!(reply.status, 400);
    assert_ne!(reply.header("dpop-nonce"), nonce);
}

#[tokio::test]
async fn only_a_super_admin_changes_the_keys_of_an_app_with_grants() {
    let operator = Operator::new(false, &["APP_ADMIN"]).await;
    let id = text(
        &operator
            .kit
            .emulator
            .admin()
            .app_by_client_id("operator.app")
            .unwrap()["id"],
    );
    let target = format!("/api/v1/apps/{id}/credentials/jwks");
    let key = Key::new().jwk_named("next");
    operator
        .kit
        .emulator
        .admin()
        .set_api_token_rights(&["APP_ADMIN"]);
    assert_eq!(operator.kit.post(&target, &key).await.status, 403);
    operator
        .kit
        .emulator
        .admin()
        .set_api_token_rights(&["SUPER_ADMIN"]);
    assert_eq!(operator.kit.post(&target, &key).await.status, 201);
}

#[tokio::test]
async fn a_proof_sent_by_choice_binds_the_token_too() {
    let operator = Operator::new(false, &["APP_ADMIN"]).await;
    let path = "/oauth2/v1/token";
    let first = operator.proof("POST", path, &[]);
    let challenge = operator.sign_in("okta.apps.manage", Some(&first)).await;
    let nonce = challenge.header("dpop-nonce").to_owned();
    let second = operator.proof("POST", path, &[("nonce", &nonce)]);
    let reply = operator.sign_in("okta.apps.manage", Some(&second)).await;
    assert_eq!(
        (reply.status, &reply.body["token_type"]),
        (200, &json!("DPoP"))
    );
    let bearer = format!("Bearer {}", text(&reply.body["access_token"]));
    let refused = operator
        .call(reqwest::Method::GET, "/api/v1/apps", &bearer, None, None)
        .await;
    assert_eq!(refused.status, 401);
}
