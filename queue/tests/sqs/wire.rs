//! A server that speaks SQS's protocol as a script says: for answers that no emulator gives.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::request::{Asked, read};

/// What is done with one request.
pub(crate) enum Reply {
    /// This status and body.
    Says(u16, Value),
    /// What the request itself asks for, as if it were kept: a result for each entry but those with these ids.
    Keeps(&'static [&'static str]),
    /// It is read, and the connection closed.
    Lost,
}

/// An error as SQS writes it.
pub(crate) fn error(status: u16, code: &str) -> Reply {
    let kind = format!("com.amazonaws.sqs#{code}");
    Reply::Says(
        status,
        serde_json::json!({"__type": kind, "message": "as the script says"}),
    )
}

pub(crate) struct Wire {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Wire {
    /// Answers one request after the other as the script says; beyond its end it keeps everything.
    pub(crate) async fn start(script: Vec<Reply>) -> Self {
        Self::speaking(script, None).await
    }

    /// The same over TLS, where there is any.
    pub(crate) async fn speaking(script: Vec<Reply>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script.into_iter()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                match tls.clone() {
                    None => drop(tokio::spawn(serve(stream, script, log))),
                    Some(tls) => drop(tokio::spawn(async move {
                        serve(tls.accept(stream).await.ok()?, script, log).await
                    })),
                }
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// How often each action was asked for, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.action).collect()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Arc<Mutex<std::vec::IntoIter<Reply>>>,
    log: Arc<Mutex<Vec<Asked>>>,
) -> Option<()> {
    loop {
        let asked = read(&mut stream).await?;
        let reply = script.lock().expect("no panic").next();
        log.lock().expect("no panic").push(asked.clone());
        let (status, body) = match reply.unwrap_or(Reply::Keeps(&[])) {
            Reply::Says(status, body) => (status, body),
            Reply::Keeps(missing) => (200, kept(&asked, missing)),
            Reply::Lost => return None,
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

fn kept(asked: &Asked, missing: &[&str]) -> Value {
    match asked.action.as_str() {
        "SendMessage" => serde_json::json!({"MessageId": "one", "MD5OfMessageBody": "x"}),
        "SendMessageBatch" => {
            let entries = asked.body["Entries"].as_array().cloned().unwrap_or_default();
            let ids = entries.iter().filter_map(|entry| entry["Id"].as_str());
            let ids = ids.filter(|id| !missing.contains(id));
            let kept: Vec<_> = ids
                .map(|id| serde_json::json!({"Id": id, "MessageId": format!("m{id}"), "MD5OfMessageBody": "x"}))
                .collect();
            serde_json::json!({"Successful": kept, "Failed": []})
        }
        _ => serde_json::json!({}),
    }
}
