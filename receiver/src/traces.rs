//! One trace per request, for whoever runs an OpenTelemetry collector: what was done when, and what came of it. Nothing of an
//! event is in it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use axum::http::HeaderMap;
use axum::http::request::Parts;
use jiff::Timestamp;
use mef_pipeline::received::TraceId;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
    TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use crate::metrics::RequestResult;

/// A request's trace while it is at work.
pub(crate) struct Trace {
    tracer: SdkTracer,
    request: Context,
}

impl Trace {
    /// Begins a trace of our own. A sender's `traceparent` does not choose its id, nor whether it is kept: anybody may send
    /// one. It becomes a link (OpenTelemetry specification, "Links between spans": across a trust boundary).
    pub(crate) fn begin(tracer: &SdkTracer, source: &str, request_id: &str, head: &Parts) -> Self {
        let span = SpanBuilder::from_name(format!("{} {source}", head.method))
            .with_kind(SpanKind::Server)
            .with_links(callers(&head.headers).into_iter().collect())
            .with_attributes([
                KeyValue::new("http.request.method", head.method.as_str().to_owned()),
                KeyValue::new("mef.source", source.to_owned()),
                KeyValue::new("mef.request.id", request_id.to_owned()),
            ]);
        let span = tracer.build_with_context(span, &Context::new());
        Self {
            tracer: tracer.clone(),
            request: Context::new().with_span(span),
        }
    }

    pub(crate) fn id(&self) -> Option<TraceId> {
        let id = self.request.span().span_context().trace_id();
        TraceId::new(u128::from_be_bytes(id.to_bytes()))
    }

    /// A part of the work that ends now and took this long.
    pub(crate) fn stage(&self, name: &'static str, kind: SpanKind, now: Timestamp, took: Duration) {
        let since_1970 = Duration::from_micros(u64::try_from(now.as_microsecond()).unwrap_or_default());
        let end = SystemTime::UNIX_EPOCH + since_1970;
        let span = SpanBuilder::from_name(Cow::Borrowed(name))
            .with_kind(kind)
            .with_start_time(end.checked_sub(took).unwrap_or(end));
        let mut span = self.tracer.build_with_context(span, &self.request);
        span.end_with_timestamp(end);
    }

    /// The answer is made.
    pub(crate) fn end(&self, status: u16, result: RequestResult, body_bytes: usize) {
        let (outcome, reason) = result.words();
        let span = self.request.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        let bytes = i64::try_from(body_bytes).unwrap_or(i64::MAX);
        span.set_attribute(KeyValue::new("http.request.body.size", bytes));
        span.set_attribute(KeyValue::new("mef.outcome", outcome));
        if !reason.is_empty() {
            span.set_attribute(KeyValue::new("mef.reason", reason));
        }
        // HTTP semantic conventions: of a server's spans only its own failures are errors.
        if status >= 500 {
            span.set_status(Status::error(reason));
        }
        span.end();
    }
}

/// The span that the caller says it is in (W3C Trace Context, `traceparent` of version 00). What is not well formed is as if
/// it were not there.
fn callers(headers: &HeaderMap) -> Option<Link> {
    let mut values = headers.get_all("traceparent").iter();
    let text = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, digits| {
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let formed =
        version == "00" && parts.next().is_none() && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    let context = SpanContext::new(
        opentelemetry::TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::default(),
        true,
        TraceState::NONE,
    );
    (formed && context.is_valid()).then(|| Link::with_context(context))
}

/// The trace of a request that AWS names (`Root=1-67891233-abcdef012345678912345678;Parent=…;Sampled=1`, X-Ray's tracing
/// header): its root in W3C's form, the same 32 digits.
#[cfg(feature = "lambda")]
pub(crate) fn of_xray(header: &str) -> Option<TraceId> {
    let root = header
        .split(';')
        .find_map(|part| part.trim().strip_prefix("Root="))?;
    let mut parts = root.split('-');
    let (version, time, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if version != "1" || time.len() != 8 || rest.len() != 24 || parts.next().is_some() {
        return None;
    }
    TraceId::new(u128::from_str_radix(&format!("{time}{rest}"), 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", value.parse().ok()?);
        callers(&headers).map(|link| link.span_context.trace_id().to_string())
    }

    #[test]
    fn a_callers_trace_is_read_as_w3c_writes_it_and_nothing_else() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(link(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(), Some(id));
        for wrong in [
            "",
            "00",
            "00-0-0-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(link(wrong), None, "{wrong}");
        }
    }

    #[cfg(feature = "lambda")]
    #[test]
    fn a_root_of_xray_is_the_same_trace_in_w3c_form() {
        let root = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1";
        assert_eq!(
            of_xray(root).map(|id| id.to_string()).as_deref(),
            Some("67891233abcdef012345678912345678")
        );
        for wrong in [
            "",
            "Root=",
            "Root=2-67891233-abcdef012345678912345678",
            "Root=1-6-a",
        ] {
            assert_eq!(of_xray(wrong), None, "{wrong}");
        }
    }
}
