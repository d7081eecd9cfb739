//! The conformance command: the emulator is as we believe Okta to be, either
//! answer to an open question is recognised, and nothing is left behind.

use std::process::{Output, Stdio};

use okta_emulator::{Behaviour, Fault, FaultKind, NullInClaims, TakenClientId};
use tokio::process::Command;

use crate::kit::Kit;

/// What stays unknown at the emulator; whoever adds such a statement lists it.
const UNKNOWN: [&str; 0] = [];

fn conformance(kit: &Kit, only: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-emulator"));
    command
        .args(["conformance", "--org", kit.emulator.url()])
        .args(only.iter().flat_map(|id| ["--only", id]))
        .env("OKTA_API_TOKEN", kit.emulator.api_token())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn held(kit: &Kit, only: &[&str]) -> (String, Output) {
    let output = conformance(kit, only)
        .output()
        .await
        .expect("the command runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains(kit.emulator.api_token()));
    assert_eq!(left(kit), (0, 1), "{text}");
    (text, output)
}

/// Apps and authorization servers; an org begins with one of the latter.
fn left(kit: &Kit) -> (usize, usize) {
    let admin = kit.emulator.admin();
    (admin.apps().len(), admin.authorization_servers().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulator_is_as_we_believe_okta_to_be() {
    let kit = Kit::start().await;
    let (text, output) = held(&kit, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{text}");
    let unknown: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("unknown  "))
        .collect();
    assert_eq!(unknown, UNKNOWN, "{text}");
    assert!(
        text.contains("agree    apps.create.answers-200\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn either_answer_to_an_open_question_is_recognised() {
    type Change = fn(&mut Behaviour);
    let cases: [(&str, &str, Change); 20] = [
        (
            "apps.create.echoes-client-secret",
            "Okta makes a secret of its own",
            |b| {
                b.secret_of_create_is_kept = false;
            },
        ),
        ("apps.create.refuses-taken-client-id", "409 E0000195", |b| {
            b.taken_client_id = TakenClientId::Conflict;
        }),
        ("apps.create.client-id-case", "two clients", |b| {
            b.client_ids_ignore_case = false
        }),
        ("apps.create.same-label", "refused with E0000040", |b| {
            b.labels_are_unique = true
        }),
        ("apps.delete.client-id-afterwards", "never", |b| {
            b.deleted_client_ids_are_free = false
        }),
        (
            "apps.replace.method-takes-callers-secret",
            "one that Okta makes",
            |b| {
                b.secret_of_method_change_is_kept = false;
            },
        ),
        ("secrets.basic-is-not-decoded", "decoded", |b| {
            b.basic_is_form_decoded = true
        }),
        ("policies.without-clients", "taken", |b| {
            b.policies_may_be_empty = true
        }),
        ("policies.deleted-client-stays", "taken out", |b| {
            b.deleted_apps_leave_policies = true
        }),
        ("policies.deleted-client-refused", "taken", |b| {
            b.deleted_clients_may_stay_listed = true
        }),
        ("token.new-client", "after 2 s", |b| {
            b.new_clients_settle_ms = 1500
        }),
        (
            "token.claims.missing-attribute",
            "the request fails: 400 server_error",
            |b| {
                b.null_in_claims = NullInClaims::ServerError;
            },
        ),
        (
            "token.claims.appuser",
            "the request fails: 400 server_error",
            |b| {
                b.null_in_claims = NullInClaims::ServerError;
            },
        ),
        ("token.refuses.no-policy", "400 access_denied", |b| {
            b.no_matching_policy_status = 400
        }),
        ("token.refuses.no-policy", "403 access_denied", |b| {
            b.no_matching_policy_status = 403
        }),
        ("signin.unasked-proof", "it is not heeded", |b| {
            b.unasked_proof_binds = false
        }),
        ("limits.whose-numbers", "the principal's", |b| {
            b.rate_limit_headers_show_share = true
        }),
        (
            "logs.transaction",
            "another; debugData.requestId is the request's",
            |b| {
                b.transaction_is_request_id = false;
            },
        ),
        ("signin.bearer", "", |b| b.org_tokens_look_like_jwts = true),
        ("logs.profile-change", "it is not", |b| {
            b.profile_change_is_logged = false;
        }),
    ];
    for (id, variant, change) in cases {
        let kit = Kit::start().await;
        let mut behaviour = Behaviour::default();
        change(&mut behaviour);
        kit.emulator.set_behaviour(behaviour);
        let (text, output) = held(&kit, &[id]).await;
        let line = if variant.is_empty() {
            format!("agree    {id}\n")
        } else {
            format!("agree    {id} (variant: {variant})\n")
        };
        assert!(text.contains(&line), "{line}{text}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_shown_and_what_cannot_be_asked_is_unknown() {
    let kit = Kit::start().await;
    kit.emulator
        .inject(Fault::new(FaultKind::CreateAnswersOtherClientId));
    let (text, output) = held(&kit, &["apps.create.keeps-client-id"]).await;
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("differ   apps.create.keeps-client-id"),
        "{text}"
    );
    assert!(
        text.contains("observed: the client id became 0oa"),
        "{text}"
    );
    kit.emulator.clear_faults();
    kit.emulator.admin().set_api_token_rights(&["APP_ADMIN"]);
    let (text, output) = held(&kit, &["token.answer"]).await;
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("unknown  token.answer\n"), "{text}");
    assert!(
        text.contains("not permitted: POST /api/v1/authorizationServers"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_removes_what_it_made() {
    let kit = Kit::start().await;
    kit.emulator.inject(Fault::new(FaultKind::Latency(20)));
    let child = conformance(&kit, &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while left(&kit).0 < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let id = child.id().unwrap().to_string();
    let told = Command::new("kill").args(["-INT", &id]).status();
    assert!(told.await.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("removed what was made"), "{text}");
    assert_eq!(left(&kit), (0, 1), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_comes_from_the_environment_alone_and_goes_to_https() {
    let kit = Kit::start().await;
    let mut without = conformance(&kit, &[]);
    without.env_remove("OKTA_API_TOKEN");
    let mut unknown = conformance(&kit, &["no.such-statement"]);
    let mut plain = Command::new(env!("CARGO_BIN_EXE_okta-emulator"));
    plain
        .args(["conformance", "--org", "http://example.com"])
        .env("OKTA_API_TOKEN", "token");
    for command in [&mut without, &mut unknown, &mut plain] {
        let output = command.output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    assert_eq!(kit.emulator.requests().len(), 0);
}
