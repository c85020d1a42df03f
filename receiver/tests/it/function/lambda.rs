//! The Runtime API, and the process behind it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::aws::Aws;
use crate::support::DEADLINE;

/// Where Debian puts the library that shows a process another time.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// What a function has said of one invocation.
#[derive(Debug)]
pub(crate) enum Said {
    Answer(Value),
    /// `invocation/…/error` or `init/error`, with its body.
    Error(String, Value),
}

/// A function that runs; it is killed with the value.
pub(crate) struct Lambda {
    child: Child,
    invocations: mpsc::UnboundedSender<Value>,
    said: mpsc::UnboundedReceiver<Said>,
}

impl Drop for Lambda {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lambda {
    /// Starts the package of a folder. Its queues are `<name>` and `<name>-dlq`; `at`: the time at which its clock
    /// stands.
    pub(crate) async fn start(folder: &Path, aws: &Aws, name: &str, at: Option<Timestamp>) -> Self {
        let queue = format!("{}/000000000000/{name}", aws.url);
        Self::start_with(folder, &aws.url, [queue.clone(), format!("{queue}-dlq")], at).await
    }

    pub(crate) async fn start_with(
        folder: &Path,
        endpoint: &str,
        [queue, dead]: [String; 2],
        at: Option<Timestamp>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let log = fs::File::create(folder.join("log")).expect("a writable folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("LAMBDA_TASK_ROOT", folder)
            .env("AWS_REGION", crate::ministack::REGION)
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", crate::ministack::KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", crate::ministack::SECRET_KEY)
            .env("MEF_QUEUE_URL", queue)
            .env("MEF_DEAD_LETTER_QUEUE_URL", dead)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(at) = at {
            assert!(
                Path::new(FAKETIME).exists(),
                "{FAKETIME} is missing; `make tools` installs Debian's package faketime"
            );
            command
                .env("LD_PRELOAD", FAKETIME)
                .env("FAKETIME", at.strftime("%Y-%m-%d %H:%M:%S").to_string())
                .env("TZ", "UTC")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let child = command.spawn().expect("bootstrap starts");
        let (invocations, waiting) = mpsc::unbounded_channel();
        let (says, said) = mpsc::unbounded_channel();
        tokio::spawn(serve(listener, waiting, says));
        Self {
            child,
            invocations,
            said,
        }
    }

    /// One invocation; what the function says of it.
    pub(crate) async fn invoke(&mut self, event: Value) -> Said {
        self.invocations.send(event).expect("the Runtime API listens");
        self.said().await
    }

    /// What the function says next.
    pub(crate) async fn said(&mut self) -> Said {
        let said = tokio::time::timeout(DEADLINE, self.said.recv()).await;
        said.expect("an answer in time").expect("the function lives")
    }

    /// The answer to one invocation.
    pub(crate) async fn answer(&mut self, event: Value) -> Value {
        match self.invoke(event).await {
            Said::Answer(answer) => answer,
            error @ Said::Error(..) => panic!("{error:?}"),
        }
    }
}

async fn serve(
    listener: TcpListener,
    mut waiting: mpsc::UnboundedReceiver<Value>,
    says: mpsc::UnboundedSender<Said>,
) -> Option<()> {
    loop {
        let (stream, _) = listener.accept().await.ok()?;
        let mut stream = BufReader::new(stream);
        while let Some((line, body)) = request(&mut stream).await {
            let (reply, said) = if line.starts_with("GET /2018-06-01/runtime/invocation/next ") {
                (waiting.recv().await?.to_string(), None)
            } else if line.starts_with("POST /2018-06-01/runtime/invocation/an-id/response ") {
                (String::new(), Some(Said::Answer(body)))
            } else {
                (String::new(), Some(Said::Error(line, body)))
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nLambda-Runtime-Aws-Request-Id: an-id\r\n\
                 Lambda-Runtime-Deadline-Ms: 600000\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:x\r\n\
                 Lambda-Runtime-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1\r\n\r\n",
                reply.len()
            );
            stream.write_all(format!("{head}{reply}").as_bytes()).await.ok()?;
            if let Some(said) = said {
                says.send(said).ok()?;
            }
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let line = head.lines().next()?.to_owned();
    Some((line, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}
