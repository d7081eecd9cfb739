//! Statements about a custom authorization server and what it is made of:
//! scopes, claims, access policies, rules.

use serde_json::{Value, json};

use super::session::{App, SCOPE, Server, Session, text};
use super::statement::{Statement, Stop, Verdict, differ, expect, says, variant};

const POLICIES: &str = "Management API: createAuthorizationServerPolicy";
const RULES: &str = "Management API: createAuthorizationServerPolicyRule";
const NOWHERE: &str = "not documented";

/// The clients that a policy names.
async fn clients(org: &mut Session, server: &Server, policy: &str) -> Result<Vec<String>, Stop> {
    let reply = org
        .get(&server.path(&format!("/policies/{policy}")))
        .await?;
    let include = reply.body["conditions"]["clients"]["include"].as_array();
    include
        .map(|list| list.iter().map(text).collect())
        .ok_or_else(|| Stop(format!("no policy: {}", reply.brief())))
}

/// A policy that names two apps, of which one has been deleted since.
async fn with_deleted(org: &mut Session) -> Result<(Server, String, App, App), Stop> {
    let server = org.server().await?;
    let (stays, goes) = (org.new_app(json!({})).await?, org.new_app(json!({})).await?);
    let both = [stays.client_id.as_str(), goes.client_id.as_str()];
    let policy = org.policy(&server, &both).await?;
    org.remove(&goes).await?;
    Ok((server, policy, stays, goes))
}

pub(super) const STATEMENTS: &[Statement] = &[
    says(
        "servers.create.issuer",
        "A server is created with 201; with ORG_URL its issuer is {org}/oauth2/{id}",
        "Management API: createAuthorizationServer",
        |org| {
            Box::pin(async move {
                let server = org.bare_server().await?;
                let expected = format!("{}/oauth2/{}", org.wire.org(), server.id);
                expect(server.issuer == expected, || {
                    format!("its issuer is {}", server.issuer)
                })
            })
        },
    ),
    says(
        "servers.list.q-finds-by-name",
        "q finds a server by its name",
        "Management API: listAuthorizationServers",
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let name = text(&org.get(&server.path("")).await?.body["name"]);
                let found = org
                    .get(&format!("/api/v1/authorizationServers?limit=200&q={name}"))
                    .await?;
                let list = found.body.as_array().cloned().unwrap_or_default();
                let holds = list.iter().any(|found| found["id"] == *server.id);
                expect(holds, || format!("{}, not in the list", found.brief()))
            })
        },
    ),
    says(
        "scopes.groups-is-reserved",
        "A scope cannot be called groups",
        "OpenID Connect & OAuth 2.0 API: scopes",
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let body = json!({ "name": "groups", "consent": "IMPLICIT" });
                let reply = org.post(&server.path("/scopes"), &body).await?;
                expect(reply.status == 400, || reply.brief())
            })
        },
    ),
    says(
        "scopes.twice-is-refused",
        "A second scope of one name is refused with 400 or 409",
        "Management API: createOAuth2Scope",
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let body = json!({ "name": SCOPE, "consent": "IMPLICIT" });
                let reply = org.post(&server.path("/scopes"), &body).await?;
                match reply.status {
                    400 | 409 => variant(reply.kind()),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "claims.named-groups",
        "A claim can be called groups, be an expression, and depend on a scope",
        "Management API: createOAuth2Claim",
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let reply = org.get(&server.path("/claims")).await?;
                let list = reply.body.as_array().cloned().unwrap_or_default();
                let kept = list.iter().any(|claim| {
                    claim["name"] == "groups"
                        && claim["value"] == "app.profile.neo4j_groups"
                        && claim["conditions"]["scopes"] == json!([SCOPE])
                });
                expect(kept, || format!("{}, not so", reply.brief()))
            })
        },
    ),
    says(
        "policies.create.keeps-clients",
        "A policy is created with 201, keeps its list of client ids, and gets a priority",
        POLICIES,
        |org| {
            Box::pin(async move {
                let (server, app) = (org.server().await?, org.app().await?);
                let body = org.policy_body(&[&app.client_id]);
                let reply = org.post(&server.path("/policies"), &body).await?;
                let kept = reply.body["conditions"]["clients"]["include"] == json!([app.client_id])
                    && reply.body["priority"].is_u64();
                expect(reply.status == 201 && kept, || reply.brief())
            })
        },
    ),
    says(
        "policies.unknown-client",
        "A policy that names a client which does not exist is refused with E0000001",
        "articulate/terraform-provider-okta#360",
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let nobody = org.name();
                let body = org.policy_body(&[&nobody]);
                let reply = org.post(&server.path("/policies"), &body).await?;
                expect(reply.refused_for(400, "E0000001"), || reply.brief())
            })
        },
    ),
    says(
        "policies.without-clients",
        "A policy that names no client is refused, or taken",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let server = org.server().await?;
                let body = org.policy_body(&[]);
                let reply = org.post(&server.path("/policies"), &body).await?;
                match reply.status {
                    201 => variant("taken"),
                    400 => variant("refused"),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "policies.deleted-client-stays",
        "Deleting an app takes its id out of the policies that name it, or leaves it there",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let (server, policy, stays, goes) = with_deleted(org).await?;
                let now = clients(org, &server, &policy).await?;
                if !now.contains(&stays.client_id) {
                    return differ("the other client is gone too");
                }
                let left = now.contains(&goes.client_id);
                variant(if left { "left there" } else { "taken out" })
            })
        },
    ),
    says(
        "policies.deleted-client-refused",
        "A PUT of a policy that still names a deleted app's client is refused, or taken",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let (server, policy, stays, goes) = with_deleted(org).await?;
                let path = server.path(&format!("/policies/{policy}"));
                let priority = org.get(&path).await?.body["priority"].clone();
                let mut body = org.policy_body(&[&stays.client_id, &goes.client_id]);
                body["priority"] = priority;
                let reply = org.put(&path, &body).await?;
                match reply.status {
                    200 => variant("taken"),
                    400 | 404 => variant("refused"),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "policies.replace.keeps-place",
        "A PUT with the priority just read leaves the policy in its place",
        "Management API: replaceAuthorizationServerPolicy",
        |org| {
            Box::pin(async move {
                let (server, app) = (org.bare_server().await?, org.app().await?);
                let first = org.policy(&server, &["ALL_CLIENTS"]).await?;
                org.policy(&server, &["ALL_CLIENTS"]).await?;
                let path = server.path(&format!("/policies/{first}"));
                let before = org.get(&path).await?.body["priority"].clone();
                let mut body = org.policy_body(&[&app.client_id]);
                body["priority"] = before.clone();
                let reply = org.put(&path, &body).await?;
                let after = org.get(&path).await?.body["priority"].clone();
                expect(reply.status == 200 && before == after, || {
                    format!("{}; priority {before} became {after}", reply.brief())
                })
            })
        },
    ),
    says(
        "rules.create.without-people",
        "A rule for client_credentials needs no people: 201",
        RULES,
        |org| {
            Box::pin(async move {
                let server = org.bare_server().await?;
                org.new_scope(&server, SCOPE).await?;
                let policy = org.policy(&server, &["ALL_CLIENTS"]).await?;
                org.rule(&server, &policy, SCOPE, 60).await?;
                let rules = server.path(&format!("/policies/{policy}/rules"));
                let read = org.get(&rules).await?;
                let rule: &Value = &read.body[0];
                let kept = rule["conditions"]["scopes"]["include"] == json!([SCOPE])
                    && rule["actions"]["token"]["accessTokenLifetimeMinutes"] == 60;
                expect(kept, || format!("{}, not as sent", read.brief()))
            })
        },
    ),
    says(
        "rules.lifetime-bounds",
        "Tokens live 5 minutes to 24 hours: 5 and 1440 are taken, 4 and 1441 refused",
        RULES,
        |org| {
            Box::pin(async move {
                let server = org.bare_server().await?;
                org.new_scope(&server, SCOPE).await?;
                let policy = org.policy(&server, &["ALL_CLIENTS"]).await?;
                let path = server.path(&format!("/policies/{policy}/rules"));
                let mut seen = Vec::new();
                for minutes in [5, 1440, 4, 1441] {
                    let body = org.rule_body(SCOPE, minutes);
                    seen.push(org.post(&path, &body).await?.status);
                }
                expect(seen == [201, 201, 400, 400], || {
                    format!("answered {seen:?}")
                })
            })
        },
    ),
    says(
        "policies.first-match-decides",
        "Of two policies that match, the one in front decides the lifetime",
        "okta-developer-docs, Configure an access policy",
        |org| {
            Box::pin(async move {
                let (server, app) = (org.bare_server().await?, org.app().await?);
                org.new_scope(&server, SCOPE).await?;
                for minutes in [5, 15] {
                    let policy = org.policy(&server, &["ALL_CLIENTS"]).await?;
                    org.rule(&server, &policy, SCOPE, minutes).await?;
                }
                let reply = org.token(&server, &app, SCOPE).await?;
                let lifetime = reply.body["expires_in"].as_u64();
                expect(lifetime == Some(300), || format!("it lives {lifetime:?} s"))
            })
        },
    ),
    says(
        "policies.no-rule-matches",
        "When a policy's client matches and none of its rules does, the next policy is asked, or not",
        NOWHERE,
        |org| {
            Box::pin(async move {
                let (server, app) = (org.bare_server().await?, org.app().await?);
                for scope in [SCOPE, "another"] {
                    org.new_scope(&server, scope).await?;
                }
                for scope in ["another", SCOPE] {
                    let policy = org.policy(&server, &["ALL_CLIENTS"]).await?;
                    org.rule(&server, &policy, scope, 5).await?;
                }
                // The policy in front has reached the token endpoint by then.
                org.token(&server, &app, "another").await?;
                let granted = |reply: &super::wire::Reply| reply.status == 200;
                let (reply, _) = org.mint_until(&server, &app, SCOPE, granted).await?;
                match (reply.status, reply.code()) {
                    (200, _) => variant("the next is asked"),
                    (_, "access_denied") => variant("no further policy is asked"),
                    _ => differ(reply.brief()),
                }
            })
        },
    ),
    says(
        "policies.admit-by-client-id",
        "A policy that lists client ids lets in those and no others",
        POLICIES,
        |org| {
            Box::pin(async move {
                let (server, inside) = (org.bare_server().await?, org.app().await?);
                let outside = org.new_app(json!({})).await?;
                org.new_scope(&server, SCOPE).await?;
                let policy = org.policy(&server, &[&inside.client_id]).await?;
                org.rule(&server, &policy, SCOPE, 5).await?;
                org.token(&server, &inside, SCOPE).await?;
                let known = |reply: &super::wire::Reply| reply.code() != "invalid_client";
                let (reply, _) = org.mint_until(&server, &outside, SCOPE, known).await?;
                if reply.code() == "access_denied" {
                    return Ok(Verdict::Agree);
                }
                differ(reply.brief())
            })
        },
    ),
];
