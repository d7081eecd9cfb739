//! What the operator tells while it works: log lines on standard error, one for
//! each meaningful act, and traces for whoever asks for them.
//!
//! Needs a filter that parses, and for traces what [`environment`] reads. Refuses
//! to mix the two: the operator's own spans are in no log line, and nobody else's
//! spans are in a trace.

pub mod environment;
mod exporter;
pub mod filter;
pub mod otlp;
pub mod panics;
pub(crate) mod spans;

use tracing_subscriber::filter::{FilterExt, FilterFn, LevelFilter};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::cli::LogFormat;
use filter::Switch;
use otlp::Traces;

/// Where spans and events go.
pub type Sink = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging, and tracing if there are traces. What is returned turns the
/// filter of the log. A second call changes nothing.
pub fn start(format: LogFormat, filter: EnvFilter, traces: Option<&Traces>) -> Switch {
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let (lines, switch) = lines(format, filter, std::io::stderr, ansi);
    let sinks: Vec<Sink> = traces
        .map(Traces::sink)
        .into_iter()
        .chain([lines])
        .collect();
    drop(tracing_subscriber::registry().with(sinks).try_init());
    switch
}

/// Starts logging. A second call changes nothing.
pub fn init(format: LogFormat, filter: &str) {
    // Parsed before; what cannot be parsed now logs as usual.
    let filter = filter::parse(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    start(format, filter, None);
}

/// Log lines, written to `writer`.
pub fn lines<W>(format: LogFormat, filter: EnvFilter, writer: W, ansi: bool) -> (Sink, Switch)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::<EnvFilter, Registry>::new(filter);
    // The hint leaves the level to the other filter.
    let not_ours = FilterFn::new(|metadata| metadata.target() != spans::TARGET)
        .with_max_level_hint(LevelFilter::TRACE);
    let filter = FilterExt::<Registry>::and(filter, not_ours);
    let layer = fmt::layer().with_writer(writer).with_target(false);
    let sink = match format {
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_filter(filter)
            .boxed(),
        LogFormat::Text => layer.with_ansi(ansi).with_filter(filter).boxed(),
    };
    (sink, Switch::new(handle))
}
