//! Sending: one message alone, several in batches, each with its own result.

use std::collections::HashMap;

use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use futures::StreamExt as _;

use super::errors::{Meaning, meaning, of_call};
use super::{CALLS_AT_ONCE, SqsQueue, batch, rules};
use crate::{Lane, Outgoing, Queue as _, Receipt, SendError};

type Kept = Result<Receipt, SendError>;

impl SqsQueue {
    pub(super) async fn send_all(&self, lane: Lane, messages: Vec<Outgoing>) -> Vec<Kept> {
        let limit = self.max_message_bytes();
        let mut results: Vec<Option<Kept>> = messages
            .iter()
            .map(|message| rules::refusal(message, limit).map(|why| Err(SendError::Refused(why))))
            .collect();
        let takable = results.iter().enumerate().filter(|(_, result)| result.is_none());
        let takable: Vec<usize> = takable.map(|(index, _)| index).collect();
        let sizes: Vec<usize> = takable
            .iter()
            .map(|index| rules::size(&messages[*index]))
            .collect();
        let calls = batch::cut(&sizes).into_iter().map(|range| {
            let batch: Vec<(usize, &Outgoing)> = takable[range]
                .iter()
                .map(|index| (*index, &messages[*index]))
                .collect();
            self.send_together(lane, batch)
        });
        let mut calls = futures::stream::iter(calls).buffer_unordered(CALLS_AT_ONCE);
        while let Some(kept) = calls.next().await {
            for (index, result) in kept {
                results[index] = Some(result);
            }
        }
        drop(calls);
        results
            .into_iter()
            .map(|result| result.unwrap_or_else(|| Err(no_result())))
            .collect()
    }

    /// One call, and further ones for what is worth a call of its own.
    async fn send_together(&self, lane: Lane, batch: Vec<(usize, &Outgoing)>) -> Vec<(usize, Kept)> {
        if let [(index, message)] = batch[..] {
            return vec![(index, self.send_one(lane, message).await)];
        }
        let (mut results, why) = match self.send_batch(lane, &batch).await {
            Ok(results) => (results, None),
            // Emulators and proxies refuse a whole batch for one message of it.
            Err(Meaning::Apart(why) | Meaning::Refused(why)) => (HashMap::new(), Some(why)),
            Err(Meaning::Unavailable(why)) => {
                let each = |(index, _)| (index, Err(SendError::Unavailable(why.clone())));
                return batch.into_iter().map(each).collect();
            }
        };
        let mut kept = Vec::with_capacity(batch.len());
        for (entry, (index, message)) in batch.into_iter().enumerate() {
            let result = match results.remove(&entry.to_string()) {
                Some(result) => result,
                None if why.is_some() => self.send_one(lane, message).await,
                None => Err(no_result()),
            };
            kept.push((index, result));
        }
        kept
    }

    async fn send_batch(
        &self,
        lane: Lane,
        batch: &[(usize, &Outgoing)],
    ) -> Result<HashMap<String, Kept>, Meaning> {
        let entries: Result<Vec<_>, _> = batch
            .iter()
            .enumerate()
            .map(|(number, (_, message))| entry(number, message))
            .collect();
        let call = self
            .connection
            .sender
            .send_message_batch()
            .queue_url(self.urls.of(lane))
            .set_entries(Some(entries.map_err(|error| unbuilt(&error))?));
        let _place = self.places.acquire().await;
        match call.send().await {
            Ok(output) => Ok(each_result(output)),
            Err(error) => Err(of_call(&error)),
        }
    }

    async fn send_one(&self, lane: Lane, message: &Outgoing) -> Kept {
        let attributes = attributes(message).map_err(|error| unbuilt(&error).into_error())?;
        let call = self
            .connection
            .sender
            .send_message()
            .queue_url(self.urls.of(lane))
            .message_body(body(message))
            .set_message_attributes(Some(attributes));
        let _place = self.places.acquire().await;
        match call.send().await {
            Ok(output) => receipt(output.message_id),
            Err(error) => Err(of_call(&error).into_error()),
        }
    }
}

/// By the entry's id. A success of the call says nothing of an entry.
fn each_result(output: SendMessageBatchOutput) -> HashMap<String, Kept> {
    let kept = output
        .successful
        .into_iter()
        .map(|entry| (entry.id, receipt(Some(entry.message_id))));
    let failed = output.failed.into_iter().map(|entry| {
        let said = entry.message.as_deref().unwrap_or("it says no more");
        let meaning = meaning(&entry.code, said);
        (entry.id, Err(meaning.into_error()))
    });
    kept.chain(failed).collect()
}

fn receipt(message_id: Option<String>) -> Kept {
    match message_id {
        Some(message_id) if !message_id.is_empty() => Ok(Receipt {
            message_id,
            duplicate: false,
        }),
        // Something answered that is not SQS.
        _ => Err(no_result()),
    }
}

fn no_result() -> SendError {
    SendError::Unavailable("SQS gave no result for this message".to_owned())
}

/// What the rules have passed can be built.
fn unbuilt(error: &BuildError) -> Meaning {
    Meaning::Refused(error.to_string())
}

fn entry(number: usize, message: &Outgoing) -> Result<SendMessageBatchRequestEntry, BuildError> {
    SendMessageBatchRequestEntry::builder()
        .id(number.to_string())
        .message_body(body(message))
        .set_message_attributes(Some(attributes(message)?))
        .build()
}

/// Checked to be UTF-8 before.
fn body(message: &Outgoing) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

fn attributes(message: &Outgoing) -> Result<HashMap<String, MessageAttributeValue>, BuildError> {
    message
        .attributes
        .iter()
        .map(|(name, value)| {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()?;
            Ok((name.clone(), value))
        })
        .collect()
}
