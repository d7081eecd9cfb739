//! Statements about apps: how they come to be, are found, and go.

use reqwest::Method;
use serde_json::json;

use super::session::text;
use super::statement::{Statement, Verdict, differ, expect, says, variant};

const CREATE: &str = "Management API: createApplication";
const NOWHERE: &str = "not documented";

pub(super) const STATEMENTS: &[Statement] = &[
    says(
        "apps.create.answers-200",
        "A create answers 200, not 201",
        CREATE,
        |org| {
            Box::pin(async move {
                let body = org.app_body(&json!({}));
                let reply = org.create(&body).await?;
                expect(reply.status == 200, || reply.brief())
            })
        },
    ),
    says(
        "apps.create.keeps-client-id",
        "The caller chooses the client id: up to 100 characters, dots and hyphens among them",
        "Management API: ApplicationCredentialsOAuthClient",
        |org| {
            Box::pin(async move {
                let mut id = format!("{}.a-b.", org.name());
                id.push_str(&"x".repeat(100 - id.len()));
                let change = json!({ "credentials": { "oauthClient": { "client_id": id } } });
                let app = org.new_app(change).await?;
                let echoed = text(&app.created["credentials"]["oauthClient"]["client_id"]);
                expect(echoed == id, || format!("the client id became {echoed}"))
            })
        },
    ),
    says(
        "apps.create.echoes-client-secret",
        "The caller chooses the client secret, and the answer to the create holds it",
        "Management API: ApplicationCredentialsOAuthClient",
        |org| {
            Box::pin(async move {
                let app = org.app().await?;
                let client = &app.created["credentials"]["oauthClient"];
                match client["client_secret"].as_str() {
                    Some(echoed) if echoed == app.secret => Ok(Verdict::Agree),
                    Some(_) => variant("Okta makes a secret of its own"),
                    None => differ("the answer holds no client secret"),
                }
            })
        },
    ),
    says(
        "apps.create.is-active",
        "An app created with activate=true, or without saying, is ACTIVE in the answer",
        CREATE,
        |org| {
            Box::pin(async move {
                let status = text(&org.app().await?.created["status"]);
                expect(status == "ACTIVE", || format!("its status is {status}"))
            })
        },
    ),
    says(
        "apps.create.keeps-profile",
        "The profile is kept as it was sent: arrays and nested objects",
        "Management API: OpenIdConnectApplication.profile",
        |org| {
            Box::pin(async move {
                let profile =
                    json!({ "neo4j_groups": ["b", "a"], "owner": { "uid": "u", "n": 1 } });
                let app = org.new_app(json!({ "profile": profile })).await?;
                let read = org.get(&format!("/api/v1/apps/{}", app.id)).await?;
                expect(read.body["profile"] == profile, || {
                    format!("it reads {}", read.body["profile"])
                })
            })
        },
    ),
    says(
        "apps.create.dpop-stays-off",
        "dpop_bound_access_tokens sent as false is not on afterwards",
        "Management API: OpenIdConnectApplicationSettingsClient",
        |org| {
            Box::pin(async move {
                let app = org.app().await?;
                let dpop = &app.created["settings"]["oauthClient"]["dpop_bound_access_tokens"];
                expect(*dpop != json!(true), || "it is on".to_owned())
            })
        },
    ),
    says(
        "apps.create.refuses-taken-client-id",
        "A second app with a client id that is taken is refused",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let app = org.app().await?;
                let body = org.app_body(
                    &json!({ "credentials": { "oauthClient": { "client_id": app.client_id } } }),
                );
                let reply = org.create(&body).await?;
                match reply.status {
                    400 | 409 => variant(reply.kind()),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "apps.create.client-id-case",
        "Client ids that differ in case only are the same client, or two",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let id = org.app().await?.client_id.to_uppercase();
                let change = json!({ "credentials": { "oauthClient": { "client_id": id } } });
                let body = org.app_body(&change);
                let reply = org.create(&body).await?;
                match reply.status {
                    200 => variant("two clients"),
                    400 | 409 => variant("the same client"),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "apps.create.same-label",
        "Two apps may have one label, or the second is refused with E0000040",
        "release notes 2021.06.3; error catalogue",
        |org| {
            Box::pin(async move {
                let label = text(&org.app().await?.created["label"]);
                let body = org.app_body(&json!({ "label": label }));
                let reply = org.create(&body).await?;
                match reply.kind().as_str() {
                    "200" => variant("allowed"),
                    "400 E0000040" => variant("refused with E0000040"),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "apps.create.label-of-100",
        "A label has up to 100 characters; 101 are refused with E0000001",
        CREATE,
        |org| {
            Box::pin(async move {
                let mut label = org.name();
                label.push_str(&"x".repeat(100 - label.len()));
                org.new_app(json!({ "label": label })).await?;
                let body = org.app_body(&json!({ "label": format!("{label}x") }));
                let reply = org.create(&body).await?;
                expect(reply.refused_for(400, "E0000001"), || reply.brief())
            })
        },
    ),
    says(
        "apps.read.hides-client-secret",
        "Reading an app shows no client secret",
        "Management API: getApplication",
        |org| {
            Box::pin(async move {
                let app = org.app().await?;
                let read = org.get(&format!("/api/v1/apps/{}", app.id)).await?;
                let shown = &read.body["credentials"]["oauthClient"]["client_secret"];
                expect(read.status == 200 && shown.is_null(), || {
                    format!("{}, with a client secret", read.brief())
                })
            })
        },
    ),
    says(
        "apps.read.unknown-is-404",
        "An app that does not exist is 404 E0000007",
        "Management API: getApplication",
        |org| {
            Box::pin(async move {
                let reply = org.get("/api/v1/apps/0oa00000000000000000").await?;
                expect(reply.refused_for(404, "E0000007"), || reply.brief())
            })
        },
    ),
    says(
        "apps.list.q-finds-by-label",
        "q finds an app by the beginning of its label, with its client id and profile",
        "Management API: listApplications",
        |org| {
            Box::pin(async move {
                let app = org.app().await?;
                let label = text(&app.created["label"]);
                let path = format!("/api/v1/apps?limit=200&q={label}");
                // Lists may lag behind.
                for _ in 0..15 {
                    let found = org.get(&path).await?;
                    let apps = found.body.as_array().cloned().unwrap_or_default();
                    if let Some(listed) = apps.iter().find(|listed| listed["id"] == *app.id) {
                        let client = &listed["credentials"]["oauthClient"]["client_id"];
                        let whole = *client == *app.client_id
                            && listed["profile"] == app.created["profile"];
                        return expect(whole, || "it is listed without them".to_owned());
                    }
                    org.pause().await;
                }
                differ("it is not in the list")
            })
        },
    ),
    says(
        "apps.list.pages-by-link",
        "The next page is a Link with rel=\"next\" on the org's own host; name eq is a filter",
        "Management API: listApplications",
        |org| {
            Box::pin(async move {
                org.app().await?;
                org.new_app(json!({})).await?;
                let filter = "filter=name%20eq%20%22oidc_client%22";
                let page = org.get(&format!("/api/v1/apps?limit=1&{filter}")).await?;
                let next = page.next().unwrap_or("nowhere");
                let own = next
                    .strip_prefix(org.wire.org())
                    .is_some_and(|rest| rest.starts_with("/api/v1/apps?"));
                expect(page.status == 200 && own, || {
                    format!("{}, next page {next}", page.brief())
                })
            })
        },
    ),
    says(
        "clients.read.by-client-id",
        "GET /oauth2/v1/clients/{clientId} knows an app by its client id; an unknown one is 404",
        "OpenID Connect & OAuth 2.0 API: getClient",
        |org| {
            Box::pin(async move {
                let app = org.app().await?;
                let path = format!("/oauth2/v1/clients/{}", app.client_id);
                let known = org.get(&path).await?;
                let unknown = org.get(&format!("{path}.none")).await?;
                let holds = known.status == 200
                    && known.body["client_id"] == *app.client_id
                    && unknown.status == 404;
                expect(holds, || {
                    format!("known: {}; unknown: {}", known.brief(), unknown.brief())
                })
            })
        },
    ),
    says(
        "apps.delete.active-is-refused",
        "An active app is not deleted",
        "Management API: deleteApplication; error catalogue E0000056",
        |org| {
            Box::pin(async move {
                let app = org.new_app(json!({})).await?;
                let path = format!("/api/v1/apps/{}", app.id);
                // Not by `org.delete`: whatever it answers is the answer.
                let reply = org.wire.api(Method::DELETE, &path, None).await?;
                match reply.status {
                    400 | 403 | 409 => variant(reply.kind()),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "apps.deactivate.again",
        "Deactivating answers 200; once more it does so again, or refuses",
        "Management API: deactivateApplication",
        |org| {
            Box::pin(async move {
                let app = org.new_app(json!({})).await?;
                let path = format!("/api/v1/apps/{}/lifecycle/deactivate", app.id);
                let first = org.act(&path).await?;
                let second = org.act(&path).await?;
                match (first.status, second.status) {
                    (200, 200) => variant("200 again"),
                    (200, 400..500) => variant(second.kind()),
                    _ => differ(format!("{}; then {}", first.brief(), second.brief())),
                }
            })
        },
    ),
    says(
        "apps.delete.is-gone",
        "Deleting an inactive app answers 204; reading it is 404 then, or shows DELETED",
        "Management API: deleteApplication",
        |org| {
            Box::pin(async move {
                let app = org.new_app(json!({})).await?;
                let deleted = org.remove(&app).await?;
                let read = org.get(&format!("/api/v1/apps/{}", app.id)).await?;
                match (deleted.status, read.status) {
                    (204, 404) => variant("404"),
                    (204, 200) if read.body["status"] == "DELETED" => variant("status DELETED"),
                    _ => differ(format!("{}; then {}", deleted.brief(), read.brief())),
                }
            })
        },
    ),
    says(
        "apps.delete.client-id-afterwards",
        "The client id of a deleted app can be used again, or never",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let app = org.new_app(json!({})).await?;
                org.remove(&app).await?;
                let change =
                    json!({ "credentials": { "oauthClient": { "client_id": app.client_id } } });
                let body = org.app_body(&change);
                let reply = org.create(&body).await?;
                match reply.status {
                    200 => variant("again"),
                    400 | 409 => variant("never"),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
];
