//! Statements about what Okta tells beside its answers: rate-limit headers and
//! the System Log, in which the operator looks for what others did.

use serde_json::{Value, json};

use super::session::{SCOPE, Session, text};
use super::statement::{Statement, Stop, Verdict, differ, expect, says, variant};
use super::wire::Reply;

const LIMITS: &str = "okta-developer-docs, Rate limits: monitor";
const EVENTS: &str = "okta-developer-docs, Event types";
const NOWHERE: &str = "not documented";
/// Looks at the log until an event is there, two seconds apart.
const LOOKS: u32 = 45;

/// The event of a kind about an app, once the log shows it.
async fn event(org: &mut Session, kind: &str, app_id: &str) -> Result<Option<Value>, Stop> {
    event_within(org, LOOKS, kind, app_id).await
}

async fn event_within(
    org: &mut Session,
    looks: u32,
    kind: &str,
    app_id: &str,
) -> Result<Option<Value>, Stop> {
    let filter = format!("eventType eq \"{kind}\" and target.id eq \"{app_id}\"");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("filter", &filter)
        .append_pair("sortOrder", "ASCENDING")
        .finish();
    for _ in 0..looks {
        let reply = org.get(&format!("/api/v1/logs?{query}")).await?;
        if let Some(event) = reply.body.as_array().and_then(|events| events.first()) {
            return Ok(Some(event.clone()));
        }
        if reply.status != 200 {
            return Err(Stop(format!("no System Log: {}", reply.brief())));
        }
        org.pause().await;
    }
    Ok(None)
}

/// The numbers of the three headers, if all are there.
fn limits(reply: &Reply) -> Option<(u64, u64)> {
    let number = |name: &str| reply.header(name)?.parse::<u64>().ok();
    number("x-rate-limit-reset")?;
    Some((
        number("x-rate-limit-limit")?,
        number("x-rate-limit-remaining")?,
    ))
}

pub(super) const STATEMENTS: &[Statement] = &[
    says(
        "limits.headers",
        "Answers of the management API bear X-Rate-Limit-*, X-Okta-Request-Id and Date",
        LIMITS,
        |org| {
            Box::pin(async move {
                let reply = org.get("/api/v1/authorizationServers?limit=1").await?;
                let holds = limits(&reply).is_some()
                    && reply.header("x-okta-request-id").is_some()
                    && reply.header("date").is_some();
                expect(holds, || {
                    let names: Vec<&str> = reply.headers.keys().map(|n| n.as_str()).collect();
                    format!("{}, headers {}", reply.brief(), names.join(" "))
                })
            })
        },
    ),
    says(
        "limits.headers-of-tokens",
        "Answers of a custom token endpoint bear X-Rate-Limit-*, or not",
        LIMITS,
        |org| {
            Box::pin(async move {
                let (server, app) = (org.server().await?, org.app().await?);
                let reply = org.token(&server, &app, SCOPE).await?;
                variant(if limits(&reply).is_some() {
                    "they do"
                } else {
                    "they do not"
                })
            })
        },
    ),
    says(
        "limits.whose-numbers",
        "X-Rate-Limit-* count the org's bucket, or the principal's share of it",
        NOWHERE,
        |org| {
            Box::pin(async move {
                // Two clients that are refused draw on one bucket in turn.
                let (server, first) = (org.server().await?, org.app().await?);
                let second = org.new_app(json!({})).await?;
                for app in [&first, &second] {
                    org.token(&server, app, SCOPE).await?;
                }
                let one = org.token(&server, &first, SCOPE).await?;
                let other = org.token(&server, &second, SCOPE).await?;
                let (Some((_, before)), Some((_, after))) = (limits(&one), limits(&other)) else {
                    return Ok(Verdict::Unknown(
                        "the token endpoint tells no limits".to_owned(),
                    ));
                };
                if one.header("x-rate-limit-reset") != other.header("x-rate-limit-reset") {
                    return Ok(Verdict::Unknown("a minute ended in between".to_owned()));
                }
                variant(if after < before {
                    "the org's"
                } else {
                    "the principal's"
                })
            })
        },
    ),
    says(
        "logs.create",
        "A create is in the System Log as application.lifecycle.create, the app its target",
        EVENTS,
        |org| {
            Box::pin(async move {
                let id = org.app().await?.id;
                let seen = event(org, "application.lifecycle.create", &id).await?;
                expect(seen.is_some(), || "it is not there".to_owned())
            })
        },
    ),
    says(
        "logs.deactivate",
        "A deactivation is there as application.lifecycle.deactivate, with its actor",
        EVENTS,
        |org| {
            Box::pin(async move {
                let app = org.new_app(json!({})).await?;
                org.act(&format!("/api/v1/apps/{}/lifecycle/deactivate", app.id))
                    .await?;
                let seen = event(org, "application.lifecycle.deactivate", &app.id).await?;
                expect(
                    seen.is_some_and(|event| event["actor"]["id"].is_string()),
                    || "it is not there, or without an actor".to_owned(),
                )
            })
        },
    ),
    says(
        "logs.delete",
        "A deletion is there as application.lifecycle.delete",
        EVENTS,
        |org| {
            Box::pin(async move {
                let app = org.new_app(json!({})).await?;
                org.remove(&app).await?;
                let seen = event(org, "application.lifecycle.delete", &app.id).await?;
                expect(seen.is_some(), || "it is not there".to_owned())
            })
        },
    ),
    says(
        "logs.profile-change",
        "A PUT that changes the profile alone is there as application.lifecycle.update, or not",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let app = org.new_app(json!({})).await?;
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
                // What came later is there: then so is this, or it never will be.
                org.act(&format!("{path}/lifecycle/deactivate")).await?;
                let later = event(org, "application.lifecycle.deactivate", &app.id).await?;
                if later.is_none() {
                    return differ("not even the deactivation behind it is there");
                }
                let kind = "application.lifecycle.update";
                let seen = event_within(org, 3, kind, &app.id).await?;
                variant(if seen.is_some() { "it is" } else { "it is not" })
            })
        },
    ),
    says(
        "logs.transaction",
        "transaction.id of an event is the X-Okta-Request-Id of the call, or another id",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let body = org.app_body(&json!({}));
                let reply = org.create(&body).await?;
                let request = reply
                    .header("x-okta-request-id")
                    .unwrap_or_default()
                    .to_owned();
                let id = reply.id().to_owned();
                let Some(event) = event(org, "application.lifecycle.create", &id).await? else {
                    return differ("the create is not in the System Log");
                };
                let transaction = text(&event["transaction"]["id"]);
                let debug = text(&event["debugContext"]["debugData"]["requestId"]);
                if !request.is_empty() && transaction == request {
                    variant("the request's")
                } else if !request.is_empty() && debug == request {
                    variant("another; debugData.requestId is the request's")
                } else {
                    variant("another")
                }
            })
        },
    ),
    says(
        "logs.next",
        "Polled without until, the log always names the next page, on the org's own host",
        "Management API: listLogEvents",
        |org| {
            Box::pin(async move {
                let reply = org.get("/api/v1/logs?sortOrder=ASCENDING&limit=1").await?;
                let next = reply.next().unwrap_or("nowhere").to_owned();
                let Some(path) = next.strip_prefix(org.wire.org()) else {
                    return differ(format!("{}, next page {next}", reply.brief()));
                };
                let follow = org.get(path).await?;
                expect(follow.status == 200 && follow.next().is_some(), || {
                    format!("the page behind it: {}", follow.brief())
                })
            })
        },
    ),
];
