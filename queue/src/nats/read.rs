//! Reading: by sequence, and through the SIEM's consumer.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{DeleteMessageErrorKind, Info, RawMessageErrorKind, Stream};
use async_nats::jetstream::{AckKind, ErrorCode};
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;

use super::owner::Marks;
use super::streams::CONSUMER;
use super::{ANSWER_WITHIN, NatsQueue};
use crate::{Delivery, Depth, Lane, QueueError};

/// How long a pull waits for messages that are not there yet.
const PULL_WAIT: Duration = Duration::from_millis(250);

impl NatsQueue {
    /// Messages of a lane with a sequence above `after`, at most `max`.
    pub(super) async fn read_after(
        &self,
        lane: Lane,
        after: u64,
        max: usize,
    ) -> Result<Vec<Delivery>, QueueError> {
        let stream = self.stream(lane).await?;
        let mut found = Vec::new();
        let mut next = after + 1;
        while found.len() < max {
            let request = stream
                .raw_message_builder()
                .sequence(next)
                .next_by_subject(self.layout.subjects(lane));
            match request.send().await {
                Ok(message) => {
                    next = message.sequence + 1;
                    found.push(self.delivery(lane, &message));
                }
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => break,
                Err(error) => return Err(unavailable(&error)),
            }
        }
        Ok(found)
    }

    pub(super) async fn read_one(&self, lane: Lane, sequence: u64) -> Result<Option<Delivery>, QueueError> {
        match self.stream(lane).await?.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(self.delivery(lane, &message))),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Deletes by sequence, or acknowledges what came from the consumer.
    pub(super) async fn remove(&self, lane: Lane, handle: &str) -> Result<(), QueueError> {
        let Ok(sequence) = handle.parse::<u64>() else {
            return self.acknowledge(handle, AckKind::Ack).await;
        };
        match self.stream(lane).await?.delete_message(sequence).await {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                DeleteMessageErrorKind::JetStream(ref source)
                    if [ErrorCode::NO_MESSAGE_FOUND, ErrorCode::SEQUENCE_NOT_FOUND]
                        .contains(&source.error_code()) =>
                {
                    Err(QueueError::StaleHandle(handle.to_owned()))
                }
                _ => Err(unavailable(&error)),
            },
        }
    }

    /// Hides a message of the consumer from now on; zero gives it back at once.
    pub(super) async fn hide(&self, handle: &str, visibility: Duration) -> Result<(), QueueError> {
        let delay = (!visibility.is_zero()).then_some(visibility);
        self.acknowledge(handle, AckKind::Nak(delay)).await
    }

    /// What the SIEM would get.
    pub(super) async fn pull(&self, max: usize, _visibility: Duration) -> Result<Vec<Delivery>, QueueError> {
        let consumer: PullConsumer = self
            .stream(Lane::Events)
            .await?
            .get_consumer(CONSUMER)
            .await
            .map_err(|error| unavailable(&error))?;
        let messages = consumer
            .fetch()
            .max_messages(max)
            .expires(PULL_WAIT)
            .messages()
            .await
            .map_err(|error| unavailable(&error))?;
        let messages: Vec<_> = messages
            .map_err(|error| QueueError::Unavailable(error.to_string()))
            .try_collect()
            .await?;
        messages.iter().map(pulled).collect()
    }

    pub(super) async fn measure(&self, lane: Lane) -> Result<Depth, QueueError> {
        let stream = self.stream(lane).await?;
        let info = stream.get_info().await.map_err(|error| unavailable(&error))?;
        let mut depth = Depth {
            ready: info.state.messages,
            oldest: (info.state.messages > 0).then(|| timestamp(info.state.first_timestamp)),
            bytes: Some(info.state.bytes),
            ..Depth::default()
        };
        match lane {
            Lane::Events => {
                let consumer = stream.consumer_info(CONSUMER).await;
                let in_flight = consumer.map_or(0, |info| info.num_ack_pending as u64);
                depth.in_flight = in_flight.min(depth.ready);
                depth.ready -= depth.in_flight;
            }
            Lane::Dead => depth.by_reason = self.reasons(&stream).await?,
        }
        Ok(depth)
    }

    /// The reason is the subject's last word, so that the server counts.
    async fn reasons(&self, stream: &Stream<Info>) -> Result<BTreeMap<String, u64>, QueueError> {
        let mut subjects = stream
            .info_with_subjects(self.layout.subjects(Lane::Dead))
            .await
            .map_err(|error| unavailable(&error))?;
        let mut by_reason = BTreeMap::new();
        while let Some((subject, count)) = subjects.try_next().await.map_err(|error| unavailable(&error))? {
            if let Some(reason) = self.layout.reason(&subject) {
                by_reason.insert(reason.to_owned(), count as u64);
            }
        }
        Ok(by_reason)
    }

    async fn stream(&self, lane: Lane) -> Result<Stream<Info>, QueueError> {
        if let Some(why) = self.disconnected() {
            return Err(QueueError::Unavailable(why));
        }
        let name = self.layout.stream(lane);
        let stream = self
            .context
            .get_stream(name)
            .await
            .map_err(|error| QueueError::Unavailable(format!("stream {name:?}: {error}")))?;
        match &self.owner {
            Some(owner) if !owner.owns(&stream.cached_info().config) => {
                let found = Marks::of(&stream.cached_info().config);
                Err(QueueError::Unavailable(format!(
                    "the stream {name:?} belongs to {found}, not to {owner}"
                )))
            }
            _ => Ok(stream),
        }
    }

    /// Waits until the server has taken the acknowledgement, or a delete could be lost unseen.
    async fn acknowledge(&self, handle: &str, kind: AckKind) -> Result<(), QueueError> {
        let stale = || QueueError::StaleHandle(handle.to_owned());
        if !handle.starts_with("$JS.ACK.") {
            return Err(stale());
        }
        let request = self
            .connection
            .client
            .request(handle.to_owned(), Bytes::from(kind));
        match tokio::time::timeout(ANSWER_WITHIN, request).await {
            Err(_) => Err(QueueError::Unavailable(
                "the NATS server did not confirm the acknowledgement".to_owned(),
            )),
            Ok(Err(error)) => Err(unavailable(&error)),
            Ok(Ok(_)) => Ok(()),
        }
    }

    fn delivery(&self, lane: Lane, message: &StreamMessage) -> Delivery {
        let sequence = message.sequence.to_string();
        let mut attributes = attributes(&message.headers);
        if lane == Lane::Dead
            && let Some(reason) = self.layout.reason(&message.subject)
            && reason != crate::REDRIVE
        {
            attributes
                .entry(crate::REASON.to_owned())
                .or_insert_with(|| reason.to_owned());
        }
        Delivery {
            message_id: sequence.clone(),
            handle: sequence,
            body: message.payload.to_vec(),
            attributes,
            receive_count: 0,
            sent_at: timestamp(message.time),
        }
    }
}

fn pulled(message: &async_nats::jetstream::Message) -> Result<Delivery, QueueError> {
    let broken = || QueueError::Unavailable("a message came without its place in the stream".to_owned());
    let info = message.info().map_err(|_| broken())?;
    Ok(Delivery {
        message_id: info.stream_sequence.to_string(),
        handle: message.reply.as_ref().ok_or_else(broken)?.to_string(),
        body: message.payload.to_vec(),
        attributes: message.headers.as_ref().map(attributes).unwrap_or_default(),
        receive_count: u32::try_from(info.delivered).unwrap_or(u32::MAX),
        sent_at: timestamp(info.published),
    })
}

/// Our attributes; what begins with `Nats-` is the server's.
fn attributes(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .filter(|(name, _)| !AsRef::<str>::as_ref(name).starts_with("Nats-"))
        .filter_map(|(name, values)| Some((name.to_string(), values.first()?.to_string())))
        .collect()
}

fn timestamp(time: async_nats::datetime::DateTime) -> Timestamp {
    Timestamp::from_nanosecond(time.unix_timestamp_nanos()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn unavailable(error: &(impl std::fmt::Display + ?Sized)) -> QueueError {
    QueueError::Unavailable(error.to_string())
}
