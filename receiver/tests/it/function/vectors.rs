//! Every vector through the real process, in both shapes of API Gateway, with and without base64: the answers and messages
//! of the server that speaks HTTP itself.

use std::path::Path;
use std::sync::Arc;

use futures::StreamExt as _;
use mef_pipeline::secret::{Key, KeyRing};
use mef_pipeline::source::Source;
use mef_queue::{Lane, Outgoing};
use serde_json::Value;

use super::aws::{Aws, Sent, Stored};
use super::gateway::{Api, WAYS, answer, event};
use super::lambda::{Lambda, Said};
use super::package;
use crate::support::Answer;
use crate::vectors::{Vector, read};

/// Processes at once.
const AT_ONCE: usize = 4;

/// What came of one vector.
enum Came {
    Equal,
    /// Equal in payload 2.0. Payload 1.0 tells the query as an object without an order, and the sender signed it in one.
    OrderLost,
    /// Its preset is not there yet.
    Absent,
    /// A secret in it is none, which a function refuses to work with: it says 503 to everything.
    Unusable(String),
    Unlike(String),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_vector_has_the_same_answer_and_messages_behind_api_gateway() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipeline/tests/data");
    let mut vectors = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of vectors") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.contains("vectors") && Path::new(&name).extension().is_some_and(|end| end == "json") {
            let file = read(&path);
            vectors.extend(file.verify.into_iter().chain(file.challenge));
        }
    }
    let aws = Aws::start().await;
    let runs = vectors.into_iter().enumerate().map(|(number, vector)| {
        let aws = aws.clone();
        tokio::spawn(async move { (vector.name.clone(), run(&vector, number, &aws).await) })
    });
    let runs: Vec<_> = futures::stream::iter(runs)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut order_lost = Vec::new();
    let (mut equal, mut absent, mut unusable, mut unlike) = (0, Vec::new(), Vec::new(), Vec::new());
    for run in runs {
        let (name, came) = run.expect("no panic");
        match came {
            Came::Equal => equal += 1,
            Came::OrderLost => order_lost.push(name),
            Came::Absent => absent.push(name),
            Came::Unusable(why) => unusable.push(format!("{name}: {why}")),
            Came::Unlike(what) => unlike.push(format!("{name}: {what}")),
        }
    }
    println!(
        "{equal} vectors equal in {} ways each; {} without a preset; {} with a secret that is none: {unusable:#?}",
        WAYS.len(),
        absent.len(),
        unusable.len()
    );
    println!("only equal where the query keeps its order: {order_lost:?}");
    assert!(order_lost.len() < 12, "{order_lost:?}");
    assert!(
        unlike.is_empty(),
        "{} unlike:\n{}",
        unlike.len(),
        unlike.join("\n")
    );
    assert!(equal > 600, "only {equal}");
    assert!(unusable.len() < 20, "{unusable:#?}");
}

async fn run(vector: &Vector, number: usize, aws: &Aws) -> Came {
    let Some(mut prepared) = vector.prepared() else {
        return Came::Absent;
    };
    // A text stands there for each use, also where it is no key for one: a function works with none that is none.
    let verifier = prepared.source.verifier();
    let usable = prepared.keys.all().iter().filter(|key| {
        let alone = KeyRing::new(vec![Key::clone(key)]);
        verifier.check_keys(&alone).is_empty()
    });
    let usable: Vec<Key> = usable.cloned().collect();
    if !usable.is_empty() {
        prepared.keys = KeyRing::new(usable);
    }
    let name = format!("vector-{number}");
    let folder = tempfile::tempdir().expect("a folder");
    let (values, definition) = package(folder.path(), &prepared.source, &prepared.keys, &name);
    for (arn, value) in values {
        let current = Some(value.into_bytes());
        aws.keep(
            &arn,
            Stored {
                current,
                ..Stored::default()
            },
        );
    }
    let (now, request) = (prepared.now, prepared.request.clone());
    // The same definition on both sides.
    prepared.source = Arc::new(Source::compile(definition).0.expect("it compiles"));
    let case = vector.serve(prepared).await;
    let expected = case.ask().await;
    let kept = Kept::of(&case.queue.kept(Lane::Events), &case.queue.kept(Lane::Dead));
    std::fs::write(folder.path().join("keys.json"), vector.published()).expect("a writable folder");
    let mut lambda = Lambda::start(folder.path(), aws, &name, Some(now)).await;
    let mut came = Came::Equal;
    let names: Vec<&str> = request.query.split('&').collect();
    for way in WAYS {
        let said = match lambda.invoke(event(&request, way)).await {
            Said::Answer(said) => answer(way.0, &said),
            Said::Error(line, body) => return Came::Unlike(format!("{way:?}: {line} {body}")),
        };
        let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        if said.status == 503 && log().contains("the secrets cannot be had") && expected.status != 503 {
            return Came::Unusable(
                log()
                    .lines()
                    .find(|line| line.contains("cannot be had"))
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
        if way.0 == Api::Rest && said.status == 401 && expected.status != 401 && !names.is_sorted() {
            assert!(aws.sent(&name).is_empty());
            came = Came::OrderLost;
            continue;
        }
        if expected.header("x-mef-definition").is_none() {
            // The server of HTTP has refused it before any source saw it: API Gateway would not have sent it on like this.
            if said.status != expected.status || !aws.sent(&name).is_empty() {
                return Came::Unlike(format!("{way:?}: expected {expected:?}, got {said:?}"));
            }
            continue;
        }
        if comparable(&said) != comparable(&expected) {
            return Came::Unlike(format!("{way:?}: expected {expected:?}, got {said:?}\n{}", log()));
        }
        let sent = aws.sent(&name);
        let found = Kept::sent(&sent);
        if found != kept {
            return Came::Unlike(format!("{way:?}: expected {kept:?}, got {found:?}"));
        }
    }
    came
}

/// An answer without what the connection, the clock and the request's number make of it.
fn comparable(answer: &Answer) -> (u16, Vec<(String, String)>, &[u8]) {
    let of_the_server = ["content-length", "date", "connection", "x-request-id"];
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !of_the_server.contains(&name.as_str()))
        .cloned()
        .collect();
    headers.sort();
    (answer.status, headers, &answer.body)
}

/// Where, what, and with which attributes.
type Message = (Lane, Value, Vec<(String, String)>);

/// Messages and dead letters, without the times of their arrival.
#[derive(Debug, PartialEq)]
struct Kept(Vec<Message>);

impl Kept {
    fn of(events: &[Outgoing], dead: &[Outgoing]) -> Self {
        let each = |lane: Lane| {
            move |message: &Outgoing| {
                let body = String::from_utf8(message.body.to_vec()).expect("text");
                (
                    lane,
                    timeless(&body),
                    message.attributes.clone().into_iter().collect(),
                )
            }
        };
        let events = events.iter().map(each(Lane::Events));
        Self(events.chain(dead.iter().map(each(Lane::Dead))).collect())
    }

    fn sent(sent: &[Sent]) -> Self {
        let lane = |sent: &Sent| {
            if sent.queue.ends_with("-dlq") {
                Lane::Dead
            } else {
                Lane::Events
            }
        };
        let mut sent: Vec<_> = sent
            .iter()
            .map(|sent| {
                (
                    lane(sent),
                    timeless(&sent.body),
                    sent.attributes.clone().into_iter().collect(),
                )
            })
            .collect();
        sent.sort_by_key(|(lane, ..)| *lane == Lane::Dead);
        Self(sent)
    }
}

/// Equal but for `receivedAt` and what is taken from it, and the number of the request.
fn timeless(body: &str) -> Value {
    let mut message: Value = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
    let received = message.pointer("/details/mef/receivedAt").cloned();
    if let Some(mef) = message.pointer_mut("/details/mef").and_then(Value::as_object_mut) {
        mef.remove("receivedAt");
        mef.remove("trace");
    }
    if let Some(fields) = message.as_object_mut() {
        for name in ["receivedAt", "requestId"] {
            fields.remove(name);
        }
        for name in ["timestamp", "utctimestamp", "time"] {
            let second = |value: Option<&Value>| {
                value
                    .and_then(Value::as_str)
                    .map(|text| text.get(..10).map(str::to_owned))
            };
            if received.is_some() && second(fields.get(name)) == second(received.as_ref()) {
                fields.remove(name);
            }
        }
    }
    message
}
