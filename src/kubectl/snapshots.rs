//! What people see, against files: `BLESS=1 cargo test --lib kubectl` rewrites
//! them. No cluster and no clock: objects, an instant and a width make the text.

use std::path::Path;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::render::{Columns, detail};
use super::style::{Style, table};
use super::view::View;
use crate::api::{Neo4jServiceAccount, OktaIssuer};

/// Compares a text with the file of this name.
pub(super) fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/kubectl/snapshots")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{name} was\n{expected}\nand is\n{text}\nif that is meant: BLESS=1 cargo test --lib kubectl"
    );
}

/// The instant of all snapshots.
pub(super) fn now() -> Timestamp {
    "2026-11-25T09:20:00Z".parse().unwrap()
}

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-11-20T00:00:00Z", "observedGeneration": 1,
    })
}

/// An account with these conditions; with a token of 09:00 to 10:00 if there is
/// one.
pub(super) fn account(name: &str, token: bool, conditions: &[Value]) -> Neo4jServiceAccount {
    let mut account = json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "Neo4jServiceAccount",
        "metadata": { "name": name, "namespace": "payments", "generation": 1, "uid": "u" },
        "spec": { "groups": ["neo4j_publisher"] },
        "status": {
            "observedGeneration": 1,
            "appId": "0oa1etl", "clientId": format!("prod.payments.{name}.3f2c1a7e"),
            "orgUrl": "https://acme.okta.com",
            "credentials": { "secretName": format!("{name}-okta-credentials"), "rotatedAt": "2026-11-20T09:00:00Z" },
            "conditions": conditions,
        },
    });
    if token {
        account["status"]["token"] = json!({
            "issuedAt": "2026-11-25T09:00:00Z", "expiresAt": "2026-11-25T10:00:00Z",
            "nextRefreshAt": "2026-11-25T09:37:00Z", "groups": ["neo4j_publisher"],
            "secretName": format!("{name}-neo4j-token"), "secretVersion": "7",
        });
    }
    serde_json::from_value(account).unwrap()
}

/// An issuer in order, whose spec `change` changes.
pub(super) fn issuer(name: &str, change: impl FnOnce(&mut Value)) -> OktaIssuer {
    let mut spec = json!({
        "orgUrl": "https://acme.okta.com", "clusterName": "prod",
        "auth": { "privateKeyJwt": { "clientId": "0oaoperator", "secretRef": { "name": "okta" }, "keyId": "operator-1" } },
        "authorizationServer": { "name": "neo4j", "audience": "neo4j", "management": "Managed" },
        "allow": [{ "namespaces": ["payments"], "groups": ["neo4j_publisher", "team_*"] }],
    });
    change(&mut spec);
    serde_json::from_value(json!({
        "apiVersion": "neo4j-okta.dev/v1alpha1", "kind": "OktaIssuer",
        "metadata": { "name": name, "generation": 1, "uid": "u" }, "spec": spec,
        "status": {
            "observedGeneration": 1, "issuer": "https://acme.okta.com/oauth2/aus1",
            "jwksUri": "https://acme.okta.com/oauth2/aus1/v1/keys", "audience": "neo4j", "accounts": 3,
            "created": { "authorizationServerId": "aus1", "scopeId": "scp1", "claimId": "ocl1", "policies": [{ "id": "00p1", "ruleId": "0pr1" }] },
            "conditions": [condition("Ready", "True", "IssuerReady", "accounts can get tokens")],
        },
    }))
    .unwrap()
}

pub(super) fn ready(name: &str) -> Neo4jServiceAccount {
    let conditions = [
        condition(
            "Ready",
            "True",
            "TokenIssued",
            "the token in the Secret is valid",
        ),
        condition(
            "Registered",
            "True",
            "AppRegistered",
            "the app is registered at Okta",
        ),
        condition(
            "CredentialsReady",
            "True",
            "CredentialsProved",
            "Okta issued a token for the credentials in the Secret",
        ),
        condition("TokenFresh", "True", "TokenIssued", "no refresh is due"),
    ];
    account(name, true, &conditions)
}

pub(super) fn disabled(name: &str) -> Neo4jServiceAccount {
    let message = format!(
        "app 0oa1etl was deactivated at Okta by jane@acme.example, and so no token is issued; to resume: kubectl annotate n4jsa {name} -n payments neo4j-okta.dev/restore=$(date +%s) --overwrite"
    );
    let stands = |type_, status| condition(type_, status, "DisabledInOkta", &message);
    let conditions = [
        stands("Ready", "False"),
        stands("Registered", "False"),
        stands("Stalled", "True"),
    ];
    account(name, false, &conditions)
}

/// One that waits for Okta's rate limit.
pub(super) fn limited(name: &str) -> Neo4jServiceAccount {
    let waits = "waiting for a slot within our share of Okta's rate limit";
    let conditions = [
        condition("Ready", "False", "RateLimited", waits),
        condition("Reconciling", "True", "RateLimited", waits),
    ];
    let mut account = account(name, false, &conditions);
    let status = account.status.as_mut().unwrap();
    (status.app_id, status.client_id, status.credentials) = (None, None, None);
    account
}

fn degraded(name: &str) -> Neo4jServiceAccount {
    let conditions = [
        condition(
            "Ready",
            "True",
            "TokenIssued",
            "the token in the Secret is valid",
        ),
        condition(
            "TokenFresh",
            "False",
            "OktaUnreachable",
            "no answer from Okta: connection refused; the token that is out expires at 2026-11-25T10:00:00Z",
        ),
    ];
    account(name, true, &conditions)
}

/// One whose token Neo4j refuses.
fn unverified(name: &str) -> Neo4jServiceAccount {
    let mut account = ready(name);
    let conditions = &mut account.status.as_mut().unwrap().conditions;
    let refused = condition(
        "Neo4jVerified",
        "False",
        "RefusedByNeo4j",
        "https://graph.acme.example:7473: Neo4j refuses the token (Invalid credential.); compare dbms.security.oidc.okta.audience=neo4j",
    );
    conditions.push(serde_json::from_value(refused).unwrap());
    account
}

#[test]
fn one_account_in_detail() {
    let ready = detail(&View::of(&ready("etl"), now()), Style::plain(80));
    snapshot("status-ready.txt", &ready);
    let mut limited = View::of(&limited("etl"), now());
    limited.seconds_to_turn = Some(740);
    snapshot("status-limited.txt", &detail(&limited, Style::plain(80)));
    let disabled = detail(&View::of(&disabled("etl"), now()), Style::plain(80));
    snapshot("status-disabled.txt", &disabled);
}

#[test]
fn all_accounts_in_a_table_whatever_their_state() {
    let mut rotating = ready("rotating");
    let credentials = rotating
        .status
        .as_mut()
        .and_then(|s| s.credentials.as_mut());
    credentials.unwrap().next_rotation_at = Some(
        "2026-12-20T09:00:00Z"
            .parse()
            .map(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time)
            .unwrap(),
    );
    let mut unseen = account("unseen", false, &[]);
    unseen.status = None;
    let accounts = [
        ready("etl"),
        rotating,
        degraded("degraded"),
        unverified("unverified"),
        disabled("disabled"),
        unseen,
    ];
    let mut views: Vec<View> = accounts.iter().map(|a| View::of(a, now())).collect();
    let mut waiting = View::of(&limited("waiting"), now());
    waiting.seconds_to_turn = Some(740);
    views.push(waiting);
    for (file, namespaces, wide) in [("table.txt", false, false), ("table-wide.txt", true, true)] {
        let columns = Columns { namespaces, wide };
        let style = Style::plain(80);
        let rows: Vec<_> = views.iter().map(|v| columns.row(v, style)).collect();
        snapshot(file, &table(style, &columns.header(), &rows));
    }
}

#[test]
fn an_operator_that_is_down_hides_neither_an_expired_nor_an_overdue_token() {
    let at = |time: &str| View::of(&ready("etl"), time.parse().unwrap());
    assert_eq!(at("2026-11-25T09:38:00Z").state.word(), "Ready");
    assert_eq!(at("2026-11-25T09:40:00Z").state.word(), "Overdue");
    let expired = at("2026-11-25T10:00:00Z");
    assert_eq!(expired.state.word(), "Expired");
    snapshot("status-expired.txt", &detail(&expired, Style::plain(80)));
}

#[test]
fn where_there_is_only_ascii_nothing_else_is_written() {
    let ascii = Style {
        unicode: false,
        ..Style::plain(80)
    };
    for account in [ready("etl"), disabled("etl")] {
        assert!(detail(&View::of(&account, now()), ascii).is_ascii());
    }
}
