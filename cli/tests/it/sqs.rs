//! `mef tail`, `mef queue` and `mef dlq` on the queues of SQS: a MiniStack holds what a laptop's sources made.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ministack::{KEY_ID, MiniStack, REGION, SECRET_KEY};
use crate::reading::filled;
use crate::support::{Place, Run};

/// Two queues with an event and a dead letter, and what they hold.
struct Bench {
    place: Place,
    stack: Arc<MiniStack>,
    events: String,
    dead: String,
    letter: Value,
}

impl Bench {
    fn new(name: &str) -> Self {
        let (place, dev) = filled();
        let event = place
            .mef(["tail", "--no-follow", "-o", "json"])
            .exits(0)
            .json_lines()
            .remove(0);
        let letter = place.mef(["dlq", "export"]).exits(0).json_lines().remove(0);
        let row = place
            .mef(["dlq", "ls", "-o", "json"])
            .exits(0)
            .json_lines()
            .remove(0);
        drop(dev);
        let attributes =
            json!({"mef-event-id": row["id"], "mef-reason": row["reason"], "mef-source": row["source"]});
        place.write(
            "messages.json",
            &json!([
                [name, event["message"].to_string(), event["attributes"]],
                [format!("{name}-dlq"), letter.to_string(), attributes],
            ])
            .to_string(),
        );
        let stack = MiniStack::shared();
        let file = place.path().join("messages.json");
        let urls = stack.boto3(&format!(
            "sqs = boto3.client('sqs')
for name, body, attributes in json.load(open({file:?})):
    url = sqs.create_queue(QueueName=name)['QueueUrl']
    attributes = {{key: {{'DataType': 'String', 'StringValue': value}} for key, value in attributes.items()}}
    sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    print(url)"
        ));
        let (events, dead) = urls.split_once('\n').unwrap();
        Self {
            place,
            stack,
            events: events.to_owned(),
            dead: dead.to_owned(),
            letter,
        }
    }

    fn mef(&self, arguments: &[&str]) -> Run {
        let mut command = self.place.command(arguments);
        command
            .env("AWS_ENDPOINT_URL", self.stack.url())
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.output().unwrap().into()
    }

    /// Messages that anybody can receive now, and how often each was received before.
    fn received(&self, url: &str) -> Vec<u64> {
        let printed = self.stack.boto3(&format!(
            "sqs = boto3.client('sqs')
got = sqs.receive_message(QueueUrl={url:?}, MaxNumberOfMessages=10, VisibilityTimeout=0, AttributeNames=['All'])
print(json.dumps([int(one['Attributes']['ApproximateReceiveCount']) - 1 for one in got.get('Messages', [])]))"
        ));
        serde_json::from_str(&printed).unwrap()
    }
}

#[test]
fn a_look_at_sqs_must_be_meant_and_gives_everything_back() {
    let bench = Bench::new("cli-looks");
    let refused = bench.mef(&["dlq", "ls", "--dead-letter-queue-url", &bench.dead]);
    refused
        .exits(2)
        .says("every message that is looked at is received")
        .says("--consume-receives");
    let refused = bench.mef(&["tail", "--no-follow", "--queue-url", &bench.events]);
    refused.exits(2).says("maxReceiveCount");
    assert_eq!(bench.received(&bench.dead), [0], "nothing was looked at");

    let dead = [
        "--dead-letter-queue-url",
        bench.dead.as_str(),
        "--consume-receives",
    ];
    let rows = bench
        .mef(&[&["dlq", "ls", "-o", "json"][..], &dead].concat())
        .exits(0)
        .json_lines();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["reason"], &rows[0]["source"], &rows[0]["id"]),
        (&json!("schema"), &json!("default/zoom"), &bench.letter["eventId"])
    );
    let id = rows[0]["id"].as_str().unwrap();
    let exported = bench
        .mef(&[&["dlq", "export"][..], &dead].concat())
        .exits(0)
        .json_lines();
    assert_eq!(exported, std::slice::from_ref(&bench.letter));
    let shown = bench
        .mef(&[&["dlq", "show", &id[..8]][..], &dead].concat())
        .exits(0);
    assert!(
        shown.stdout.contains("schema (stage validate)"),
        "{}",
        shown.stdout
    );
    // One by us, three by the command; it is there, for everybody, and was never deleted.
    assert_eq!(bench.received(&bench.dead), [4]);

    let tail = [
        "tail",
        "--no-follow",
        "-o",
        "json",
        "--queue-url",
        bench.events.as_str(),
        "--consume-receives",
    ];
    let lines = bench.mef(&tail).exits(0).json_lines();
    assert_eq!((lines.len(), &lines[0]["receiveCount"]), (1, &json!(1)));
    assert_eq!(lines[0]["id"], lines[0]["message"]["details"]["mef"]["id"]);
    assert_eq!(bench.received(&bench.events), [1]);
}

#[test]
fn counts_of_sqs_cost_no_receive() {
    let bench = Bench::new("cli-counts");
    let both = [
        "--queue-url",
        bench.events.as_str(),
        "--dead-letter-queue-url",
        bench.dead.as_str(),
    ];
    let counted = bench
        .mef(&[&["queue", "-o", "json"][..], &both].concat())
        .exits(0)
        .json();
    let row = &counted[0];
    assert_eq!(
        (&row["events"]["ready"], &row["deadLetters"]["ready"]),
        (&json!(1), &json!(1))
    );
    let text = bench.mef(&[&["queue"][..], &both].concat()).exits(0).stdout;
    assert!(text.contains("cli-counts"), "{text}");
    assert_eq!(
        (bench.received(&bench.events), bench.received(&bench.dead)),
        (vec![0], vec![0])
    );
}

#[test]
fn what_cannot_be_looked_at_in_sqs_says_why() {
    let bench = Bench::new("cli-wrong");
    let follow = bench.mef(&["tail", "--queue-url", &bench.events, "--consume-receives"]);
    follow.exits(2).says("--no-follow");
    let which = bench.mef(&["dlq", "ls", "--queue-url", &bench.events, "--consume-receives"]);
    which.exits(2).says("--dead-letter-queue-url");
    let gone = format!("{}-gone", bench.dead);
    let gone = bench.mef(&[
        "dlq",
        "ls",
        "--dead-letter-queue-url",
        &gone,
        "--consume-receives",
    ]);
    gone.exits(3).says("there is no such queue");
    let mut nowhere = bench.place.command(["queue", "--queue-url", &bench.events]);
    let nowhere: Run = nowhere.env_remove("AWS_REGION").output().unwrap().into();
    nowhere.exits(2).says("--region");
    let both = bench.mef(&["queue", "--queue-url", &bench.events, "--data", ".mef"]);
    both.exits(2).says("cannot be used with");
}
