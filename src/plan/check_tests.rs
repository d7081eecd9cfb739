//! Each flaw that would have let a workload in with the wrong rights, or not
//! at all.

use super::*;
use serde_json::json;

fn token(claims: &Value) -> String {
    let encode = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
    format!(
        "{}.{}.c2ln",
        encode(&json!({ "alg": "RS256" })),
        encode(claims)
    )
}

fn good() -> Value {
    json!({
        "iss": "https://acme.okta.com/oauth2/aus1", "aud": "neo4j", "sub": "client", "cid": "client",
        "iat": 1000, "exp": 4600, "groups": ["b", "a"], "scp": ["neo4j_groups"],
    })
}

fn judge(claims: &Value, token_type: &str) -> Result<Claims, Flaw> {
    let groups = ["a".to_owned(), "b".to_owned()].into();
    check(
        &token(claims),
        token_type,
        &Expected {
            issuer: "https://acme.okta.com/oauth2/aus1",
            audience: "neo4j",
            client_id: "client",
            groups_claim: "groups",
            groups: &groups,
            lifetime: Some(Duration::from_secs(3600)),
        },
    )
}

#[test]
fn a_right_token_passes() {
    assert!(judge(&good(), "Bearer").is_ok());
    let mut list = good();
    list["aud"] = json!(["neo4j"]);
    assert!(judge(&list, "bearer").is_ok());
}

#[test]
fn a_lifetime_that_no_number_holds_is_a_flaw_and_no_panic() {
    let mut claims = good();
    claims["iat"] = json!(i64::MIN);
    claims["exp"] = json!(i64::MAX);
    assert!(matches!(judge(&claims, "Bearer"), Err(Flaw::Lifetime(_))));
}

#[test]
fn every_flaw_is_found_and_named() {
    let cases: [(&str, Value, &str); 8] = [
        ("iss", json!("https://login.acme.com/oauth2/aus1"), "issuer"),
        ("aud", json!("api://default"), "audience"),
        ("sub", json!("someone"), "subject"),
        ("groups", json!(["a", "b", "admin"]), "groups"),
        ("groups", json!(["a"]), "groups"),
        ("groups", Value::Null, "groups"),
        ("exp", json!(87_400), "lives 86400 s"),
        ("exp", json!(1), "expires before"),
    ];
    for (claim, value, word) in cases {
        let mut claims = good();
        claims[claim] = value;
        let flaw = judge(&claims, "Bearer").expect_err(claim);
        assert!(flaw.message().contains(word), "{claim}: {}", flaw.message());
    }
    assert!(
        judge(&good(), "DPoP")
            .unwrap_err()
            .message()
            .contains("DPoP")
    );
}

#[test]
fn a_token_that_bolt_refuses_is_refused_here() {
    let mut claims = good();
    claims["padding"] = json!("x".repeat(7000));
    assert!(
        judge(&claims, "Bearer")
            .unwrap_err()
            .message()
            .contains("8192")
    );
}

#[test]
fn garbage_is_no_panic() {
    for text in ["", ".", "..", "a.b.c", "a.b.c.d", "e30.e30.e30", "é.é.é"] {
        assert_eq!(decode(text), None, "{text}");
    }
}
