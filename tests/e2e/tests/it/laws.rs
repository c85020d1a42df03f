//! Both laws, counted from outside: what was sent, and what the queues hold. The process's own counters must agree.

use std::collections::BTreeMap;
use std::thread;

use mef_e2e::{Dev, Zoom, conform};

use crate::story::{dead_letters, events, secret_of, zoom_folder};

/// Sends one request of each kind in turn and says what was answered.
fn send_mixture(dev: &Dev, zoom: &Zoom, sender: usize, rounds: usize) -> BTreeMap<&'static str, usize> {
    let mut sent: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut expect = |kind: &'static str, answer: Option<mef_e2e::Answer>, status: u16| {
        assert_eq!(answer.expect("an answer").status, status, "{kind}");
        *sent.entry(kind).or_default() += 1;
    };
    for round in 0..rounds {
        let good = Zoom::user_created(&format!("{sender}-{round}"));
        expect("delivered", dev.post("/zoom", &zoom.headers(&good), &good), 200);

        let forged = String::from_utf8(good.clone())
            .expect("text")
            .replace("Ada", "Eve")
            .into_bytes();
        expect("forged", dev.post("/zoom", &zoom.headers(&good), &forged), 401);

        expect("unsigned", dev.post("/zoom", &[], &good), 401);

        let broken = String::from_utf8(good)
            .expect("text")
            .replace("\"type\":1", "\"type\":\"one\"")
            .into_bytes();
        expect("schema", dev.post("/zoom", &zoom.headers(&broken), &broken), 200);

        let text = format!("no JSON at all, {sender}-{round}").into_bytes();
        expect("unparsable", dev.post("/zoom", &zoom.headers(&text), &text), 200);

        let presence = format!(
            r#"{{"event":"user.presence_status_updated","payload":{{"account_id":"a","object":{{"id":"{sender}-{round}"}}}}}}"#
        )
        .into_bytes();
        expect(
            "filtered",
            dev.post("/zoom", &zoom.headers(&presence), &presence),
            200,
        );

        let challenge =
            br#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#;
        expect(
            "challenge",
            dev.post("/zoom", &zoom.headers(challenge), challenge),
            200,
        );

        let oracle = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"v0:1:{}"}}"#;
        expect("oracle", dev.post("/zoom", &zoom.headers(oracle), oracle), 400);

        expect("nowhere", dev.post("/elsewhere", &[], b"{}"), 404);
    }
    sent
}

#[test]
fn both_laws_hold_from_outside_and_the_counters_agree() {
    let folder = zoom_folder();
    let dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
    let zoom = Zoom::new(&secret_of(folder.path()));
    let mut sent: BTreeMap<&str, usize> = BTreeMap::new();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                scope.spawn({
                    let (dev, zoom) = (&dev, &zoom);
                    move || send_mixture(dev, zoom, sender, 20)
                })
            })
            .collect();
        for sender in senders {
            for (kind, count) in sender.join().expect("a sender failed") {
                *sent.entry(kind).or_default() += count;
            }
        }
    });

    // The queues hold exactly what was answered as kept.
    let kept = events(folder.path());
    for event in &kept {
        conform(event.body.as_bytes());
    }
    assert_eq!(kept.len(), sent["delivered"]);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for letter in dead_letters(folder.path()) {
        *reasons
            .entry(letter["reason"].as_str().expect("a reason").to_owned())
            .or_default() += 1;
    }
    assert_eq!(
        reasons,
        BTreeMap::from([
            ("schema".to_owned(), sent["schema"]),
            ("unparsable".to_owned(), sent["unparsable"])
        ])
    );

    // The counters say the same.
    let metrics = String::from_utf8(dev.get("/metrics").body).expect("metrics are text");
    let sum = |name: &str, labels: &[&str]| -> usize {
        metrics
            .lines()
            .filter(|line| {
                line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
            })
            .map(|line| {
                line.rsplit(' ')
                    .next()
                    .and_then(|value| value.parse::<f64>().ok())
                    .expect("a number") as usize
            })
            .sum()
    };
    let requests = |result: &str| sum("mef_requests_total", &[&format!("result=\"{result}\"")]);
    let outcomes = |result: &str| sum("mef_events_total", &[&format!("result=\"{result}\"")]);
    let genuine = sent["delivered"] + sent["schema"] + sent["unparsable"] + sent["filtered"];
    assert_eq!(requests("accepted"), genuine, "{metrics}");
    assert_eq!(
        requests("rejected"),
        sent["forged"] + sent["unsigned"] + sent["oracle"]
    );
    assert_eq!(requests("challenged"), sent["challenge"]);
    assert_eq!(requests("unavailable"), 0);
    assert_eq!(sum("mef_requests_in_flight", &[]), 0);
    let received =
        requests("accepted") + requests("rejected") + requests("challenged") + requests("unavailable");
    assert_eq!(sum("mef_requests_received_total", &[]), received);
    assert_eq!(outcomes("delivered"), sent["delivered"]);
    assert_eq!(outcomes("dead_lettered"), sent["schema"] + sent["unparsable"]);
    assert_eq!(outcomes("filtered"), sent["filtered"]);
    assert_eq!(
        sum("mef_events_parsed_total", &[]),
        outcomes("delivered") + outcomes("dead_lettered") + outcomes("filtered") + outcomes("duplicate")
    );
    assert_eq!(dev.stop(), 0);
}
