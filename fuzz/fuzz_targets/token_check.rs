//! What stands between Okta's token endpoint and a published token: anything may
//! come, and only what was asked for passes.
#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use neo4j_okta_operator::plan::check::{Expected, check, groups};
use neo4j_okta_operator::plan::schedule::TokenLife;

fuzz_target!(|bytes: &[u8]| {
    let wanted = BTreeSet::from(["readers".to_owned()]);
    let (rule, bytes) = bytes.split_first().unwrap_or((&0, bytes));
    let expected = Expected {
        issuer: "https://acme.okta.com/oauth2/aus1",
        audience: "neo4j",
        client_id: "prod.payments.etl.9d1e7f3a",
        groups_claim: "groups",
        groups: &wanted,
        lifetime: (rule % 2 == 0).then_some(Duration::from_secs(3600)),
    };
    // As it came, and as the claims of a JWT that is whole.
    let whole = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(bytes));
    for token in [String::from_utf8_lossy(bytes).as_ref(), whole.as_str()] {
        let Ok(claims) = check(token, "Bearer", &expected) else {
            continue;
        };
        assert_eq!(claims.sub, expected.client_id);
        assert_eq!(claims.iss, expected.issuer);
        assert_eq!(groups(&claims, "groups").as_ref(), Some(&wanted));
        let life = u64::try_from(claims.exp.saturating_sub(claims.iat)).expect("a lifetime");
        let now = Timestamp::from_second(1_785_000_000).expect("an instant");
        let life = TokenLife::new(now, Duration::from_secs(life), "uid");
        assert!(life.refresh_at <= life.expires_at);
    }
});
