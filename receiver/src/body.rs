//! Reads a request's body with a bound on bytes, time and the memory of all bodies together.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Why the edge does not take a request. Stable words: a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// A method the source does not answer.
    Method,
    /// The operator asks whether it is here.
    Probe,
    /// The body is larger than the source allows.
    BodyTooLarge,
    /// The body did not come in time.
    BodyTimeout,
    /// The body broke off or was framed wrongly.
    BodyMalformed,
    /// The sender went away before its body was complete.
    Aborted,
}

impl Refusal {
    /// The word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Probe => "probe",
            Self::BodyTooLarge => "body-too-large",
            Self::BodyTimeout => "body-timeout",
            Self::BodyMalformed => "body-malformed",
            Self::Aborted => "aborted",
        }
    }
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    Refused(Refusal),
    /// All bodies together would be too much.
    NoMemory,
}

/// The memory that bodies may take, all together.
#[derive(Clone)]
pub(crate) struct Memory {
    permits: Arc<Semaphore>,
    shown: Gauge<i64>,
}

/// The part of the memory that one request holds; given back when dropped.
pub(crate) struct Held {
    permit: Option<OwnedSemaphorePermit>,
    bytes: i64,
    shown: Gauge<i64>,
}

impl Memory {
    pub(crate) fn new(bytes: usize, shown: Gauge<i64>) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            shown,
        }
    }

    fn nothing_yet(&self) -> Held {
        Held {
            permit: None,
            bytes: 0,
            shown: self.shown.clone(),
        }
    }

    /// Never waits: a sender that is told to come back holds nothing meanwhile.
    fn take(&self, held: &mut Held, bytes: usize) -> Result<(), Unread> {
        let count = u32::try_from(bytes).map_err(|_| Unread::NoMemory)?;
        let more = self
            .permits
            .clone()
            .try_acquire_many_owned(count)
            .map_err(|_| Unread::NoMemory)?;
        match &mut held.permit {
            Some(permit) => permit.merge(more),
            None => held.permit = Some(more),
        }
        held.bytes += i64::from(count);
        self.shown.inc_by(i64::from(count));
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shown.dec_by(self.bytes);
    }
}

/// Reads a body of at most `limit` bytes within `patience`. What is declared too large is refused before a byte is read.
pub(crate) async fn read(
    mut body: Body,
    limit: usize,
    patience: Duration,
    memory: &Memory,
) -> Result<(Bytes, Held), Unread> {
    let deadline = Instant::now() + patience;
    let declared = body.size_hint();
    if declared.lower() > limit as u64 {
        return Err(Unread::Refused(Refusal::BodyTooLarge));
    }
    let mut held = memory.nothing_yet();
    let mut whole = Gathered::Nothing;
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Unread::Refused(Refusal::BodyTimeout)),
            Ok(None) => return Ok((whole.into_bytes(), held)),
            Ok(Some(Err(error))) => return Err(Unread::Refused(why(&error))),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers carry nothing a source may believe.
        if let Ok(data) = frame.into_data() {
            if data.len() > limit - whole.len() {
                return Err(Unread::Refused(Refusal::BodyTooLarge));
            }
            memory.take(&mut held, data.len())?;
            whole.add(data);
        }
    }
}

/// A connection that ends is the sender's doing; anything else is bytes that are no body.
fn why(error: &axum::Error) -> Refusal {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe,
        ) = kind
        {
            return Refusal::Aborted;
        }
        cause = error.source();
    }
    Refusal::BodyMalformed
}

/// A body that came in one piece is not copied.
enum Gathered {
    Nothing,
    One(Bytes),
    Many(BytesMut),
}

impl Gathered {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(bytes) => bytes.len(),
            Self::Many(bytes) => bytes.len(),
        }
    }

    fn add(&mut self, data: Bytes) {
        *self = match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => Self::One(data),
            Self::One(first) => {
                let mut many = BytesMut::with_capacity((first.len() + data.len()) * 2);
                many.extend_from_slice(&first);
                many.extend_from_slice(&data);
                Self::Many(many)
            }
            Self::Many(mut many) => {
                many.extend_from_slice(&data);
                Self::Many(many)
            }
        };
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}
