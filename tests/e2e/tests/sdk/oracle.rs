//! Vendors' libraries, each language in one process that answers questions line by line.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use mef_crds::Parameters;
use mef_e2e::repository;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// Longer than any answer takes; whoever needs more is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a library signs and what our source needs to judge the same.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Library {
    pub name: String,
    pub version: String,
    pub preset: String,
    pub secret: String,
    /// One that the other side does not have.
    pub other_secret: String,
    /// Whether the library (or, with `signed_by`, its oracle) signs.
    pub signs: bool,
    #[serde(default)]
    pub signed_by: Option<String>,
    /// Header, path and body as far as they are not the usual ones.
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub bodies: Vec<String>,
    #[serde(default)]
    pub parameters: Parameters,
    /// What a fetcher would bring.
    #[serde(default)]
    pub network: Map<String, Value>,
    /// The uses of the secret, where the preset reads more than one.
    #[serde(default)]
    pub uses: Option<Vec<String>>,
    /// The key is published, so the source has no secret.
    #[serde(default)]
    pub keyless: bool,
    #[serde(default = "yes")]
    pub body_is_signed: bool,
    /// By name: a header, and its value with `{}` for the one that was signed.
    #[serde(default)]
    pub variants: BTreeMap<String, (String, String)>,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    pub method: String,
    pub url: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

#[derive(Deserialize)]
struct Signed {
    request: Request,
}

/// What a library says of a request.
#[derive(Deserialize)]
pub struct Opinion {
    pub accepted: bool,
    pub said: String,
}

pub struct Oracle {
    process: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
    _folder: TempDir,
}

impl Oracle {
    /// The libraries of both languages; `Err` says why they are not here.
    pub fn all(now: i64) -> Result<Vec<Self>, String> {
        let sdk = repository().join("tests/sdk");
        let script = sdk.join("fetch");
        let output = Command::new(&script).stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| format!("{} does not run: {error}", script.display()))?;
        if !output.status.success() {
            return Err(format!(
                "{} failed; it needs npm, python3 and the network once",
                script.display()
            ));
        }
        let installed = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let folder = || TempDir::new().unwrap();

        let mut python = Command::new(installed.join("venv/bin/python"));
        python.arg(sdk.join("oracle.py"));
        // Node finds packages beside the script.
        let beside = folder();
        std::fs::copy(sdk.join("oracle.mjs"), beside.path().join("oracle.mjs")).unwrap();
        std::os::unix::fs::symlink(installed.join("node_modules"), beside.path().join("node_modules"))
            .unwrap();
        let mut node = Command::new("node");
        node.arg(beside.path().join("oracle.mjs"));

        Ok(vec![
            Self::start(python, folder(), now),
            Self::start(node, beside, now),
        ])
    }

    fn start(mut command: Command, folder: TempDir, now: i64) -> Self {
        // No settings of whoever runs the tests.
        let mut process = command
            .arg(now.to_string())
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
        let questions = process.stdin.take().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            questions,
            answers,
            _folder: folder,
        }
    }

    pub fn libraries(&mut self) -> Vec<Library> {
        self.ask(&json!({"op": "libraries"}))
    }

    pub fn sign(&mut self, library: &Library, secret: &str, request: &Request, at: i64) -> Request {
        let question =
            json!({"op": "sign", "library": library.name, "secret": secret, "request": request, "at": at});
        self.ask::<Signed>(&question).request
    }

    pub fn verify(&mut self, library: &Library, request: &Request) -> Opinion {
        self.ask(
            &json!({"op": "verify", "library": library.name, "secret": library.secret, "request": request}),
        )
    }

    fn ask<T: DeserializeOwned>(&mut self, question: &Value) -> T {
        writeln!(self.questions, "{question}").expect("the oracle listens");
        let answer = self.answers.recv_timeout(PATIENCE);
        let answer = answer.unwrap_or_else(|error| panic!("no answer ({error}) to {question}"));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
