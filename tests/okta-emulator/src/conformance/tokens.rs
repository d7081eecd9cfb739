//! Statements about the token endpoint of a custom authorization server: what a
//! token holds, how requests are refused, how soon a change is seen.

use serde_json::{Value, json};

use super::key::{Key, opened};
use super::replace::{by_assertion, mint_by_key};
use super::session::{App, SCOPE, Session, basic, text};
use super::statement::{Outcome, Statement, Stop, Verdict, differ, expect, says, variant};
use super::wire::Reply;

const TOKEN: &str = "OpenID Connect & OAuth 2.0 API: tokenCustomAS";
const ERRORS: &str = "okta-developer-docs, OAuth 2.0 error codes";
const NOWHERE: &str = "not documented";

/// What a claim with this expression becomes, in words.
async fn claim_of(org: &mut Session, expression: &str) -> Outcome {
    let app = org.app().await?;
    let server = org.bare_server().await?;
    org.new_scope(&server, SCOPE).await?;
    org.claim(&server, "probe", expression, SCOPE).await?;
    // One that always is there shows that the claims have settled.
    org.claim(&server, "settled", "app.profile.neo4j_groups", SCOPE)
        .await?;
    let policy = org.policy(&server, &["ALL_CLIENTS"]).await?;
    org.rule(&server, &policy, SCOPE, 5).await?;
    let settled = |reply: &Reply| reply.code() == "server_error" || has_claim(reply, "settled");
    let (reply, _) = org.mint_until(&server, &app, SCOPE, settled).await?;
    if reply.status != 200 {
        return match reply.code() {
            "server_error" => variant(format!("the request fails: {}", reply.kind())),
            _ => differ(reply.brief()),
        };
    }
    match &opened(&text(&reply.body["access_token"]))?.1["probe"] {
        Value::Null => variant("the claim is left out"),
        Value::Array(list) if list.is_empty() => variant("the claim is an empty list"),
        other => differ(format!("the claim is {other}")),
    }
}

fn has_claim(reply: &Reply, name: &str) -> bool {
    opened(&text(&reply.body["access_token"])).is_ok_and(|(_, claims)| !claims[name].is_null())
}

/// An app by key that has signed in at the shared server: (token endpoint, app, key).
async fn by_key(org: &mut Session) -> Result<(String, App, Key), Stop> {
    let (server, key) = (org.server().await?, Key::generate()?);
    let app = org
        .new_app(json!({
            "credentials": { "oauthClient": { "client_secret": null, "token_endpoint_auth_method": "private_key_jwt" } },
            "settings": { "oauthClient": { "jwks": { "keys": [key.jwk()] } } },
        }))
        .await?;
    let reply = mint_by_key(org, &server, &app, &key).await?;
    if reply.status == 200 {
        Ok((server.token(), app, key))
    } else {
        Err(Stop(format!("no token by key: {}", reply.brief())))
    }
}

/// In how many looks a change was seen.
fn seen_after(waits: u32) -> Outcome {
    variant(match waits {
        0 => "at once".to_owned(),
        _ => format!("after {} s", waits * 2),
    })
}

pub(super) const STATEMENTS: &[Statement] = &[
    says(
        "token.new-client",
        "A new app gets a token at once, or after some seconds of invalid_client",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let settled = org.app().await?;
                org.token(&server, &settled, SCOPE).await?;
                let app = org.new_app(json!({})).await?;
                let granted = |reply: &Reply| reply.status == 200;
                let (reply, waits) = org.mint_until(&server, &app, SCOPE, granted).await?;
                match reply.status {
                    200 => seen_after(waits),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "token.answer",
        "The answer is a Bearer token with expires_in as the rule says",
        TOKEN,
        |org| {
            Box::pin(async move {
                let (server, app) = (org.server().await?, org.app().await?);
                let reply = org.token(&server, &app, SCOPE).await?;
                let holds = reply.body["token_type"] == "Bearer"
                    && reply.body["expires_in"] == 600
                    && reply.body["scope"] == SCOPE;
                expect(holds, || {
                    format!(
                        "type {}, {} s",
                        reply.body["token_type"], reply.body["expires_in"]
                    )
                })
            })
        },
    ),
    says(
        "token.claims.groups-are-a-list",
        "app.profile.x of a list in the profile becomes a list in the token",
        "okta-developer-docs, Customize tokens with a static allowlist (implied)",
        |org| {
            Box::pin(async move {
                let claims = org.claims().await?;
                let mut groups: Vec<String> = claims["groups"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(text)
                    .collect();
                groups.sort();
                expect(groups == ["etl", "readers"], || {
                    format!("the claim is {}", claims["groups"])
                })
            })
        },
    ),
    says(
        "token.claims.client",
        "sub and cid are the client id; iss is the server's issuer, aud its audience",
        TOKEN,
        |org| {
            Box::pin(async move {
                let (server, app) = (org.server().await?, org.app().await?);
                let claims = org.claims().await?;
                let audience = org.get(&server.path("")).await?.body["audiences"][0].clone();
                let holds = claims["sub"] == *app.client_id
                    && claims["cid"] == *app.client_id
                    && claims["iss"] == *server.issuer
                    && (claims["aud"] == audience || claims["aud"] == json!([audience]));
                expect(holds, || {
                    let of = |name: &str| claims[name].to_string();
                    format!(
                        "sub {}, cid {}, iss {}, aud {}",
                        of("sub"),
                        of("cid"),
                        of("iss"),
                        of("aud")
                    )
                })
            })
        },
    ),
    says(
        "token.claims.lifetime",
        "exp − iat is the rule's lifetime, and iat is Okta's Date within some seconds",
        TOKEN,
        |org| {
            Box::pin(async move {
                let claims = org.claims().await?;
                let now = org.now().await?;
                let number = |name: &str| claims[name].as_u64().unwrap_or_default();
                let (issued, expires) = (number("iat"), number("exp"));
                let holds = expires.checked_sub(issued) == Some(600) && issued.abs_diff(now) < 60;
                expect(holds, || format!("iat {issued}, exp {expires}, Date {now}"))
            })
        },
    ),
    says(
        "token.header.key",
        "The token is signed with RS256 by a key that /v1/keys shows",
        TOKEN,
        |org| {
            Box::pin(async move {
                let (server, app) = (org.server().await?, org.app().await?);
                let reply = org.token(&server, &app, SCOPE).await?;
                let (header, _) = opened(&text(&reply.body["access_token"]))?;
                let keys = org
                    .wire
                    .get_with(&format!("/oauth2/{}/v1/keys", server.id), &[])
                    .await?;
                let known = keys.body["keys"]
                    .as_array()
                    .is_some_and(|keys| keys.iter().any(|key| key["kid"] == header["kid"]));
                expect(header["alg"] == "RS256" && known, || {
                    format!("alg {}, its key is shown: {known}", header["alg"])
                })
            })
        },
    ),
    says(
        "token.claims.missing-attribute",
        "A claim of app.profile.x where the profile has no x: left out, or the request fails",
        NOWHERE,
        |org| Box::pin(claim_of(org, "app.profile.no_such_attribute")),
    ),
    says(
        "token.claims.appuser",
        "A claim of appuser.x, where there is no user: left out, or the request fails",
        "okta-developer-docs, OAuth 2.0 error codes (user_claim_evaluation_failure)",
        |org| Box::pin(claim_of(org, "appuser.neo4j_groups")),
    ),
    says(
        "token.claims.null-guard",
        "app.profile.x != null ? app.profile.x : {} is a list without members, or refused",
        NOWHERE,
        |org| {
            Box::pin(claim_of(
                org,
                "app.profile.none != null ? app.profile.none : {}",
            ))
        },
    ),
    says(
        "token.refuses.wrong-secret",
        "A wrong secret is 401 invalid_client",
        ERRORS,
        |org| {
            Box::pin(async move {
                let (server, app) = (org.server().await?, org.app().await?);
                org.token(&server, &app, SCOPE).await?;
                let wrong = basic(&app.client_id, &org.secret());
                let reply = org.mint_as(&server, &wrong, SCOPE).await?;
                expect(reply.refused_for(401, "invalid_client"), || reply.brief())
            })
        },
    ),
    says(
        "token.refuses.unknown-client",
        "An unknown client is 401 invalid_client",
        ERRORS,
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let nobody = basic(&org.name(), &org.secret());
                let reply = org.mint_as(&server, &nobody, SCOPE).await?;
                expect(reply.refused_for(401, "invalid_client"), || reply.brief())
            })
        },
    ),
    says(
        "token.refuses.inactive-client",
        "A deactivated app is 401 invalid_client, and gets tokens again once activated",
        ERRORS,
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let app = org.new_app(json!({})).await?;
                org.token(&server, &app, SCOPE).await?;
                let lifecycle = format!("/api/v1/apps/{}/lifecycle", app.id);
                org.act(&format!("{lifecycle}/deactivate")).await?;
                let refused = |reply: &Reply| reply.status != 200;
                let (reply, _) = org.mint_until(&server, &app, SCOPE, refused).await?;
                if !reply.refused_for(401, "invalid_client") {
                    return differ(reply.brief());
                }
                org.act(&format!("{lifecycle}/activate")).await?;
                org.token(&server, &app, SCOPE).await?;
                Ok(Verdict::Agree)
            })
        },
    ),
    says(
        "token.refuses.other-method",
        "client_secret_post works where it is registered, and Basic is 401 invalid_client there",
        ERRORS,
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let change = json!({ "credentials": { "oauthClient": { "token_endpoint_auth_method": "client_secret_post" } } });
                let app = org.new_app(change).await?;
                let form = [
                    ("grant_type", "client_credentials"),
                    ("scope", SCOPE),
                    ("client_id", app.client_id.as_str()),
                    ("client_secret", app.secret.as_str()),
                ];
                let mut post = org.wire.form(&server.token(), &form, &[]).await?;
                for _ in 0..30 {
                    if post.status == 200 {
                        break;
                    }
                    org.pause().await;
                    post = org.wire.form(&server.token(), &form, &[]).await?;
                }
                let header = org.mint(&server, &app, SCOPE).await?;
                let holds = post.status == 200 && header.refused_for(401, "invalid_client");
                expect(holds, || {
                    format!("post: {}; Basic: {}", post.brief(), header.brief())
                })
            })
        },
    ),
    says(
        "token.refuses.no-policy",
        "Without a matching policy the error is access_denied; its status is 401, 400 or 403",
        ERRORS,
        |org| {
            Box::pin(async move {
                let (server, app) = (org.bare_server().await?, org.app().await?);
                org.new_scope(&server, SCOPE).await?;
                let denied = |reply: &Reply| reply.code() == "access_denied";
                let (reply, _) = org.mint_until(&server, &app, SCOPE, denied).await?;
                match (reply.status, reply.code()) {
                    (400 | 401 | 403, "access_denied") => variant(reply.kind()),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "token.refuses.unknown-scope",
        "A scope that the server does not have is 400 invalid_scope",
        ERRORS,
        |org| {
            Box::pin(async move {
                let (server, app) = (org.server().await?, org.app().await?);
                org.token(&server, &app, SCOPE).await?;
                let reply = org.mint(&server, &app, "no_such_scope").await?;
                expect(reply.refused_for(400, "invalid_scope"), || reply.brief())
            })
        },
    ),
    says(
        "token.assertion.works",
        "private_key_jwt works with the token endpoint's URL as audience",
        TOKEN,
        |org| {
            Box::pin(async move {
                by_key(org).await?;
                Ok(Verdict::Agree)
            })
        },
    ),
    says(
        "token.assertion.once",
        "An assertion with a jti is good once",
        "okta-developer-docs, OpenID Connect: JWT with private key",
        |org| {
            Box::pin(async move {
                let (path, app, key) = by_key(org).await?;
                let audience = format!("{}{path}", org.wire.org());
                let assertion = key.assertion(&app.client_id, &audience, org.now().await?)?;
                let first = by_assertion(org, &path, &assertion, SCOPE).await?;
                let again = by_assertion(org, &path, &assertion, SCOPE).await?;
                let holds = first.status == 200 && again.refused_for(401, "invalid_client");
                expect(holds, || {
                    format!("{}; again: {}", first.brief(), again.brief())
                })
            })
        },
    ),
    says(
        "token.changed-profile",
        "A changed profile is in the next token at once, or after some seconds",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let app = org.new_app(json!({})).await?;
                org.token(&server, &app, SCOPE).await?;
                let mut body = app.created.clone();
                body["profile"]["neo4j_groups"] = json!(["changed"]);
                if let Some(client) = body["credentials"]["oauthClient"].as_object_mut() {
                    client.remove("client_secret");
                }
                let path = format!("/api/v1/apps/{}", app.id);
                let put = org.put(&path, &body).await?;
                if put.status != 200 {
                    return differ(put.brief());
                }
                let changed = |reply: &Reply| {
                    opened(&text(&reply.body["access_token"]))
                        .is_ok_and(|(_, claims)| claims["groups"] == json!(["changed"]))
                };
                let (reply, waits) = org.mint_until(&server, &app, SCOPE, changed).await?;
                if changed(&reply) {
                    return seen_after(waits);
                }
                differ("a minute later it is not")
            })
        },
    ),
];
