//! Statements about the operator's own sign-in: private_key_jwt at the org
//! authorization server, and DPoP there and at the management API. The apps of
//! these statements get the scope okta.apps.read and no admin role.

use serde_json::json;

use super::key::{Key, hash};
use super::replace::by_assertion;
use super::session::{App, Session, text};
use super::statement::{Statement, Stop, differ, expect, says, variant};
use super::wire::Reply;

const PATH: &str = "/oauth2/v1/token";
const GRANTED: &str = "okta.apps.read";
const GUIDE: &str = "okta-developer-docs, Implement OAuth for Okta with a service app";
const DPOP: &str = "okta-developer-docs, Configure OAuth 2.0 Demonstrating Proof-of-Possession";

/// An app that may sign in at the org: by key, with one granted scope.
async fn service(org: &mut Session, bound: bool) -> Result<(App, Key), Stop> {
    let key = Key::generate()?;
    let app = org
        .new_app(json!({
            "credentials": { "oauthClient": { "client_secret": null, "token_endpoint_auth_method": "private_key_jwt" } },
            "settings": { "oauthClient": { "jwks": { "keys": [key.jwk()] }, "dpop_bound_access_tokens": bound } },
        }))
        .await?;
    let body = json!({ "scopeId": GRANTED, "issuer": org.wire.org() });
    let reply = org
        .post(&format!("/api/v1/apps/{}/grants", app.id), &body)
        .await?;
    if reply.status == 201 {
        Ok((app, key))
    } else {
        Err(Stop(format!("no grant: {}", reply.brief())))
    }
}

/// Asks the org server for a token, with a proof if there is a key for it.
async fn ask(
    org: &mut Session,
    (app, key): &(App, Key),
    scope: &str,
    proof: Option<(&Key, &str)>,
) -> Result<Reply, Stop> {
    let (url, now) = (format!("{}{PATH}", org.wire.org()), org.now().await?);
    let assertion = key.assertion(&app.client_id, &url, now)?;
    let Some((proving, nonce)) = proof else {
        return by_assertion(org, PATH, &assertion, scope).await;
    };
    let extra = if nonce.is_empty() {
        ("", "")
    } else {
        ("nonce", nonce)
    };
    let proof = proving.proof("POST", &url, now, extra)?;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion.as_str()),
    ];
    org.wire
        .form(PATH, &form, &[("dpop", proof.as_str())])
        .await
}

/// The same until the new client is known there, following a wish for a nonce.
async fn granted(
    org: &mut Session,
    client: &(App, Key),
    proving: Option<&Key>,
) -> Result<Reply, Stop> {
    let mut nonce = String::new();
    let mut reply = ask(org, client, GRANTED, proving.map(|key| (key, ""))).await?;
    for _ in 0..30 {
        if let Some(wanted) = reply.header("dpop-nonce") {
            nonce = wanted.to_owned();
        } else if reply.status == 200 {
            break;
        } else {
            org.pause().await;
        }
        if reply.status == 200 {
            break;
        }
        let proof = proving.map(|key| (key, nonce.as_str()));
        reply = ask(org, client, GRANTED, proof).await?;
    }
    Ok(reply)
}

/// A DPoP token and the key that it is bound to.
async fn bound_token(org: &mut Session) -> Result<(String, Key), Stop> {
    let (client, proving) = (service(org, true).await?, Key::generate()?);
    let reply = granted(org, &client, Some(&proving)).await?;
    if reply.status == 200 {
        let token = text(&reply.body["access_token"]);
        org.ledger.hide(&token);
        Ok((token, proving))
    } else {
        Err(Stop(format!("no DPoP token: {}", reply.brief())))
    }
}

/// A look at the management API with a DPoP token.
async fn look(org: &mut Session, token: &str, proof: &str) -> Result<Reply, Stop> {
    let authorization = format!("DPoP {token}");
    let headers = [("authorization", authorization.as_str()), ("dpop", proof)];
    org.wire.get_with("/api/v1/apps?limit=1", &headers).await
}

pub(super) const STATEMENTS: &[Statement] = &[
    says(
        "signin.secret-is-refused",
        "The org server gives client_credentials tokens for private_key_jwt alone",
        GUIDE,
        |org| {
            Box::pin(async move {
                let app = org.app().await?;
                let header = super::session::basic(&app.client_id, &app.secret);
                let form = [("grant_type", "client_credentials"), ("scope", GRANTED)];
                let headers = [("authorization", header.as_str())];
                let reply = org.wire.form(PATH, &form, &headers).await?;
                expect(matches!(reply.status, 400 | 401), || reply.brief())
            })
        },
    ),
    says(
        "signin.bearer",
        "An app that is not bound to DPoP gets a Bearer token of one hour without a proof",
        GUIDE,
        |org| {
            Box::pin(async move {
                let client = service(org, false).await?;
                let reply = granted(org, &client, None).await?;
                let holds =
                    reply.body["token_type"] == "Bearer" && reply.body["expires_in"] == 3600;
                expect(reply.status == 200 && holds, || reply.brief())
            })
        },
    ),
    says(
        "signin.unasked-proof",
        "A proof of an app that is not bound to DPoP binds its token, or is not heeded",
        "RFC 9449 §5; not documented by Okta",
        |org| {
            Box::pin(async move {
                let (client, proving) = (service(org, false).await?, Key::generate()?);
                let reply = granted(org, &client, Some(&proving)).await?;
                match reply.body["token_type"].as_str() {
                    Some("DPoP") => variant("it binds"),
                    Some("Bearer") => variant("it is not heeded"),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "signin.ungranted-scope",
        "A scope that was not granted to the app is 400 invalid_scope",
        GUIDE,
        |org| {
            Box::pin(async move {
                let client = service(org, false).await?;
                granted(org, &client, None).await?;
                let reply = ask(org, &client, "okta.users.manage", None).await?;
                expect(reply.refused_for(400, "invalid_scope"), || reply.brief())
            })
        },
    ),
    says(
        "signin.without-role",
        "A granted scope without an admin role gets a token, and 403 E0000006 at the API",
        "okta-developer-docs, Role assignment",
        |org| {
            Box::pin(async move {
                let client = service(org, false).await?;
                let reply = granted(org, &client, None).await?;
                let token = text(&reply.body["access_token"]);
                org.ledger.hide(&token);
                let authorization = format!("Bearer {token}");
                let headers = [("authorization", authorization.as_str())];
                let reply = org.wire.get_with("/api/v1/apps?limit=1", &headers).await?;
                match reply.status {
                    403 if reply.code() == "E0000006" => variant(reply.kind()),
                    200 => variant("200: the org makes new apps administrators"),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "signin.dpop.asks-for-a-nonce",
        "A proof without a nonce is answered with 400 use_dpop_nonce and a DPoP-Nonce header",
        DPOP,
        |org| {
            Box::pin(async move {
                let (client, proving) = (service(org, true).await?, Key::generate()?);
                let mut reply = ask(org, &client, GRANTED, Some((&proving, ""))).await?;
                for _ in 0..30 {
                    if reply.code() != "invalid_client" {
                        break;
                    }
                    org.pause().await;
                    reply = ask(org, &client, GRANTED, Some((&proving, ""))).await?;
                }
                let asked = reply.refused_for(400, "use_dpop_nonce");
                expect(asked && reply.header("dpop-nonce").is_some(), || {
                    reply.brief()
                })
            })
        },
    ),
    says(
        "signin.dpop.token",
        "With the nonce there is a token of type DPoP",
        DPOP,
        |org| {
            Box::pin(async move {
                let (client, proving) = (service(org, true).await?, Key::generate()?);
                let reply = granted(org, &client, Some(&proving)).await?;
                expect(reply.body["token_type"] == "DPoP", || reply.brief())
            })
        },
    ),
    says(
        "signin.dpop.needs-a-proof",
        "An app that is bound to DPoP gets no token without a proof: 400 invalid_dpop_proof",
        DPOP,
        |org| {
            Box::pin(async move {
                let (client, proving) = (service(org, true).await?, Key::generate()?);
                granted(org, &client, Some(&proving)).await?;
                let reply = ask(org, &client, GRANTED, None).await?;
                expect(reply.refused_for(400, "invalid_dpop_proof"), || {
                    reply.brief()
                })
            })
        },
    ),
    says(
        "signin.dpop.at-the-api",
        "The management API takes a DPoP token with a proof for URL without query, method and token",
        DPOP,
        |org| {
            Box::pin(async move {
                let (token, proving) = bound_token(org).await?;
                let url = format!("{}/api/v1/apps", org.wire.org());
                let (now, ath) = (org.now().await?, hash(&token));
                let proof = proving.proof("GET", &url, now, ("ath", &ath))?;
                let reply = look(org, &token, &proof).await?;
                // 403 is the role that is missing, not the proof.
                expect(matches!(reply.status, 200 | 403), || reply.brief())
            })
        },
    ),
    says(
        "signin.dpop.proof-is-good-once",
        "A proof is good for one request at the management API; again it is 401 or 400",
        "okta/terraform-provider-okta#2598",
        |org| {
            Box::pin(async move {
                let (token, proving) = bound_token(org).await?;
                let url = format!("{}/api/v1/apps", org.wire.org());
                let (now, ath) = (org.now().await?, hash(&token));
                let proof = proving.proof("GET", &url, now, ("ath", &ath))?;
                look(org, &token, &proof).await?;
                let again = look(org, &token, &proof).await?;
                match again.status {
                    400 | 401 => variant(again.kind()),
                    _ => differ(again.brief()),
                }
            })
        },
    ),
];
