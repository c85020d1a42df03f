//! A source's queues on a MiniStack, and messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use mef_queue::sqs::connect::{Connection, Identity, Place};
use mef_queue::sqs::{QueueUrls, ScanSettings, SqsQueue};
use mef_queue::{Delivery, EVENT_ID, Lane, Outgoing, Queue, REASON, Receipt, Settings};

use crate::ministack::{KEY_ID, MiniStack, REGION, SECRET_KEY};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// Scans of tests: the shortest waits there are.
pub(crate) const QUICK: ScanSettings = ScanSettings {
    wait: Duration::from_secs(1),
    empty_looks: 2,
    hold: MINUTE,
    in_flight: 120_000,
};

pub(crate) struct Bench {
    pub(crate) aws: Arc<MiniStack>,
    pub(crate) urls: QueueUrls,
}

impl Bench {
    /// Two queues, the second for what was received from the first more than twice.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let aws = MiniStack::shared();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let made = aws.boto3(&format!(
            "sqs = boto3.client('sqs')
dead = sqs.create_queue(QueueName='mef-test-{number}-dlq')['QueueUrl']
arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=['QueueArn'])['Attributes']['QueueArn']
redrive = json.dumps({{'deadLetterTargetArn': arn, 'maxReceiveCount': 2}})
print(sqs.create_queue(QueueName='mef-test-{number}', Attributes={{'RedrivePolicy': redrive}})['QueueUrl'])
print(dead)"
        ));
        let (events, dead) = made.split_once('\n').expect("two URLs");
        Self {
            aws,
            urls: QueueUrls {
                events: events.to_owned(),
                dead: dead.to_owned(),
            },
        }
    }

    pub(crate) fn queue(&self) -> SqsQueue {
        self.queue_scanning(QUICK)
    }

    pub(crate) fn queue_scanning(&self, scans: ScanSettings) -> SqsQueue {
        let connection = connection(&self.aws.url());
        SqsQueue::with_scans(connection, self.urls.clone(), Settings::default(), scans)
    }

    /// What a consumer with boto3 gets of a lane, as a list of messages; it deletes nothing.
    pub(crate) fn consume(&self, lane: Lane) -> Vec<serde_json::Value> {
        let url = match lane {
            Lane::Events => &self.urls.events,
            Lane::Dead => &self.urls.dead,
        };
        let printed = self.aws.boto3(&format!(
            "sqs = boto3.client('sqs')
found = []
while True:
    got = sqs.receive_message(QueueUrl={url:?}, MaxNumberOfMessages=10, MessageAttributeNames=['All']).get('Messages', [])
    found += got
    if not got: break
print(json.dumps(found))"
        ));
        serde_json::from_str(&printed).expect("JSON")
    }
}

pub(crate) fn connection(endpoint: &str) -> Connection {
    let credentials = Credentials::new(KEY_ID, SECRET_KEY, None, None, "a test");
    let place = Place {
        region: REGION.to_owned(),
        endpoint: Some(endpoint.to_owned()),
    };
    Connection::new(
        &place,
        Identity::Given(SharedCredentialsProvider::new(credentials)),
    )
}

/// A first delivery with this event id and body.
pub(crate) fn event(id: &str, body: impl Into<Vec<u8>>) -> Outgoing {
    Outgoing {
        body: body.into().into(),
        attributes: BTreeMap::from([(EVENT_ID.to_owned(), id.to_owned())]),
        deduplication_id: Some(id.to_owned()),
    }
}

/// A dead letter with this reason.
pub(crate) fn letter(id: &str, reason: &str) -> Outgoing {
    let mut letter = event(id, "{}");
    letter.attributes.insert(REASON.to_owned(), reason.to_owned());
    letter
}

pub(crate) async fn send(queue: &SqsQueue, lane: Lane, messages: Vec<Outgoing>) -> Vec<Receipt> {
    let results = queue.send(lane, messages).await;
    results
        .into_iter()
        .map(|result| result.expect("it is kept"))
        .collect()
}

/// Every message a scan shows, until it is at its end.
pub(crate) async fn scanned(queue: &SqsQueue, lane: Lane) -> Vec<Delivery> {
    let mut found: Vec<Delivery> = Vec::new();
    loop {
        let after = found.last().map(|last| last.message_id.clone());
        let more = queue.scan(lane, after, 7).await.expect("a queue");
        if more.is_empty() {
            queue.end_scan(lane).await;
            return found;
        }
        found.extend(more);
    }
}

pub(crate) fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    let mut ids: Vec<_> = deliveries
        .iter()
        .map(|delivery| delivery.attributes[EVENT_ID].as_str())
        .collect();
    ids.sort_unstable();
    ids
}
