//! Logs name every request and show nothing of it.

use std::io;
use std::sync::{Arc, Mutex};

use mef_queue::Lane;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Fate, Server, SourceBuilder, TOKEN, TestQueue, events};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic under this lock").clone()).expect("UTF-8")
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no panic under this lock")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn logs_name_requests_and_show_nothing_of_them() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(lines.clone())
        .finish();
    // For the whole process: what other tests log meanwhile may show nothing either.
    tracing::subscriber::set_global_default(subscriber).expect("no other test sets one");

    let queue = Arc::new(TestQueue::ruled(|_, lane, _| match lane {
        Lane::Events => Fate::Refuse,
        Lane::Dead => Fate::Keep,
    }));
    let server = Server::start(vec![SourceBuilder::provider("logged", "okta").route(&queue)]).await;
    let request = |token: &str, body: &str| {
        format!(
            "POST /logged?key=QUERY-MARK HTTP/1.1\r\nhost: HOST-MARK\r\nauthorization: {token}\r\nx-mark: HEADER-MARK\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let fine = events(&[json!({"uuid": "BODY-MARK"}), json!({"no": "BODY-MARK"})]);
    let mut statuses = Vec::new();
    for (token, body) in [
        (TOKEN, fine.as_str()),
        ("WRONG-MARK", &fine),
        (TOKEN, "BODY-MARK, no JSON"),
    ] {
        statuses.push(server.ask(request(token, body)).await.status);
    }
    statuses.push(
        server
            .ask("GET /PATH-MARK HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .status,
    );
    statuses.push(server.ask("no request MALFORMED-MARK\r\n\r\n").await.status);
    assert_eq!(statuses, [204, 401, 204, 404, 400]);

    let text = lines.text();
    for mark in [TOKEN, "MARK"] {
        assert!(!text.contains(mark), "{mark} is in the logs:\n{text}");
    }
    let requests: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON lines"))
        .map(|line| line["fields"].clone())
        .filter(|fields| fields["message"] == "request" && fields["source"] == "default/logged")
        .collect();
    let shown: Vec<_> = requests
        .iter()
        .map(|fields| (&fields["outcome"], &fields["reason"], &fields["status"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("accepted"), &json!("none"), &json!(204)),
            (&json!("rejected"), &json!("mismatch"), &json!(401)),
            (&json!("accepted"), &json!("none"), &json!(204)),
        ]
    );
    for fields in &requests {
        assert!(fields["request_id"].as_str().is_some_and(|id| !id.is_empty()));
        assert!(fields["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
        assert!(fields["duration_ms"].is_u64());
    }
}
