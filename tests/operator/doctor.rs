//! `kubectl neo4jsa doctor` and `config` as the platform team calls them: an issuer
//! in order, and one for each thing that is wrong at Okta.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use neo4j_okta_operator::leader::LEASE;
use okta_emulator::{Fault, FaultKind};
use serde_json::{Value, json};
use testbed::OPERATOR_NAMESPACE;

use crate::harness::{World, apply};
use crate::kubectl::Said;
use crate::signin::{ROLES, SCOPES, world_with_a_key};

/// What the doctor said, line by line.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    said: Said,
    report: Value,
}

impl Diagnosis {
    fn of(said: Said) -> Self {
        let report = serde_json::from_str(&said.out).unwrap_or(Value::Null);
        Self { said, report }
    }

    /// The verdict on a line, its words and the place of the repair.
    fn line(&self, name: &str) -> (String, String) {
        let checks = self.report["checks"].as_array();
        let checks = checks.unwrap_or_else(|| panic!("no checks: {:#?}", self.said));
        let line = checks.iter().find(|check| check["name"] == name);
        let line = line.unwrap_or_else(|| panic!("no line {name}: {checks:#?}"));
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let words = format!("{} {}", text("message"), text("repair"));
        (text("verdict"), words)
    }

    /// Fails unless the line is so and names all of these.
    pub(crate) fn says(&self, name: &str, verdict: &str, wanted: &[&str]) {
        let (found, words) = self.line(name);
        assert_eq!(found, verdict, "{name}: {words}");
        for word in wanted {
            assert!(words.contains(word), "{name} does not name {word}: {words}");
        }
    }

    pub(crate) fn ends_with(&self, code: i32) {
        assert_eq!(self.said.code, code, "{:#?}", self.said);
        assert_eq!(self.report["inOrder"], code == 0);
    }
}

impl World {
    pub(crate) async fn doctor(&self, arguments: &[&str]) -> Diagnosis {
        let all = [&["doctor", "-o", "json"], arguments].concat();
        Diagnosis::of(self.plugin(&all).await)
    }

    /// A server that is somebody else's, for tokens of so many minutes, and the
    /// issuer that names it.
    pub(crate) async fn external(
        &self,
        audience: &str,
        claim: Option<&str>,
        minutes: u64,
    ) -> String {
        let admin = self.okta.admin();
        let server = admin.create_authorization_server("graph", audience);
        admin.add_scope(&server, "neo4j_groups");
        if let Some(expression) = claim {
            admin.add_claim(&server, "groups", expression, &["neo4j_groups"]);
        }
        let policy = admin.add_policy(&server, "machines", &["ALL_CLIENTS"], None);
        admin.add_rule(&server, &policy, "tokens", &["neo4j_groups"], minutes);
        let wanted =
            json!({ "id": server, "name": null, "audience": "neo4j", "management": "External" });
        self.issuer(json!({ "authorizationServer": wanted })).await;
        server
    }

    /// Apps at Okta that the doctor made.
    pub(crate) fn left(&self) -> Vec<Value> {
        let mut apps = self.okta.admin().apps();
        apps.retain(|app| app["label"].as_str().is_some_and(|l| l.contains("doctor")));
        apps
    }

    /// A lease as a leader keeps it.
    async fn lease(&self) {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": LEASE },
            "spec": {
                "holderIdentity": "operator-1", "leaseDurationSeconds": 3600,
                "renewTime": format!("{:.6}", self.clock.now()),
            },
        });
        let leases = Api::<Lease>::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        apply(&leases, LEASE, &lease).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_in_order_is_found_so_from_end_to_end_and_nothing_is_left_of_the_look() {
    let (world, ..) = world_with_a_key(&SCOPES, &["SUPER_ADMIN"]).await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.lease().await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
    let apps = world.okta.admin().apps().len();
    let found = world.doctor(&[]).await;
    found.ends_with(0);
    assert_eq!(found.said.err, "");
    found.says("operator", "Passed", &["operator-1"]);
    found.says("sign-in", "Passed", &["operator-app"]);
    found.says(
        "scopes",
        "Passed",
        &["okta.apps.manage", "okta.logs.read", "okta.orgs.read"],
    );
    found.says("System Log", "Passed", &[]);
    found.says("server", "Passed", &["neo4j", "/oauth2/"]);
    found.says("claim", "Passed", &["app.profile.neo4j_groups"]);
    found.says("allow list", "Passed", &["1 clients"]);
    found.says("token", "Passed", &["/etl", "neo4j_reader", "lives 1h"]);
    found.says("limit of apps", "Passed", &["a minute"]);
    found.says("waiting", "Passed", &["none of the org's 1 accounts"]);
    found.says("outage", "Passed", &["goes unnoticed"]);
    found.says("new apps", "Passed", &[]);
    let checks = found.report["checks"].as_array().unwrap();
    assert!(
        checks.iter().all(|c| c["verdict"] == "Passed"),
        "{checks:#?}"
    );
    // It read alone.
    assert_eq!(world.okta.admin().apps().len(), apps);
    let looked = |r: &&okta_emulator::Request| r.method != "GET" && !r.path.ends_with("/token");
    world.okta.clear_requests();
    let text = world.plugin(&["doctor"]).await;
    assert_eq!(text.code, 0, "{text:#?}");
    assert!(text.out.ends_with("\nall in order\n"), "{}", text.out);
    assert_eq!(world.okta.requests().iter().filter(looked).count(), 0);

    let minted = world.doctor(&["--mint"]).await;
    minted.ends_with(0);
    // The issuer lists its clients, and this one is none of them.
    minted.says("mint", "Passed", &["not listed"]);
    minted.says("fresh token", "Passed", &["/etl", "lives 1h"]);
    assert_eq!(world.left(), Vec::<Value>::new());

    let mut hidden = world.okta.admin().management_tokens();
    hidden.extend(
        world
            .data("etl-okta-credentials")
            .await
            .remove("client_secret"),
    );
    let token = world.token("etl").await;
    hidden.extend(token.split('.').map(str::to_owned));
    for said in [&found.said, &minted.said, &text] {
        for secret in &hidden {
            assert!(!said.out.contains(secret) && !said.err.contains(secret));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_or_role_that_is_missing_is_named_with_the_page_where_it_is_given() {
    let (mut world, app, _) = world_with_a_key(&SCOPES, &ROLES).await;
    world.issuer_has("Ready", "True", "IssuerReady").await;
    world.stop_operators().await;
    let admin = world.okta.admin();
    admin.set_app_rights(&app, &SCOPES[1..4], &ROLES);
    let found = world.doctor(&[]).await;
    found.ends_with(2);
    found.says("sign-in", "Passed", &["operator-app"]);
    let wanted = [
        "okta.apps.manage",
        "okta.authorizationServers.manage",
        "operator-app › Okta API Scopes",
    ];
    found.says("scopes", "Failed", &wanted);
    found.says("Okta", "Skipped", &[]);

    // Roles that do not look at apps; only --mint finds out that none registers one.
    admin.set_app_rights(&app, &SCOPES, &["okta.authzServers.manage"]);
    let found = world.doctor(&[]).await;
    found.ends_with(2);
    found.says(
        "apps",
        "Failed",
        &["Application Administrator", "operator-app › Admin roles"],
    );
    found.says("server", "Passed", &[]);
    admin.set_app_rights(
        &app,
        &SCOPES,
        &["okta.apps.read", "API_ACCESS_MANAGEMENT_ADMIN"],
    );
    let found = world.doctor(&["--mint"]).await;
    found.says("apps", "Passed", &[]);
    found.says("mint", "Failed", &["okta.apps.manage", "Admin roles"]);
    // Enough for everything but a rotation.
    let rights = ["okta.apps.manage", "okta.authzServers.manage"];
    admin.set_app_rights(&app, &SCOPES, &rights);
    let found = world.doctor(&["--mint"]).await;
    found.says("mint", "Passed", &["not listed"]);
    let wanted = [
        "okta.apps.clientCredentials.read",
        "rotation",
        "Admin roles",
    ];
    found.says("client secrets", "Failed", &wanted);
    assert_eq!(world.left(), Vec::<Value>::new());
    admin.set_app_rights(&app, &SCOPES, &ROLES);
    let found = world.doctor(&["--mint"]).await;
    found.says("client secrets", "Passed", &[]);

    // The operator can do without the log, and the doctor says what that costs.
    admin.set_app_rights(&app, &SCOPES[..5], &ROLES);
    admin.end_management_tokens();
    let found = world.doctor(&[]).await;
    found.says("System Log", "Warning", &["within hours", "okta.logs.read"]);
    found.says("new apps", "Skipped", &["okta.orgs.read"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_okta_refuses_is_told_apart_from_one_that_may_not_be_read() {
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let found = world.doctor(&[]).await;
    found.says(
        "sign-in",
        "Warning",
        &["API token", "all rights", "Security › API › Tokens"],
    );
    // Nothing was made yet, and the operator would make it.
    found.says("server", "Warning", &["the operator makes it so"]);
    found.says("issuer", "Failed", &["has not looked at it"]);

    world.okta.admin().revoke_api_token();
    let found = world.doctor(&[]).await;
    found.ends_with(2);
    found.says(
        "sign-in",
        "Failed",
        &["E0000011", "make a new API token", "Tokens"],
    );

    world.okta.stop_answering(true);
    let found = world.doctor(&[]).await;
    found.ends_with(2);
    found.says("sign-in", "Failed", &[]);
    world.okta.stop_answering(false);

    world
        .issuer(json!({ "auth": { "apiToken": { "secretRef": { "name": "missing" } } } }))
        .await;
    let found = world.doctor(&[]).await;
    found.ends_with(2);
    found.says(
        "sign-in Secret",
        "Failed",
        &["no Secret missing", "allow-host=127.0.0.1"],
    );

    let rights = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: looks-at-issuers }
rules:
  - { apiGroups: [neo4j-okta.dev], resources: [oktaissuers], verbs: [get, list] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: looks-at-issuers }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: looks-at-issuers }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: onlooker }]
";
    world.cluster.apply_yaml(rights).await.unwrap();
    world.issuer(json!({})).await;
    world.okta.clear_requests();
    let found = world.doctor(&["--as", "onlooker"]).await;
    assert_eq!(found.said.code, 1, "{found:#?}");
    let wanted = [
        "you may not read Secret okta",
        "get on secrets",
        OPERATOR_NAMESPACE,
        "kubectl auth can-i",
    ];
    found.says("sign-in Secret", "Failed", &wanted);
    assert_eq!(world.okta.requests().len(), 0);
    let stranger = world.plugin(&["--as", "stranger", "doctor"]).await;
    assert_eq!(stranger.code, 1);
    assert!(
        stranger.err.contains("OktaIssuer default: you may not"),
        "{stranger:#?}"
    );
    let nobody = world.plugin(&["doctor", "nobody"]).await;
    assert_eq!(nobody.code, 1);
    assert!(
        nobody.err.contains("there is no OktaIssuer nobody"),
        "{nobody:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_in_front_of_ours_is_named() {
    let mut world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    world.stop_operators().await;
    let admin = world.okta.admin();
    let servers = admin.authorization_servers();
    let server = servers.iter().find(|s| s["name"] == "neo4j").unwrap();
    let server = server["id"].as_str().unwrap();
    let policy = admin.add_policy(server, "everybody", &["ALL_CLIENTS"], Some(1));
    admin.add_rule(server, &policy, "machines", &["*"], 5);
    let found = world.doctor(&["--mint"]).await;
    found.ends_with(2);
    let wanted = [
        "rule machines of policy everybody",
        "tokens of 5 min",
        "neo4j › Access Policies",
    ];
    found.says("rule", "Failed", &wanted);
    found.says("allow list", "Warning", &["everybody", "any other client"]);
    found.says("mint", "Failed", &["lives 300 s instead of 3600 s"]);
    let wanted = ["/etl", "lives 300 s instead of 3600 s", "Access Policies"];
    found.says("fresh token", "Failed", &wanted);
    // The account's own token is an hour's: it was issued before.
    found.says("token", "Passed", &["lives 1h"]);
    assert_eq!(world.left(), Vec::<Value>::new());
    // Behind ours it does no harm to the accounts, and lets others in all the same.
    admin
        .call(
            "DELETE",
            &format!("/api/v1/authorizationServers/{server}/policies/{policy}"),
            None,
        )
        .unwrap();
    let policy = admin.add_policy(server, "last", &["ALL_CLIENTS"], None);
    admin.add_rule(server, &policy, "machines", &["*"], 60);
    let found = world.doctor(&["--mint"]).await;
    found.says("rule", "Passed", &["ours answers first"]);
    found.says("allow list", "Warning", &["last"]);
    found.says("mint", "Warning", &["not listed gets a token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_an_issuer_are_those_that_its_tokens_need() {
    let world = World::new().await;
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let claims = world.claims("etl").await;
    let conf = world.plugin(&["config"]).await;
    assert_eq!(conf.code, 0, "{conf:#?}");
    let issuer = claims["iss"].as_str().unwrap();
    let line = format!(
        "dbms.security.oidc.okta.well_known_discovery_uri={issuer}/.well-known/openid-configuration\n"
    );
    assert!(conf.out.contains(&line), "{}", conf.out);
    assert!(
        conf.out
            .contains("\ndbms.security.oidc.okta.audience=neo4j\n")
    );
    let named = world
        .plugin(&["config", "default", "--format", "helm"])
        .await;
    let values: Value = serde_saphyr::from_str(&named.out).unwrap();
    assert_eq!(
        values["config"]["dbms.security.oidc.okta.audience"],
        "neo4j"
    );
    let nobody = world.plugin(&["config", "nobody"]).await;
    assert_eq!((nobody.code, nobody.out.as_str()), (1, ""));
    assert!(
        nobody.err.contains("there is no OktaIssuer nobody"),
        "{nobody:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_used_up_is_waited_for_as_long_as_somebody_is_patient() {
    let world = World::new().await;
    world
        .issuer_has("Authenticated", "True", "ApiTokenInUse")
        .await;
    let used_up = || {
        let fault = Fault::new(FaultKind::Status {
            status: 429,
            error_code: Some("E0000047".to_owned()),
        });
        let fault = fault.on("GET", "/oauth2/v1/clients/{clientId}");
        world.okta.inject(fault.times(1));
    };
    used_up();
    let found = world.doctor(&["--timeout", "1ms"]).await;
    found.ends_with(0);
    found.says("clients", "Skipped", &["used up until", "--timeout"]);
    // Okta's minute is nearly over, so that this one takes no whole one.
    let second = world.clock.now().as_second().rem_euclid(60);
    let ahead = Duration::from_secs((110 - second).rem_euclid(60).unsigned_abs());
    world.okta.clock().advance(ahead);
    used_up();
    world.okta.clear_requests();
    let found = world.doctor(&["--timeout", "2m"]).await;
    found.says("clients", "Passed", &[]);
    assert_eq!(world.okta.count("GET", "/oauth2/v1/clients/{clientId}"), 2);
}
