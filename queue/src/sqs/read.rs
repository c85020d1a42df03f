//! Reading: receives, deletes, counts.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use jiff::Timestamp;

use super::SqsQueue;
use super::errors::of_read;
use crate::{Delivery, Depth, Lane, QueueError};

/// Messages of one call (SQS quotas).
pub(super) const MOST: usize = 10;
/// The longest a message can be hidden (SQS quotas: 12 hours).
const LONGEST_HIDDEN: Duration = Duration::from_secs(43_200);

impl SqsQueue {
    /// Up to `max` messages, in as many calls as that takes; the first may wait.
    pub(super) async fn receive_some(
        &self,
        lane: Lane,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        let mut found = Vec::new();
        while found.len() < max {
            let wait = if found.is_empty() { wait } else { Duration::ZERO };
            match self.receive_once(lane, max - found.len(), visibility, wait).await {
                Ok(more) if more.is_empty() => break,
                Ok(more) => found.extend(more),
                // What was received is handed out: it is hidden from everybody else already.
                Err(_) if !found.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    pub(super) async fn receive_once(
        &self,
        lane: Lane,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        let call = self
            .connection
            .reader
            .receive_message()
            .queue_url(self.urls.of(lane))
            .max_number_of_messages(whole(max.min(MOST)))
            .visibility_timeout(seconds(visibility))
            .wait_time_seconds(seconds(wait).min(20))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let output = call.send().await.map_err(|error| {
            let over = error.as_service_error().is_some_and(|said| said.is_over_limit());
            match of_read(&error, None) {
                QueueError::Unavailable(why) if over => QueueError::OverLimit(why),
                other => other,
            }
        })?;
        let messages = output.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(delivery).collect())
    }

    pub(super) async fn remove(&self, lane: Lane, handle: &str) -> Result<(), QueueError> {
        let call = self
            .connection
            .reader
            .delete_message()
            .queue_url(self.urls.of(lane))
            .receipt_handle(handle);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(of_read(&error, Some(handle))),
        }
    }

    pub(super) async fn hide(
        &self,
        lane: Lane,
        handle: &str,
        visibility: Duration,
    ) -> Result<(), QueueError> {
        let call = self
            .connection
            .reader
            .change_message_visibility()
            .queue_url(self.urls.of(lane))
            .receipt_handle(handle)
            .visibility_timeout(seconds(visibility));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(of_read(&error, Some(handle))),
        }
    }

    /// Approximate counts, as SQS has no others; they settle about a minute after the last change.
    pub(super) async fn measure(&self, lane: Lane) -> Result<Depth, QueueError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let call = self
            .connection
            .reader
            .get_queue_attributes()
            .queue_url(self.urls.of(lane))
            .set_attribute_names(Some(names.to_vec()));
        let output = match call.send().await {
            Ok(output) => output,
            Err(error) => return Err(of_read(&error, None)),
        };
        let counts = output.attributes.unwrap_or_default();
        let [ready, in_flight, delayed] = names.map(|name| {
            let count = counts.get(&name).and_then(|count| count.parse::<u64>().ok());
            count.ok_or_else(|| QueueError::Unavailable(format!("SQS did not say {name}")))
        });
        Ok(Depth {
            ready: ready?,
            in_flight: in_flight?,
            delayed: delayed?,
            ..Depth::default()
        })
    }
}

/// A message without id or handle cannot be worked on, and SQS gives none such.
fn delivery(message: Message) -> Option<Delivery> {
    let told = message.attributes.unwrap_or_default();
    let number = |name: MessageSystemAttributeName| told.get(&name).and_then(|text| text.parse::<i64>().ok());
    let count = number(MessageSystemAttributeName::ApproximateReceiveCount);
    let sent = number(MessageSystemAttributeName::SentTimestamp);
    let attributes = message.message_attributes.unwrap_or_default().into_iter();
    // Ours are text; what a stranger's binary attributes say has no place in the trait.
    let attributes: BTreeMap<String, String> = attributes
        .filter_map(|(name, value)| Some((name, value.string_value?)))
        .collect();
    Some(Delivery {
        message_id: message.message_id?,
        handle: message.receipt_handle?,
        body: message.body.unwrap_or_default().into_bytes(),
        attributes,
        receive_count: count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        sent_at: sent
            .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

fn seconds(duration: Duration) -> i32 {
    // Rounded up: a message hidden for 300 ms must not be visible at once.
    let duration = duration.min(LONGEST_HIDDEN);
    let more = u64::from(duration.subsec_nanos() > 0);
    whole((duration.as_secs() + more) as usize)
}

fn whole(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
