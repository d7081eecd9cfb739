//! The program's traces, as a collector receives them, and what the program does
//! when there is none.

use okta_emulator::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::collector::{Collector, Seen};
use crate::front::{Authority, Front};
use crate::harness::{PATIENCE, World, until};
use crate::program::{lines, program};

fn one<'a>(spans: &'a [Seen], what: &str, wanted: impl Fn(&Seen) -> bool) -> &'a Seen {
    let names: Vec<_> = spans.iter().map(|s| (s.name(), &s.attributes)).collect();
    let found = spans.iter().find(|span| wanted(span));
    found.unwrap_or_else(|| panic!("no span {what} in {names:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconcile_is_a_trace_of_its_acts_its_requests_and_its_writes() {
    let collector = Collector::start().await;
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let fault = Fault::new(FaultKind::Status {
        status: 503,
        error_code: None,
    });
    world.okta.inject(fault.on("POST", "/api/v1/apps").times(1));
    let (mut program, log) = program(
        &world,
        "traced",
        &[
            ("LOG", "trace"),
            ("HOSTNAME", "replica-1"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer of-the-collector",
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=test",
            ),
            // Nothing leaves before the end, but for whole batches.
            ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100000"),
        ],
    );
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let exit = program.terminate(PATIENCE).await;
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(exit.code, 0, "{said}");

    let spans = collector.spans();
    let root = one(&spans, "of the reconcile that settled", |s| {
        s.name() == "reconcile account" && s.get("neo4j_okta.outcome") == "settled"
    });
    assert!(root.is_root() && !root.is_error());
    assert_eq!(root.get("neo4j_okta.namespace"), world.namespace);
    assert_eq!(root.get("neo4j_okta.name"), "etl");
    let mint = one(&spans, "Mint", |s| s.name() == "Mint" && !s.is_error());
    let asked = one(&spans, "of the request for a token", |s| {
        s.is_child_of(mint)
    });
    assert_eq!(asked.name(), "okta token");
    let status = one(&spans, "of the status", |s| {
        s.is_child_of(root) && s.name() == "PUT neo4jserviceaccounts/status"
    });
    assert_eq!(status.get("http.response.status_code"), "200");
    let stage = one(&spans, "Stage", |s| s.name() == "Stage");
    let secret = one(&spans, "of the Secret", |s| s.is_child_of(stage));
    assert_eq!(secret.name(), "POST secrets");
    assert_eq!(secret.get("neo4j_okta.namespace"), world.namespace);
    assert_eq!(secret.get("http.response.status_code"), "201");
    one(&spans, "of the issuer", |s| {
        s.name() == "reconcile issuer" && s.is_root() && s.get("neo4j_okta.name") == "default"
    });

    // The app was refused once, and what came of that shows on the whole way up.
    let created: Vec<_> = spans
        .iter()
        .filter(|s| s.name() == "okta create_app")
        .collect();
    let known: Vec<_> = world
        .okta
        .requests()
        .into_iter()
        .filter(|r| r.method == "POST" && r.route == "/api/v1/apps")
        .map(|r| (r.request_id, r.status.to_string()))
        .collect();
    let told: Vec<_> = created
        .iter()
        .map(|s| {
            (
                s.get("neo4j_okta.okta_request"),
                s.get("http.response.status_code"),
            )
        })
        .collect();
    assert_eq!(
        told,
        known
            .iter()
            .map(|(id, status)| (id.as_str(), status.as_str()))
            .collect::<Vec<_>>()
    );
    let refused = created[0];
    assert_eq!(refused.get("http.response.status_code"), "503");
    assert_eq!(refused.get("error.type"), "503");
    assert_eq!(refused.get("http.request.method"), "POST");
    assert_eq!(refused.get("server.address"), "127.0.0.1");
    // SPAN_KIND_CLIENT
    assert_eq!(refused.span.kind, 3);
    let act = one(&spans, "above the refusal", |s| refused.is_child_of(s));
    assert_eq!(
        (act.name(), act.get("neo4j_okta.place")),
        ("CreateApp", "okta")
    );
    assert_eq!(act.get("error.type"), "transient");
    let failed = one(&spans, "above the act", |s| act.is_child_of(s));
    assert_eq!(failed.get("neo4j_okta.outcome"), "transient");
    for span in [refused, act, failed] {
        assert!(span.is_error(), "{} is no error", span.name());
    }
    assert!(
        failed.said().contains(&"step failed"),
        "{:?}",
        failed.said()
    );

    // Nothing is foreign, nothing hangs in the air.
    for span in &spans {
        let whole = span.is_root() || spans.iter().any(|s| span.is_child_of(s));
        assert!(whole, "{} has a parent that never came", span.name());
        assert_eq!(
            span.is_root(),
            span.name().starts_with("reconcile "),
            "{}",
            span.name()
        );
        assert_eq!(
            span.authorization.as_deref(),
            Some("Bearer of-the-collector")
        );
        for (key, value) in [
            ("service.name", "neo4j-okta-operator"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", "replica-1"),
            ("deployment.environment.name", "test"),
            ("telemetry.sdk.language", "rust"),
        ] {
            assert_eq!(
                span.resource.get(key).map(String::as_str),
                Some(value),
                "{key}"
            );
        }
    }

    // And nothing secret is in the log of it, or on the wire.
    let mut secrets = vec![
        "of-the-collector".to_owned(),
        world.okta.api_token().to_owned(),
    ];
    secrets.push(world.token("etl").await);
    secrets.push(world.data("etl-okta-credentials").await["client_secret"].clone());
    let wire = collector.bodies();
    assert!(said.lines().count() > 100, "the log talks");
    assert!(!said.contains("reconcile account"), "and is no trace");
    for secret in secrets {
        assert!(secret.len() > 10);
        for (place, text) in [("log", &said), ("wire", &wire)] {
            let told = text.lines().find(|line| line.contains(&secret));
            assert_eq!(told.map(|l| l.replace(&secret, "SECRET")), None, "{place}");
        }
    }
    assert_eq!(lines(&log, "collector"), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_the_collector_may_be_tls_on_both_sides_and_compressed() {
    let collector = Collector::start().await;
    let authority = Authority::new("collectors");
    let mut front = Front::new(&authority).await;
    front.demand(&authority);
    front.to(collector.address);
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let write = |name: &str, text: &str| {
        let path = world.cluster.directory().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = authority.certifies("operator");
    let (mut program, log) = program(
        &world,
        "traced-by-tls",
        &[
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                &format!("{}/v1/traces", front.url()),
            ),
            (
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                &write("ca.pem", &authority.pem),
            ),
            (
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
                &write("client.pem", &certificate.pem()),
            ),
            (
                "OTEL_EXPORTER_OTLP_CLIENT_KEY",
                &write("client.key", &key.serialize_pem()),
            ),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_SERVICE_NAME", "ours"),
        ],
    );
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    let exit = program.terminate(PATIENCE).await;
    assert_eq!(exit.code, 0);
    assert_eq!(lines(&log, "collector"), Vec::<Value>::new());
    let spans = collector.spans();
    let settled = one(&spans, "of the account", |s| {
        s.get("neo4j_okta.outcome") == "settled"
    });
    assert_eq!(settled.compression.as_deref(), Some("gzip"));
    assert_eq!(settled.resource["service.name"], "ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_holds_nothing_up_and_is_one_line() {
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    // Connections are made, and then nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (mut program, log) = program(
        &world,
        "untraced",
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "200"),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
            // Full at once.
            ("OTEL_BSP_MAX_QUEUE_SIZE", "2"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
        ],
    );
    for name in ["a", "b", "c"] {
        world.account(name, json!({})).await;
    }
    for name in ["a", "b", "c"] {
        world.ready(name).await;
    }
    let words = "the collector takes no traces";
    until("told", async || match lines(&log, words).len() {
        0 => Err(()),
        _ => Ok(()),
    })
    .await;
    let exit = program.terminate(PATIENCE).await;
    assert_eq!(exit.code, 0);
    let told = lines(&log, words);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0]["why"]
            .as_str()
            .is_some_and(|w| w.contains("200 ms")),
        "{told:#?}"
    );
    assert_eq!(lines(&log, "stopped").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_environment_asks_in_vain_is_said_and_the_operator_works() {
    let collector = Collector::start().await;
    let world = World::without_operator().await;
    world.issuer(json!({})).await;
    let (mut program, log) = program(
        &world,
        "grpc",
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ],
    );
    world.account("etl", json!({})).await;
    world.ready("etl").await;
    assert_eq!(program.terminate(PATIENCE).await.code, 0);
    let told = lines(&log, "no traces");
    assert_eq!(told.len(), 1, "{told:#?}");
    let why = told[0]["why"].as_str().unwrap();
    assert!(
        why.contains("OTEL_EXPORTER_OTLP_PROTOCOL") && why.contains("4318"),
        "{why}"
    );
    assert_eq!(collector.spans().len(), 0);
}
