//! From apply to a token, and back.

use serde_json::json;

use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_applied_account_gets_an_app_credentials_and_a_token_that_neo4j_can_verify() {
    let world = World::new().await;
    world.account("etl", json!({ "groups": ["neo4j_reader", "neo4j_publisher"] })).await;
    let account = world.ready("etl").await;
    let status = account.status.unwrap();
    let client_id = status.client_id.unwrap();
    let claims = world.claims("etl").await;
    assert_eq!(claims["groups"], json!(["neo4j_publisher", "neo4j_reader"]));
    assert_eq!(claims["sub"], json!(client_id));
    assert!(client_id.starts_with("test."), "{client_id}");
    assert!(world.signs_in("etl").await);
    assert_eq!(world.okta.admin().apps().len(), 1);
    println!("requests: {:#?}", world.okta.requests().iter().map(|r| format!("{} {} {}", r.method, r.path, r.status)).collect::<Vec<_>>());
}
