//! What must survive a merge, and what must never be in one.

use super::*;

fn spec() -> AppSpec {
    AppSpec {
        label: "prod/payments/etl".into(),
        groups: ["b".to_owned(), "a".to_owned()].into(),
        profile_attribute: "neo4j_groups".into(),
        marker: Marker {
            installation: "i".into(),
            cluster: "prod".into(),
            namespace: "payments".into(),
            name: "etl".into(),
            uid: "u".into(),
            stopped: false,
        },
        network_zones: Vec::new(),
        authentication: Authentication::ClientSecretBasic,
    }
}

fn at_okta() -> Value {
    let mut app = spec().create_body(
        "prod.payments.etl.u",
        CredentialBody::Secret("s3cret-s3cret-s3cret"),
    );
    app["id"] = json!("0oa1");
    app["status"] = json!("ACTIVE");
    app
}

#[test]
fn an_app_as_described_needs_no_put_even_if_okta_orders_groups_anew() {
    let mut app = at_okta();
    app["profile"]["neo4j_groups"] = json!(["b", "a"]);
    assert_eq!(spec().merge(&app), None);
}

#[test]
fn a_put_keeps_what_others_wrote_and_leaves_the_client_secret_out() {
    let mut app = at_okta();
    app["profile"]["cost_centre"] = json!(42);
    app["settings"]["notes"] = json!({ "admin": "hands off" });
    app["settings"]["oauthClient"]["dpop_bound_access_tokens"] = json!(true);
    let body = spec().merge(&app).expect("DPoP was switched on");
    assert_eq!(body["profile"]["cost_centre"], 42);
    assert_eq!(body["settings"]["notes"]["admin"], "hands off");
    assert_eq!(
        body["settings"]["oauthClient"]["dpop_bound_access_tokens"],
        false
    );
    assert_eq!(
        body["credentials"]["oauthClient"].get("client_secret"),
        None
    );
    assert_eq!(body.get("status"), None);
}

#[test]
fn dropped_profile_or_marker_is_seen() {
    let mut app = at_okta();
    app.as_object_mut().unwrap().remove("profile");
    let body = spec().merge(&app).expect("profile is gone");
    assert_eq!(body["profile"]["neo4j_groups"], json!(["a", "b"]));
}

#[test]
fn half_an_answer_is_no_answer() {
    assert_eq!(AppView::read(&json!({ "id": "0oa1" }), &spec()), None);
    assert_eq!(AppView::read(&json!([]), &spec()), None);
}

#[test]
fn zones_come_and_go() {
    let mut zoned = spec();
    zoned.network_zones = vec!["nzo1".into()];
    let body = zoned.merge(&at_okta()).expect("zones are asked for");
    assert_eq!(
        body["settings"]["oauthClient"]["network"]["connection"],
        "ZONE"
    );
    let back = spec().merge(&body).expect("zones are no longer asked for");
    assert_eq!(
        back["settings"]["oauthClient"]["network"]["connection"],
        "ANYWHERE"
    );
}
