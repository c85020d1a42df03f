//! Our verdicts against an independent validator's, one by one: GitHub's 329 example payloads (and two broken variants of
//! each) held against GitHub's own schemas, chosen by `X-GitHub-Event` as a source chooses them.
//!
//! Differences that are allowed: none. `format` is an annotation for us and for the other validator, which is run without
//! format checks; a schema that asserts formats would be the only documented difference, and these assert none.
//!
//! `tests/octokit/fetch` gets payloads, schemas and the other verdicts.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use mef_e2e::{Dev, conform, mef, skip};
use mef_pipeline::definition::Definition;
use mef_pipeline::manifest::{Manifests, SourceText};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::parse::{ParseRules, parse};
use mef_pipeline::received::Received;
use mef_pipeline::secret::KeyRing;
use mef_pipeline::validate::{Schemas, validate};
use mef_pipeline::verify::{Verifier, verify};
use ring::hmac;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;

const SECRET: &str = "a secret that GitHub and the source share";

#[derive(Deserialize)]
struct Payload {
    event: String,
    example: usize,
    mutation: Option<String>,
    definition: String,
    body: String,
}

#[derive(Deserialize)]
struct Verdict {
    event: String,
    example: usize,
    mutation: Option<String>,
    valid: bool,
}

/// What `tests/octokit/fetch` made.
struct Octokit {
    schema: String,
    payloads: Vec<Payload>,
    verdicts: Vec<Verdict>,
}

impl Octokit {
    /// `Err` says why there is none here.
    fn fetch() -> Result<Self, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../octokit/fetch");
        let output = Command::new(&script)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("{} does not run: {error}", script.display()))?;
        if !output.status.success() {
            return Err(format!(
                "{} failed; it needs npm, python3 and the network once",
                script.display()
            ));
        }
        let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the script wrote it");
        let octokit = Self {
            schema: read("schema.json"),
            payloads: serde_json::from_str(&read("payloads.json")).expect("payloads"),
            verdicts: serde_json::from_str(&read("verdicts.json")).expect("verdicts"),
        };
        let same = |(payload, verdict): (&Payload, &Verdict)| {
            (&payload.event, payload.example, &payload.mutation)
                == (&verdict.event, verdict.example, &verdict.mutation)
        };
        assert!(
            octokit.payloads.iter().zip(&octokit.verdicts).all(same),
            "one verdict per payload, in order"
        );
        let counts = (
            octokit.published().count(),
            octokit.payloads.len(),
            octokit.verdicts.len(),
        );
        assert_eq!(counts, (329, 987, 987));
        Ok(octokit)
    }

    /// The payloads as GitHub published them, with their places among all.
    fn published(&self) -> impl Iterator<Item = (usize, &Payload)> {
        let all = self.payloads.iter().enumerate();
        all.filter(|(_, payload)| payload.mutation.is_none())
    }

    /// The file a user would write: the ConfigMap with GitHub's schemas, and a source with a rule for every event of them.
    fn source_file(&self) -> String {
        let schema: Value = serde_json::from_str(&self.schema).expect("JSON");
        let alternatives = schema["oneOf"].as_array().expect("the schema lists its events");
        let rule = |alternative: &Value| {
            let pointer = alternative["$ref"]
                .as_str()
                .expect("a $ref")
                .trim_start_matches('#');
            let name = pointer.trim_start_matches("/definitions/");
            let event = name
                .strip_suffix("_event")
                .or(name.strip_suffix("$event"))
                .expect("an event");
            json!({
                "match": {"from": "header:x-github-event", "equals": event},
                "configMapRef": {"name": "octokit", "key": "schema.json", "pointer": pointer},
            })
        };
        let rules: Vec<_> = alternatives.iter().map(rule).collect();
        assert_eq!(rules.len(), 66, "events of webhooks-schemas 7.6.1");
        let source = json!({
            "apiVersion": "events.mozdef.io/v1alpha1",
            "kind": "EventSource",
            "metadata": {"name": "octokit"},
            "spec": {
                "webhook": {"provider": "github", "secrets": [{"secretRef": {"name": "octokit", "key": "secret"}}]},
                "schemas": rules,
                "schemaFallback": "DeadLetter",
            },
        });
        let config_map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "octokit"}, "data": {"schema.json": self.schema},
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "octokit"}, "stringData": {"secret": SECRET},
        });
        // JSON is YAML.
        format!("{source}\n---\n{config_map}\n---\n{secret}\n")
    }
}

impl Payload {
    fn name(&self) -> String {
        let mutation = self.mutation.as_deref().unwrap_or("as published");
        format!(
            "{} {} ({}, {mutation})",
            self.event, self.example, self.definition
        )
    }

    /// The headers GitHub sends; `delivery` is its id of the delivery.
    fn headers(&self, delivery: &str) -> Vec<(String, String)> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let tag = hmac::sign(&key, self.body.as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        [
            ("content-type", "application/json"),
            ("x-github-event", &self.event),
            ("x-github-delivery", delivery),
            ("x-hub-signature-256", &format!("sha256={hex}")),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

/// The stages an event meets up to its verdict.
struct Stages {
    verifier: Verifier,
    rules: ParseRules,
    schemas: Schemas,
    keys: KeyRing,
}

impl Stages {
    fn compile(file: String) -> Self {
        let manifests = Manifests::read(&[SourceText {
            file: "octokit.yaml".into(),
            text: file,
        }]);
        assert_eq!(manifests.problems(), []);
        let references = manifests.references();
        let (_, source) = manifests.sources().next().expect("the source");
        let definition = Definition::resolve(source, &references).expect("a definition");
        let (keys, problems) = definition.key_ring(&references);
        assert_eq!(problems, []);
        Self {
            verifier: Verifier::compile(&definition.preset.verification, &definition.spec.webhook)
                .expect("a verifier"),
            rules: ParseRules::compile(&definition).expect("rules"),
            schemas: Schemas::compile(&definition).expect("schemas"),
            keys,
        }
    }

    /// What is wrong with a payload; empty when it is valid.
    fn judge(&self, payload: &Payload) -> Vec<String> {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let received = Received {
            method: "POST".to_owned(),
            path: "/octokit".to_owned(),
            query: String::new(),
            headers: payload.headers("1").into_iter().collect(),
            body: payload.body.clone().into(),
            peer: None,
            trace: None,
            client_certificate: None,
            at: now,
            request_id: "request".to_owned(),
        };
        let verified =
            verify(&self.verifier, received, &self.keys, &NetworkKeys::none(), now).expect("it is signed");
        let mut items = parse(&self.rules, verified).into_items();
        assert_eq!(items.len(), 1, "{}", payload.name());
        let item = items
            .remove(0)
            .unwrap_or_else(|unparsable| panic!("{:?}", unparsable.detail()));
        match validate(&self.schemas, item) {
            Ok(_) => Vec::new(),
            Err(invalid) => invalid
                .detail()
                .iter()
                .map(|detail| {
                    format!(
                        "{} {}",
                        detail.instance_path.as_deref().unwrap_or("-"),
                        detail.message
                    )
                })
                .collect(),
        }
    }
}

/// Every difference, told; and how many of each verdict there were, by whether the payload is as published.
fn compare(octokit: &Octokit, ours: impl Fn(usize, &Payload) -> Option<Vec<String>>) {
    let mut differences = Vec::new();
    let mut counts: BTreeMap<(bool, bool), usize> = BTreeMap::new();
    for (index, (payload, verdict)) in octokit.payloads.iter().zip(&octokit.verdicts).enumerate() {
        let Some(errors) = ours(index, payload) else {
            continue;
        };
        *counts
            .entry((payload.mutation.is_none(), verdict.valid))
            .or_default() += 1;
        if errors.is_empty() != verdict.valid {
            let theirs = if verdict.valid { "valid" } else { "invalid" };
            differences.push(format!("{}: theirs {theirs}, ours {errors:?}", payload.name()));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert_eq!(counts[&(true, true)] + counts[&(true, false)], 329);
    // Agreement shows something only where there are both verdicts.
    assert!(
        counts[&(true, true)] > 200 && counts[&(true, false)] > 20,
        "{counts:?}"
    );
    println!("verdicts compared, by (as published, valid): {counts:?}");
}

#[test]
fn the_engine_agrees_with_an_independent_validator_on_every_payload() {
    let octokit = match Octokit::fetch() {
        Ok(octokit) => octokit,
        Err(reason) => return skip(&reason),
    };
    let stages = Stages::compile(octokit.source_file());
    compare(&octokit, |_, payload| Some(stages.judge(payload)));
}

#[derive(Deserialize)]
struct Line {
    message: Box<RawValue>,
}

/// What `mef dev` did with each delivery: nothing is wrong with what is in the queue, something with each dead letter.
fn kept(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let mut kept = BTreeMap::new();
    let id = |headers: &Value| {
        headers["x-github-delivery"]
            .as_str()
            .expect("GitHub's id is kept")
            .to_owned()
    };
    for line in mef(folder, ["tail", "octokit", "--no-follow", "-o", "json"])
        .exits(0)
        .stdout
        .lines()
    {
        let line: Line = serde_json::from_str(line).expect("a line of mef tail");
        // The bytes as they are in the queue, not as a parser would write them again.
        conform(line.message.get().as_bytes());
        let message: Value = serde_json::from_str(line.message.get()).expect("JSON");
        let twice = kept.insert(id(&message["details"]["mef"]["headers"]), Vec::new());
        assert!(twice.is_none(), "kept twice: {message}");
    }
    for letter in mef(folder, ["dlq", "export", "-o", "json"]).exits(0).json_lines() {
        assert_eq!(letter["reason"], "schema", "{letter}");
        let details = letter["detail"].as_array().expect("details");
        let told = details
            .iter()
            .map(|detail| format!("{} {}", detail["instancePath"], detail["message"]));
        let twice = kept.insert(id(&letter["headers"]), told.collect());
        assert!(twice.is_none(), "kept twice: {letter}");
    }
    kept
}

#[test]
fn mef_dev_agrees_with_an_independent_validator_on_every_signed_payload() {
    let octokit = match Octokit::fetch() {
        Ok(octokit) => octokit,
        Err(reason) => return skip(&reason),
    };
    let folder = TempDir::new().expect("a temporary folder");
    let at = folder.path();
    std::fs::write(at.join("octokit.yaml"), octokit.source_file()).expect("the file is written");
    let dev = Dev::start(at, &["octokit.yaml"]);
    for (index, payload) in octokit.published() {
        let answer = dev.post(
            "/octokit",
            &payload.headers(&index.to_string()),
            payload.body.as_bytes(),
        );
        let answer = answer.unwrap_or_else(|| panic!("{}: no answer\n{}", payload.name(), dev.log()));
        assert!(
            (200..300).contains(&answer.status),
            "{}: {answer:?}",
            payload.name()
        );
    }
    let kept = kept(at);
    assert_eq!(kept.len(), 329, "every payload is kept once");
    compare(&octokit, |index, payload| {
        let published = payload.mutation.is_none();
        published.then(|| kept[&index.to_string()].clone())
    });
}
