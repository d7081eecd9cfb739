use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn neo4j(map: &[(&str, &str)]) -> Neo4j {
    let map = map
        .iter()
        .map(|(g, r)| ((*g).to_owned(), vec![(*r).to_owned()]));
    Neo4j {
        group_to_role: map.collect::<BTreeMap<_, _>>(),
        ..Neo4j::default()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn login(seen: Result<Seen, Trouble>) -> Login {
    Login {
        server: "https://graph:7473".into(),
        seen,
        ahead: Some(SignedDuration::ZERO),
        accepted: None,
    }
}

fn accepted(user: &str, key: &str) -> Accepted {
    Accepted {
        user: user.to_owned(),
        key: key.to_owned(),
    }
}

fn said(neo4j: &Neo4j, groups: &[&str], logins: &[Login]) -> Verdict {
    let expected = Expected {
        user: "prod.payments.etl.1",
        groups: &set(groups),
        key: Some("k2"),
        issuer: "https://acme.okta.com/oauth2/aus1",
        audience: "neo4j",
        good: (at(1000), at(4600)),
        neo4j,
    };
    judge(&expected, logins, at(1001))
}

fn told(user: &str, roles: Option<&[&str]>) -> Result<Seen, Trouble> {
    Ok(Seen {
        user: Some(user.to_owned()),
        roles: roles.map(set),
    })
}

const USER: &str = "prod.payments.etl.1";

#[test]
fn what_enterprise_tells_is_compared_with_the_mapping() {
    let map = neo4j(&[("etl", "publisher"), ("ops", "PUBLIC")]);
    let reason = |roles: &[&str], groups: &[&str]| {
        let verdict = said(&map, groups, &[login(told(USER, Some(roles)))]);
        (verdict.good, verdict.reason)
    };
    let good = (true, Reason::TokenAccepted);
    assert_eq!(reason(&["PUBLIC", "publisher"], &["etl"]), good);
    assert_eq!(reason(&["PUBLIC", "publisher"], &["etl", "ops"]), good);
    assert_eq!(reason(&["PUBLIC"], &["etl"]), (false, Reason::RoleMissing));
    assert_eq!(
        reason(&["PUBLIC", "admin"], &["etl"]),
        (false, Reason::UnexpectedRoles)
    );
    assert_eq!(
        reason(&["PUBLIC", "publisher"], &["etl", "unknown"]),
        (false, Reason::GroupNotMapped)
    );
    // Without a map a group is a role.
    let verdict = said(
        &neo4j(&[]),
        &["etl"],
        &[login(told(USER, Some(&["etl", "PUBLIC"])))],
    );
    assert!(verdict.good, "{verdict:?}");
}

#[test]
fn no_more_is_claimed_than_a_server_said() {
    let map = neo4j(&[("etl", "publisher")]);
    let verdict = said(&map, &["etl"], &[login(told(USER, None))]);
    assert_eq!(
        verdict.message,
        "Neo4j accepts the token as user prod.payments.etl.1; it does not tell its roles"
    );
    let mute = login(Err(Trouble::Forbidden("no".into())));
    let verdict = said(
        &map,
        &["etl"],
        &[login(told(USER, Some(&["publisher"]))), mute],
    );
    assert_eq!(
        verdict.message,
        "Neo4j accepts the token; it tells neither user nor roles"
    );
}

#[test]
fn a_refusal_is_told_by_what_is_known_of_it() {
    let map = neo4j(&[]);
    let refused = |words: &str| login(Err(Trouble::Refused(words.to_owned())));
    let reason = |login: Login| said(&map, &["etl"], &[login]).reason;
    assert_eq!(
        reason(refused(
            "Unsupported authentication token, scheme 'bearer' is not supported."
        )),
        Reason::ProviderNotConfigured
    );
    let behind = Login {
        ahead: Some(SignedDuration::from_secs(-30)),
        ..refused("no")
    };
    assert_eq!(reason(behind), Reason::Neo4jClockSkew);
    let late = Login {
        ahead: Some(SignedDuration::from_secs(3700)),
        ..refused("no")
    };
    assert_eq!(reason(late), Reason::Neo4jClockSkew);
    let known = |user: &str, key: &str| Login {
        accepted: Some(accepted(user, key)),
        ..refused("no")
    };
    assert_eq!(reason(known(USER, "k1")), Reason::KeysStale);
    assert_eq!(reason(known("another", "k1")), Reason::KeysStale);
    assert_eq!(reason(known("another", "k2")), Reason::UserRefused);
    assert_eq!(reason(known(USER, "k2")), Reason::RefusedByNeo4j);
    assert_eq!(reason(refused("no")), Reason::RefusedByNeo4j);
}

#[test]
fn what_a_server_refuses_that_it_had_accepted_says_nothing_of_others() {
    let no = || Err(Trouble::Refused("no".into()));
    let away = || Err(Trouble::Unreachable("no answer".into()));
    let after = |before: &Option<Accepted>, seen, user: &str, key: &str| {
        Accepted::after(before.clone(), &seen, user, Some(key))
    };
    let first = after(&None, told("a", None), "a", "k1");
    assert_eq!(first, Some(accepted("a", "k1")));
    // One account alone, a new key, and a server that is away: it still holds.
    assert_eq!(after(&first, no(), "b", "k1"), first);
    assert_eq!(after(&first, no(), "a", "k2"), first);
    assert_eq!(after(&first, away(), "a", "k1"), first);
    assert_eq!(after(&first, no(), "a", "k1"), None);
    let next = after(&first, told("b", None), "b", "k2");
    assert_eq!(next, Some(accepted("b", "k2")));
}

#[test]
fn the_worst_of_several_servers_counts() {
    let map = neo4j(&[("etl", "publisher")]);
    let down = login(Err(Trouble::Unreachable("no answer".into())));
    let fine = login(told(USER, Some(&["publisher"])));
    let wide = Login {
        server: "https://other:7473".into(),
        ..login(told(USER, Some(&["publisher", "admin"])))
    };
    let verdict = said(&map, &["etl"], &[down.clone(), fine.clone()]);
    assert_eq!(verdict.reason, Reason::Neo4jUnreachable);
    let verdict = said(&map, &["etl"], &[down, fine, wide]);
    assert_eq!(verdict.reason, Reason::UnexpectedRoles);
    assert!(verdict.message.starts_with("https://other:7473: "));
}

#[test]
fn who_is_logged_in_is_read_from_what_there_is() {
    let row = |user: &str, query: &str| vec![json!(user), json!(query)];
    assert_eq!(Seen::current_user(&[]), None);
    let seen = Seen::current_user(&[vec![json!("etl"), json!(null)]]).unwrap();
    assert_eq!((seen.user.as_deref(), seen.roles), (Some("etl"), None));
    // An administrator sees what others run.
    let rows = [
        row("boss", "SHOW"),
        row("else", "MATCH"),
        row("etl", "SHOW"),
    ];
    let seen = Seen::transaction(&rows, "SHOW", "etl");
    assert_eq!(seen.user.as_deref(), Some("etl"));
    let seen = Seen::transaction(&rows[..2], "SHOW", "etl");
    assert_eq!(seen.user.as_deref(), Some("boss"));
}
