//! Traces for an OpenTelemetry collector, by OTLP over HTTP with protobuf.
//!
//! Needs a runtime to send on, and to be flushed in the end. Refuses to make
//! anybody wait: batches leave from a thread of the exporter's own, and what that
//! cannot take is dropped.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::{Certificate, Identity};
use tokio::runtime::Handle;
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter};

use super::environment::Wanted;
use super::exporter::Courier;
use super::{Sink, spans};
use crate::api::names as n;

/// Traces on their way to a collector.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Prepares to send as `wanted`; nothing is sent before there is a span.
    ///
    /// # Errors
    /// In words, what keeps it from that.
    pub fn start(wanted: &Wanted, instance: &str, runtime: &Handle) -> Result<Self, String> {
        let http = client(wanted)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Courier::new(http, runtime.clone(), wanted.timeout))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&wanted.endpoint)
            .with_timeout(wanted.timeout)
            .build()
            .map_err(|error| error.to_string())?;
        // The exporter hands batches to a thread of its own; what it cannot take
        // is dropped, and nobody waits.
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource(wanted, instance))
            .build();
        Ok(Self(provider))
    }

    /// Where spans have to go.
    #[must_use]
    pub fn sink(&self) -> Sink {
        let ours = FilterFn::new(|metadata| {
            if metadata.is_span() {
                metadata.target() == spans::TARGET
            } else {
                metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
                    && *metadata.level() <= Level::INFO
            }
        });
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(n::OPERATOR))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(true)
            // No other library here asks for OpenTelemetry's own context.
            .with_context_activation(false)
            .with_error_events_to_status(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
            .boxed()
    }

    /// Sends what is not sent yet, and ends. Gives up after `bound`.
    pub fn flush(self, bound: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(bound) {
            tracing::debug!(%error, "the last traces are lost");
        }
    }
}

fn client(wanted: &Wanted) -> Result<reqwest::Client, String> {
    let read = |path: &str| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    let mut builder = reqwest::Client::builder()
        .connect_timeout(wanted.timeout)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(path) = &wanted.certificate {
        let authorities = Certificate::from_pem_bundle(&read(path)?)
            .map_err(|_| format!("{path}: no certificates in PEM"))?;
        // Not beside the system's: whoever names a CA means that one.
        builder = builder.tls_certs_only(authorities);
    }
    if let Some((certificate, key)) = &wanted.client_certificate {
        let pem = [read(certificate)?, read(key)?].join(&b'\n');
        let identity = Identity::from_pem(&pem)
            .map_err(|_| format!("{certificate}, {key}: not a certificate and its key in PEM"))?;
        builder = builder.identity(identity);
    }
    builder
        .build()
        .map_err(|error| crate::okta::root_cause(&error))
}

/// Who sends. What the environment says goes before what the operator knows.
fn resource(wanted: &Wanted, instance: &str) -> Resource {
    let builder = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", n::OPERATOR),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", instance.to_owned()),
        ])
        .with_detectors(&[
            Box::new(TelemetryResourceDetector),
            Box::new(EnvResourceDetector::new()),
        ]);
    match &wanted.service_name {
        Some(name) => builder.with_service_name(name.clone()),
        None => builder,
    }
    .build()
}
