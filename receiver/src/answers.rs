//! Outcomes as HTTP: the only place that knows which status an outcome has. It never says which secret, or why.

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use mef_crds::OnInvalid;
use mef_pipeline::dead_letter::DeadReason;
use mef_pipeline::pipeline::{RejectReason, Reply};
use mef_pipeline::preset::Ack;

use crate::body::Refusal;
use crate::metrics::{EventResult, RequestResult, Unavailability};
use crate::table::Route;

/// Tells whether an endpoint is ours and which definition serves it: the first 12 hex digits of its digest.
pub(crate) const DEFINITION: HeaderName = HeaderName::from_static(mef_crds::DEFINITION_HEADER);
/// The request's id, as the log names it.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Seconds a sender is asked to wait when we could not keep an event.
const RETRY_AFTER_SECONDS: u16 = 5;

/// What came of a request, as far as the sender may know.
pub(crate) enum Verdict {
    Challenged(Reply),
    Rejected(RejectReason),
    Refused(Refusal),
    Accepted(Vec<EventResult>),
    Unavailable(Unavailability),
}

impl Verdict {
    pub(crate) fn result(&self) -> RequestResult {
        match self {
            Self::Challenged(_) => RequestResult::Challenged,
            Self::Rejected(reason) => RequestResult::Rejected(*reason),
            Self::Refused(refusal) => RequestResult::Refused(*refusal),
            Self::Accepted(_) => RequestResult::Accepted,
            Self::Unavailable(why) => RequestResult::Unavailable(*why),
        }
    }
}

/// The answer of a source.
pub(crate) fn answer(route: &Route, verdict: Verdict) -> Response<Body> {
    let mut response = match verdict {
        Verdict::Challenged(reply) => challenged(reply),
        Verdict::Rejected(reason) => rejected(route, reason),
        Verdict::Refused(refusal) => refused(route, refusal),
        Verdict::Accepted(results) => accepted(route, &results),
        Verdict::Unavailable(_) => unavailable(),
    };
    if let Some(definition) = route.definition() {
        response.headers_mut().insert(DEFINITION, definition);
    }
    response
}

/// A path of no source.
pub(crate) fn not_found() -> Response<Body> {
    empty(StatusCode::NOT_FOUND)
}

fn challenged(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = status(reply.status);
    for (name, value) in &reply.headers {
        // A value may come from the request; one that is no header value is left out rather than half sent.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn rejected(route: &Route, reason: RejectReason) -> Response<Body> {
    match reason {
        // A preset's own status tells a wrong proof; none at all is 401 everywhere.
        RejectReason::MissingSignature => empty(StatusCode::UNAUTHORIZED),
        RejectReason::Malformed
        | RejectReason::Mismatch
        | RejectReason::Stale
        | RejectReason::Future
        | RejectReason::UnknownKey
        | RejectReason::NotAllowed
        | RejectReason::WrongClaims
        | RejectReason::NoValidSecret
        | RejectReason::PeerNotAllowed
        | RejectReason::UntrustedFront => {
            let ack = &route.source().preset().ack;
            empty(ack.unverified_status.map_or(StatusCode::UNAUTHORIZED, status))
        }
        // Nobody can tell yet whether it is genuine; the sender keeps it and tries again.
        RejectReason::KeysUnavailable => unavailable(),
        RejectReason::ChallengeGuard => empty(StatusCode::BAD_REQUEST),
        RejectReason::NotAChallenge => not_allowed(route),
        RejectReason::TooLargeForQueue => empty(StatusCode::PAYLOAD_TOO_LARGE),
    }
}

fn refused(route: &Route, refusal: Refusal) -> Response<Body> {
    match refusal {
        Refusal::Method => not_allowed(route),
        Refusal::Probe => empty(StatusCode::UNAUTHORIZED),
        Refusal::BodyTooLarge => closing(StatusCode::PAYLOAD_TOO_LARGE),
        Refusal::BodyTimeout => closing(StatusCode::REQUEST_TIMEOUT),
        Refusal::BodyMalformed | Refusal::Aborted => closing(StatusCode::BAD_REQUEST),
    }
}

fn accepted(route: &Route, results: &[EventResult]) -> Response<Body> {
    let ack = &route.source().preset().ack;
    if results.iter().any(is_invalid) {
        if let Some(invalid) = &ack.invalid {
            return with_body(status(invalid.status), &invalid.body, ack.content_type.as_deref());
        }
        let webhook = &route.source().definition().spec.webhook;
        if webhook.on_invalid == Some(OnInvalid::Reject) {
            return empty(StatusCode::BAD_REQUEST);
        }
    }
    acknowledged(ack)
}

/// The event itself is at fault, not the size of the queue or its state.
fn is_invalid(result: &EventResult) -> bool {
    matches!(
        result,
        EventResult::DeadLettered(DeadReason::Unparsable | DeadReason::Schema | DeadReason::Transform)
    )
}

fn acknowledged(ack: &Ack) -> Response<Body> {
    match &ack.body {
        Some(body) => with_body(status(ack.status), body, ack.content_type.as_deref()),
        None => empty(status(ack.status)),
    }
}

/// Something that is no request: its method or its target is none.
#[cfg(feature = "lambda")]
pub(crate) fn no_request() -> Response<Body> {
    empty(StatusCode::BAD_REQUEST)
}

/// More headers than the edge reads.
#[cfg(feature = "lambda")]
pub(crate) fn headers_too_large() -> Response<Body> {
    empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

pub(crate) fn unavailable() -> Response<Body> {
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    response
}

fn not_allowed(route: &Route) -> Response<Body> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, route.allow());
    response
}

/// For requests whose rest nobody will read.
fn closing(code: StatusCode) -> Response<Body> {
    let mut response = empty(code);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn with_body(code: StatusCode, body: &str, content_type: Option<&str>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = code;
    if let Some(kind) = content_type.and_then(|kind| HeaderValue::from_str(kind).ok()) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

fn empty(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

/// Statuses of presets are checked when they are loaded; one that slipped through must not look like success.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
