//! An SQS that takes every message and keeps none: what senders of SQS are measured against. It answers the two calls that
//! send, in the JSON protocol (SendMessage and SendMessageBatch of the API's reference, without digests, which neither SDK
//! checks).

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Messages that were taken.
pub(crate) static MESSAGES: AtomicU64 = AtomicU64::new(0);

/// Answers for ever.
pub(crate) async fn run(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let service = service_fn(answer);
            // A connection that ends badly is the sender's to notice.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let target = request.headers().get("x-amz-target").cloned();
    let is_batch = target.is_some_and(|target| target.as_bytes().ends_with(b".SendMessageBatch"));
    let body = request.into_body().collect().await?.to_bytes();
    let taken = if is_batch {
        batch(&body)
    } else {
        json!({"MessageId": "taken"})
    };
    let count = taken["Successful"].as_array().map_or(1, Vec::len);
    MESSAGES.fetch_add(count as u64, Ordering::Relaxed);
    Ok(Response::new(Full::from(taken.to_string())))
}

fn batch(body: &[u8]) -> Value {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let entries = asked["Entries"].as_array().into_iter().flatten();
    let taken: Vec<Value> = entries
        .map(|entry| json!({"Id": entry["Id"], "MessageId": "taken", "MD5OfMessageBody": ""}))
        .collect();
    json!({"Successful": taken, "Failed": []})
}
