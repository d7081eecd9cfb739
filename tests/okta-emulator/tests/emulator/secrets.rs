//! Two slots for secrets, and every refusal with a text of its own.

use serde_json::json;

use crate::kit::{Kit, SECRET, text};

#[tokio::test]
async fn rotation_without_a_dead_moment_and_its_refusals() {
    let kit = Kit::start().await;
    kit.open_default_server();
    let id = kit.app("client.rotate").await;
    let secrets = format!("/api/v1/apps/{id}/credentials/secrets");
    let mut causes = Vec::new();

    let first = text(&kit.get(&secrets).await.body[0]["id"]);
    let reply = kit
        .api(
            "POST",
            &format!("{secrets}/{first}/lifecycle/deactivate"),
            None,
        )
        .await;
    assert_eq!(reply.status, 400);
    causes.push(reply.cause().to_owned());

    let second = "second-secret-0123456789";
    let reply = kit
        .post(&secrets, &json!({ "client_secret": second }))
        .await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.body["client_secret"], second);
    assert_eq!(reply.body["secret_hash"].as_str().unwrap().len(), 22);
    assert_eq!(kit.token("client.rotate", SECRET).await.status, 200);
    assert_eq!(kit.token("client.rotate", second).await.status, 200);

    let reply = kit.post(&secrets, &json!({})).await;
    assert_eq!(reply.status, 400);
    causes.push(reply.cause().to_owned());
    let reply = kit.api("DELETE", &format!("{secrets}/{first}"), None).await;
    assert_eq!(reply.status, 400);
    causes.push(reply.cause().to_owned());

    let reply = kit
        .api(
            "POST",
            &format!("{secrets}/{first}/lifecycle/deactivate"),
            None,
        )
        .await;
    assert_eq!(
        (reply.status, &reply.body["status"]),
        (200, &json!("INACTIVE"))
    );
    let refused = kit.token("client.rotate", SECRET).await;
    assert_eq!(
        (refused.status, &refused.body["error"]),
        (401, &json!("invalid_client"))
    );
    // An inactive secret still fills its slot.
    assert_eq!(kit.post(&secrets, &json!({})).await.status, 400);
    assert_eq!(
        kit.api("DELETE", &format!("{secrets}/{first}"), None)
            .await
            .status,
        204
    );
    assert_eq!(kit.get(&format!("{secrets}/{first}")).await.status, 404);

    for bad in ["short", &"x".repeat(101), "umlaut-ä-umlaut-ä"] {
        let reply = kit.post(&secrets, &json!({ "client_secret": bad })).await;
        assert_eq!(reply.status, 400);
        causes.push(reply.cause().to_owned());
    }
    causes.sort();
    causes.dedup();
    assert_eq!(causes.len(), 6, "{causes:?}");
    let generated = kit.post(&secrets, &json!({})).await;
    assert_eq!(text(&generated.body["client_secret"]).len(), 64);
}

#[tokio::test]
async fn a_read_of_secrets_is_audited() {
    let kit = Kit::start().await;
    let id = kit.app("client.audit").await;
    kit.get(&format!("/api/v1/apps/{id}/credentials/secrets"))
        .await;
    let logs = kit.emulator.admin().logs();
    let read = logs
        .iter()
        .filter(|event| event["eventType"] == "app.oauth2.client.read_client_secret");
    assert_eq!(read.count(), 1);
    kit.emulator
        .admin()
        .set_api_token_rights(&["okta.apps.manage"]);
    assert_eq!(
        kit.get(&format!("/api/v1/apps/{id}/credentials/secrets"))
            .await
            .status,
        403
    );
    kit.emulator
        .admin()
        .set_api_token_rights(&["okta.apps.manage", "okta.apps.clientCredentials.read"]);
    assert_eq!(
        kit.get(&format!("/api/v1/apps/{id}/credentials/secrets"))
            .await
            .status,
        200
    );
}
