//! The queue of `mef dev` as real SQS consumers read it: boto3, the AWS command line, and the npm package sqs-consumer.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mef_e2e::{Dev, repository, skip};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "a-token-nobody-may-ever-see";

const SOURCE: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: hook, namespace: security}
stringData: {token: a-token-nobody-may-ever-see}
---
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: sample, namespace: security}
spec:
  webhook: {provider: bearer, secrets: [{secretRef: {name: hook, key: token}}]}
  queue: {maxReceiveCount: 2, visibilityTimeout: 60s}
"#;

/// A running `mef dev` with a pull interface and events in its queue.
struct Bench {
    dev: Dev,
    folder: TempDir,
    endpoint: String,
    /// The queue's name.
    name: String,
}

impl Bench {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("source.yaml"), SOURCE).unwrap();
        let dev = Dev::start(folder.path(), &["source.yaml", "--sqs-listen", "127.0.0.1:0"]);
        let described = std::fs::read(folder.path().join(".mef/dev.json")).unwrap();
        let described: Value = serde_json::from_slice(&described).unwrap();
        let log = dev.log();
        let names = log
            .split_whitespace()
            .filter(|word| word.starts_with("mef-security-sample-"));
        let name = names
            .min_by_key(|name| name.len())
            .expect("the queue's name is told");
        Self {
            endpoint: format!("http://{}", described["sqs"].as_str().unwrap()),
            name: name.to_owned(),
            dev,
            folder,
        }
    }

    fn send(&self, count: usize) {
        let headers = [
            ("authorization".to_owned(), format!("Bearer {TOKEN}")),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        for number in 0..count {
            let body = json!({"number": number, "text": "Größe ✓"}).to_string();
            let answer = self
                .dev
                .post("/sample", &headers, body.as_bytes())
                .expect("an answer");
            assert_eq!(answer.status / 100, 2);
        }
    }

    fn run(&self, command: &mut Command) -> String {
        let output = command
            .current_dir(self.folder.path())
            .env("NO_PROXY", "*")
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let Output {
            status,
            stdout,
            stderr,
        } = output;
        assert!(
            status.success(),
            "{command:?}: {status}\n{}\n{}\n{}",
            text(&stdout),
            text(&stderr),
            self.dev.log()
        );
        text(&stdout)
    }

    /// What lies in the queue, as SQS's own words tell it: visible, in flight.
    fn depth(&self) -> (String, String) {
        let url = format!("{}/000000000000/{}", self.endpoint, self.name);
        let names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ];
        let request = json!({"QueueUrl": url, "AttributeNames": names});
        let (status, answer) = self.raw(
            &[("x-amz-target", "AmazonSQS.GetQueueAttributes")],
            &request.to_string(),
        );
        assert_eq!(status, 200, "{answer}");
        let text = |name: &str| answer["Attributes"][name].as_str().unwrap().to_owned();
        (text(names[0]), text(names[1]))
    }

    /// One request as it is typed here.
    fn raw(&self, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let mut request = format!(
            "POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "host") {
            request.push_str(&format!("host: {address}\r\n"));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        stream
            .write_all(format!("{request}\r\n{body}").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

/// The folder that a script of the bed prints.
fn fetched(script: &str) -> Result<PathBuf, String> {
    let output = Command::new(repository().join(script))
        .stderr(Stdio::inherit())
        .output();
    let output = output.map_err(|error| format!("{script} does not run: {error}"))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        Ok(folder.into())
    } else {
        Err(format!("{script} failed"))
    }
}

fn script(name: &str) -> PathBuf {
    repository().join("tests/pull").join(name)
}

#[test]
fn boto3_drains_the_queue_by_name_and_sees_timeouts_redelivery_and_redrive() {
    let tools = match fetched("tests/bed/aws/fetch") {
        Ok(tools) => tools,
        Err(reason) => return skip(&reason),
    };
    let bench = Bench::start();
    bench.send(25);
    let mut python = Command::new(tools.join("boto3/bin/python"));
    let said = bench.run(
        python
            .arg(script("boto.py"))
            .args([&bench.endpoint, &bench.name, "25"]),
    );
    println!("{said}");
    assert!(said.contains("errors have their codes"), "{said}");
    assert_eq!(bench.depth(), ("0".to_owned(), "0".to_owned()));
}

#[test]
fn the_aws_command_line_drains_the_queue_by_name() {
    let tools = match fetched("tests/bed/aws/fetch") {
        Ok(tools) => tools,
        Err(reason) => return skip(&reason),
    };
    let bench = Bench::start();
    bench.send(7);
    let aws = |arguments: &[&str]| -> Value {
        let mut command = Command::new(tools.join("awscli/bin/aws"));
        command
            .args(["--endpoint-url", &bench.endpoint, "--output", "json", "sqs"])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", "any")
            .env("AWS_SECRET_ACCESS_KEY", "any")
            .env("AWS_DEFAULT_REGION", "eu-central-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        serde_json::from_str(&bench.run(&mut command)).unwrap_or_default()
    };
    let url = aws(&["get-queue-url", "--queue-name", &bench.name])["QueueUrl"].clone();
    let url = url.as_str().expect("a URL");
    let mut ids = BTreeSet::new();
    loop {
        let received = aws(&[
            "receive-message",
            "--queue-url",
            url,
            "--max-number-of-messages",
            "10",
            "--message-attribute-names",
            "All",
        ]);
        let messages = received["Messages"].as_array().cloned().unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        let entries: Vec<_> = messages
            .iter()
            .enumerate()
            .map(|(index, message)| json!({"Id": index.to_string(), "ReceiptHandle": message["ReceiptHandle"]}))
            .collect();
        ids.extend(
            messages
                .iter()
                .map(|one| one["MessageAttributes"]["mef-event-id"]["StringValue"].to_string()),
        );
        let deleted = aws(&[
            "delete-message-batch",
            "--queue-url",
            url,
            "--entries",
            &Value::from(entries).to_string(),
        ]);
        assert_eq!(
            deleted["Successful"].as_array().map(Vec::len),
            Some(messages.len())
        );
    }
    assert_eq!(ids.len(), 7);
    assert_eq!(bench.depth(), ("0".to_owned(), "0".to_owned()));
}

#[test]
fn a_consumer_of_another_make_drains_the_queue_and_what_it_refuses_comes_again() {
    let modules = match fetched("tests/pull/fetch") {
        Ok(modules) => modules,
        Err(reason) => return skip(&reason),
    };
    let bench = Bench::start();
    bench.send(30);
    let told: Vec<Value> = consume(&bench, &modules, 30)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(told[0]["error"], "UnsupportedOperation", "sending: {}", told[0]);
    let ids: BTreeSet<_> = told[1..].iter().map(|one| one["attribute"].to_string()).collect();
    assert_eq!((ids.len(), told.len()), (30, 31));
    assert!(
        told[1..]
            .iter()
            .all(|one| one["id"] == one["attribute"] && one["receives"] == 1)
    );
    assert_eq!(bench.depth(), ("0".to_owned(), "0".to_owned()));
}

fn consume(bench: &Bench, modules: &Path, count: usize) -> String {
    let mut node = Command::new("node");
    node.arg(script("consumer.mjs"))
        .args([&bench.endpoint, &bench.name, &count.to_string()])
        .env("MEF_PULL_MODULES", modules);
    bench.run(&mut node)
}

#[test]
fn strangers_and_other_protocols_are_refused_in_words() {
    let bench = Bench::start();
    let (status, answer) = bench.raw(&[("x-amz-target", "AmazonSQS.ListQueues")], "{}");
    assert_eq!(
        (status, answer["QueueUrls"].as_array().map(Vec::len)),
        (200, Some(2))
    );
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    let cases: [Case; 5] = [
        (
            &[
                ("x-amz-target", "AmazonSQS.ListQueues"),
                ("host", "evil.example:9324"),
            ],
            "{}",
            403,
            "answers to no other name",
        ),
        (
            &[
                ("x-amz-target", "AmazonSQS.ListQueues"),
                ("origin", "http://evil.example"),
            ],
            "{}",
            403,
            "a page in a browser",
        ),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            "Action=ListQueues",
            400,
            "JSON protocol",
        ),
        (&[("x-amz-target", "AmazonSQS.ReceiveMessage")], "{", 400, "EOF"),
        (
            &[("x-amz-target", "AmazonSQS.ReceiveMessage")],
            "{}",
            400,
            "QueueUrl",
        ),
    ];
    for (headers, body, expected, words) in cases {
        let (status, answer) = bench.raw(headers, body);
        assert_eq!(status, expected, "{headers:?}: {answer}");
        assert!(
            answer["message"]
                .as_str()
                .is_some_and(|text| text.contains(words)),
            "{headers:?}: {answer}"
        );
    }
}
