//! The emulator checks what it serves: what a caller gets wrong is told, what a
//! fault gets wrong is not.

use okta_emulator::{Config, Emulator, Fault, FaultKind};
use serde_json::json;

use crate::contract;
use crate::kit::{Kit, SCOPE, SECRET, app_body, reply};

#[tokio::test]
async fn violations_are_told_without_secrets() {
    let Some(contract) = contract() else { return };
    let mut kit = Kit::start().await;
    let config = Config {
        contract: Some(contract),
        ..Config::default()
    };
    kit.emulator = Emulator::start(config).await.expect("a free port");
    kit.open_default_server();
    kit.app("client.good").await;
    kit.token("client.good", SECRET).await;
    for kind in [
        FaultKind::Malformed,
        FaultKind::CutAfter,
        FaultKind::Status {
            status: 418,
            error_code: None,
        },
    ] {
        kit.emulator.inject(Fault::new(kind).times(1));
        let _ = kit.try_api("GET", "/api/v1/apps", None).await;
    }
    let url = format!("{}/api/v1/apps", kit.emulator.url());
    let refused = kit.http.get(url).header("authorization", "SSWS wrong");
    assert_eq!(reply(refused).await.expect("an answer").status, 401);
    assert_eq!(kit.emulator.violations(), Vec::<String>::new());

    let mut body = app_body("client.bad");
    body["credentials"]["oauthClient"]["client_secret"] = json!([SECRET]);
    body["invented"] = json!(true);
    kit.emulator
        .inject(Fault::new(FaultKind::CutBefore).times(1));
    let _ = kit.try_api("POST", "/api/v1/apps", Some(&body)).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", SCOPE),
        ("invented", SECRET),
    ];
    kit.token_with("client.good", SECRET, &form).await;
    kit.get("/api/v1/nothing").await;
    let told = kit.emulator.violations().join("\n");
    for part in [
        "POST /api/v1/apps request: /credentials/oauthClient/client_secret: ",
        "POST /api/v1/apps request: body: ",
        "POST /oauth2/{authServerId}/v1/token request: body: ",
        "GET /api/v1/nothing request: the operation is not in the documents",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    assert!(!told.contains(SECRET), "{told}");
}
