//! What our programs tell of themselves: one JSON object per log line on stderr, and, where OpenTelemetry's own variables name
//! a collector, spans to it.
//!
//! Nothing of an event and no secret is told by either: a span holds names, times, sizes and outcomes.

#[cfg(feature = "otlp")]
mod export;

use std::time::Duration;

use opentelemetry::TraceId;
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

#[cfg(feature = "otlp")]
pub use export::ExportError;

/// How long the last spans are waited for.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Spans on their way to a collector. Keep it until the program ends, then [`Traces::end`] it.
#[derive(Debug)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Exports by OTLP over HTTP when `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` names a
    /// collector and `OTEL_SDK_DISABLED` is not `true`; without one nothing is recorded. `service` is the name where
    /// `OTEL_SERVICE_NAME` gives none. Sampling, batches, headers and time limits are as those variables say
    /// (OpenTelemetry specification, "Environment Variable Specification"). Call it inside a Tokio runtime.
    ///
    /// # Errors
    /// When what the variables say cannot be used.
    #[cfg(feature = "otlp")]
    pub fn start(service: &'static str) -> Result<Self, ExportError> {
        export::provider(service).map(Self)
    }

    /// Where spans are made; none when nobody is there to take them.
    #[must_use]
    pub fn tracer(&self) -> Option<SdkTracer> {
        self.0.as_ref().map(|provider| provider.tracer("mef"))
    }

    /// Sends what is left; a collector that does not answer is waited for five seconds.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST_WAIT)).await;
        if let Ok(Err(why)) = ended {
            tracing::warn!(%why, "the last spans did not reach the collector");
        }
    }
}

/// Writes a span's trace id into its field `trace_id`, so that log lines name it. Where no traces are kept the field stays away.
pub fn name_trace(span: &tracing::Span) {
    let context = span.context();
    let trace = context.span().span_context().trace_id();
    if trace != TraceId::INVALID {
        span.record("trace_id", tracing::field::display(trace));
    }
}

/// Starts logging to stderr as JSON. `filter` is a level or, where a user chooses, an `EnvFilter` as `mef_operator=debug`.
/// With `spans` every line names the spans it belongs to, and they go where these traces go.
pub fn log(filter: impl Layer<Registry> + Send + Sync, spans: Option<&Traces>) {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(spans.is_some())
        .with_writer(std::io::stderr);
    let exported = spans
        .and_then(Traces::tracer)
        .map(|tracer| tracing_opentelemetry::layer().with_tracer(tracer));
    tracing_subscriber::registry()
        .with(filter)
        .with(exported)
        .with(lines)
        .init();
}
