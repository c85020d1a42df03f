//! The gate in front of nats-server: it understands as much of the protocol as it takes to count requests to JetStream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::gate::{Fate, Gate};

/// Listens; gives the URL to use instead of the server's.
pub(super) async fn start(server: String, gate: Gate) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("nats://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(server.trim_start_matches("nats://")).await;
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.expect("the server listens").into_split();
            let last = Arc::new(AtomicBool::new(false));
            tokio::spawn(requests(from_client, to_server, gate.clone(), last.clone()));
            tokio::spawn(answers(from_server, to_client, gate.clone(), last));
        }
    });
    url
}

/// One line and what follows it, as `PUB` and `MSG` have a payload.
async fn message(from: &mut BufReader<OwnedReadHalf>) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    if from.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut payload = Vec::new();
    if matches!(words.first(), Some(&("PUB" | "HPUB" | "MSG" | "HMSG"))) {
        let bytes: usize = words.last()?.parse().ok()?;
        payload.resize(bytes + 2, 0);
        from.read_exact(&mut payload).await.ok()?;
    }
    Some((line, payload))
}

async fn requests(from: OwnedReadHalf, mut to: OwnedWriteHalf, gate: Gate, last: Arc<AtomicBool>) {
    let mut from = BufReader::new(from);
    while let Some((line, payload)) = message(&mut from).await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let asks = matches!(words.first(), Some(&("PUB" | "HPUB"))) && words[1].starts_with("$JS.API.");
        if asks {
            match gate.ask(words[1].to_owned()) {
                Fate::Pass => {}
                Fate::Swallowed => continue,
                Fate::Last => last.store(true, Ordering::SeqCst),
            }
        }
        if to.write_all(line.as_bytes()).await.is_err() || to.write_all(&payload).await.is_err() {
            return;
        }
    }
}

async fn answers(from: OwnedReadHalf, mut to: OwnedWriteHalf, gate: Gate, last: Arc<AtomicBool>) {
    let mut from = BufReader::new(from);
    while let Some((line, payload)) = message(&mut from).await {
        if last.load(Ordering::SeqCst) && (line.starts_with("MSG") || line.starts_with("HMSG")) {
            gate.die();
            continue;
        }
        if to.write_all(line.as_bytes()).await.is_err() || to.write_all(&payload).await.is_err() {
            return;
        }
    }
}
