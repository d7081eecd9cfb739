//! Statements about PUT on an app, which replaces the whole: what it forgets,
//! what it keeps, and what a change of the authentication method does.

use serde_json::{Value, json};

use super::key::Key;
use super::session::{App, SCOPE, Server, Session};
use super::statement::{Statement, Stop, Verdict, differ, expect, says, variant};
use super::wire::Reply;

const REPLACE: &str = "Management API: replaceApplication";

/// An app as it was read, without what only Okta writes.
async fn writable(org: &mut Session, app: &App) -> Result<Value, Stop> {
    let mut body = org.get(&format!("/api/v1/apps/{}", app.id)).await?.body;
    if let Some(body) = body.as_object_mut() {
        for name in [
            "id",
            "orn",
            "status",
            "created",
            "lastUpdated",
            "activated",
            "_links",
            "_embedded",
        ] {
            body.remove(name);
        }
    }
    Ok(body)
}

async fn put(org: &mut Session, app: &App, body: &Value) -> Result<Reply, Stop> {
    org.put(&format!("/api/v1/apps/{}", app.id), body).await
}

/// Makes an app one that signs in by key, as the operator does.
async fn to_key(org: &mut Session, app: &App, key: &Key) -> Result<Reply, Stop> {
    let mut body = writable(org, app).await?;
    body["credentials"]["oauthClient"]["token_endpoint_auth_method"] = json!("private_key_jwt");
    body["settings"]["oauthClient"]["jwks"] = json!({ "keys": [key.jwk()] });
    put(org, app, &body).await
}

/// Asks for a token by key until there is one, for a minute at most.
pub(super) async fn mint_by_key(
    org: &mut Session,
    server: &Server,
    app: &App,
    key: &Key,
) -> Result<Reply, Stop> {
    let audience = format!("{}{}", org.wire.org(), server.token());
    for _ in 0..30 {
        let assertion = key.assertion(&app.client_id, &audience, org.now().await?)?;
        let reply = by_assertion(org, &server.token(), &assertion, SCOPE).await?;
        if reply.status == 200 {
            return Ok(reply);
        }
        org.pause().await;
    }
    let assertion = key.assertion(&app.client_id, &audience, org.now().await?)?;
    by_assertion(org, &server.token(), &assertion, SCOPE).await
}

/// Asks for a token with this assertion.
pub(super) async fn by_assertion(
    org: &mut Session,
    path: &str,
    assertion: &str,
    scope: &str,
) -> Result<Reply, Stop> {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion),
    ];
    org.wire.form(path, &form, &[]).await
}

pub(super) const STATEMENTS: &[Statement] = &[
    says(
        "apps.replace.takes-what-was-read",
        "What was read, without what only Okta writes, is accepted as the body of a PUT",
        REPLACE,
        |org| {
            Box::pin(async move {
                let app = org.new_app(json!({})).await?;
                let body = writable(org, &app).await?;
                let reply = put(org, &app, &body).await?;
                let same = reply.body["profile"] == app.created["profile"]
                    && reply.body["label"] == app.created["label"];
                expect(reply.status == 200 && same, || reply.brief())
            })
        },
    ),
    says(
        "apps.replace.forgets-profile",
        "A PUT without a profile removes it",
        REPLACE,
        |org| {
            Box::pin(async move {
                let app = org.new_app(json!({})).await?;
                let mut body = writable(org, &app).await?;
                body.as_object_mut().map(|body| body.remove("profile"));
                put(org, &app, &body).await?;
                let read = org.get(&format!("/api/v1/apps/{}", app.id)).await?;
                let profile = &read.body["profile"];
                let gone = profile.is_null() || *profile == json!({});
                expect(gone, || format!("it reads {profile}"))
            })
        },
    ),
    says(
        "apps.replace.keeps-secret",
        "A PUT without a client secret leaves the old one in force",
        "okta-developer-docs, Apps API",
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let app = org.new_app(json!({})).await?;
                org.token(&server, &app, SCOPE).await?;
                let body = writable(org, &app).await?;
                put(org, &app, &body).await?;
                let granted = |reply: &Reply| reply.status == 200;
                let (reply, _) = org.mint_until(&server, &app, SCOPE, granted).await?;
                expect(reply.status == 200, || reply.brief())
            })
        },
    ),
    says(
        "apps.replace.method-and-key-in-one",
        "One PUT changes the method to private_key_jwt and brings the key, which then works",
        "okta-developer-docs, Implement OAuth for Okta with a service app",
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let (app, key) = (org.new_app(json!({})).await?, Key::generate()?);
                let reply = to_key(org, &app, &key).await?;
                if reply.status != 200 {
                    return differ(reply.brief());
                }
                let reply = mint_by_key(org, &server, &app, &key).await?;
                expect(reply.status == 200, || reply.brief())
            })
        },
    ),
    says(
        "apps.replace.key-method-drops-secrets",
        "An app that signs in by key has no client secrets any more",
        "okta-developer-docs, Implement OAuth for Okta with a service app",
        |org| {
            Box::pin(async move {
                let (app, key) = (org.new_app(json!({})).await?, Key::generate()?);
                to_key(org, &app, &key).await?;
                let path = format!("/api/v1/apps/{}/credentials/secrets", app.id);
                let reply = org.get(&path).await?;
                let active = reply.body.as_array().is_some_and(|secrets| {
                    secrets.iter().any(|secret| secret["status"] == "ACTIVE")
                });
                expect(!active, || "a secret is still active".to_owned())
            })
        },
    ),
    says(
        "apps.replace.method-takes-callers-secret",
        "A PUT that changes the method to a client secret takes the caller's, or makes one",
        "not documented",
        |org| {
            Box::pin(async move {
                let (app, key) = (org.new_app(json!({})).await?, Key::generate()?);
                to_key(org, &app, &key).await?;
                let mut body = writable(org, &app).await?;
                let secret = org.secret();
                let client = &mut body["credentials"]["oauthClient"];
                client["token_endpoint_auth_method"] = json!("client_secret_basic");
                client["client_secret"] = json!(secret);
                if let Some(settings) = body["settings"]["oauthClient"].as_object_mut() {
                    settings.remove("jwks");
                }
                let reply = put(org, &app, &body).await?;
                if reply.status != 200 {
                    return differ(reply.brief());
                }
                let path = format!("/api/v1/apps/{}/credentials/secrets", app.id);
                let listed = org.get(&path).await?;
                let secrets = listed.body.as_array().cloned().unwrap_or_default();
                if secrets.iter().any(|s| s["client_secret"] == *secret) {
                    variant("the caller's")
                } else if secrets.is_empty() {
                    differ("the app has no secret then")
                } else {
                    variant("one that Okta makes")
                }
            })
        },
    ),
    says(
        "apps.replace.keys-put-in-before",
        "Keys put in while the method is still a client secret survive the change to private_key_jwt",
        "not documented",
        |org| {
            Box::pin(async move {
                let (app, key) = (org.new_app(json!({})).await?, Key::generate()?);
                let mut body = writable(org, &app).await?;
                body["settings"]["oauthClient"]["jwks"] = json!({ "keys": [key.jwk()] });
                let before = put(org, &app, &body).await?;
                if before.status != 200 {
                    return variant(format!("refused before: {}", before.kind()));
                }
                let mut body = writable(org, &app).await?;
                body["credentials"]["oauthClient"]["token_endpoint_auth_method"] =
                    json!("private_key_jwt");
                let after = put(org, &app, &body).await?;
                let keys = &after.body["settings"]["oauthClient"]["jwks"]["keys"];
                match (after.status, keys[0]["kid"] == *key.kid) {
                    (200, true) => Ok(Verdict::Agree),
                    (200, false) => variant("they are lost"),
                    _ => differ(after.brief()),
                }
            })
        },
    ),
];
