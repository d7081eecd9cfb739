//! What people see of an issuer, against files: in order, and with everything wrong
//! at once. No cluster, no Okta: findings and an instant make the text.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::checks::{self, Check, Verdict};
use super::super::snapshots::{issuer, now, snapshot};
use super::super::style::Style;
use super::found::{Accounts, Found, Fresh, Leader, Limits, Minted, Org, Sample, SignIn, Trial};
use super::{code, judge};
use crate::api::OktaIssuer;
use crate::okta::budget::{Bucket, Level};
use crate::okta::{Class, Error};
use crate::plan::check::Flaw;
use crate::plan::issuer::ServerView;
use crate::plan::issuer::{Identity, IssuerNext, IssuerStep, next};
use crate::plan::policy::Edits;
use crate::plan::step::Refusal;
use crate::plan::surroundings::{Surroundings, active};

const INSTALLATION: &str = "3f2a9c1e";
const CLIENT: &str = "prod.payments.etl.3f2c1a7e";

/// The server as the operator itself makes it, with one client listed.
fn made(issuer: &OktaIssuer) -> ServerView {
    let identity = Identity {
        name: "default",
        installation: INSTALLATION,
    };
    let created = issuer.status.as_ref().and_then(|s| s.created.clone());
    let created = created.unwrap_or_default();
    let mut view = ServerView::default();
    let with = |mut body: Value, id: &str| {
        body["id"] = json!(id);
        body
    };
    let edits = crate::plan::policy::edit(
        &[],
        &BTreeSet::from([CLIENT.to_owned()]),
        &BTreeSet::new(),
        &BTreeSet::new(),
        500,
        None,
    );
    for _ in 0..10 {
        let edits = if view.policies.is_empty() {
            &edits
        } else {
            &Edits::default()
        };
        match next(&issuer.spec, identity, &created, &view, edits) {
            IssuerNext::Do(IssuerStep::CreateServer(mut body)) => {
                body["status"] = json!("ACTIVE");
                body["issuer"] = json!("https://acme.okta.com/oauth2/aus1");
                view.server = Some(with(body, "aus1"));
            }
            IssuerNext::Do(IssuerStep::CreateScope(body)) => view.scopes.push(with(body, "scp1")),
            IssuerNext::Do(IssuerStep::CreateClaim(body)) => view.claims.push(with(body, "ocl1")),
            IssuerNext::Do(IssuerStep::CreatePolicy(body)) => {
                view.policies.push(with(body, "00p1"))
            }
            IssuerNext::Do(IssuerStep::CreateRule(of, body)) => {
                view.rules.push((of, vec![with(body, "0pr1")]))
            }
            IssuerNext::Done => return view,
            other => panic!("{other:?}"),
        }
    }
    panic!("the plan does not end");
}

fn token(change: impl FnOnce(&mut Value)) -> SecretString {
    let issued = now().as_second() - 1200;
    let mut claims = json!({
        "iss": "https://acme.okta.com/oauth2/aus1", "aud": "neo4j", "sub": CLIENT, "cid": CLIENT,
        "iat": issued, "exp": issued + 3600, "groups": ["neo4j_publisher"],
    });
    change(&mut claims);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({ "alg": "RS256", "kid": "k1" }));
    SecretString::from(format!("{header}.{}.c2lnbmF0dXJl", part(&claims)))
}

fn sample(token: SecretString) -> Sample {
    Sample::Read {
        account: "payments/etl".to_owned(),
        client_id: CLIENT.to_owned(),
        groups: BTreeSet::from(["neo4j_publisher".to_owned()]),
        token,
    }
}

fn level(limit: u32, remaining: u32, told: bool) -> Level {
    Level {
        limit,
        remaining,
        waiting: 0,
        clears_in: Duration::ZERO,
        told,
    }
}

fn error(class: Class, message: &str) -> Error {
    Error {
        class,
        message: message.to_owned(),
        request_id: None,
    }
}

fn in_order(issuer: &OktaIssuer) -> Found {
    Found {
        leader: Leader::Holds("neo4j-okta-operator-7c9".to_owned()),
        installation: Ok(INSTALLATION.to_owned()),
        sign_in: SignIn::Ready,
        org: Some(Org {
            granted: Some(vec!["okta.apps.manage", "okta.apps.read", "okta.logs.read"]),
            view: Ok(made(issuer)),
            apps: Ok(()),
            clients: Ok(()),
            log: Ok(()),
            new_apps_are_admins: Ok(false),
            surroundings: Ok(Surroundings::default()),
            skew: SignedDuration::ZERO,
            limits: Limits {
                levels: vec![
                    (Bucket::Apps, level(100, 97, true)),
                    (Bucket::Management, level(600, 480, true)),
                    (Bucket::Token, level(300, 300, false)),
                ],
                share_percent: 50,
                apps_per_minute: 50,
                tokens_per_minute: 150,
            },
        }),
        keys: Some(Ok(2)),
        accounts: Ok(Accounts {
            of_issuer: 3,
            of_org: 3,
            new: 0,
            leaving: 0,
            clients: BTreeSet::from([CLIENT.to_owned()]),
        }),
        sample: sample(token(|_| ())),
        minted: None,
        fresh: None,
        interrupted: false,
    }
}

fn org(found: &mut Found) -> &mut Org {
    found.org.as_mut().unwrap()
}

fn view(found: &mut Found) -> &mut ServerView {
    org(found).view.as_mut().unwrap()
}

fn said(issuer: &OktaIssuer, found: &Found) -> (String, Vec<Check>) {
    let checks = judge::checks(issuer, found, now());
    let title = format!("OktaIssuer default, {}", issuer.spec.org_url);
    (checks::text(&title, &checks, Style::plain(100)), checks)
}

/// The line of this name.
fn line<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("no line {name}: {checks:#?}"))
}

/// Each line that there may be.
fn everything() -> Vec<Check> {
    let issuer = issuer("default", |_| ());
    let mut mint = in_order(&issuer);
    mint.minted = Some(Minted {
        token: Trial::Interrupted,
        secrets: Some(Ok(())),
        removed: Err("left".to_owned()),
    });
    mint.fresh = Some(Fresh {
        account: "payments/etl".to_owned(),
        token: Trial::Interrupted,
    });
    let server = view(&mut mint).server.as_mut().unwrap();
    server["issuerMode"] = json!("DYNAMIC");
    server["accessTokenEncryptedResponseAlgorithm"] = json!("RSA-OAEP-256");
    let mut gone = in_order(&issuer);
    view(&mut gone).server = None;
    let mut unread = in_order(&issuer);
    unread.org = None;
    let all = [mint, gone, unread];
    all.iter()
        .flat_map(|found| judge::checks(&issuer, found, now()))
        .collect()
}

#[test]
fn an_issuer_in_order() {
    let issuer = issuer("default", |_| ());
    let found = in_order(&issuer);
    let (text, checks) = said(&issuer, &found);
    snapshot("doctor-in-order.txt", &text);
    assert_eq!(code(&found, &checks), 0);
    assert!(!text.contains("c2lnbmF0dXJl"));
}

#[test]
fn an_issuer_with_everything_wrong() {
    let mut issuer = issuer("default", |_| ());
    let status = issuer.status.as_mut().unwrap();
    status.conditions[0].status = "False".to_owned();
    status.conditions[0].reason = "ClaimConflict".to_owned();
    status.conditions[0].message = "the claim is somebody else's".to_owned();
    let mut found = in_order(&issuer);
    found.leader = Leader::Late("neo4j-okta-operator-7c9".to_owned(), 310);
    found.keys = Some(Err(
        "no keys from https://acme.okta.com: connection refused".to_owned(),
    ));
    found.sample = sample(token(|claims| claims["groups"] = Value::Null));
    found.accounts = Ok(Accounts {
        of_issuer: 4000,
        of_org: 5000,
        new: 900,
        leaving: 100,
        clients: BTreeSet::from([CLIENT.to_owned(), "prod.payments.other.1".to_owned()]),
    });
    found.minted = Some(Minted {
        token: Trial::Judged(Err(Flaw::Lifetime("the token lives 300 s instead of 3600 s: another access policy or rule of the authorization server matches first".to_owned()))),
        secrets: Some(Err(error(
            Class::Forbidden,
            "list_secrets: Okta answered 403; no admin role of the sign-in allows it",
        ))),
        removed: Err("app 0oa9, client id c, label l, may be left at Okta, active: no answer".to_owned()),
    });
    found.fresh = Some(Fresh {
        account: "payments/etl".to_owned(),
        token: Trial::Refused(Refusal::AccessDenied(
            "access_denied: Policy evaluation failed".to_owned(),
        )),
    });
    let claim = json!({ "id": "other", "name": "groups", "claimType": "RESOURCE", "status": "ACTIVE", "valueType": "EXPRESSION", "value": "appuser.groups" });
    view(&mut found).claims = vec![claim];
    let mut all = view(&mut found).policies[0].clone();
    all["id"] = json!("00p0");
    all["name"] = json!("everybody");
    all["description"] = json!("people");
    all["priority"] = json!(0);
    all["conditions"]["clients"]["include"] = json!(["ALL_CLIENTS"]);
    let mut rule = view(&mut found).rules[0].1[0].clone();
    rule["name"] = json!("machines");
    rule["actions"]["token"]["accessTokenLifetimeMinutes"] = json!(5);
    view(&mut found).policies.insert(0, all);
    view(&mut found).rules.push(("00p0".to_owned(), vec![rule]));
    view(&mut found).server.as_mut().unwrap()["issuerMode"] = json!("DYNAMIC");
    let mut around = Surroundings::default();
    let other = json!({ "id": "aus2", "name": "default", "status": "ACTIVE" });
    for server in active(&[other]) {
        around.note(&server, true);
    }
    let org = org(&mut found);
    org.surroundings = Ok(around);
    org.new_apps_are_admins = Ok(true);
    org.skew = SignedDuration::from_secs(-200);
    org.limits.levels[0].1.remaining = 0;
    let forbidden = "read_log: Okta answered 403; no admin role of the sign-in allows it";
    org.log = Err(error(Class::Forbidden, forbidden));
    org.clients = Err(error(
        Class::RateLimited {
            until: now(),
            by_okta: true,
        },
        "too many",
    ));
    let (text, checks) = said(&issuer, &found);
    snapshot("doctor-broken.txt", &text);
    assert_eq!(code(&found, &checks), 2);
    for check in &checks {
        let repaired = check.repair.is_some() || check.message.contains("ask again");
        let own_words = ["mint", "token"].contains(&check.name);
        assert!(
            check.verdict == Verdict::Passed || repaired || own_words,
            "no repair: {check:?}"
        );
    }
}

#[test]
fn without_the_right_to_the_secret_nothing_is_taken_for_wrong() {
    let issuer = issuer("default", |_| ());
    let mut found = in_order(&issuer);
    found.sign_in =
        SignIn::NoRight("you may not read Secret okta in namespace neo4j-okta-system".to_owned());
    found.org = None;
    let (_, checks) = said(&issuer, &found);
    assert_eq!(code(&found, &checks), 1);
    assert!(
        line(&checks, "sign-in Secret")
            .message
            .contains("may not read")
    );
    assert_eq!(line(&checks, "Okta").verdict, Verdict::Skipped);
}

#[test]
fn a_refused_sign_in_is_told_once_and_a_missing_scope_is_no_refused_sign_in() {
    let issuer = issuer("default", |_| ());
    for (class, failed, passed) in [
        (Class::Unauthorized, "sign-in", None),
        (Class::Forbidden, "scopes", Some("sign-in")),
        (Class::Transient, "sign-in", None),
    ] {
        let mut found = in_order(&issuer);
        org(&mut found).granted = None;
        org(&mut found).view = Err(error(
            class.clone(),
            "not granted to the operator's app: okta.apps.manage",
        ));
        let (_, checks) = said(&issuer, &found);
        assert_eq!(line(&checks, failed).verdict, Verdict::Failed, "{class:?}");
        if let Some(passed) = passed {
            assert_eq!(line(&checks, passed).verdict, Verdict::Passed);
        }
        let failures = checks.iter().filter(|c| c.verdict == Verdict::Failed);
        assert_eq!(failures.count(), 1, "{checks:#?}");
        assert_eq!(code(&found, &checks), 2);
    }
}

#[test]
fn an_api_token_is_too_powerful_and_works() {
    let by_token = issuer("default", |spec| {
        spec["auth"] = json!({ "apiToken": { "secretRef": { "name": "okta" } } });
    });
    let mut found = in_order(&by_token);
    org(&mut found).granted = None;
    let (_, checks) = said(&by_token, &found);
    let sign_in = line(&checks, "sign-in");
    assert_eq!(sign_in.verdict, Verdict::Warning);
    assert!(
        sign_in
            .repair
            .as_ref()
            .is_some_and(|r| r.ends_with("Security › API › Tokens"))
    );
    assert_eq!(code(&found, &checks), 0);
}

#[test]
fn a_mint_with_an_app_that_is_not_listed_is_refused_and_that_is_right() {
    let listed = issuer("default", |_| ());
    let open = issuer("default", |spec| {
        spec["authorizationServer"]["management"] = json!("External");
    });
    for (issuer, verdict) in [(&listed, Verdict::Passed), (&open, Verdict::Failed)] {
        let mut found = in_order(&listed);
        found.minted = Some(Minted {
            token: Trial::Refused(Refusal::AccessDenied("access_denied".to_owned())),
            secrets: Some(Ok(())),
            removed: Ok(()),
        });
        let (_, checks) = said(issuer, &found);
        assert_eq!(line(&checks, "mint").verdict, verdict);
    }
}

#[test]
fn a_piece_that_the_operator_will_make_is_no_failure_and_one_that_somebody_must_is() {
    let managed = issuer("default", |_| ());
    let external = issuer("default", |spec| {
        spec["authorizationServer"]["management"] = json!("External");
    });
    for (issuer, verdict) in [(&managed, Verdict::Warning), (&external, Verdict::Failed)] {
        let mut found = in_order(&managed);
        view(&mut found).claims.clear();
        let (_, checks) = said(issuer, &found);
        let claim = line(&checks, "claim");
        assert_eq!(claim.verdict, verdict, "{claim:?}");
        let page = claim.repair.as_deref().unwrap_or_default();
        assert!(
            page.ends_with("Authorization Servers › neo4j › Claims"),
            "{page}"
        );
    }
}

#[test]
fn where_there_is_only_ascii_nothing_else_is_written() {
    let issuer = issuer("default", |_| ());
    let mut found = in_order(&issuer);
    view(&mut found).claims.clear();
    let checks = judge::checks(&issuer, &found, now());
    let ascii = Style {
        unicode: false,
        ..Style::plain(80)
    };
    assert!(checks::text("t", &checks, ascii).is_ascii());
}

#[test]
fn every_line_is_described_and_no_other() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/plugin.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table = page.split("\n| Line |").nth(1).unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let described: BTreeSet<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|names| names.split('`').skip(1).step_by(2))
        .collect();
    let shown: BTreeSet<&str> = everything().into_iter().map(|check| check.name).collect();
    let whole: BTreeSet<&str> = shown
        .iter()
        .map(|name| match name.starts_with("limit of ") {
            true => "limit of …",
            false => name,
        })
        .collect();
    assert_eq!(described, whole, "docs/guides/plugin.md, then the code");
}
