//! Log lines on standard error, one for each meaningful act. Needs a filter that
//! parses; what is logged can be changed later (`filter`).

pub mod filter;
pub mod panics;

use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::cli::LogFormat;
use filter::Switch;

/// Where spans and events go.
pub type Sink = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging. What is returned turns the filter. A second call changes
/// nothing.
pub fn start(format: LogFormat, filter: EnvFilter) -> Switch {
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let (lines, switch) = lines(format, filter, std::io::stderr, ansi);
    drop(tracing_subscriber::registry().with(lines).try_init());
    switch
}

/// Starts logging. A second call changes nothing.
pub fn init(format: LogFormat, filter: &str) {
    // Parsed before; what cannot be parsed now logs as usual.
    let filter = filter::parse(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    start(format, filter);
}

/// Log lines, written to `writer`.
pub fn lines<W>(format: LogFormat, filter: EnvFilter, writer: W, ansi: bool) -> (Sink, Switch)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::<EnvFilter, Registry>::new(filter);
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
