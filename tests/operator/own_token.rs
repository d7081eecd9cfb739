//! The token that the operator itself has of Okta: bound by DPoP or not, ended
//! before its time, signed for by a machine whose clock is wrong.

use std::time::Duration;

use okta_emulator::{Behaviour, Fault, FaultKind};
use serde_json::json;

use crate::harness::World;
use crate::signin::{
    MINUTE, ROLES, SCOPES, SIGN_INS, by_key, publishes, says, service_app, world_with_a_key,
};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(flavor = "multi_thread")]
async fn dpop_may_be_switched_on_nonces_end_and_no_proof_is_sent_twice() {
    let (world, app, _) = world_with_a_key(&SCOPES, &ROLES).await;
    world.okta.set_behaviour(Behaviour {
        unasked_proofs_bind: false,
        ..Behaviour::default()
    });
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let admin = world.okta.admin();
    admin.require_dpop(&app, true);
    admin.end_management_tokens();
    publishes(&world, "neo4j_publisher").await;
    world.quiet().await;
    // A nonce is good for three days at most, and a request that failed is sent
    // again with a proof of its own.
    world.pass(5 * DAY);
    let fault = Fault::new(FaultKind::Status {
        status: 503,
        error_code: None,
    });
    world
        .okta
        .inject(fault.on("PUT", "/api/v1/apps/{appId}").times(2));
    world.okta.clear_requests();
    publishes(&world, "neo4j_reader").await;
    let seen = world.okta.requests();
    let refusals: Vec<_> = seen
        .iter()
        .filter(|r| (400..500).contains(&r.status))
        // What the operator can do without may be refused.
        .filter(|r| !r.route.contains("/org/settings/"))
        .map(|r| (r.route.as_str(), r.error_code.as_deref()))
        .collect();
    assert_eq!(refusals, [(SIGN_INS.1, Some("use_dpop_nonce"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_token_that_ends_early_is_replaced_once_and_never_in_a_loop() {
    let (world, ..) = world_with_a_key(&SCOPES, &ROLES).await;
    let names = ["etl", "a1", "a2", "a3", "a4"];
    for name in names {
        world.account(name, json!({})).await;
    }
    for name in names {
        world.ready(name).await;
    }
    world.quiet().await;
    world.okta.admin().end_management_tokens();
    world.okta.clear_requests();
    // All are under way with the old token when the first is refused.
    let slow = Fault::new(FaultKind::Latency(1000)).on("GET", "/api/v1/apps/{appId}");
    world.okta.inject(slow);
    for name in names {
        world
            .account(name, json!({ "groups": ["neo4j_publisher"] }))
            .await;
    }
    publishes(&world, "neo4j_publisher").await;
    world.okta.clear_faults();
    world.quiet().await;
    let seen = world.okta.requests();
    assert!(seen.iter().any(|r| r.status == 401));
    assert_eq!(world.okta.count(SIGN_INS.0, SIGN_INS.1), 1);
    // Okta refuses whatever token it is shown.
    let fault = Fault::new(FaultKind::Status {
        status: 401,
        error_code: None,
    });
    world.okta.inject(fault.on("PUT", "/api/v1/apps/{appId}"));
    world.okta.clear_requests();
    world
        .account("etl", json!({ "groups": ["neo4j_reader"] }))
        .await;
    world
        .has("etl", "TokenFresh", "False", "Unauthorized")
        .await;
    let seen = world.okta.requests();
    let refused = seen.iter().filter(|r| r.status == 401).count();
    let sign_ins = seen.iter().filter(|r| r.route == SIGN_INS.1).count();
    assert!(sign_ins <= refused.div_ceil(2), "{sign_ins} for {refused}");
    world.okta.clear_faults();
    world.pass(11 * MINUTE);
    publishes(&world, "neo4j_reader").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_clock_is_minutes_off_signs_in_and_says_so() {
    for minutes in [-9, 9] {
        let mut world = World::without_operator().await;
        world
            .okta
            .inject(Fault::new(FaultKind::ClockSkew(minutes * 60)));
        let (_, key) = service_app(&world, &SCOPES, &ROLES).await;
        world.issuer(by_key("okta-key", key.kid())).await;
        world.start_operator().await;
        let issuer = world.issuer_has("Ready", "True", "ClockSkew").await;
        assert!(says(&issuer, "Ready").contains("about 9 minutes"));
        world
            .account("etl", json!({ "authentication": "PrivateKeyJwt" }))
            .await;
        world.ready("etl").await;
    }
}
