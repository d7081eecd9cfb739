use serde_json::json;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ending(cause: Cause) -> Ending {
    Ending {
        issuer: "default".into(),
        users: ["prod.payments.etl.1".to_owned()].into(),
        namespace: "payments".into(),
        name: "etl".into(),
        uid: "u1".into(),
        since: at(1000),
        until: at(4660),
        cause,
    }
}

fn account(uid: &str, issued_at: &str) -> Neo4jServiceAccount {
    serde_json::from_value(json!({
        "metadata": { "name": "etl", "uid": uid }, "spec": { "groups": ["g"] },
        "status": { "token": {
            "issuedAt": issued_at, "expiresAt": issued_at, "nextRefreshAt": issued_at,
            "groups": ["g"], "secretName": "s", "secretVersion": "1",
        } },
    }))
    .unwrap()
}

#[test]
fn rounds_go_on_until_the_last_token_has_expired() {
    let stopped = ending(Cause::Stopped);
    let mut rounds = 0;
    let mut last = None;
    while !stopped.is_over(None, stopped.next(last)) {
        last = Some(stopped.next(last));
        rounds += 1;
    }
    assert_eq!(rounds, 244);

    let lost = ending(Cause::GroupLost);
    let (mut rounds, mut last) = (Vec::new(), None);
    while !lost.is_over(None, lost.next(last)) {
        last = Some(lost.next(last));
        rounds.push(last.unwrap().as_second() - 1000);
    }
    assert_eq!(rounds, [0, 15, 30, 60, 120, 240, 480, 960, 1920]);
}

#[test]
fn a_resumed_account_keeps_its_new_connections() {
    let stopped = ending(Cause::Stopped);
    let before = account("u1", "1970-01-01T00:10:00Z");
    assert!(!stopped.is_over(Some(&before), at(1001)));
    let resumed = account("u1", "1970-01-01T00:20:00Z");
    assert!(stopped.is_over(Some(&resumed), at(1201)));
    // Another account of that name has another user.
    let another = account("u2", "1970-01-01T00:20:00Z");
    assert!(!stopped.is_over(Some(&another), at(1201)));
    // With fewer groups it has a new token, and old ones are still about.
    assert!(!ending(Cause::GroupLost).is_over(Some(&resumed), at(1201)));
}

#[test]
fn only_the_exact_name_is_a_users() {
    let rows: Vec<Vec<Value>> = [
        ("bolt-1", "prod.payments.etl.1"),
        ("bolt-2", "prod.payments.etl.11"),
        ("bolt-3", "PROD.payments.etl.1"),
        ("bolt-4", ""),
        ("http-5", "prod.payments.etl.1"),
    ]
    .iter()
    .map(|(id, user)| vec![json!(id), json!(user)])
    .collect();
    let users = BTreeSet::from(["prod.payments.etl.1".to_owned()]);
    assert_eq!(connections(&rows, &users), ["bolt-1", "http-5"]);
    let odd = [vec![json!("bolt-9"), Value::Null], vec![json!(1)]];
    assert!(connections(&odd, &users).is_empty());
    let many: Vec<_> = (0..500)
        .map(|n| vec![json!(format!("bolt-{n}")), json!("prod.payments.etl.1")])
        .collect();
    assert_eq!(connections(&many, &users).len(), MOST);
}

#[test]
fn what_is_due_is_ended_at_once_and_never_more_than_twelve_times_a_minute() {
    let urls = ["https://a:7473".to_owned(), "https://b:7473".to_owned()];
    let mut endings = vec![Known::new(ending(Cause::Stopped))];
    let due = |endings: &[Known], now| Due::new("default", endings.iter(), &urls, at(now));
    assert!(
        Due::new("other", endings.iter(), &urls, at(1000))
            .users
            .is_empty()
    );

    // Looked at before, with nothing to end.
    let nothing = due(&[], 999);
    let probed = nothing.asked(None, None, Ok(()), at(999));
    assert_eq!(nothing.next_round(Some(&probed), at(999)), at(1599));
    let first = due(&endings, 1000);
    assert_eq!(first.next_round(Some(&probed), at(1000)), at(1000));
    assert_eq!(first.users(&urls[1]).len(), 1);

    // One server is away: it is tried again, the other left in peace.
    first.done(&urls[0], endings.iter_mut(), at(1000));
    let away = Err((Reason::Neo4jUnreachable, "b".to_owned()));
    let asked = first.asked(Some(&probed), None, away, at(1000));
    let second = due(&endings, 1001);
    assert_eq!(second.next_round(Some(&asked), at(1001)), at(1005));
    assert!(second.users(&urls[0]).is_empty() && second.users(&urls[1]).len() == 1);
    second.done(&urls[1], endings.iter_mut(), at(1005));
    let asked = second.asked(Some(&asked), None, Ok(()), at(1005));
    assert_eq!(
        due(&endings, 1006).next_round(Some(&asked), at(1006)),
        at(1015)
    );

    // The clock was ahead and is set right.
    assert_eq!(
        due(&endings, 900).next_round(Some(&asked), at(900)),
        at(900)
    );
}

#[test]
fn an_administrator_that_is_not_ready_is_looked_for_often() {
    let nothing = Due::new("default", std::iter::empty(), &[], at(0));
    let next = |reason| {
        let found = Err((reason, String::new()));
        nothing.next_round(Some(&nothing.asked(None, None, found, at(0))), at(0))
    };
    assert_eq!(next(Reason::AdministratorNotReady), at(5));
    assert_eq!(next(Reason::NotAdministrator), at(30));
}
