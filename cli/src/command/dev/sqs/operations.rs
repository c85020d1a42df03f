//! What each operation does on the embedded queue.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use mef_queue::{Delivery, Lane, QueueError, REASON};
use mef_receiver::Receiver;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::digest::{of_attributes, of_body};
use super::protocol::{
    Batch, ChangeMessageVisibility, DeleteMessage, Entry, Fault, GetQueueAttributes, GetQueueUrl, ListQueues,
    ReceiveMessage, bounded, read,
};
use super::queues::{ACCOUNT, NamedQueue, all, by_name, by_url};

/// Between two looks of a long poll.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Twelve hours, SQS's longest visibility timeout, in seconds.
const LONGEST_VISIBILITY: i64 = 43_200;

/// One call.
pub(super) struct Call<'a> {
    pub(super) receiver: &'a Receiver,
    /// When the process was started.
    pub(super) started: Timestamp,
    /// `http://host:port`, as the client knows it.
    pub(super) base: String,
    pub(super) region: String,
    pub(super) shutdown: &'a CancellationToken,
}

impl Call<'_> {
    pub(super) async fn answer(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, Fault> {
        let answer = match operation {
            "ListQueues" => self.list(&read(body)?),
            "GetQueueUrl" => self.url(read(body)?)?,
            "GetQueueAttributes" => self.attributes(&read(body)?).await?,
            "ReceiveMessage" => self.receive(&read(body)?).await?,
            "DeleteMessage" => {
                let wanted: DeleteMessage = read(body)?;
                let queue = self.queue(wanted.queue_url.as_deref())?;
                delete(&queue, &wanted).await?;
                json!({})
            }
            "ChangeMessageVisibility" => {
                let wanted: ChangeMessageVisibility = read(body)?;
                let queue = self.queue(wanted.queue_url.as_deref())?;
                change_visibility(&queue, &wanted).await?;
                json!({})
            }
            "DeleteMessageBatch" => {
                let wanted: Batch<DeleteMessage> = read(body)?;
                self.batch(&wanted, async |queue, entry| delete(queue, entry).await)
                    .await?
            }
            "ChangeMessageVisibilityBatch" => {
                let wanted: Batch<ChangeMessageVisibility> = read(body)?;
                self.batch(&wanted, async |queue, entry| {
                    change_visibility(queue, entry).await
                })
                .await?
            }
            other => return Err(Fault::unsupported(other)),
        };
        Ok(answer.to_string().into_bytes())
    }

    fn queue(&self, url: Option<&str>) -> Result<NamedQueue, Fault> {
        by_url(&self.receiver.table(), url)
    }

    fn url_of(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.base)
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", self.region)
    }

    fn list(&self, wanted: &ListQueues) -> Value {
        let prefix = wanted.queue_name_prefix.as_deref().unwrap_or_default();
        let mut names: Vec<String> = all(&self.receiver.table())
            .into_iter()
            .map(|queue| queue.name)
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort();
        let urls: Vec<_> = names.iter().map(|name| self.url_of(name)).collect();
        json!({"QueueUrls": urls})
    }

    fn url(&self, wanted: GetQueueUrl) -> Result<Value, Fault> {
        let name = wanted.queue_name.ok_or_else(|| Fault::missing("QueueName"))?;
        let queue = by_name(&self.receiver.table(), &name)?;
        Ok(json!({"QueueUrl": self.url_of(&queue.name)}))
    }

    async fn attributes(&self, wanted: &GetQueueAttributes) -> Result<Value, Fault> {
        let queue = self.queue(wanted.queue_url.as_deref())?;
        let depth = queue.queue().depth(queue.lane).await.map_err(unavailable)?;
        let settings = queue.settings();
        let retention = match queue.lane {
            Lane::Events => settings.retention,
            Lane::Dead => settings.dead_retention,
        };
        let mut known = BTreeMap::from([
            ("ApproximateNumberOfMessages", depth.ready.to_string()),
            (
                "ApproximateNumberOfMessagesNotVisible",
                depth.in_flight.to_string(),
            ),
            ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
            ("CreatedTimestamp", self.started.as_second().to_string()),
            ("LastModifiedTimestamp", self.started.as_second().to_string()),
            ("DelaySeconds", "0".to_owned()),
            ("MaximumMessageSize", settings.max_message_bytes.to_string()),
            ("MessageRetentionPeriod", retention.as_secs().to_string()),
            ("QueueArn", self.arn(&queue.name)),
            ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
            (
                "VisibilityTimeout",
                settings.visibility_timeout.as_secs().to_string(),
            ),
        ]);
        if let Some(dead) = &queue.dead {
            let policy = json!({
                "deadLetterTargetArn": self.arn(dead),
                "maxReceiveCount": settings.max_receive_count,
            });
            known.insert("RedrivePolicy", policy.to_string());
        }
        let every = wanted.attribute_names.iter().any(|name| name == "All");
        let mut attributes = Map::new();
        for (name, value) in &known {
            if every || wanted.attribute_names.iter().any(|wanted| wanted == name) {
                attributes.insert((*name).to_owned(), value.clone().into());
            }
        }
        let unknown = wanted
            .attribute_names
            .iter()
            .find(|name| *name != "All" && !known.contains_key(name.as_str()) && !is_unset(name));
        match unknown {
            Some(name) => Err(Fault::attribute(name)),
            None => Ok(json!({"Attributes": attributes})),
        }
    }

    async fn receive(&self, wanted: &ReceiveMessage) -> Result<Value, Fault> {
        let queue = self.queue(wanted.queue_url.as_deref())?;
        let max = bounded("MaxNumberOfMessages", wanted.max_number_of_messages, 1, 1..=10)?;
        let wait = bounded("WaitTimeSeconds", wanted.wait_time_seconds, 0, 0..=20)?;
        let own = i64::try_from(queue.settings().visibility_timeout.as_secs()).unwrap_or(LONGEST_VISIBILITY);
        let visibility = bounded(
            "VisibilityTimeout",
            wanted.visibility_timeout,
            own.min(LONGEST_VISIBILITY),
            0..=LONGEST_VISIBILITY,
        )?;
        let until = Instant::now() + Duration::from_secs(wait);
        let max = usize::try_from(max).unwrap_or(1);
        let received = loop {
            let received = queue
                .queue()
                .receive(queue.lane, max, Duration::from_secs(visibility))
                .await;
            let received = received.map_err(unavailable)?;
            if !received.is_empty() || Instant::now() >= until || self.shutdown.is_cancelled() {
                break received;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        if received.is_empty() {
            return Ok(json!({}));
        }
        let messages: Vec<_> = received
            .iter()
            .map(|delivery| self.message(&queue, delivery, wanted))
            .collect();
        Ok(json!({"Messages": messages}))
    }

    fn message(&self, queue: &NamedQueue, delivery: &Delivery, wanted: &ReceiveMessage) -> Value {
        let mut message = json!({
            "MessageId": message_id(queue.lane, &delivery.message_id),
            "ReceiptHandle": delivery.handle,
            "MD5OfBody": of_body(&delivery.body),
            "Body": String::from_utf8_lossy(&delivery.body),
        });
        let system = self.system_attributes(queue, delivery, wanted);
        if !system.is_empty() {
            message["Attributes"] = Value::Object(system);
        }
        let attributes: BTreeMap<&str, &str> = delivery
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| {
                wanted
                    .message_attribute_names
                    .iter()
                    .any(|pattern| fits(pattern, name))
            })
            .collect();
        if !attributes.is_empty() {
            message["MD5OfMessageAttributes"] = of_attributes(&attributes).into();
            message["MessageAttributes"] = attributes
                .into_iter()
                .map(|(name, value)| {
                    (
                        name.to_owned(),
                        json!({"StringValue": value, "DataType": "String"}),
                    )
                })
                .collect::<Map<_, _>>()
                .into();
        }
        message
    }

    fn system_attributes(
        &self,
        queue: &NamedQueue,
        delivery: &Delivery,
        wanted: &ReceiveMessage,
    ) -> Map<String, Value> {
        let names: Vec<&String> = wanted
            .message_system_attribute_names
            .iter()
            .chain(&wanted.attribute_names)
            .collect();
        let is_wanted = |name: &str| names.iter().any(|wanted| *wanted == "All" || *wanted == name);
        let sent = delivery.sent_at.as_millisecond().to_string();
        let mut known = vec![
            ("SenderId", queue.source().to_owned()),
            ("SentTimestamp", sent.clone()),
            ("ApproximateReceiveCount", delivery.receive_count.to_string()),
            // It is not remembered; this is the earliest it can have been.
            ("ApproximateFirstReceiveTimestamp", sent),
        ];
        if let Some(events) = queue
            .events
            .as_ref()
            .filter(|_| !delivery.attributes.contains_key(REASON))
        {
            known.push(("DeadLetterQueueSourceArn", self.arn(events)));
        }
        known
            .into_iter()
            .filter(|(name, _)| is_wanted(name))
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    }

    async fn batch<T: Entry>(
        &self,
        wanted: &Batch<T>,
        one: impl AsyncFn(&NamedQueue, &T) -> Result<(), Fault>,
    ) -> Result<Value, Fault> {
        let queue = self.queue(wanted.queue_url.as_deref())?;
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (id, entry) in wanted.checked()? {
            match one(&queue, entry).await {
                Ok(()) => successful.push(json!({"Id": id})),
                Err(fault) => failed.push(fault.entry(id)),
            }
        }
        Ok(json!({"Successful": successful, "Failed": failed}))
    }
}

/// A handle of before is taken without a word, as SQS does: the message is deleted already, or it was given out again and
/// whoever has it now deletes it.
async fn delete(queue: &NamedQueue, wanted: &DeleteMessage) -> Result<(), Fault> {
    let handle = handle(queue.lane, wanted.receipt_handle.as_deref())?;
    match queue.queue().delete(queue.lane, handle).await {
        Ok(()) | Err(QueueError::StaleHandle(_)) => Ok(()),
        Err(error) => Err(unavailable(error)),
    }
}

async fn change_visibility(queue: &NamedQueue, wanted: &ChangeMessageVisibility) -> Result<(), Fault> {
    let handle = handle(queue.lane, wanted.receipt_handle.as_deref())?;
    if wanted.visibility_timeout.is_none() {
        return Err(Fault::missing("VisibilityTimeout"));
    }
    let seconds = bounded(
        "VisibilityTimeout",
        wanted.visibility_timeout,
        0,
        0..=LONGEST_VISIBILITY,
    )?;
    let visibility = Duration::from_secs(seconds);
    match queue
        .queue()
        .change_visibility(queue.lane, handle, visibility)
        .await
    {
        Ok(()) => Ok(()),
        Err(QueueError::StaleHandle(_)) => Err(Fault::not_in_flight()),
        Err(error) => Err(unavailable(error)),
    }
}

/// A handle that this queue may have given: `<lane><sequence>-<receive>-<opening>`.
fn handle(lane: Lane, given: Option<&str>) -> Result<&str, Fault> {
    let given = given.ok_or_else(|| Fault::missing("ReceiptHandle"))?;
    let lane = match lane {
        Lane::Events => 'e',
        Lane::Dead => 'd',
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = given.strip_prefix(lane).unwrap_or_default().splitn(3, '-');
    let (sequence, receive, opening) = (parts.next(), parts.next(), parts.next());
    if sequence.is_some_and(number)
        && receive.is_some_and(number)
        && opening.is_some_and(|text| !text.is_empty())
    {
        Ok(given)
    } else {
        Err(Fault::handle())
    }
}

/// SQS's message ids are UUIDs, and some clients count on it.
fn message_id(lane: Lane, id: &str) -> String {
    let lane = match lane {
        Lane::Events => 0,
        Lane::Dead => 1,
    };
    let number: u64 = id.parse().unwrap_or_default();
    format!(
        "{:08x}-{:04x}-4000-8000-{lane:012x}",
        number >> 16,
        number & 0xffff
    )
}

/// `All`, `.*`, a name, or the beginning of one with `.*`.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == "All" || pattern == name,
    }
}

/// Attributes that SQS knows and this queue does not have.
fn is_unset(name: &str) -> bool {
    [
        "Policy",
        "KmsMasterKeyId",
        "KmsDataKeyReusePeriodSeconds",
        "SqsManagedSseEnabled",
        "FifoQueue",
        "ContentBasedDeduplication",
        "DeduplicationScope",
        "FifoThroughputLimit",
        "RedriveAllowPolicy",
        "RedrivePolicy",
    ]
    .contains(&name)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unavailable(error: QueueError) -> Fault {
    Fault::unavailable(error.to_string())
}
