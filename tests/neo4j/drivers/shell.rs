//! The shell style: curl against the Query API. Each request logs in anew, so there is
//! no connection that could outlive its token, and no transaction.

use testbed::neo4j::available;

use super::file::expired;
use super::languages::Language;
use super::logins::Stage;

const ONE: &str = r#"RETURN 1 AS n, "a \ 'b'" AS text"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_script_stays_logged_in() {
    if !available() {
        return;
    }
    let Some(program) = Language::Shell.program().await else {
        return;
    };
    let mut stage = Stage::new().await;
    let mut sample = stage.sample(&program, 0);
    sample.send(ONE).await;
    sample.retries(&["there is no token"]).await;
    stage.mount.token(&expired());
    sample.retries(&["expired"]).await;
    stage.show();
    let said = sample.done().await;
    assert_eq!(said.tokens, [stage.expiry().await]);

    for _ in 0..3 {
        stage.refresh().await;
        stage.show();
        stage.expire();
        let said = sample.run(ONE).await;
        assert_eq!(said.tokens, [stage.expiry().await]);
        assert_eq!(said.retries, [""; 0]);
        let body: serde_json::Value = serde_json::from_str(&said.rows[0]).unwrap();
        let row = serde_json::json!([[1, "a \\ 'b'"]]);
        assert_eq!(body["data"]["values"], row, "{body}");
    }

    // An expiry that the pod sees later than the server.
    stage.refresh().await;
    stage.expire();
    sample.send(ONE).await;
    sample.retries(&["401"]).await;
    stage.show();
    assert_eq!(sample.done().await.tokens, [stage.expiry().await]);
    sample.end().await;
}
