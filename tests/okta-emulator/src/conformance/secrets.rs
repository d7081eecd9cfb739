//! Statements about client secrets and public keys: two slots, and what the
//! lifecycle allows. A rotation stands on these.

use serde_json::{Value, json};

use super::key::Key;
use super::session::{App, SCOPE, Session, basic, text};
use super::statement::{Statement, Stop, differ, expect, says, variant};
use super::wire::Reply;

const SECRETS: &str = "Management API: createOAuth2ClientSecret";
const GUIDE: &str = "okta-developer-docs, Client secret rotation and key management";

fn path(app: &App, rest: &str) -> String {
    format!("/api/v1/apps/{}/credentials/secrets{rest}", app.id)
}

/// An app with a second secret: (app, the second secret, its id).
async fn with_two(org: &mut Session) -> Result<(App, String, String), Stop> {
    let app = org.new_app(json!({})).await?;
    let secret = org.secret();
    let body = json!({ "client_secret": secret, "status": "ACTIVE" });
    let reply = org.post(&path(&app, ""), &body).await?;
    if reply.status == 201 {
        Ok((app, secret, reply.id().to_owned()))
    } else {
        Err(Stop(format!("no second secret: {}", reply.brief())))
    }
}

/// The secrets of an app as they are listed.
async fn listed(org: &mut Session, app: &App) -> Result<Vec<Value>, Stop> {
    let reply = org.get(&path(app, "")).await?;
    let list = reply.body.as_array().cloned();
    list.ok_or_else(|| Stop(format!("no list of secrets: {}", reply.brief())))
}

pub(super) const STATEMENTS: &[Statement] = &[
    says(
        "secrets.add.callers-own",
        "A second secret of the caller's choice is taken and answered with 201",
        SECRETS,
        |org| {
            Box::pin(async move {
                let (app, secret, id) = with_two(org).await?;
                let secrets = listed(org, &app).await?;
                let kept = secrets
                    .iter()
                    .any(|s| s["id"] == *id && s["client_secret"] == *secret);
                expect(kept, || "another secret is listed".to_owned())
            })
        },
    ),
    says(
        "secrets.list.shows-plaintext",
        "The list of secrets shows each in plaintext, with id and status",
        "Management API: listOAuth2ClientSecrets",
        |org| {
            Box::pin(async move {
                let app = org.app().await?;
                let secrets = listed(org, &app).await?;
                let whole = secrets.iter().any(|s| {
                    s["client_secret"] == *app.secret
                        && s["status"] == "ACTIVE"
                        && s["id"].is_string()
                });
                expect(whole, || format!("{} secrets, not so", secrets.len()))
            })
        },
    ),
    says(
        "secrets.both-work",
        "Two active secrets work side by side",
        GUIDE,
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let (app, second, _) = with_two(org).await?;
                let first = org.token(&server, &app, SCOPE).await?;
                let other = App {
                    secret: second,
                    ..app
                };
                let second = org.token(&server, &other, SCOPE).await?;
                expect(first.status == 200 && second.status == 200, String::new)
            })
        },
    ),
    says(
        "secrets.third-is-refused",
        "A third secret is refused with E0000001",
        SECRETS,
        |org| {
            Box::pin(async move {
                let (app, _, _) = with_two(org).await?;
                let reply = org.post(&path(&app, ""), &json!({})).await?;
                expect(reply.refused_for(400, "E0000001"), || reply.brief())
            })
        },
    ),
    says(
        "secrets.deactivated-is-refused",
        "A deactivated secret signs in no more",
        GUIDE,
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let (app, second, id) = with_two(org).await?;
                let other = App {
                    secret: second,
                    ..app
                };
                org.token(&server, &other, SCOPE).await?;
                let reply = org
                    .act(&path(&other, &format!("/{id}/lifecycle/deactivate")))
                    .await?;
                if reply.status != 200 {
                    return expect(false, || reply.brief());
                }
                let refused = |reply: &Reply| reply.code() == "invalid_client";
                let (reply, _) = org.mint_until(&server, &other, SCOPE, refused).await?;
                expect(refused(&reply), || reply.brief())
            })
        },
    ),
    says(
        "secrets.last-active-stays",
        "The only active secret cannot be deactivated: E0000001",
        "Management API: deactivateOAuth2ClientSecret",
        |org| {
            Box::pin(async move {
                let app = org.app().await?;
                let secrets = listed(org, &app).await?;
                let id = text(&secrets[0]["id"]);
                let reply = org
                    .act(&path(&app, &format!("/{id}/lifecycle/deactivate")))
                    .await?;
                expect(reply.refused_for(400, "E0000001"), || reply.brief())
            })
        },
    ),
    says(
        "secrets.delete.inactive-alone",
        "An active secret is not deleted (E0000001); an inactive one is, with 204",
        "Management API: deleteOAuth2ClientSecret",
        |org| {
            Box::pin(async move {
                let (app, _, id) = with_two(org).await?;
                let one = path(&app, &format!("/{id}"));
                let active = org.delete(&one).await?;
                org.act(&format!("{one}/lifecycle/deactivate")).await?;
                let inactive = org.delete(&one).await?;
                let holds = active.refused_for(400, "E0000001") && inactive.status == 204;
                expect(holds, || {
                    format!("active: {}; inactive: {}", active.brief(), inactive.brief())
                })
            })
        },
    ),
    says(
        "keys.second-beside-the-first",
        "A second public key is taken beside a first that has a kid, and answered with 201",
        "Management API: addJwk",
        |org| {
            Box::pin(async move {
                let (first, second) = (Key::generate()?, Key::generate()?);
                let app = org
                    .new_app(json!({
                        "credentials": { "oauthClient": { "client_secret": null, "token_endpoint_auth_method": "private_key_jwt" } },
                        "settings": { "oauthClient": { "jwks": { "keys": [first.jwk()] } } },
                    }))
                    .await?;
                let path = format!("/api/v1/apps/{}/credentials/jwks", app.id);
                let reply = org.post(&path, &second.jwk()).await?;
                expect(reply.status == 201, || reply.brief())
            })
        },
    ),
    says(
        "secrets.basic-is-not-decoded",
        "Whether Okta form-decodes the halves of Basic credentials (RFC 6749 §2.3.1)",
        "not documented",
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let app = org.new_app(json!({})).await?;
                org.token(&server, &app, SCOPE).await?;
                let secret = format!("{}%41", org.secret());
                org.ledger.hide(&secret);
                let body = json!({ "client_secret": secret });
                let reply = org.post(&path(&app, ""), &body).await?;
                if reply.status != 201 {
                    return differ(reply.brief());
                }
                for _ in 0..30 {
                    let plain = basic(&app.client_id, &secret);
                    let encoded = basic(&app.client_id, &secret.replace('%', "%25"));
                    for (way, header) in [("not decoded", plain), ("decoded", encoded)] {
                        let reply = org.mint_as(&server, &header, SCOPE).await?;
                        if reply.status == 200 {
                            return variant(way);
                        }
                    }
                    org.pause().await;
                }
                differ("the secret works in neither way")
            })
        },
    ),
];
