//! The two services a function calls, in this process: secrets as they are told, messages as they come. For what many
//! processes ask in a short time; the real protocols are MiniStack's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::request::read;

/// A value of a secret: its versions by stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) current: Option<Vec<u8>>,
    pub(crate) previous: Option<Vec<u8>>,
    /// Told as bytes, not as a text.
    pub(crate) binary: bool,
}

/// A message as SQS was given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The queue's name.
    pub(crate) queue: String,
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

#[derive(Default)]
struct State {
    secrets: BTreeMap<String, Stored>,
    sent: Vec<Sent>,
    /// Actions that were asked for, in order.
    asked: Vec<String>,
    /// What sends are answered with, where it is not success: status and code.
    refusal: Option<(u16, &'static str)>,
    /// Secrets cannot be had.
    without_secrets: bool,
}

#[derive(Clone)]
pub(crate) struct Aws {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Aws {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let aws = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            state: Arc::default(),
        };
        let shared = aws.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(shared.clone().serve(stream));
            }
        });
        aws
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    pub(crate) fn keep(&self, name: &str, stored: Stored) {
        self.state().secrets.insert(name.to_owned(), stored);
    }

    pub(crate) fn without_secrets(&self, without: bool) {
        self.state().without_secrets = without;
    }

    pub(crate) fn refuse(&self, refusal: Option<(u16, &'static str)>) {
        self.state().refusal = refusal;
    }

    /// What a source's two queues were given since the last look.
    pub(crate) fn sent(&self, name: &str) -> Vec<Sent> {
        let dead = format!("{name}-dlq");
        let mut state = self.state();
        let (taken, rest) = std::mem::take(&mut state.sent)
            .into_iter()
            .partition(|sent| sent.queue == name || sent.queue == dead);
        state.sent = rest;
        taken
    }

    /// Actions that were asked for since the last look.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }

    async fn serve(self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let asked = read(&mut stream).await?;
            // Whoever does not sign is not AWS's client.
            let signed = asked.authorization?;
            assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIA"), "{signed}");
            let (status, answer) = self.answer(&asked.action, &asked.body);
            let answer = answer.to_string();
            let text = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            );
            stream.write_all(text.as_bytes()).await.ok()?;
        }
    }

    fn answer(&self, action: &str, body: &Value) -> (u16, Value) {
        let mut state = self.state();
        state.asked.push(action.to_owned());
        match action {
            "GetSecretValue" | "GetParameter" if state.without_secrets => {
                (500, json!({"__type": "InternalServiceError"}))
            }
            "GetSecretValue" => {
                let stored = state.secrets.get(body["SecretId"].as_str().unwrap_or_default());
                let value = stored.and_then(|stored| match body["VersionStage"].as_str() {
                    Some("AWSPREVIOUS") => Some((stored.previous.clone()?, stored.binary)),
                    _ => Some((stored.current.clone()?, stored.binary)),
                });
                match value {
                    Some((bytes, true)) => (200, json!({"SecretBinary": STANDARD.encode(bytes)})),
                    Some((bytes, false)) => (200, json!({"SecretString": String::from_utf8_lossy(&bytes)})),
                    None => (
                        400,
                        json!({"__type": "ResourceNotFoundException", "Message": "no such version"}),
                    ),
                }
            }
            "GetParameter" => match state.secrets.get(body["Name"].as_str().unwrap_or_default()) {
                Some(Stored {
                    current: Some(bytes), ..
                }) if body["WithDecryption"] == true => (
                    200,
                    json!({"Parameter": {"Value": String::from_utf8_lossy(bytes)}}),
                ),
                _ => (400, json!({"__type": "ParameterNotFound"})),
            },
            "SendMessage" | "SendMessageBatch" => {
                if let Some((status, code)) = state.refusal {
                    return (
                        status,
                        json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "told to"}),
                    );
                }
                let url = body["QueueUrl"].as_str().unwrap_or_default();
                let queue = url.rsplit('/').next().unwrap_or_default();
                if action == "SendMessage" {
                    state.sent.push(sent(queue, body));
                    return (200, json!({"MessageId": "one", "MD5OfMessageBody": "x"}));
                }
                let mut kept = Vec::new();
                for entry in body["Entries"].as_array().into_iter().flatten() {
                    state.sent.push(sent(queue, entry));
                    kept.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"}));
                }
                (200, json!({"Successful": kept, "Failed": []}))
            }
            _ => (400, json!({"__type": "UnknownOperationException"})),
        }
    }
}

fn sent(queue: &str, entry: &Value) -> Sent {
    let attributes = entry["MessageAttributes"].as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Sent {
        queue: queue.to_owned(),
        body: text(&entry["MessageBody"]),
        attributes: attributes
            .map(|(name, value)| (name.clone(), text(&value["StringValue"])))
            .collect(),
    }
}
