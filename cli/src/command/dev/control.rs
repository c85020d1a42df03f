//! What other commands ask of the running process, on the page's listener and behind its token: whether it is there, and a
//! replay, because this process holds the queues.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::StreamExt;
use mef_pipeline::source::Source;
use mef_receiver::Receiver;
use mef_replay::Subject;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::replaying::{self, Line, Order};

/// An order carries a definition, and that its schemas.
const MAX_ORDER_BYTES: usize = 64 * 1024 * 1024;

#[derive(Clone)]
struct Control {
    receiver: Arc<Receiver>,
    shutdown: CancellationToken,
}

pub(super) fn router(receiver: Arc<Receiver>, shutdown: CancellationToken) -> Router {
    Router::new()
        .route("/control", get(async || "mef dev\n"))
        .route("/control/replay", post(replay))
        .layer(DefaultBodyLimit::max(MAX_ORDER_BYTES))
        .with_state(Control { receiver, shutdown })
}

/// Answers with one JSON line per dead letter, while it goes on, and a report at the end. Ends when its reader goes away.
async fn replay(State(control): State<Control>, body: Bytes) -> Response {
    let order: Order = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(error) => {
            return refused(
                StatusCode::BAD_REQUEST,
                format!("the order cannot be read: {error}"),
            );
        }
    };
    let (source, problems) = Source::compile(order.definition.clone());
    let Some(source) = source else {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        return refused(
            StatusCode::BAD_REQUEST,
            format!("the definition does not compile: {first}"),
        );
    };
    let Some(route) = control.receiver.table().by_id(source.id()).cloned() else {
        return refused(
            StatusCode::NOT_FOUND,
            format!("the running mef dev does not serve {}", source.id()),
        );
    };
    let subject = Subject {
        source: Arc::new(source),
        keys: route.keys().clone(),
        queue: route.queue().clone(),
    };
    let stop = control.shutdown.child_token();
    let (lines, reader) = mpsc::unbounded_channel();
    let gone = stop.clone();
    tokio::spawn(async move {
        let mut tell = |line: Line| {
            if lines.send(line).is_err() {
                gone.cancel();
            }
        };
        replaying::run(&subject, &order, &stop, &mut tell).await;
    });
    let stream = tokio_stream(reader).map(|line| Ok::<_, Infallible>(text(&line)));
    (
        [(CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(stream),
    )
        .into_response()
}

fn tokio_stream(reader: mpsc::UnboundedReceiver<Line>) -> impl futures::Stream<Item = Line> {
    futures::stream::unfold(reader, async |mut reader| {
        reader.recv().await.map(|line| (line, reader))
    })
}

fn text(line: &Line) -> Bytes {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

fn refused(status: StatusCode, message: String) -> Response {
    (status, text(&Line::Error(message))).into_response()
}
