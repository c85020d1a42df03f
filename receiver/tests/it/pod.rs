//! `mef-receiver` as a pod runs it: folders as the kubelet mounts them, a real nats-server, signals.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mef_pipeline::source::Source;
use mef_queue::nats::connect::{Connection, Server, connect};
use mef_queue::nats::owner::Owner;
use mef_queue::nats::streams::{Layout, Storage};
use mef_queue::nats::{NatsQueue, provision};
use mef_queue::{Delivery, Lane, Queue, Settings};
use serde_json::json;
use tempfile::TempDir;

use crate::nats_server::NatsServer;
use crate::support::{Client, SourceBuilder, TOKEN, events, eventually, post, post_to};

/// The folders and the queue of one source.
struct Bench {
    nats: NatsServer,
    connection: Connection,
    folder: TempDir,
    source: std::sync::Arc<Source>,
}

/// A running receiver; it is killed with the value.
struct Pod {
    child: Child,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Drop for Pod {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bench {
    async fn new() -> Self {
        let nats = NatsServer::start("");
        let connection = connect(Server {
            url: nats.url(),
            credentials: None,
            client_name: "a test".to_owned(),
            inbox_prefix: None,
        });
        let connection = connection.await.expect("a usable URL");
        let up = connection.clone();
        eventually("a connection", move || {
            let up = up.is_up();
            async move { up }
        })
        .await;
        let (source, _) = SourceBuilder::okta().build();
        let bench = Self {
            nats,
            connection,
            folder: tempfile::tempdir().expect("a folder"),
            source,
        };
        bench.write_definition("definition.json");
        bench.write_secret(TOKEN);
        let (layout, settings) = (bench.layout(), Settings::default());
        let owner = Owner::new("a-cluster", "security", "sample");
        let made = provision(
            bench.connection.client(),
            &layout,
            &owner,
            &settings,
            Storage::default(),
        )
        .await;
        made.expect("streams");
        bench
    }

    fn layout(&self) -> Layout {
        let definition = self.source.definition();
        Layout::new(&definition.namespace, &definition.name, None)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_definition(&self, name: &str) {
        let text = serde_json::to_vec(self.source.definition()).expect("a definition is JSON");
        let folder = self.path("definition");
        fs::create_dir_all(&folder).expect("a writable folder");
        let bytes = if Path::new(name).extension().is_some_and(|end| end == "gz") {
            let mut zipped = Vec::new();
            let mut encoder = flate2::read::GzEncoder::new(&text[..], flate2::Compression::default());
            encoder.read_to_end(&mut zipped).expect("memory");
            zipped
        } else {
            text
        };
        fs::write(folder.join(name), bytes).expect("a writable folder");
    }

    /// As the kubelet does: a folder of its own and a link that is swapped.
    fn write_secret(&self, value: &str) {
        let entry = &self.source.definition().spec.webhook.secrets[0];
        let entry = entry.secret_ref.as_ref().expect("a Secret");
        let folder = self.path("secrets").join(&entry.name);
        fs::create_dir_all(&folder).expect("a writable folder");
        let part = folder.join(".part");
        fs::write(&part, value).expect("a writable folder");
        fs::rename(part, folder.join(&entry.key)).expect("a writable folder");
    }

    fn command(&self) -> (Command, SocketAddr, SocketAddr) {
        let [listen, admin] = free_addresses();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mef-receiver"));
        command
            .arg("--definition")
            .arg(self.path("definition"))
            .arg("--secrets")
            .arg(self.path("secrets"))
            .args(["--listen", &listen.to_string(), "--admin", &admin.to_string()])
            .args(["--nats-url", &self.nats.url(), "--drain-notice-seconds", "0"])
            .stderr(Stdio::piped());
        (command, listen, admin)
    }

    fn start(&self) -> Pod {
        let (mut command, listen, admin) = self.command();
        let log = fs::File::create(self.path("log")).expect("a writable folder");
        let child = command.stderr(log).spawn().expect("the receiver starts");
        Pod { child, listen, admin }
    }

    /// What a receiver that does not start says.
    fn refusal(&self) -> String {
        let (mut command, ..) = self.command();
        let output = command.output().expect("the receiver runs");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    async fn kept(&self, lane: Lane) -> Vec<Delivery> {
        let queue = NatsQueue::new(self.connection.clone(), self.layout(), Settings::default());
        queue.scan(lane, None, 1_000).await.expect("a stream")
    }
}

impl Pod {
    async fn status(&self, address: SocketAddr, request: &str) -> Option<u16> {
        tokio::net::TcpStream::connect(address).await.ok()?;
        let mut client = Client::connect(address).await;
        client.send(request).await;
        Some(client.try_answer().await?.status)
    }

    async fn readiness(&self) -> Option<u16> {
        self.status(self.admin, "GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
    }

    async fn ready(&self) {
        eventually("readiness", || async { self.readiness().await == Some(200) }).await;
    }

    async fn post(&self, token: &str, uuid: &str) -> Option<u16> {
        let body = events(&[json!({"uuid": uuid})]);
        self.status(self.listen, &post_to("/okta", token, &body)).await
    }
}

fn free_addresses() -> [SocketAddr; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn an_accepted_event_is_in_the_stream_and_a_forged_one_is_not() {
    let bench = Bench::new().await;
    let pod = bench.start();
    pod.ready().await;
    assert_eq!(pod.post(TOKEN, "one").await, Some(204));
    assert_eq!(pod.post("wrong", "two").await, Some(401));
    let kept = bench.kept(Lane::Events).await;
    assert_eq!(kept.len(), 1);
    let text = String::from_utf8_lossy(&kept[0].body).into_owned();
    assert!(text.contains("\"uuid\":\"one\""), "{text}");
    assert_eq!(kept[0].attributes["mef-source"], bench.source.id());
}

#[tokio::test]
async fn a_repeated_delivery_is_one_message() {
    let bench = Bench::new().await;
    let pod = bench.start();
    pod.ready().await;
    for _ in 0..3 {
        assert_eq!(pod.post(TOKEN, "same").await, Some(204));
    }
    assert_eq!(bench.kept(Lane::Events).await.len(), 1);
    let mut client = Client::connect(pod.admin).await;
    client.send("GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let metrics = client.answer().await.text();
    assert!(
        metrics.contains("result=\"duplicate\",reason=\"none\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_rotated_secret_is_taken_while_it_runs_and_an_unusable_one_is_not() {
    let bench = Bench::new().await;
    let pod = bench.start();
    pod.ready().await;
    bench.write_secret("the-next-secret-of-this-source");
    eventually("the new secret", || async {
        pod.post("the-next-secret-of-this-source", "one").await == Some(204)
    })
    .await;
    assert_eq!(pod.post(TOKEN, "two").await, Some(401));
    bench.write_secret("");
    eventually("a word about it", || async {
        let log = fs::read_to_string(bench.path("log")).expect("a log");
        log.contains("the ones before stay in use")
    })
    .await;
    assert_eq!(
        pod.post("the-next-secret-of-this-source", "three").await,
        Some(204)
    );
}

#[tokio::test]
async fn without_its_queue_it_is_not_ready_and_a_sender_is_told_to_come_back() {
    let mut bench = Bench::new().await;
    bench.nats.kill();
    let pod = bench.start();
    eventually("probes", || async { pod.readiness().await == Some(503) }).await;
    let body = events(&[json!({"uuid": "one"})]);
    let mut client = Client::connect(pod.listen).await;
    client.send(post(&body)).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    bench.nats.run();
    pod.ready().await;
    assert_eq!(pod.post(TOKEN, "one").await, Some(204));
    // Lost again: it stays where senders find it, and says no.
    bench.nats.kill();
    eventually("a refusal", || async {
        pod.post(TOKEN, "two").await == Some(503)
    })
    .await;
    assert_eq!(pod.readiness().await, Some(200));
}

#[tokio::test]
async fn a_large_definition_comes_zipped() {
    let bench = Bench::new().await;
    fs::remove_file(bench.path("definition/definition.json")).expect("it is there");
    bench.write_definition("definition.json.gz");
    let pod = bench.start();
    pod.ready().await;
    assert_eq!(pod.post(TOKEN, "one").await, Some(204));
}

#[tokio::test]
async fn a_receiver_that_cannot_serve_says_why_and_does_not_start() {
    let bench = Bench::new().await;
    bench.write_secret("");
    let said = bench.refusal();
    assert!(said.contains("spec.webhook.secrets[0]"), "{said}");
    bench.write_secret(TOKEN);
    fs::write(bench.path("definition/definition.json"), "{\"spec\": 1}").expect("a writable folder");
    let said = bench.refusal();
    assert!(said.contains("definition.json: is no definition"), "{said}");
    fs::remove_file(bench.path("definition/definition.json")).expect("it is there");
    let said = bench.refusal();
    assert!(said.contains("holds neither definition.json nor"), "{said}");
}

#[tokio::test]
async fn it_ends_by_itself_when_it_is_told_to() {
    let bench = Bench::new().await;
    let mut pod = bench.start();
    pod.ready().await;
    let pid = pod.child.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(killed.expect("kill exists").success());
    let mut ended = None;
    eventually("its end", || {
        ended = pod.child.try_wait().expect("it is our child");
        let done = ended.is_some();
        async move { done }
    })
    .await;
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}
