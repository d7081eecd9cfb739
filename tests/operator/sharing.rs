//! Clusters, issuers and people that share an org or an authorization server:
//! nobody touches what is another's, and nobody notices the others.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use neo4j_okta_operator::api::{OktaIssuer, OktaIssuerStatus};
use neo4j_okta_operator::plan::check::{Claims, decode};

use okta_emulator::{Admin, Config, Emulator};
use serde_json::{Value, json};
use testbed::{ControlPlane, OPERATOR_NAMESPACE};
use tokio::sync::OnceCell;

use crate::contract::contract;
use crate::harness::{World, apply, condition, until};

const MINUTE: Duration = Duration::from_secs(60);

/// Another cluster with the same org, the same `clusterName` and a namespace of
/// the same name.
async fn another_cluster(world: &World) -> World {
    static OTHER: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = async || ControlPlane::start().await.expect("a second cluster");
    let cluster = OTHER.get_or_init(start).await;
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": world.namespace } });
    cluster.apply_yaml(&namespace.to_string()).await.unwrap();
    let (okta, clock) = (world.okta.clone(), world.clock.clone());
    World::on(cluster, world.namespace.clone(), okta, clock).await
}

async fn client_id(world: &World, account: &str) -> String {
    let status = world.ready(account).await.status.unwrap();
    status.client_id.unwrap()
}

/// Who each policy lists, by the policy's id.
fn lists(admin: &Admin, server: &str) -> Vec<(String, BTreeSet<String>)> {
    let policies = admin.policies(server);
    let of = |policy: &Value| {
        let clients: Vec<String> =
            serde_json::from_value(policy["conditions"]["clients"]["include"].clone()).unwrap();
        (text(&policy["id"]), clients.into_iter().collect())
    };
    policies.iter().map(of).collect()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn server_named(admin: &Admin, name: &str) -> String {
    let servers = admin.authorization_servers();
    let mut named = servers.iter().filter(|server| server["name"] == name);
    let id = text(&named.next().expect("the server")["id"]);
    assert!(named.next().is_none(), "two servers of one name");
    id
}

/// A policy with its rules and who it lists, but not its place.
pub(crate) fn policy_and_rules(admin: &Admin, server: &str, id: &str) -> Value {
    let mut policies = admin.policies(server);
    policies.retain(|policy| policy["id"] == id);
    let mut policy = policies.remove(0);
    policy["priority"] = Value::Null;
    json!([policy, admin.rules(server, id)])
}

/// Apps without what Okta notes about them.
fn apps_of(admin: &Admin, clients: &BTreeSet<String>) -> Vec<Value> {
    let app = |id: &String| admin.app_by_client_id(id).expect("its app");
    clients.iter().map(app).collect()
}

pub(crate) async fn token(world: &World, account: &str) -> Claims {
    decode(&world.token(account).await).unwrap()
}

async fn renewed(world: &World, account: &str) -> Claims {
    let before = world.token(account).await;
    let now = world.clock.now().to_string();
    world.annotate(account, "neo4j-okta.dev/renew", &now).await;
    until("renewed", async || {
        let token = world.token(account).await;
        if token == before { Err(()) } else { Ok(()) }
    })
    .await;
    token(world, account).await
}

async fn issuer(world: &World, name: &str, ready: &str) -> OktaIssuerStatus {
    until(&format!("issuer {name} Ready={ready}"), async || {
        let issuer: OktaIssuer = world.issuers().get(name).await.unwrap();
        let status = issuer.status.unwrap_or_default();
        let is = |c: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
            c.type_ == "Ready" && c.status == ready
        };
        if status.conditions.iter().any(is) {
            Ok(status)
        } else {
            Err(status)
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_of_one_name_in_one_org_never_touch_what_is_the_others() {
    let here = World::new().await;
    let mut there = another_cluster(&here).await;
    let admin = here.okta.admin();
    for name in ["etl", "goes"] {
        here.account(name, json!({})).await;
        here.ready(name).await;
    }
    there.issuer(json!({})).await;
    there.start_operator().await;
    for name in ["etl", "goes"] {
        there.account(name, json!({})).await;
        there.ready(name).await;
    }
    let server = server_named(&admin, "neo4j");
    let ours = BTreeSet::from([
        client_id(&here, "etl").await,
        client_id(&here, "goes").await,
    ]);
    let theirs = BTreeSet::from([
        client_id(&there, "etl").await,
        client_id(&there, "goes").await,
    ]);
    assert!(ours.is_disjoint(&theirs), "{ours:?} {theirs:?}");
    let all = lists(&admin, &server);
    let policy_of = |list: &BTreeSet<String>| {
        let mut found = all.iter().filter(|(_, listed)| listed == list);
        found.next().map(|(id, _)| id.clone()).expect("its policy")
    };
    assert_eq!(all.len(), 2, "a policy for each: {all:?}");
    let (policy, before) = (policy_of(&theirs), apps_of(&admin, &theirs));
    policy_of(&ours);
    let policy_before = policy_and_rules(&admin, &server, &policy);
    there.quiet().await;

    // One of them adds, removes, renews, and looks for what it has lost.
    here.okta.clear_requests();
    here.account("comes", json!({})).await;
    here.ready("comes").await;
    here.delete("goes").await;
    here.gone("goes").await;
    here.pass(Duration::from_secs(601));
    until("both have looked for orphans", async || {
        let lists = here.okta.count("GET", "/api/v1/apps");
        if lists >= 2 { Ok(()) } else { Err(lists) }
    })
    .await;
    here.quiet().await;
    there.quiet().await;
    assert_eq!(policy_and_rules(&admin, &server, &policy), policy_before);
    assert_eq!(apps_of(&admin, &theirs), before);
    let others = here.okta.requests();
    let others = others.iter().filter(|request| {
        let id = |app: &Value| request.path.contains(&text(&app["id"]));
        request.method != "GET" && (request.path.contains(&policy) || before.iter().any(id))
    });
    assert_eq!(others.count(), 0);

    // One of them leaves.
    for name in ["etl", "comes"] {
        here.delete(name).await;
        here.gone(name).await;
    }
    here.quiet().await;
    assert_eq!(apps_of(&admin, &theirs), before);
    assert_eq!(admin.apps().len(), 2);
    for name in ["etl", "goes"] {
        renewed(&there, name).await;
        assert!(there.signs_in(name).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_orgs_in_one_cluster_share_neither_apps_nor_an_outage() {
    let world = World::new().await;
    let config = Config {
        contract: contract(),
        ..Config::default()
    };
    let second = Emulator::start(config).await.unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "okta-second", "annotations": { "neo4j-okta.dev/allow-host": "127.0.0.1" } },
        "stringData": { "token": second.api_token() },
    });
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    apply(&secrets, "okta-second", &secret).await;
    let there = json!({ "orgUrl": second.url(), "auth": { "apiToken": { "secretRef": { "name": "okta-second" } } } });
    world.issuer_named("second", there).await;
    world.account("here", json!({})).await;
    world
        .account("there", json!({ "issuerRef": { "name": "second" } }))
        .await;
    let (here, there) = (
        client_id(&world, "here").await,
        client_id(&world, "there").await,
    );
    for (okta, client) in [(&*world.okta, &here), (&second, &there)] {
        let apps = okta.admin().apps();
        assert_eq!(apps.len(), 1);
        assert_eq!(
            apps[0]["credentials"]["oauthClient"]["client_id"],
            json!(client)
        );
    }
    assert!(
        token(&world, "here")
            .await
            .iss
            .starts_with(world.okta.url())
    );
    assert!(token(&world, "there").await.iss.starts_with(second.url()));
    world.quiet().await;
    second.stop_answering(true);
    let first = world.token("here").await;
    world.pass(50 * MINUTE);
    second.clock().advance(50 * MINUTE);
    world
        .has("there", "TokenFresh", "False", "OktaUnreachable")
        .await;
    until("refreshed", async || {
        let token = world.token("here").await;
        if token == first { Err(()) } else { Ok(()) }
    })
    .await;
    let calm = world.ready("here").await;
    assert_eq!(condition(&calm, "TokenFresh").unwrap().0, "True");
    second.stop_answering(false);
    world.pass(5 * MINUTE);
    second.clock().advance(5 * MINUTE);
    world
        .has("there", "TokenFresh", "True", "TokenIssued")
        .await;
    for name in ["here", "there"] {
        world.delete(name).await;
        world.gone(name).await;
    }
    assert_eq!(
        world.okta.admin().apps().len() + second.admin().apps().len(),
        0
    );
    assert!(second.violations().is_empty(), "{:?}", second.violations());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_issuers_share_a_server_each_with_its_own_policy_and_lifetime() {
    let mut world = World::without_operator().await;
    world.issuer(json!({})).await;
    // A name that begins like the other's.
    let server = json!({ "tokenLifetime": "30m" });
    world
        .issuer_named("default.eu", json!({ "authorizationServer": server }))
        .await;
    for i in 0..3 {
        world.account(&format!("one-{i}"), json!({})).await;
        world
            .account(
                &format!("two-{i}"),
                json!({ "issuerRef": { "name": "default.eu" } }),
            )
            .await;
    }
    world.start_operator().await;
    let (mut one, mut two) = (BTreeSet::new(), BTreeSet::new());
    for i in 0..3 {
        one.insert(client_id(&world, &format!("one-{i}")).await);
        two.insert(client_id(&world, &format!("two-{i}")).await);
        for (account, seconds) in [(format!("one-{i}"), 3600), (format!("two-{i}"), 1800)] {
            let token = token(&world, &account).await;
            assert_eq!(token.exp - token.iat, seconds, "{account}");
        }
    }
    let admin = world.okta.admin();
    let server = server_named(&admin, "neo4j");
    let sorted = |lists: Vec<(String, BTreeSet<String>)>| {
        lists
            .into_iter()
            .map(|(_, list)| list)
            .collect::<BTreeSet<_>>()
    };
    let both = BTreeSet::from([one.clone(), two.clone()]);
    assert_eq!(sorted(lists(&admin, &server)), both);
    world.quiet().await;
    let created = [
        issuer(&world, "default", "True").await.created.unwrap(),
        issuer(&world, "default.eu", "True").await.created.unwrap(),
    ];
    let claims = created.iter().filter(|c| c.claim_id.is_some()).count();
    assert_eq!(claims, 1, "one of them created the claim: {created:?}");
    assert_eq!(admin.policies(&server).len(), 2);

    // Somebody spoils the claim. Whoever created it puts it right, once.
    let id = created.iter().find_map(|c| c.claim_id.clone()).unwrap();
    let target = format!("/api/v1/authorizationServers/{server}/claims/{id}");
    let mut claim = admin.call("GET", &target, None).unwrap();
    claim["value"] = json!("app.profile.other");
    admin.call("PUT", &target, Some(&claim)).unwrap();
    world.okta.clear_requests();
    world.pass(61 * Duration::from_secs(1));
    until("put right", async || {
        let claim = admin.call("GET", &target, None).unwrap();
        if claim["value"] == "app.profile.neo4j_groups" {
            Ok(())
        } else {
            Err(claim)
        }
    })
    .await;
    for name in ["default", "default.eu"] {
        world.pass(MINUTE);
        issuer(&world, name, "True").await;
    }
    world.quiet().await;
    let puts = "/api/v1/authorizationServers/{authServerId}/claims/{claimId}";
    assert_eq!(world.okta.count("PUT", puts), 1);

    // One of them loses all its accounts.
    let policy = lists(&admin, &server)
        .into_iter()
        .find(|(_, l)| *l == two)
        .unwrap()
        .0;
    let before = policy_and_rules(&admin, &server, &policy);
    for i in 0..3 {
        world.delete(&format!("one-{i}")).await;
        world.gone(&format!("one-{i}")).await;
    }
    world.quiet().await;
    assert_eq!(policy_and_rules(&admin, &server, &policy), before);
    for i in 0..3 {
        let name = format!("two-{i}");
        let token = renewed(&world, &name).await;
        assert_eq!(token.exp - token.iat, 1800);
        assert!(world.signs_in(&name).await);
    }
    let left = world.accounts().list(&ListParams::default()).await.unwrap();
    assert_eq!(left.items.len(), 3);
}
