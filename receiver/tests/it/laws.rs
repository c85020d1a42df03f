//! Both laws, counted from outside: what was sent and answered, what the queues hold; the counters must agree.

use std::collections::BTreeMap;
use std::sync::Arc;

use mef_queue::Lane;
use serde_json::{Value, json};

use crate::support::{Client, Fate, Server, SourceBuilder, TestQueue, events, id_of, post, post_to};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What the senders know.
#[derive(Default)]
struct Outside {
    answers: BTreeMap<u16, u64>,
    events_acknowledged: u64,
    uuids_acknowledged: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_is_what_is_kept_and_what_is_counted() {
    let seed = 0x5eed_0003;
    println!("seed {seed:#x}");
    let mut dice = Dice(seed);
    // Every ninth call fails; events named so are refused for good.
    let queue = Arc::new(TestQueue::ruled(|call, lane, message| {
        if call % 9 == 0 {
            Fate::Unavailable
        } else if lane == Lane::Events && id_of(&message.body).starts_with("refuse") {
            Fate::Refuse
        } else {
            Fate::Keep
        }
    }));
    let source = SourceBuilder::okta().with("/filter", json!("!starts_with(string!(.uuid), \"drop\")"));
    let server = Server::start(vec![source.route(&queue)]).await;
    let mut outside = Outside::default();
    let mut client = server.connect().await;
    for number in 0..400 {
        one_request(&mut client, number, &mut dice, &mut outside).await;
    }

    let scrape = server.scrape().await;
    scrape.assert_laws();
    let sent: u64 = outside.answers.values().sum();
    assert_eq!(sent, 400);
    assert_eq!(scrape.sum("mef_requests_received_total", &[]), sent);
    let ended = |result: &str| scrape.sum("mef_requests_total", &[("result", result)]);
    assert_eq!(ended("challenged"), outside.answers[&200]);
    assert_eq!(ended("accepted"), outside.answers[&204]);
    assert_eq!(ended("rejected"), outside.answers[&401] + outside.answers[&405]);
    assert_eq!(ended("unavailable"), 0, "each request had time for another try");

    let became = |result: &str| scrape.sum("mef_events_total", &[("result", result)]);
    let kept = queue.kept(Lane::Events);
    assert_eq!(became("delivered"), kept.len() as u64);
    assert_eq!(became("dead_lettered"), queue.kept(Lane::Dead).len() as u64);
    assert_eq!(
        scrape.sum("mef_events_parsed_total", &[]),
        outside.events_acknowledged
    );
    for (reason, count) in count(queue.reasons()) {
        assert_eq!(
            scrape.sum("mef_events_total", &[("reason", &reason)]),
            count,
            "{reason}"
        );
    }
    let mut uuids: Vec<_> = kept.iter().map(|message| id_of(&message.body)).collect();
    uuids.sort();
    outside.uuids_acknowledged.sort();
    assert_eq!(uuids, outside.uuids_acknowledged, "each acknowledged event once");
}

async fn one_request(client: &mut Client, number: u32, dice: &mut Dice, outside: &mut Outside) {
    let batch: Vec<Value> = (0..=dice.roll(4))
        .map(|item| match dice.roll(6) {
            0 => json!({"no": "uuid"}),
            1 => json!({"uuid": format!("drop-{number}-{item}")}),
            2 => json!({"uuid": format!("refuse-{number}-{item}")}),
            _ => json!({"uuid": format!("keep-{number}-{item}")}),
        })
        .collect();
    let (request, count) = match dice.roll(8) {
        0 => (post_to("/okta", "forged", &events(&batch)), 0),
        1 => ("DELETE /okta HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 0),
        2 => (
            "GET /okta HTTP/1.1\r\nhost: x\r\nx-okta-verification-challenge: abc\r\n\r\n".to_owned(),
            0,
        ),
        3 => (post("no JSON"), 1),
        _ => (post(&events(&batch)), batch.len() as u64),
    };
    let with_events = count as usize == batch.len() && request.contains("uuid");
    client.send(request).await;
    let status = client.answer().await.status;
    *outside.answers.entry(status).or_default() += 1;
    if status == 204 {
        outside.events_acknowledged += count;
        if with_events {
            let uuids = batch.iter().filter_map(|event| event["uuid"].as_str());
            let kept = uuids.filter(|uuid| uuid.starts_with("keep"));
            outside.uuids_acknowledged.extend(kept.map(str::to_owned));
        }
    }
}

fn count(words: Vec<String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}
