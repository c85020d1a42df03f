//! The scripted CloudFormation says of itself that it follows AWS. What MiniStack and moto implement too is held against it: the
//! same calls to all three, as the table beside this file says.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;
use mef_e2e::repository;
use mef_operator::aws::decide::Call;
use mef_operator::aws::edge::{Client, Http, Identity};
use mef_operator::aws::refusal::Refusal;
use mef_operator::aws::requests::{Document, Subject, request};
use mef_operator::aws::stack::{Stack, tag};
use mef_operator::aws::token::{Token, Verb};

use crate::ministack::{KEY_ID, MiniStack, REGION, SECRET_KEY};
use crate::wire::Server;

const NAME: &str = "mef-tests-conformance-9e743b18";
const PATIENCE: Duration = Duration::from_secs(60);

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().expect("a time")
}

fn document(hash: &str, seconds: u32) -> Document {
    let queue = format!(
        r#"{{"Resources":{{"EventQueue":{{"Type":"AWS::SQS::Queue","Properties":{{"VisibilityTimeout":{seconds}}}}}}}}}"#
    );
    Document {
        text: queue,
        tags: BTreeMap::from([
            (tag::HASH.to_owned(), hash.to_owned()),
            (tag::UID.to_owned(), "5f0c7c1e".to_owned()),
        ]),
    }
}

/// One server, and what it said so far.
struct Talk {
    client: Arc<Client>,
    said: Vec<(&'static str, String)>,
}

impl Talk {
    fn new(url: String) -> Self {
        let credentials = Credentials::new(KEY_ID, SECRET_KEY, None, None, "test");
        let identity = Identity {
            base: SharedCredentialsProvider::new(credentials),
            role_arn: None,
            external_id: None,
            session: "mef-tests".to_owned(),
        };
        let http = Http::new(Some(url)).expect("TLS");
        Self {
            client: Client::new(http, identity, REGION.to_owned(), "amazonaws.com"),
            said: Vec::new(),
        }
    }

    async fn call(&self, call: &Call, open: &Document) -> Result<String, Refusal> {
        let subject = Subject {
            name: NAME,
            role: "arn:aws:iam::111122223333:role/mef-cloudformation",
            open,
            closed: open,
            tags: &open.tags,
        };
        self.client.ask(request(call, &subject), now()).await
    }

    fn says(&mut self, step: &'static str, what: impl Into<String>) {
        self.said.push((step, what.into()));
    }

    /// Makes a call; the kind of the refusal, or `done`.
    async fn step(&mut self, step: &'static str, call: &Call, open: &Document) {
        let said = self.call(call, open).await;
        self.says(step, told(said.map(|_| "done".to_owned())));
    }

    /// Makes a call and waits for its end: the status, and the tag of the hash.
    async fn settles(&mut self, step: &'static str, call: &Call, open: &Document) -> Option<Stack> {
        if let Err(refusal) = self.call(call, open).await {
            self.says(step, told(Err(refusal)));
            return None;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stack = self.client.describe(NAME, now()).await.expect("an answer");
            let stack = stack.expect("a stack");
            if !stack.word.ends_with("IN_PROGRESS") {
                let hash = stack.hash().unwrap_or("-");
                self.says(step, format!("{} {hash}", stack.word));
                return Some(stack);
            }
            assert!(Instant::now() < deadline, "{step}: {}", stack.word);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn describe(&mut self, step: &'static str, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        let said = loop {
            let seen = self.client.describe(name, now()).await;
            match &seen {
                Ok(Some(stack)) if stack.word.ends_with("IN_PROGRESS") && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                _ => break seen,
            }
        };
        let said = said.map(|stack| stack.map_or_else(|| "NotThere".to_owned(), |stack| stack.word));
        self.says(step, told(said));
    }

    /// The life of a stack.
    async fn story(mut self) -> Vec<(&'static str, String)> {
        let token = |verb| Token::new("5f0c7c1e", "one", verb, 1);
        let create = Call::Create {
            token: token(Verb::Create),
        };
        let update = |id: &str, attempt| Call::Update {
            id: id.to_owned(),
            token: Token::new("5f0c7c1e", "two", Verb::Update, attempt),
            closed: false,
        };
        let delete = |id: &str| Call::Delete {
            id: id.to_owned(),
            token: token(Verb::Delete),
            retain: Vec::new(),
            force: false,
        };
        let (one, two) = (document("one", 30), document("two", 60));
        self.describe("describe what never was", NAME).await;
        self.step("update what never was", &update(NAME, 1), &one).await;
        self.step("delete what never was", &delete(NAME), &one).await;
        let made = self.settles("create", &create, &one).await.expect("a stack");
        self.step("create it again with its token", &create, &one).await;
        let again = Call::Create {
            token: Token::new("5f0c7c1e", "one", Verb::Create, 2),
        };
        self.step("create it again", &again, &one).await;
        self.step("update to what it is", &update(&made.id, 2), &one)
            .await;
        self.settles("update to another document", &update(&made.id, 3), &two)
            .await;
        let mut bare = two.clone();
        bare.tags.remove(tag::HASH);
        self.settles("update the tags alone", &update(&made.id, 4), &bare)
            .await;
        self.step("delete it while it is protected", &delete(&made.id), &two)
            .await;
        let unprotect = Call::Unprotect { id: made.id.clone() };
        self.step("let go of the protection", &unprotect, &two).await;
        self.step("delete it", &delete(&made.id), &two).await;
        self.describe("describe it by id", &made.id).await;
        self.describe("describe it by name", NAME).await;
        self.step("delete it once more", &delete(&made.id), &two).await;
        self.said
    }
}

fn told(said: Result<String, Refusal>) -> String {
    said.unwrap_or_else(|refusal| {
        println!("{}: {}", refusal.kind.as_str(), refusal.message);
        format!("{:?}", refusal.kind)
    })
}

/// moto's server, while it lives.
struct Moto(Child, u16);

impl Moto {
    fn start() -> Self {
        let fetched = Command::new(repository().join("tests/bed/aws/moto")).output();
        let fetched = fetched.expect("the script runs");
        assert!(
            fetched.status.success(),
            "{}",
            String::from_utf8_lossy(&fetched.stderr)
        );
        let folder = String::from_utf8_lossy(&fetched.stdout).trim().to_owned();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a free port").port();
        let child = Command::new(format!("{folder}/bin/python"))
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let moto = Self(child.expect("moto starts"), port);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "moto does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        moto
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn three_servers_answer_as_the_table_says() {
    let scripted = Server::start("111122223333", REGION, now()).await;
    scripted.tick(60);
    let ministack = MiniStack::start();
    let moto = Moto::start();
    let servers = [
        ("aws", scripted.url()),
        ("ministack", ministack.url()),
        ("moto", format!("http://127.0.0.1:{}", moto.1)),
    ];
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, url) in servers {
        println!("{name}");
        for (step, said) in Talk::new(url).story().await {
            found.entry(step).or_default().push(said);
        }
    }
    let path = repository().join("operator/tests/it/conformance.txt");
    let table = fs::read_to_string(path).expect("a table");
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let said = found.remove(cells[0]).unwrap_or_default();
        if said != cells[1..] {
            wrong.push(format!("{}: {said:?}", cells[0]));
        }
    }
    assert!(wrong.is_empty(), "otherwise than the table says: {wrong:#?}");
    assert!(found.is_empty(), "not in the table: {found:?}");
}
