//! A trace in the making, while its request is at work. It judges nothing: every verdict is taken from what the pipeline
//! and the delivery made.

use std::time::Duration;

use bytes::Bytes;
use mef_pipeline::dead_letter::DeadReason;
use mef_pipeline::explain::{StageVerdict, verdicts};
use mef_pipeline::pipeline::{Accepted, Prepared, RejectReason};
use mef_pipeline::preset::ChallengeAuth;
use mef_pipeline::received::Received;
use mef_pipeline::source::Source;

use super::{Captured, EventTrace, Times, Trace};
use crate::answers::Verdict;
use crate::metrics::{EventResult, RequestResult, Unavailability};
use crate::table::Route;

/// A request at work whose trace is wanted.
pub(crate) struct Sketch {
    received: Received,
    times: Times,
    secret: Option<usize>,
    events: Vec<EventTrace>,
    event_count: usize,
    captured: Option<Captured>,
}

/// What is known of a request when it is answered.
pub(crate) struct Told<'a> {
    pub(crate) route: &'a Route,
    pub(crate) request_id: &'a str,
    pub(crate) at: jiff::Timestamp,
    pub(crate) body_bytes: usize,
    pub(crate) status: u16,
    pub(crate) result: RequestResult,
    pub(crate) total: Duration,
}

impl Sketch {
    /// The body is complete.
    pub(crate) fn begin(received: &Received, receive: Duration) -> Self {
        Self {
            received: received.clone(),
            times: Times {
                receive,
                ..Times::default()
            },
            secret: None,
            events: Vec::new(),
            event_count: 0,
            captured: None,
        }
    }

    /// The pipeline has judged.
    pub(crate) fn judged(&mut self, process: Duration) {
        self.times.process = Some(process);
    }

    /// It was genuine, and its events are kept, or not.
    pub(crate) fn kept(&mut self, route: &Route, accepted: &Accepted, verdict: &Verdict, deliver: Duration) {
        let results = match verdict {
            Verdict::Accepted(results) => Some(results.as_slice()),
            _ => None,
        };
        self.times.deliver = Some(deliver);
        self.secret = accepted.key_index;
        self.event_count = accepted.items.len();
        let items = accepted.items.iter().take(Trace::MAX_EVENTS).enumerate();
        self.events = items
            .map(|(index, item)| {
                let result = results.and_then(|results| results.get(index)).copied();
                event(route.source(), item, result)
            })
            .collect();
        self.captured = Some(Captured::new(route, &self.received));
    }

    /// The request is answered. `sketch` is none where it was refused before its body was complete.
    pub(crate) fn finish(sketch: Option<Self>, told: &Told<'_>) -> Trace {
        let (outcome, reason) = told.result.words();
        let mut trace = Trace {
            number: 0,
            source: told.route.label(),
            definition: told.route.source().digest().to_owned(),
            request_id: told.request_id.to_owned(),
            at: told.at,
            body_bytes: told.body_bytes,
            status: told.status,
            outcome,
            reason,
            times: Times {
                receive: told.total,
                ..Times::default()
            },
            secret: None,
            stages: request_stages(told.route.source(), told.result),
            events: Vec::new(),
            event_count: 0,
            captured: None,
        };
        if let Some(sketch) = sketch {
            trace.at = sketch.received.at;
            trace.times = sketch.times;
            trace.secret = sketch.secret;
            trace.events = sketch.events;
            trace.event_count = sketch.event_count;
            trace.captured = sketch.captured;
        }
        trace.times.total = told.total;
        trace
    }
}

/// What the stages before parse said, as far as the result tells.
fn request_stages(source: &Source, result: RequestResult) -> [StageVerdict; 3] {
    let challenges = &source.preset().challenges;
    let unsigned = challenges
        .iter()
        .any(|challenge| challenge.auth != ChallengeAuth::Verified);
    // Handshakes that need no signature come before verification, the others behind it.
    let none = if challenges.is_empty() { "none" } else { "passed" };
    let proof = if unsigned { "not reached" } else { "passed" };
    let (receive, challenge, verify) = match result {
        RequestResult::Refused(_) | RequestResult::Unavailable(Unavailability::Memory) => {
            ("failed", "not reached", "not reached")
        }
        // The pipeline broke off, nobody knows where.
        RequestResult::Unavailable(Unavailability::Internal) => ("passed", "not reached", "not reached"),
        RequestResult::Challenged => ("passed", "answered", proof),
        RequestResult::Rejected(RejectReason::ChallengeGuard | RejectReason::NotAChallenge)
        | RequestResult::Unavailable(Unavailability::Handshake) => ("passed", "failed", proof),
        RequestResult::Accepted
        | RequestResult::Rejected(RejectReason::TooLargeForQueue)
        | RequestResult::Unavailable(Unavailability::Queue) => ("passed", none, "passed"),
        // Every other reason is one of verification's.
        RequestResult::Rejected(_) | RequestResult::Unavailable(Unavailability::Keys) => {
            ("passed", none, "failed")
        }
    };
    let said = |stage, verdict| StageVerdict { stage, verdict };
    [
        said("receive", receive),
        said("challenge", challenge),
        said("verify", verify),
    ]
}

fn event(source: &Source, item: &Prepared, result: Option<EventResult>) -> EventTrace {
    let mut stages = verdicts(source, item);
    let (id, detail, message) = match item {
        Prepared::Event(message) => (
            Some(message.id().to_owned()),
            Vec::new(),
            Some(Bytes::copy_from_slice(message.body())),
        ),
        Prepared::DeadLetter(letter) => (Some(letter.event_id.clone()), letter.detail.clone(), None),
        Prepared::Filtered => (None, Vec::new(), None),
    };
    let (became, reason, deliver) = match (result, item) {
        (None, Prepared::Filtered) | (Some(EventResult::Filtered), _) => ("filtered", None, "not reached"),
        (None, _) => ("not-kept", None, "failed"),
        (Some(EventResult::Delivered), _) => ("delivered", None, "passed"),
        (Some(EventResult::Duplicate), _) => ("duplicate", None, "passed"),
        (Some(EventResult::DeadLettered(reason)), _) => {
            ("dead-lettered", Some(reason), deliver_verdict(reason))
        }
    };
    stages.push(StageVerdict {
        stage: "deliver",
        verdict: deliver,
    });
    EventTrace {
        id,
        became,
        reason,
        stages,
        detail,
        message: message.filter(|_| matches!(became, "delivered" | "duplicate")),
    }
}

/// A letter of an earlier stage never reaches the queue of events.
fn deliver_verdict(reason: DeadReason) -> &'static str {
    match reason {
        DeadReason::Undeliverable | DeadReason::Undelivered => "failed",
        DeadReason::Unparsable
        | DeadReason::Schema
        | DeadReason::Transform
        | DeadReason::Oversize
        | DeadReason::Redrive => "not reached",
    }
}
