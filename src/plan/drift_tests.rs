//! Reading the log, and the arithmetic of the sweep.

use serde_json::json;

use super::*;

fn event(uuid: &str, kind: &str, request: &str) -> Value {
    json!({
        "uuid": uuid, "eventType": kind, "outcome": { "result": "SUCCESS" },
        "actor": { "id": "00u1", "type": "User", "alternateId": "jane@acme.com", "displayName": "Jane Doe" },
        "target": [{ "id": "0oa1", "type": "AppInstance" }],
        "transaction": { "type": "WEB", "id": request },
    })
}

#[test]
fn each_event_of_others_is_taken_once_and_our_own_never() {
    let (mut seen, mut own) = (Recent::default(), Recent::default());
    own.note("req-ours".to_owned());
    let page = [
        event("1", "application.lifecycle.deactivate", "req-theirs"),
        event("2", "application.lifecycle.update", "req-ours"),
        event("3", "user.session.start", "req-theirs"),
        event("1", "application.lifecycle.deactivate", "req-theirs"),
    ];
    let found = foreign(&page, &mut seen, &own);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].actor, "Jane Doe (jane@acme.com)");
    assert!(found[0].targets.contains("0oa1"));
    assert_eq!(foreign(&page, &mut seen, &own), Vec::new());
}

#[test]
fn an_event_that_lacks_things_or_failed_is_no_change() {
    let mut failed = event("1", "application.lifecycle.delete", "r");
    failed["outcome"]["result"] = json!("FAILURE");
    for event in [
        failed,
        json!({}),
        json!(null),
        json!({ "eventType": "policy.rule.add" }),
    ] {
        assert_eq!(Change::read(&event), None);
    }
    let bare = json!({ "uuid": "1", "eventType": "oauth2.scope.deleted" });
    assert_eq!(Change::read(&bare).expect("a change").actor, "somebody");
}

#[test]
fn a_secret_that_is_added_is_no_reason_to_doubt_ours_and_one_that_is_taken_away_is() {
    let read = |deed: &str| {
        let kind = format!("app.oauth2.credentials.lifecycle.{deed}");
        Change::read(&event("1", &kind, "r")).map(|change| change.subject)
    };
    assert_eq!((read("create"), read("activate")), (None, None));
    assert_eq!(read("deactivate"), Some(Subject::Credentials));
    assert_eq!(read("delete"), Some(Subject::Credentials));
}

#[test]
fn what_is_remembered_stays_bounded() {
    let mut recent = Recent::default();
    for i in 0..REMEMBERED * 2 {
        assert!(recent.note(i.to_string()));
    }
    assert_eq!(recent.known.len(), REMEMBERED);
    assert!(recent.has(&(REMEMBERED * 2 - 1).to_string()) && !recent.has("0"));
}

/// `cargo test --lib what_drift_costs -- --nocapture` prints the table that
/// `docs/okta/calls.md` shows.
#[test]
fn what_drift_costs_an_hour_is_nearly_the_same_for_ten_accounts_and_ten_thousand() {
    let per_hour = |accounts: usize, log: bool| {
        let sweep = sweep(accounts, log).as_secs();
        let polls = if log { 3600 / POLL.as_secs() } else { 0 };
        (polls, accounts as u64 * 3600 / sweep)
    };
    println!(
        "| accounts | log calls/h | app reads/h | without the log: app reads/h | round without the log |"
    );
    for accounts in [10, 100, 1_000, 10_000] {
        let (polls, reads) = per_hour(accounts, true);
        let (_, alone) = per_hour(accounts, false);
        let round = sweep(accounts, false).as_secs() / 3600;
        println!("| {accounts} | {polls} | {reads} | {alone} | {round} h |");
        assert_eq!(polls, 60);
        assert!(reads <= 360 && alone <= 3600);
    }
}
