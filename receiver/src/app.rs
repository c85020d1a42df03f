//! A request's path over the edge: find the source, read the body, let the pipeline judge, keep what it prepared, answer.
//!
//! From the moment the body is complete the work runs in a task of its own: a sender that goes away changes nothing about
//! what is kept and counted.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use mef_crds::PROBE_HEADER;
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::{Action, Outcome, Prepared, RejectReason, Rejection, Reply, process};
use mef_pipeline::received::{Headers, Received, TraceId};
use opentelemetry::trace::SpanKind;
use tokio::time::Instant;

use crate::answers::{self, Verdict};
use crate::body::{self, Held, Refusal, Unread};
use crate::captor::Captured;
use crate::connections::Seat;
use crate::deliver::{Courier, NotKept, Patience};
use crate::metrics::{Stage, Tally, Unavailability};
use crate::observe::{Sketch, Told};
use crate::server::Receiver;
use crate::table::Route;
use crate::traces::Trace;

/// Bodies above this are processed on a thread that may take its time, so that small requests are not held up.
const LARGE_BODY_BYTES: usize = 32 * 1_024;

/// How long the pipeline may take for one request; half the sender's patience where that is shorter. Then its expressions
/// are interrupted, and the event becomes a dead letter.
const LONGEST_PROCESSING: Duration = Duration::from_secs(2);

/// Who sent a request, where that is not told by a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// How long the answer may take, where whoever runs us gives less time than the sender.
#[derive(Clone, Copy)]
pub(crate) struct AnswerWithin(pub(crate) Duration);

/// The trace of whoever runs us, of which the request is a part.
#[cfg_attr(not(feature = "lambda"), allow(dead_code, reason = "only AWS tells one"))]
#[derive(Clone, Copy)]
pub(crate) struct TracedBy(pub(crate) TraceId);

/// The source listener's router.
pub(crate) fn router(receiver: Arc<Receiver>) -> Router {
    Router::new().fallback(receive).with_state(receiver)
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: axum::extract::Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let table = receiver.table();
    let Some(route) = table.find(head.uri.path()).cloned() else {
        receiver.metrics().unrouted.inc();
        return answers::not_found();
    };
    let tally = receiver.metrics().source(route.label()).begin();
    let within = head.extensions.get::<AnswerWithin>().map(|within| within.0);
    let request_id = receiver.request_id();
    let work = Work {
        trace: receiver
            .tracer()
            .map(|tracer| Trace::begin(tracer, route.id(), &request_id, &head)),
        request_id,
        receiver: receiver.clone(),
        budget: route.ack_budget().min(within.unwrap_or(Duration::MAX)),
        route,
        tally,
    };
    match take(&work, &head, body).await {
        Err(verdict) => work.finish(verdict, 0, None),
        Ok((received, held)) => {
            let route = work.route.clone();
            let task = receiver.tasks().spawn(work.run(received, held));
            task.await
                .unwrap_or_else(|_| answers::answer(&route, Verdict::Unavailable(Unavailability::Internal)))
        }
    }
}

/// Reads the request. From here on its sender has nothing more to say.
async fn take(work: &Work, head: &Parts, body: Body) -> Result<(Received, Held), Verdict> {
    let route = &work.route;
    if !route.takes(&head.method) {
        return Err(Verdict::Refused(Refusal::Method));
    }
    if head.headers.contains_key(PROBE_HEADER) {
        return Err(Verdict::Refused(Refusal::Probe));
    }
    let patience = work.receiver.limits().body_timeout;
    let (body, held) = body::read(body, route.max_body_bytes(), patience, work.receiver.memory())
        .await
        .map_err(|unread| match unread {
            Unread::Refused(refusal) => Verdict::Refused(refusal),
            Unread::NoMemory => Verdict::Unavailable(Unavailability::Memory),
        })?;
    let seat = head.extensions.get::<Arc<Seat>>();
    if let Some(seat) = seat {
        seat.at_work();
    }
    let told = head.extensions.get::<Peer>().map(|peer| peer.0);
    let received = received(work, head, body, seat.map(|seat| seat.peer()).or(told));
    Ok((received, held))
}

fn received(work: &Work, head: &Parts, body: Bytes, peer: Option<IpAddr>) -> Received {
    Received {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: Headers::from(&head.headers),
        body: body.into(),
        peer,
        client_certificate: None,
        at: work.receiver.clock().now(),
        request_id: work.request_id.clone(),
        trace: work.trace_id(head),
    }
}

/// One request at work.
struct Work {
    receiver: Arc<Receiver>,
    route: Arc<Route>,
    request_id: String,
    /// Where somebody takes traces.
    trace: Option<Trace>,
    /// How long the answer may take, counted from the request's first byte.
    budget: Duration,
    tally: Tally,
}

impl Work {
    /// The trace kept of it: ours, or that of whoever runs us.
    fn trace_id(&self, head: &Parts) -> Option<TraceId> {
        match &self.trace {
            Some(trace) => trace.id(),
            None => head.extensions.get::<TracedBy>().map(|by| by.0),
        }
    }

    fn traced(&self, name: &'static str, kind: SpanKind, took: Duration) {
        if let Some(trace) = &self.trace {
            trace.stage(name, kind, self.receiver.clock().now(), took);
        }
    }

    /// Everything from a complete body to the answer. `held` is given back when nothing of the body is needed any more.
    async fn run(self, received: Received, held: Held) -> Response<Body> {
        let bytes = received.body.len();
        let metrics = self.tally.metrics();
        let receive = self.tally.started().elapsed();
        metrics.stage(Stage::Receive, receive.as_secs_f64());
        self.traced("receive", SpanKind::Internal, receive);
        let mut sketch = self
            .receiver
            .observer()
            .map(|_| Box::new(Sketch::begin(&received, receive)));
        let begun = Instant::now();
        let outcome = match self.network_keys(&received).await {
            Some(network) => self.judge(received, network).await,
            None => None,
        };
        let process = begun.elapsed();
        metrics.stage(Stage::Process, process.as_secs_f64());
        self.traced("process", SpanKind::Internal, process);
        if let Some(sketch) = &mut sketch {
            sketch.judged(process);
        }
        let verdict = match outcome {
            None => {
                self.receiver.report_defect(self.route.id(), &self.request_id);
                Verdict::Unavailable(Unavailability::Internal)
            }
            Some(Outcome::Challenged(reply)) => self.act(reply).await,
            // Nobody can tell yet whether it is genuine.
            Some(Outcome::Rejected(Rejection {
                reason: RejectReason::KeysUnavailable,
            })) => Verdict::Unavailable(Unavailability::Keys),
            Some(Outcome::Rejected(rejection)) => Verdict::Rejected(rejection.reason),
            Some(Outcome::Accepted(accepted)) => {
                if let Some(index) = accepted.key_index {
                    metrics.secret_matched(index);
                }
                let begun = Instant::now();
                let verdict = self.keep(&accepted.items, Arc::new(held)).await;
                if let Some(sketch) = &mut sketch {
                    sketch.kept(&self.route, &accepted, &verdict, begun.elapsed());
                }
                verdict
            }
        };
        self.finish(verdict, bytes, sketch)
    }

    /// The sender's published keys that a request needs; `None` when asking for them panicked.
    async fn network_keys(&self, received: &Received) -> Option<NetworkKeys> {
        let verifier = self.route.source().verifier();
        if !verifier.reads_published_keys() {
            return Some(NetworkKeys::none());
        }
        let wanted = catch_unwind(AssertUnwindSafe(|| verifier.wanted_keys(received))).ok()?;
        let Some(fetcher) = self.receiver.fetcher().filter(|_| !wanted.is_empty()) else {
            return Some(NetworkKeys::none());
        };
        // The other half is left for the queue.
        let until = self.tally.started() + self.budget / 2;
        Some(fetcher.fetch(&wanted, until).await)
    }

    /// The pipeline's judgement; `None` when it panicked. What it said then may hold a part of the body and is not logged.
    async fn judge(&self, received: Received, network: NetworkKeys) -> Option<Outcome> {
        let route = self.route.clone();
        let now = received.at;
        let until = Instant::now() + (self.budget / 2).min(LONGEST_PROCESSING);
        let large = received.body.len() > LARGE_BODY_BYTES;
        let judge = move || {
            catch_unwind(AssertUnwindSafe(|| {
                process(route.source(), received, route.keys(), &network, now, &|| {
                    Instant::now() >= until
                })
            }))
            .ok()
        };
        if large {
            tokio::task::spawn_blocking(judge).await.ok().flatten()
        } else {
            judge()
        }
    }

    /// Does what a handshake asks for beside its answer; the answer is given when it is done.
    async fn act(&self, mut reply: Reply) -> Verdict {
        match reply.action.take() {
            None => Verdict::Challenged(reply),
            Some(Action::Get { url }) => {
                let until = self.tally.started() + patience_of(self.budget);
                let called = match self.receiver.fetcher() {
                    Some(fetcher) => fetcher.call(&url, until).await,
                    None => Err("this receiver calls nobody".to_owned()),
                };
                match called {
                    Ok(()) => Verdict::Challenged(reply),
                    Err(why) => {
                        self.receiver
                            .warn_not_done(self.route.id(), &self.request_id, &why);
                        Verdict::Unavailable(Unavailability::Handshake)
                    }
                }
            }
            Some(Action::Capture { usage, secret }) => {
                let captor = self.receiver.captor().cloned();
                let route = self.route.clone();
                let taken = match captor {
                    // It writes files.
                    Some(captor) => {
                        tokio::task::spawn_blocking(move || captor.capture(&route, &usage, &secret)).await
                    }
                    None => Ok(Captured::Refused),
                };
                match taken {
                    Ok(Captured::Taken) => Verdict::Challenged(reply),
                    Ok(Captured::Refused) => Verdict::Rejected(RejectReason::ChallengeGuard),
                    Ok(Captured::Failed(why)) => {
                        self.receiver
                            .warn_not_done(self.route.id(), &self.request_id, &why);
                        Verdict::Unavailable(Unavailability::Handshake)
                    }
                    Err(_) => {
                        self.receiver.report_defect(self.route.id(), &self.request_id);
                        Verdict::Unavailable(Unavailability::Internal)
                    }
                }
            }
        }
    }

    async fn keep(&self, items: &[Prepared], held: Arc<Held>) -> Verdict {
        let metrics = self.tally.metrics();
        let courier = Courier {
            source: self.route.label(),
            queue: self.route.queue().clone(),
            metrics: Some(metrics.clone()),
            tasks: self.receiver.tasks().clone(),
            held: Some(held),
        };
        let begun = Instant::now();
        let never_again = self.route.source().preset().retry.never;
        let kept = courier
            .keep(items, patience(self.tally.started(), self.budget, never_again))
            .await;
        metrics.stage(Stage::Deliver, begun.elapsed().as_secs_f64());
        self.traced("deliver", SpanKind::Producer, begun.elapsed());
        match kept {
            Ok(results) => {
                metrics.events(&results);
                Verdict::Accepted(results)
            }
            Err(problem) => {
                self.receiver
                    .warn_not_kept(self.route.id(), &self.request_id, &problem);
                match problem {
                    NotKept::TooLarge(_) => Verdict::Rejected(RejectReason::TooLargeForQueue),
                    NotKept::Unavailable(_) => Verdict::Unavailable(Unavailability::Queue),
                }
            }
        }
    }

    /// Counts, logs and answers.
    fn finish(self, verdict: Verdict, bytes: usize, sketch: Option<Box<Sketch>>) -> Response<Body> {
        let result = verdict.result();
        let mut response = answers::answer(&self.route, verdict);
        response.extensions_mut().insert(result);
        // Whoever has an answer in hand finds its line in the log.
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            response.headers_mut().insert(answers::REQUEST_ID, id);
        }
        let (outcome, reason) = result.words();
        tracing::info!(
            source = self.route.id(),
            request_id = self.request_id,
            trace_id = self
                .trace
                .as_ref()
                .and_then(Trace::id)
                .map(tracing::field::display),
            outcome,
            reason,
            status = response.status().as_u16(),
            duration_ms = self.tally.started().elapsed().as_millis() as u64,
            bytes,
            "request"
        );
        if let Some(observer) = self.receiver.observer() {
            let told = Told {
                route: &self.route,
                request_id: &self.request_id,
                at: self.receiver.clock().now(),
                body_bytes: bytes,
                status: response.status().as_u16(),
                result,
                total: self.tally.started().elapsed(),
            };
            observer.record(Sketch::finish(sketch.map(|sketch| *sketch), &told));
        }
        if let Some(trace) = &self.trace {
            trace.end(response.status().as_u16(), result, bytes);
        }
        self.tally.end(result);
        response
    }
}

/// A sender's budget less what it takes to answer.
fn patience_of(budget: Duration) -> Duration {
    let margin = (budget / 10).max(Duration::from_millis(200));
    budget.saturating_sub(margin)
}

/// How long deliveries of a request may be tried so that the answer still reaches the sender: its budget less a tenth, at
/// least 200 ms. Where an event would be lost with the answer, the last third is left for the dead letters.
fn patience(started: Instant, budget: Duration, never_again: bool) -> Patience {
    let usable = patience_of(budget);
    let for_events = if never_again { usable * 2 / 3 } else { usable };
    Patience {
        events_until: started + for_events,
        dead_letter_undelivered: never_again,
        until: started + usable,
    }
}
