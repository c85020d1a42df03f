//! What JetStream alone does: it remembers message ids for two minutes, and a stream can be full.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mef_queue::{Lane, Outgoing, Queue};
use mef_replay::{Counts, Ended, Options, ReplayError, Report, Subject, run};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::bed::Bed;
use crate::support::{Recipe, accept, all, event_id, now};

fn refused() -> Recipe {
    Recipe::requiring("uuid")
}

async fn replay(queue: &Arc<dyn Queue>, options: Options) -> Result<Report, ReplayError> {
    let (source, keys) = Recipe::requiring("id").build();
    let subject = Subject {
        source,
        keys,
        queue: queue.clone(),
    };
    run(&subject, &options, &CancellationToken::new(), &mut |_, _| {}).await
}

fn fast(uid: &str) -> Options {
    Options {
        rate_per_second: None,
        ..Options::new(uid, now())
    }
}

/// A queue in which the same dead letter lies twice, as after a kill between sending and deleting.
async fn the_same_letter_twice(bed: &Bed) -> Arc<dyn Queue> {
    let queue = bed.open().await;
    accept(&*queue, &refused(), &[json!({"id": 1})]).await;
    let letter = all(&*queue, Lane::Dead).await.remove(0);
    let again = Outgoing {
        body: letter.body.into(),
        attributes: letter.attributes,
        deduplication_id: None,
    };
    assert!(queue.send(Lane::Dead, vec![again]).await[0].is_ok());
    assert_eq!(all(&*queue, Lane::Dead).await.len(), 2);
    queue
}

#[tokio::test]
async fn the_same_letter_twice_is_one_event_while_jetstream_remembers_and_has_it() {
    let bed = Bed::nats().await;
    let queue = the_same_letter_twice(&bed).await;
    let report = replay(&queue, fast("twice")).await.expect("an end");
    assert_eq!((report.counts.delivered, report.ended), (2, Ended::Exhausted));
    assert!(all(&*queue, Lane::Dead).await.is_empty());
    assert_eq!(
        all(&*queue, Lane::Events).await.len(),
        1,
        "both letters are this message"
    );
}

#[tokio::test]
async fn a_letter_whose_twin_was_delivered_and_consumed_is_sent_rather_than_believed_to_be_there() {
    let bed = Bed::nats().await;
    let queue = the_same_letter_twice(&bed).await;
    let first = Options {
        limit: 1,
        ..fast("twice")
    };
    let report = replay(&queue, first).await.expect("an end");
    assert_eq!(report.counts.delivered, 1);
    // A SIEM takes it out.
    let event = all(&*queue, Lane::Events).await.remove(0);
    let taken = queue.take(Lane::Events, &event.message_id, Duration::from_secs(5));
    let taken = taken.await.expect("a queue").expect("it is there");
    queue.delete(Lane::Events, &taken.handle).await.expect("a queue");
    // The same replay goes on: JetStream calls the second letter's message a duplicate of one that is gone.
    let report = replay(&queue, fast("twice")).await.expect("an end");
    assert_eq!(report.counts.delivered, 1);
    assert!(all(&*queue, Lane::Dead).await.is_empty());
    let events = all(&*queue, Lane::Events).await;
    assert_eq!((events.len(), event_id(&events[0])), (1, event_id(&event)));
}

#[tokio::test]
async fn a_stream_that_is_full_in_mid_run_ends_it_and_the_next_run_goes_on() {
    let bed = Bed::nats_of(16_384).await;
    let queue = bed.open().await;
    let events: Vec<Value> = (0..12)
        .map(|id| json!({"id": id, "text": "x".repeat(2_000)}))
        .collect();
    let mut accepted = BTreeSet::new();
    let mut rest = &events[..];
    // Dead letters of several rounds: their stream has the same limit.
    let mut delivered = Vec::new();
    while !rest.is_empty() {
        let (some, others) = rest.split_at(4);
        rest = others;
        accepted.extend(accept(&*queue, &refused(), some).await);
        let options = || Options {
            patience: Duration::from_millis(200),
            ..fast("full")
        };
        let mut ended = replay(&queue, options()).await;
        while let Err(error) = &ended {
            assert!(error.to_string().contains("the stream is full"), "{error}");
            // Nothing is lost, and what a SIEM takes makes room.
            let dead = all(&*queue, Lane::Dead).await;
            let events = all(&*queue, Lane::Events).await;
            let there = dead.iter().chain(&events).map(event_id);
            let there: BTreeSet<_> = there.chain(delivered.iter().cloned()).collect();
            assert_eq!(there, accepted);
            for event in events {
                let taken = queue.take(Lane::Events, &event.message_id, Duration::from_secs(5));
                let taken = taken.await.expect("a queue").expect("it is there");
                queue.delete(Lane::Events, &taken.handle).await.expect("a queue");
                delivered.push(event_id(&event));
            }
            ended = replay(&queue, options()).await;
        }
        let Report { counts, ended } = ended.expect("an end");
        assert_eq!(ended, Ended::Exhausted);
        assert_eq!(
            counts,
            Counts {
                examined: counts.delivered,
                matched: counts.delivered,
                ..counts
            }
        );
        assert!(all(&*queue, Lane::Dead).await.is_empty());
    }
    let left = all(&*queue, Lane::Events).await;
    assert!(left.len() < 12, "it was never full");
    delivered.extend(left.iter().map(event_id));
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), accepted);
}
