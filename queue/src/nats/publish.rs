//! Sending: published together, then each waits for the acknowledgement of the stream itself.

use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use super::streams::reason_word;
use super::{ANSWER_WITHIN, NatsQueue};
use crate::{Lane, Outgoing, Queue, Receipt, SendError};

/// A message on its way, with its place among those in flight.
type Published = (PublishAckFuture, OwnedSemaphorePermit);

impl NatsQueue {
    pub(super) async fn publish_all(
        &self,
        lane: Lane,
        messages: Vec<Outgoing>,
    ) -> Vec<Result<Receipt, SendError>> {
        if let Some(why) = self.disconnected() {
            return vec![Err(SendError::Unavailable(why)); messages.len()];
        }
        let until = Instant::now() + ANSWER_WITHIN;
        let mut losses = self.connection.losses.clone();
        losses.mark_unchanged();
        // A window's worth at a time: a batch larger than the window would otherwise wait for places that only its own
        // acknowledgements give back.
        let mut results = Vec::with_capacity(messages.len());
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            let mut published = Vec::new();
            for message in messages.by_ref().take(super::IN_FLIGHT / 4) {
                published.push(self.publish(lane, message, until).await);
            }
            for one in published {
                results.push(match one {
                    Err(error) => Err(error),
                    Ok(published) => acknowledged(published, until, losses.clone()).await,
                });
            }
        }
        results
    }

    async fn publish(&self, lane: Lane, message: Outgoing, until: Instant) -> Result<Published, SendError> {
        let limit = self.max_message_bytes();
        if message.body.len() > limit {
            return Err(SendError::Refused(format!(
                "its body has {} bytes, the stream {:?} takes {limit} (queue.maxMessageBytes, or the server's max_payload)",
                message.body.len(),
                self.layout.stream(lane)
            )));
        }
        let subject = self
            .layout
            .subject(lane, reason_word(&message.attributes).as_deref());
        let outgoing = PublishMessage::build()
            .headers(headers(&message)?)
            .payload(message.body.clone())
            .expected_stream(self.layout.stream(lane));
        let outgoing = match &message.deduplication_id {
            Some(id) => outgoing.message_id(id),
            None => outgoing,
        };
        let place = timeout_at(until, self.places.clone().acquire_owned())
            .await
            .map_err(|_| too_slow())?
            .map_err(|_| too_slow())?;
        let published = timeout_at(until, self.context.send_publish(subject, outgoing))
            .await
            .map_err(|_| too_slow())?;
        published
            .map(|ack| (ack, place))
            .map_err(|error| send_error(&error))
    }
}

/// `losses` is what was known when the first of them was published.
async fn acknowledged(
    (ack, place): Published,
    until: Instant,
    mut losses: watch::Receiver<u64>,
) -> Result<Receipt, SendError> {
    let answer = tokio::select! {
        biased;
        answer = timeout_at(until, ack.into_future()) => answer,
        Ok(()) = losses.changed() => {
            return Err(SendError::Unavailable(
                "the connection to the NATS server was lost before it acknowledged".to_owned(),
            ));
        }
    };
    drop(place);
    match answer {
        Err(_) => Err(too_slow()),
        Ok(Err(error)) => Err(send_error(&error)),
        Ok(Ok(ack)) => Ok(Receipt {
            message_id: ack.sequence.to_string(),
            duplicate: ack.duplicate,
        }),
    }
}

/// Attributes as headers. A header's value ends at a line end, so one that has one is refused instead of cut.
fn headers(message: &Outgoing) -> Result<HeaderMap, SendError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.attributes {
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if !plain(name) || value.contains(['\r', '\n']) {
            return Err(SendError::Refused(format!(
                "its attribute {:?} cannot be a NATS header: names are visible ASCII without a colon, values have no line end",
                name.chars().take(40).collect::<String>()
            )));
        }
        headers.insert(name.as_str(), value.as_str());
    }
    Ok(headers)
}

fn too_slow() -> SendError {
    SendError::Unavailable(format!(
        "the NATS server did not acknowledge within {} s",
        ANSWER_WITHIN.as_secs()
    ))
}

fn send_error(error: &PublishError) -> SendError {
    let code = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>())
        .map(async_nats::jetstream::Error::error_code);
    match (error.kind(), code) {
        (PublishErrorKind::MaxPayloadExceeded, _) | (_, Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)) => {
            SendError::Refused(error.to_string())
        }
        (PublishErrorKind::StreamNotFound, _) => SendError::Unavailable(
            "no stream takes this source's events; the operator makes it, or it was deleted by hand"
                .to_owned(),
        ),
        // 10077 is what a full stream answers; it recovers once something is read.
        (_, Some(ErrorCode::STREAM_STORE_FAILED)) => SendError::Unavailable(
            "the stream is full; read or delete messages, or raise its limit".to_owned(),
        ),
        (PublishErrorKind::TimedOut, _) => too_slow(),
        _ => SendError::Unavailable(error.to_string()),
    }
}
