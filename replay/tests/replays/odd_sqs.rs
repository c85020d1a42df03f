//! An SQS of our own, in memory: for what a MiniStack does not do (a limit of messages in flight, looks that find nothing,
//! messages delivered again while they are hidden) and for more messages than it can hold. SQS's JSON protocol on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use mef_queue::{EVENT_ID, Lane};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};

/// What is odd about it.
#[derive(Clone, Copy)]
pub(crate) struct Oddities {
    /// Messages of a queue that may be in flight.
    pub(crate) in_flight: usize,
    /// Each so-manieth receive finds nothing; 0: none.
    pub(crate) finds_nothing: u32,
    /// The first message is in every answer, hidden or not, deleted or not.
    pub(crate) repeats: bool,
}

/// One as SQS mostly is.
pub(crate) const USUAL: Oddities = Oddities {
    in_flight: 120_000,
    finds_nothing: 0,
    repeats: false,
};

struct Message {
    body: Value,
    attributes: Value,
    sent: i64,
    receives: u32,
    visible_at: Instant,
}

#[derive(Default)]
struct Messages {
    all: BTreeMap<u64, Message>,
    /// By when they are visible.
    order: BTreeSet<(Instant, u64)>,
    /// A copy of the first one, for the odd server.
    first: Option<Value>,
}

struct State {
    oddities: Oddities,
    lanes: [Messages; 2],
    next: u64,
    receives: u32,
}

/// A server with two queues.
#[derive(Clone)]
pub(crate) struct OddSqs {
    url: String,
    state: Arc<Mutex<State>>,
}

impl OddSqs {
    pub(crate) async fn start(oddities: Oddities) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State {
            oddities,
            lanes: Default::default(),
            next: 0,
            receives: 0,
        }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { url, state }
    }

    /// As [`crate::bed::open`] takes it.
    pub(crate) fn address(&self) -> String {
        let url = &self.url;
        format!("sqs {url} {url}/1/events {url}/1/dead 60")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// Event ids of a lane, and how many of its messages are hidden.
    pub(crate) fn ids(&self, lane: Lane) -> (Vec<String>, usize) {
        let state = self.lock();
        let messages = &state.lanes[lane as usize];
        let ids = messages.all.values().map(|message| {
            let id = message.attributes[EVENT_ID]["StringValue"].as_str();
            id.expect("an event id").to_owned()
        });
        (ids.collect(), messages.in_flight())
    }

    /// How many looks there were.
    pub(crate) fn receives(&self) -> u32 {
        self.lock().receives
    }
}

impl Messages {
    fn in_flight(&self) -> usize {
        self.all.len() - self.order.range(..=(Instant::now(), u64::MAX)).count()
    }

    fn hide(&mut self, id: u64, seconds: u64) -> bool {
        let Some(message) = self.all.get_mut(&id) else {
            return false;
        };
        self.order.remove(&(message.visible_at, id));
        message.visible_at = Instant::now() + Duration::from_secs(seconds);
        self.order.insert((message.visible_at, id));
        true
    }

    fn delete(&mut self, id: u64) -> bool {
        let Some(message) = self.all.remove(&id) else {
            return false;
        };
        self.order.remove(&(message.visible_at, id))
    }

    fn told(&self, id: u64) -> Value {
        let message = &self.all[&id];
        json!({
            "MessageId": format!("m{id}"), "ReceiptHandle": format!("{id}-{}", message.receives),
            "Body": message.body, "MD5OfBody": "x", "MessageAttributes": message.attributes,
            "Attributes": {"SentTimestamp": message.sent.to_string(),
                "ApproximateReceiveCount": message.receives.to_string()},
        })
    }
}

impl State {
    fn send(&mut self, lane: usize, entry: &Value) -> Value {
        let id = self.next;
        self.next += 1;
        let visible_at = Instant::now();
        let message = Message {
            body: entry["MessageBody"].clone(),
            attributes: entry.get("MessageAttributes").cloned().unwrap_or(json!({})),
            sent: crate::support::now().as_millisecond(),
            receives: 0,
            visible_at,
        };
        let messages = &mut self.lanes[lane];
        messages.all.insert(id, message);
        messages.order.insert((visible_at, id));
        json!({"MessageId": format!("m{id}"), "MD5OfMessageBody": "x"})
    }

    fn receive(&mut self, lane: usize, asked: &Value) -> Result<Value, &'static str> {
        self.receives += 1;
        let Oddities {
            in_flight,
            finds_nothing,
            repeats,
        } = self.oddities;
        let waits = asked["WaitTimeSeconds"].as_u64().unwrap_or(0) > 0;
        let messages = &mut self.lanes[lane];
        let room = in_flight - messages.in_flight().min(in_flight);
        if room == 0 && !waits {
            return Err("OverLimit");
        }
        if finds_nothing > 0 && self.receives.is_multiple_of(finds_nothing) {
            return Ok(json!({}));
        }
        let most = asked["MaxNumberOfMessages"].as_u64().unwrap_or(1) as usize;
        let visible = messages.order.range(..=(Instant::now(), u64::MAX));
        let ids: Vec<u64> = visible
            .map(|(_, id)| *id)
            .take((most - usize::from(repeats)).min(room))
            .collect();
        let mut found = Vec::new();
        for id in ids {
            messages.all.get_mut(&id).expect("it is in order").receives += 1;
            messages.hide(id, asked["VisibilityTimeout"].as_u64().expect("one"));
            found.push(messages.told(id));
        }
        if repeats && messages.first.is_none() {
            messages.first = found.first().cloned();
        } else if repeats {
            found.extend(messages.first.clone());
        }
        Ok(json!({"Messages": found}))
    }

    fn act(&mut self, action: &str, asked: &Value) -> Result<Value, &'static str> {
        let is_dead = asked["QueueUrl"]
            .as_str()
            .is_some_and(|url| url.ends_with("/dead"));
        let lane = if is_dead { Lane::Dead } else { Lane::Events } as usize;
        let id = |handle: &Value| -> u64 {
            let handle = handle.as_str().expect("a handle");
            let (id, _) = handle.split_once('-').expect("a handle of ours");
            id.parse().expect("a number")
        };
        let seconds = |of: &Value| of["VisibilityTimeout"].as_u64().expect("seconds");
        let entries = asked["Entries"].as_array().cloned().unwrap_or_default();
        let done = |done: bool| done.then_some(json!({})).ok_or("ReceiptHandleIsInvalid");
        match action {
            "SendMessage" => Ok(self.send(lane, asked)),
            "SendMessageBatch" => {
                let kept = entries.iter().map(|entry| {
                    let mut kept = self.send(lane, entry);
                    kept["Id"] = entry["Id"].clone();
                    kept
                });
                Ok(json!({"Successful": kept.collect::<Vec<_>>(), "Failed": []}))
            }
            "ReceiveMessage" => self.receive(lane, asked),
            "DeleteMessage" => done(self.lanes[lane].delete(id(&asked["ReceiptHandle"]))),
            "ChangeMessageVisibility" => {
                done(self.lanes[lane].hide(id(&asked["ReceiptHandle"]), seconds(asked)))
            }
            "ChangeMessageVisibilityBatch" => {
                for entry in &entries {
                    self.lanes[lane].hide(id(&entry["ReceiptHandle"]), seconds(entry));
                }
                Ok(json!({"Successful": [], "Failed": []}))
            }
            "GetQueueAttributes" => {
                let messages = &self.lanes[lane];
                let hidden = messages.in_flight();
                Ok(json!({"Attributes": {
                    "ApproximateNumberOfMessages": (messages.all.len() - hidden).to_string(),
                    "ApproximateNumberOfMessagesNotVisible": hidden.to_string(),
                    "ApproximateNumberOfMessagesDelayed": "0",
                }}))
            }
            _ => Err("UnsupportedOperation"),
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    let mut stream = BufStream::new(stream);
    loop {
        let (mut action, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "x-amz-target" => action = value.trim().rsplit('.').next()?.to_owned(),
                "content-length" => length = value.trim().parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let asked: Value = serde_json::from_slice(&body).ok()?;
        let done = state.lock().expect("no panic").act(&action, &asked);
        let (status, body) = match done {
            Ok(body) => (200, body.to_string()),
            Err(code) => (
                400,
                json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "odd"}).to_string(),
            ),
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
    }
}
