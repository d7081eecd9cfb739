//! The program itself: flags, first line, its own endpoint, a quiet end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::kit::reply;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-emulator"));
    command.env_remove("OKTA_EMULATOR_API_TOKEN");
    command
}

#[test]
fn wrong_flags_are_one_line_and_64() {
    for arguments in [
        vec!["--nonsense"],
        vec![],
        vec!["--api-token", "t", "--listen", "nowhere"],
    ] {
        let output = program().args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.trim().lines().count(), 1, "{text}");
        assert!(text.starts_with("error: "), "{text}");
    }
}

#[tokio::test]
async fn it_prints_its_url_and_obeys_its_own_endpoint() {
    let mut child = program()
        .env("OKTA_EMULATOR_API_TOKEN", "the-token")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    let url = url.trim().to_owned();
    assert!(url.starts_with("http://127.0.0.1:"));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |method: reqwest::Method, path: &str, body: serde_json::Value| {
        reply(
            http.request(method, format!("{url}{path}"))
                .header("authorization", "SSWS the-token")
                .json(&body),
        )
        .await
    };
    use reqwest::Method;
    let servers = ask(Method::GET, "/api/v1/authorizationServers", json!(null))
        .await
        .unwrap();
    assert_eq!(servers.body[0]["issuer"], format!("{url}/oauth2/default"));
    let fault = json!({ "route": "/api/v1/apps", "method": "GET", "kind": { "status": { "status": 500 } }, "times": 1 });
    assert_eq!(
        ask(Method::POST, "/emulator/faults", fault)
            .await
            .unwrap()
            .status,
        204
    );
    assert_eq!(
        ask(Method::GET, "/api/v1/apps", json!(null))
            .await
            .unwrap()
            .status,
        500
    );
    assert_eq!(
        ask(Method::GET, "/api/v1/apps", json!(null))
            .await
            .unwrap()
            .status,
        200
    );
    let before = ask(Method::GET, "/emulator/clock", json!(null))
        .await
        .unwrap()
        .body["now_ms"]
        .as_u64()
        .unwrap();
    let after = ask(
        Method::POST,
        "/emulator/clock",
        json!({ "advance_seconds": 3600 }),
    )
    .await
    .unwrap();
    assert!(after.body["now_ms"].as_u64().unwrap() >= before + 3_600_000);
    assert_eq!(
        ask(Method::PUT, "/emulator/limits", json!({ "apps": 2 }))
            .await
            .unwrap()
            .status,
        204
    );
    assert_eq!(
        ask(Method::PUT, "/emulator/outage", json!({ "down": true }))
            .await
            .unwrap()
            .status,
        204
    );
    assert!(ask(Method::GET, "/api/v1/apps", json!(null)).await.is_err());
    assert_eq!(
        ask(Method::PUT, "/emulator/outage", json!({ "down": false }))
            .await
            .unwrap()
            .status,
        204
    );
    let requests = ask(Method::GET, "/emulator/requests", json!(null))
        .await
        .unwrap();
    assert_eq!(requests.body.as_array().unwrap().len(), 3);
    let stranger = http
        .get(format!("{url}/emulator/requests"))
        .header("authorization", "SSWS other");
    assert_eq!(reply(stranger).await.unwrap().status, 401);
    let ended = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(ended.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
