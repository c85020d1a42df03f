//! A replay from SQS, where a look at a message is a receive.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use mef_queue::sqs::connect::{Connection, Identity, Place};
use mef_queue::sqs::{QueueUrls, ScanSettings, SqsQueue};
use mef_queue::{Lane, Queue, Settings};
use mef_replay::{Ended, Options, Subject, run};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::ministack::{KEY_ID, MiniStack, REGION, SECRET_KEY};
use crate::support::{Recipe, accept, now};

fn queue(stack: &MiniStack, name: &str) -> Arc<dyn Queue> {
    let made = stack.boto3(&format!(
        "sqs = boto3.client('sqs')
for name in [{name:?}, '{name}-dlq']: print(sqs.create_queue(QueueName=name)['QueueUrl'])"
    ));
    let (events, dead) = made.split_once('\n').expect("two URLs");
    let credentials = Credentials::new(KEY_ID, SECRET_KEY, None, None, "a test");
    let place = Place {
        region: REGION.to_owned(),
        endpoint: Some(stack.url()),
    };
    let connection = Connection::new(
        &place,
        Identity::Given(SharedCredentialsProvider::new(credentials)),
    );
    let urls = QueueUrls {
        events: events.to_owned(),
        dead: dead.to_owned(),
    };
    let scans = ScanSettings {
        wait: Duration::from_secs(1),
        empty_looks: 2,
        ..ScanSettings::default()
    };
    Arc::new(SqsQueue::with_scans(connection, urls, Settings::default(), scans))
}

fn severity(kind: &str) -> Recipe {
    Recipe::schema(&json!({"type": "object", "properties": {"severity": {"type": kind}}}))
}

#[tokio::test]
async fn what_is_valid_now_is_delivered_and_the_rest_is_visible_again() {
    let stack = MiniStack::shared();
    let queue = queue(&stack, "mef-replay");
    let event = |uuid: &str, severity: Value| json!({"uuid": uuid, "severity": severity});
    let refused = [
        event("one", json!(1)),
        event("two", json!(null)),
        event("three", json!(3)),
    ];
    accept(&*queue, &severity("string"), &refused).await;
    let depth = async |lane: Lane| {
        let depth = queue.depth(lane).await.expect("a queue");
        (depth.ready, depth.in_flight)
    };
    assert_eq!(depth(Lane::Dead).await, (3, 0));
    let (source, keys) = severity("integer").build();
    let subject = Subject {
        source,
        keys,
        queue: queue.clone(),
    };
    for dry_run in [true, false] {
        let options = Options {
            dry_run,
            rate_per_second: None,
            ..Options::new(format!("dry-{dry_run}"), now())
        };
        let report = run(&subject, &options, &CancellationToken::new(), &mut |_, _| {}).await;
        let report = report.expect("a replay that ends");
        assert_eq!(report.ended, Ended::Exhausted);
        assert_eq!((report.counts.delivered, report.counts.failed_again), (2, 1));
        // A dry run hides nothing once it is over; a real one leaves what failed again, visible.
        let (dead, events) = if dry_run {
            ((3, 0), (0, 0))
        } else {
            ((1, 0), (2, 0))
        };
        assert_eq!(depth(Lane::Dead).await, dead);
        assert_eq!(depth(Lane::Events).await, events);
    }
}
