//! The Runtime API of Lambda (2018-06-01): one connection to this machine, one invocation at a time. Of our own, because the
//! crates for it bring every event of AWS and a second HTTP stack along, and it is four requests.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use mef_pipeline::received::TraceId;
use tokio::net::TcpStream;

use crate::traces;

const VERSION: &str = "2018-06-01";

/// The Runtime API does not do what it says.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// It cannot be reached.
    #[error("the Runtime API at {0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// It answered something else than expected.
    #[error("the Runtime API answered {0} to {1}")]
    Unexpected(u16, String),
}

/// One invocation.
pub(super) struct Invocation {
    pub(super) id: String,
    pub(super) payload: Bytes,
    /// Milliseconds since 1970.
    deadline: Option<i64>,
    /// X-Ray's, where it is on.
    pub(super) trace: Option<TraceId>,
}

impl Invocation {
    /// How long the function may still take. Local stand-ins of the Runtime API give times that are none; they count for
    /// nothing.
    pub(super) fn left(&self, now: Timestamp) -> Option<Duration> {
        let left = self.deadline? - now.as_millisecond();
        u64::try_from(left)
            .ok()
            .filter(|left| *left > 0)
            .map(Duration::from_millis)
    }
}

/// The connection to the Runtime API.
pub(super) struct Runtime {
    address: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Runtime {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            sender: None,
        }
    }

    /// The next invocation; waits for as long as there is none.
    pub(super) async fn next(&mut self) -> Result<Invocation, RuntimeError> {
        let path = format!("/{VERSION}/runtime/invocation/next");
        let response = self.call(Method::GET, &path, Bytes::new(), None).await?;
        let text = |headers: &HeaderMap, name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let id = text(response.headers(), "lambda-runtime-aws-request-id").unwrap_or_default();
        let deadline =
            text(response.headers(), "lambda-runtime-deadline-ms").and_then(|text| text.parse().ok());
        let trace = text(response.headers(), "lambda-runtime-trace-id");
        let payload = response.into_body().collect().await;
        let payload = payload.map_err(|error| self.unreachable(&error))?.to_bytes();
        Ok(Invocation {
            id,
            payload,
            deadline,
            trace: trace.and_then(|header| traces::of_xray(&header)),
        })
    }

    pub(super) async fn answer(&mut self, id: &str, answer: Bytes) -> Result<(), RuntimeError> {
        self.post(&format!("invocation/{id}/response"), answer, None)
            .await
    }

    /// The invocation cannot be answered.
    pub(super) async fn fail(&mut self, id: &str, why: &str) -> Result<(), RuntimeError> {
        let kind = "NoRequest";
        self.post(&format!("invocation/{id}/error"), error(kind, why), Some(kind))
            .await
    }

    /// The function cannot start.
    pub(super) async fn cannot_start(&mut self, why: &str) -> Result<(), RuntimeError> {
        let kind = "CannotStart";
        self.post("init/error", error(kind, why), Some(kind)).await
    }

    async fn post(&mut self, path: &str, body: Bytes, error: Option<&str>) -> Result<(), RuntimeError> {
        let path = format!("/{VERSION}/runtime/{path}");
        let response = self.call(Method::POST, &path, body, error).await?;
        // Read to its end, so that the connection can be used again.
        let read = response.into_body().collect().await;
        read.map(|_| ()).map_err(|error| self.unreachable(&error))
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
        error: Option<&str>,
    ) -> Result<Response<Incoming>, RuntimeError> {
        let mut sender = match self.sender.take() {
            Some(mut sender) => match sender.ready().await {
                Ok(()) => sender,
                // The connection is gone.
                Err(_) => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("content-type", "application/json");
        if let Some(error) = error {
            request = request.header("lambda-runtime-function-error-type", format!("Runtime.{error}"));
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| self.unreachable(&error))?;
        let sent = sender.send_request(request).await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        self.sender = Some(sender);
        let status = response.status();
        if status.is_success() {
            Ok(response)
        } else {
            Err(RuntimeError::Unexpected(status.as_u16(), path.to_owned()))
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, RuntimeError> {
        let stream = TcpStream::connect(&self.address).await;
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        // An answer goes out at once.
        let _ = stream.set_nodelay(true);
        let connected = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = connected.map_err(|error| self.unreachable(&error))?;
        tokio::spawn(async move {
            // What goes wrong is told to the call as well.
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> RuntimeError {
        RuntimeError::Unreachable(self.address.clone(), error.to_string())
    }
}

fn error(kind: &str, why: &str) -> Bytes {
    let body =
        serde_json::json!({"errorType": format!("Runtime.{kind}"), "errorMessage": why, "stackTrace": []});
    Bytes::from(body.to_string())
}
