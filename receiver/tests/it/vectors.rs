//! The vectors of verification and handshakes once more, over real HTTP with the clock of each vector: the same verdicts.
//! `MEF_VECTORS=<file>[:<file>]` adds files of the same format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use mef_pipeline::network_keys::KeysFile;
use mef_pipeline::preset::Preset;
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::sign::{UnsignedRequest, sign};
use mef_pipeline::source::Source;
use mef_queue::Lane;
use mef_receiver::{Admin, CallSettings, FixedClock, Limits, Route};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::support::{Answer, Server, SourceBuilder, TestQueue};

/// A time for vectors that name none; no sender signed one there.
const NOW: i64 = 1_700_000_010;

#[derive(Deserialize)]
pub(crate) struct Vectors {
    #[serde(default)]
    pub(crate) verify: Vec<Vector>,
    #[serde(default)]
    pub(crate) challenge: Vec<Vector>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    preset: String,
    secrets: Vec<String>,
    /// What the sender publishes, by URL or key id; keys of HTTP signatures are secrets here.
    #[serde(default)]
    keys: Map<String, Value>,
    #[serde(default)]
    config: Config,
    #[serde(default)]
    allowlist: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    method: Option<String>,
    url: Option<String>,
    now: Option<i64>,
    expect: Option<String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default)]
    presigned: bool,
    verify_token: Option<String>,
    expect_status: Option<u16>,
    expect_json: Option<Value>,
    expect_text: Option<String>,
    #[serde(default)]
    expect_headers: BTreeMap<String, String>,
}

/// What the source says besides secrets.
#[derive(Clone, Default, Deserialize)]
struct Config {
    iss: Option<String>,
    aud: Option<String>,
    #[serde(default)]
    senders: Vec<String>,
    key_set_url: Option<String>,
}

/// What one vector is about: a source, its keys, and the request that is sent to it.
pub(crate) struct Prepared {
    pub(crate) source: Arc<Source>,
    pub(crate) keys: KeyRing,
    pub(crate) now: Timestamp,
    pub(crate) request: UnsignedRequest,
}

/// A server for one vector, and the request that is sent to it.
pub(crate) struct Case {
    pub(crate) server: Server,
    pub(crate) queue: Arc<TestQueue>,
    request: Vec<u8>,
}

impl Case {
    pub(crate) async fn ask(&self) -> Answer {
        self.server.ask(&self.request).await
    }
}

impl Vector {
    fn url(&self) -> (String, String) {
        let url = self.url.as_deref().unwrap_or("https://hooks.example.org/hook");
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let more = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace('+', "%2B").replace(' ', "%20")));
        let query = Some(query.to_owned())
            .filter(|query| !query.is_empty())
            .into_iter()
            .chain(more)
            .collect::<Vec<_>>()
            .join("&");
        (base.to_owned(), query)
    }

    fn secrets(&self) -> Vec<&str> {
        let keys = self.keys.values().filter_map(|key| key["k"].as_str());
        self.secrets.iter().map(String::as_str).chain(keys).collect()
    }

    /// What the sender publishes, as a file of keys.
    pub(crate) fn published(&self) -> Vec<u8> {
        let published = self.keys.iter().filter(|(_, key)| key["k"].is_null());
        let published: BTreeMap<_, _> = published.collect();
        serde_json::to_vec(&published).expect("JSON")
    }

    fn parameters(&self) -> Value {
        let allowed = if self.expect.is_some() {
            "topics"
        } else {
            "origins"
        };
        let mut parameters = json!({allowed: self.allowlist, "senders": self.config.senders});
        for (name, value) in [
            ("issuer", &self.config.iss),
            ("audience", &self.config.aud),
            ("keySetUrl", &self.config.key_set_url),
        ] {
            if let Some(value) = value {
                parameters[name] = json!(value);
            }
        }
        parameters
    }

    /// Each text as a secret for each use the preset reads.
    fn keys(&self, preset: &Preset) -> KeyRing {
        let uses = preset.secrets.iter().map(|secret| secret.usage.as_str());
        let uses: Vec<_> = uses.filter(|usage| *usage != "verify_token").collect();
        let signing = self.secrets().into_iter().flat_map(|secret| {
            let each = uses.iter().map(move |usage| (*usage, secret));
            each.collect::<Vec<_>>()
        });
        let tokens = self
            .verify_token
            .iter()
            .map(|token| ("verify_token", token.as_str()));
        let keys = signing.chain(tokens).enumerate();
        KeyRing::new(
            keys.map(|(index, (usage, secret))| Key {
                index,
                usage: usage.to_owned(),
                secret: Secret::new(secret.as_bytes()),
                not_before: None,
                not_after: None,
            })
            .collect(),
        )
    }

    /// `None` where the preset is not there yet.
    pub(crate) fn prepared(&self) -> Option<Prepared> {
        let preset = Preset::get(&self.preset)?;
        let now = Timestamp::from_second(self.now.unwrap_or(NOW)).expect("a time");
        let (base, query) = self.url();
        let path = format!("/{}", base.splitn(4, '/').nth(3).unwrap_or_default());
        let source = SourceBuilder::provider("vector", &self.preset)
            .usages(preset.secrets.iter().map(|secret| secret.usage.as_str()))
            .with("/webhook/parameters", self.parameters())
            .with("/webhook/publicUrl", json!(base))
            .with("/webhook/path", json!(path));
        let (source, _) = source.build();
        let keys = self.keys(preset);
        let mut request = UnsignedRequest {
            method: self.method.clone().unwrap_or_else(|| "POST".to_owned()),
            path,
            query,
            headers: self.headers.clone().into_iter().collect(),
            body: self.body.clone().into_bytes().into(),
        };
        if self.presigned {
            let signed = sign(source.verifier(), &keys, &request, now).expect("it can be signed");
            request.headers = signed.headers().to_vec();
            request.query = signed.query().to_owned();
            request.body = signed.body().clone();
        }
        Some(Prepared {
            source,
            keys,
            now,
            request,
        })
    }

    /// `None` where the preset is not there yet.
    pub(crate) async fn case(&self) -> Option<Case> {
        Some(self.serve(self.prepared()?).await)
    }

    /// A server for what was prepared of this vector.
    pub(crate) async fn serve(&self, prepared: Prepared) -> Case {
        let Prepared {
            source,
            keys,
            now,
            request,
        } = prepared;
        let queue = Arc::new(TestQueue::new());
        let route = Route::new(source, Arc::new(keys), queue.clone());
        let clock = Arc::new(FixedClock::new(now));
        let server = Server::with(vec![route], Limits::default(), clock, Admin::default()).await;
        let settings = CallSettings {
            given: Some(KeysFile::parse(&self.published()).expect("a file of keys")),
            ..CallSettings::default()
        };
        server.receiver.call_senders(&settings).expect("roots");
        Case {
            server,
            queue,
            request: bytes(&request),
        }
    }
}

/// The request as it goes over the wire.
fn bytes(request: &UnsignedRequest) -> Vec<u8> {
    let query = if request.query.is_empty() { "" } else { "?" };
    let mut text = format!(
        "{} {}{query}{} HTTP/1.1\r\n",
        request.method, request.path, request.query
    );
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    for (name, value) in [
        ("host", "hooks.example.org"),
        ("content-length", &request.body.len().to_string()),
    ] {
        if !request
            .headers
            .iter()
            .any(|(given, _)| given.eq_ignore_ascii_case(name))
        {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    text.push_str("\r\n");
    [text.as_bytes(), &request.body[..]].concat()
}

#[derive(Default)]
struct Tally {
    verified: usize,
    challenged: usize,
    /// Refused only until the key can be had.
    unavailable: Vec<String>,
    absent: Vec<String>,
    wrong: Vec<String>,
}

async fn run(vectors: &Vectors) -> Tally {
    let mut tally = Tally::default();
    for vector in &vectors.verify {
        let Some(case) = vector.case().await else {
            tally.absent.push(format!("{} ({})", vector.name, vector.preset));
            continue;
        };
        let answer = case.ask().await;
        let kept = !(case.queue.kept(Lane::Events).is_empty() && case.queue.kept(Lane::Dead).is_empty());
        // A genuine request leaves something behind and is acknowledged; a forged one neither.
        let preset = Preset::get(&vector.preset).expect("it is there");
        let refused = preset.ack.unverified_status.unwrap_or(401);
        let scrape = case.server.scrape().await;
        match (vector.expect.as_deref(), answer.status, kept) {
            (Some("accept"), 200..=299, true) | (Some("reject"), 401, false) => tally.verified += 1,
            (Some("reject"), status, false) if status == refused => tally.verified += 1,
            // A method that the source does not take at all.
            (Some("reject"), 405, false)
                if vector.method.as_deref().is_some_and(|method| method != "POST") =>
            {
                tally.verified += 1;
            }
            // Headers that the edge reads no further.
            (Some("reject"), 431, false) if vector.headers.values().any(|value| value.len() > 32 * 1_024) => {
                tally.verified += 1;
            }
            // Whether it is genuine cannot be told without the key, and the sender is told to come back.
            (Some("reject"), 503, false) if scrape.requests("unavailable", "keys-unavailable") == 1 => {
                tally.verified += 1;
                tally.unavailable.push(vector.name.clone());
            }
            (expected, status, kept) => tally.wrong.push(format!(
                "{}: expected {expected:?}, answered {status}, kept: {kept}",
                vector.name
            )),
        }
        scrape.assert_laws();
    }
    for vector in &vectors.challenge {
        let Some(case) = vector.case().await else {
            tally.absent.push(format!("{} ({})", vector.name, vector.preset));
            continue;
        };
        let answer = case.ask().await;
        match unlike(vector, &answer) {
            None => tally.challenged += 1,
            Some(what) => tally
                .wrong
                .push(format!("{}: {what}, got {answer:?}", vector.name)),
        }
        assert!(case.queue.kept(Lane::Events).is_empty(), "{}", vector.name);
        case.server.scrape().await.assert_laws();
    }
    tally
}

/// What the answer to a handshake lacks.
fn unlike(vector: &Vector, answer: &Answer) -> Option<&'static str> {
    if Some(answer.status) != vector.expect_status {
        return Some("another status");
    }
    if let Some(expected) = &vector.expect_json {
        if serde_json::from_slice::<Value>(&answer.body).ok().as_ref() != Some(expected) {
            return Some("another JSON body");
        }
        if answer.header("content-type") != Some("application/json") {
            return Some("not marked as JSON");
        }
    }
    if let Some(expected) = &vector.expect_text {
        if answer.text() != *expected {
            return Some("another text");
        }
        if answer.header("x-content-type-options") != Some("nosniff") {
            return Some("no nosniff");
        }
    }
    let headers = vector.expect_headers.iter();
    let mut missing = headers.filter(|(name, value)| answer.header(name) != Some(value));
    missing.next().map(|_| "another header")
}

pub(crate) fn read(path: &Path) -> Vectors {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn report(name: &str, tally: &Tally) {
    println!(
        "{name}: {} verify and {} challenge vectors as expected, {} without a preset yet: {}",
        tally.verified,
        tally.challenged,
        tally.absent.len(),
        tally.absent.join(", ")
    );
    assert!(tally.wrong.is_empty(), "{name}:\n{}", tally.wrong.join("\n"));
}

#[tokio::test]
async fn every_committed_vector_has_its_verdict_over_http() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../pipeline/tests/data/webhook-vectors.json"
    );
    let tally = run(&read(Path::new(path))).await;
    report("committed vectors", &tally);
    assert_eq!((tally.verified, tally.challenged), (85, 10));
    assert_eq!(tally.unavailable, [""; 0], "each comes with the keys it needs");
}

#[tokio::test]
async fn every_vector_of_our_script_has_its_verdict_over_http() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipeline/tests/data");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of vectors") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with("vectors-") && name.ends_with(".json") {
            let tally = run(&read(&path)).await;
            report(&name, &tally);
            println!("refused only until the key can be had: {:?}", tally.unavailable);
            seen += tally.verified + tally.challenged;
        }
    }
    assert!(seen > 500, "only {seen} vectors");
}

#[tokio::test]
async fn every_vector_named_by_the_environment_has_its_verdict_over_http() {
    let Some(paths) = std::env::var_os("MEF_VECTORS") else {
        println!("MEF_VECTORS names no further files");
        return;
    };
    for path in std::env::split_paths(&paths).filter(|path| *path != PathBuf::new()) {
        report(&path.display().to_string(), &run(&read(&path)).await);
    }
}
