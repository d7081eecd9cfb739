//! What the standard `OTEL_*` variables ask for. Pure; the variables are handed
//! in. Nothing else switches traces on or off.
//!
//! Covers what the OpenTelemetry SDK does not read by itself, and what it would
//! pass over in silence. Refuses gRPC, and exporters other than `otlp`. Tells no
//! endpoint, which may hold a password.

use std::fmt;
use std::time::Duration;

use url::Url;

/// What a collector has by default to take a batch (OTLP exporter specification).
const TIMEOUT: Duration = Duration::from_secs(10);
const BESIDE: &str = "http://localhost:4318";
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// What the environment asks for, as far as the SDK does not read it itself.
#[derive(PartialEq, Eq)]
pub struct Wanted {
    /// With its path; the collector beside the operator by default.
    pub(super) endpoint: String,
    pub(super) service_name: Option<String>,
    pub(super) timeout: Duration,
    /// Files in PEM: whom to trust, and with what to sign in.
    pub(super) certificate: Option<String>,
    pub(super) client_certificate: Option<(String, String)>,
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").finish_non_exhaustive()
    }
}

/// Reads the standard variables.
///
/// # Errors
/// Which of them cannot be followed, and why.
pub fn wanted(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Wanted>, String> {
    // A variable that is set to nothing counts as not set (OpenTelemetry's
    // specification of the environment).
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    // One for traces alone goes before one for everything.
    let option = |name: &str| {
        let own = format!("OTEL_EXPORTER_OTLP_TRACES_{name}");
        let all = format!("OTEL_EXPORTER_OTLP_{name}");
        [own, all]
            .into_iter()
            .find_map(|name| Some((set(&name)?, name)))
    };
    if set("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let endpoint = option("ENDPOINT");
    match set("OTEL_TRACES_EXPORTER").as_deref() {
        Some("none") => return Ok(None),
        Some("otlp") => {}
        Some(other) => {
            return Err(format!(
                "OTEL_TRACES_EXPORTER: `{}` is not otlp or none",
                shown(other)
            ));
        }
        None if endpoint.is_none() => return Ok(None),
        None => {}
    }
    if let Some((endpoint, name)) = &endpoint {
        let url = Url::parse(endpoint).map_err(|error| format!("{name}: {error}"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(format!("{name}: neither http:// nor https://"));
        }
    }
    // One for traces is taken as it is.
    let endpoint = match endpoint {
        Some((own, name)) if name.contains("TRACES") => own,
        Some((all, _)) => format!("{}/v1/traces", all.trim_end_matches('/')),
        None => format!("{BESIDE}/v1/traces"),
    };
    if let Some((protocol, name)) = option("PROTOCOL")
        && protocol != "http/protobuf"
    {
        return Err(format!(
            "{name}: `{}` is not spoken here, http/protobuf is, usually at port 4318",
            shown(&protocol)
        ));
    }
    let timeout = match option("TIMEOUT") {
        Some((text, name)) => text
            .trim()
            .parse()
            .map(Duration::from_millis)
            .map_err(|_| format!("{name}: not a number of milliseconds"))?,
        None => TIMEOUT,
    };
    if let Some(sampler) = set("OTEL_TRACES_SAMPLER") {
        if !SAMPLERS.contains(&sampler.as_str()) {
            return Err(format!(
                "OTEL_TRACES_SAMPLER: `{}` is none of {}",
                shown(&sampler),
                SAMPLERS.join(", ")
            ));
        }
        let ratio = |text: String| text.parse().is_ok_and(|r: f64| (0.0..=1.0).contains(&r));
        let argument = set("OTEL_TRACES_SAMPLER_ARG");
        if sampler.ends_with("traceidratio") && !argument.is_none_or(ratio) {
            return Err("OTEL_TRACES_SAMPLER_ARG: not a number between 0 and 1".to_owned());
        }
    }
    let file = |name: &str| option(name).map(|(path, _)| path);
    let client_certificate = match (file("CLIENT_CERTIFICATE"), file("CLIENT_KEY")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            return Err(
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY: one of them is missing".to_owned(),
            );
        }
    };
    Ok(Some(Wanted {
        endpoint,
        service_name: set("OTEL_SERVICE_NAME"),
        timeout,
        certificate: file("CERTIFICATE"),
        client_certificate,
    }))
}

fn shown(text: &str) -> String {
    text.escape_debug().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(variables: &[(&str, &str)]) -> Result<Option<Wanted>, String> {
        wanted(|name| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[test]
    fn only_the_standard_variables_switch_traces_on() {
        for off in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[
                ("OTEL_SERVICE_NAME", "x"),
                ("OTEL_TRACES_SAMPLER", "always_on"),
            ],
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "True")],
            &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert_eq!(asked(off), Ok(None), "{off:?}");
        }
        for on in [
            &[ENDPOINT][..],
            &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/v1/traces")],
            &[("OTEL_TRACES_EXPORTER", "otlp")],
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "false")],
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
            &[
                ENDPOINT,
                ("OTEL_TRACES_SAMPLER", "traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ],
        ] {
            assert!(asked(on).is_ok_and(|wanted| wanted.is_some()), "{on:?}");
        }
        let both = asked(&[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2000"),
        ]);
        let timeout = both.expect("right").expect("on").timeout;
        assert_eq!(timeout, Duration::from_secs(2), "the one for traces");
    }

    #[test]
    fn the_path_for_traces_is_added_where_the_endpoint_is_for_everything() {
        for (variables, wanted) in [
            (&[ENDPOINT][..], "http://collector:4318/v1/traces"),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/otlp/")],
                "https://c/otlp/v1/traces",
            ),
            (
                &[
                    ENDPOINT,
                    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/x"),
                ],
                "http://c/x",
            ),
            (
                &[("OTEL_TRACES_EXPORTER", "otlp")],
                "http://localhost:4318/v1/traces",
            ),
        ] {
            let found = asked(variables).expect("right").expect("on").endpoint;
            assert_eq!(found, wanted, "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_said_and_no_password_is() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "hunter2.example"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "grpc://user:hunter2@collector",
            ),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/tls.key"),
            ("OTEL_TRACES_EXPORTER", "console"),
            ("OTEL_TRACES_SAMPLER", "xray"),
        ] {
            let why = asked(&[(name, value), ENDPOINT]).expect_err(value);
            assert!(why.starts_with(name) || why.contains(name), "{why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
        let ratio = [
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ];
        let why = asked(&[&ratio[..], &[ENDPOINT]].concat()).expect_err("no ratio");
        assert!(why.contains("OTEL_TRACES_SAMPLER_ARG"), "{why}");
    }
}
