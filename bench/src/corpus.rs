//! What is sent: requests made beforehand, byte for byte, so that nothing is formatted or signed while it is measured.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use ring::hmac;
use serde::Deserialize;
use serde_json::{Value, json};

/// All requests are signed for this moment, and the receivers under test have a clock that stands there.
pub(crate) const AT: &str = "2026-01-02T03:04:05Z";
const AT_SECONDS: u64 = 1_767_323_045;
const SECRET: &[u8] = b"a secret of the bench";
/// From here on a body of GitHub's is a large one.
pub(crate) const LARGE_BYTES: usize = 20_000;

/// One request.
pub(crate) struct Case {
    /// Head and body.
    pub(crate) raw: Vec<u8>,
    /// The body alone.
    pub(crate) body: Vec<u8>,
    /// The event's name in GitHub's schemas; empty for Zoom's.
    pub(crate) event: String,
    /// Whether the schema takes it.
    pub(crate) valid: bool,
    /// What must become of it.
    pub(crate) becomes: Becomes,
}

/// What must become of a request that is not spoiled on purpose for a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Becomes {
    /// An event.
    Event,
    /// A dead letter, with the answer of an event: it is kept.
    DeadLetter,
    /// Refused with 401.
    Refused,
    /// There is no such path: 404.
    Unknown,
}

/// Sets of requests.
pub(crate) struct Corpus {
    /// S: like Zoom's `user.created`, about 0.4 KB.
    pub(crate) small: Vec<Case>,
    /// G: GitHub's published examples; none where they could not be fetched.
    pub(crate) github: Vec<Case>,
    /// GitHub's schema document.
    pub(crate) schema: Value,
}

/// Spoils requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoiled {
    /// As they should be.
    No,
    /// The signature is another's.
    Signature,
    /// There is no signature.
    Header,
}

#[derive(Deserialize)]
struct Payload {
    event: String,
    mutation: Option<String>,
    body: String,
}

#[derive(Deserialize)]
struct Verdict {
    valid: bool,
}

impl Corpus {
    /// Reads GitHub's examples from the folder that `tests/octokit/fetch` makes, and generates the rest. `seed` varies names.
    pub(crate) fn read(octokit: &Path, seed: u64) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = octokit.join(name);
            std::fs::read_to_string(&path)
                .with_context(|| format!("{}: run tests/octokit/fetch", path.display()))
        };
        let payloads: Vec<Payload> = serde_json::from_str(&read("payloads.json")?)?;
        let verdicts: Vec<Verdict> = serde_json::from_str(&read("verdicts.json")?)?;
        if payloads.len() != verdicts.len() {
            bail!("payloads.json and verdicts.json are of different runs: delete the folder and fetch again");
        }
        let github = payloads.into_iter().zip(verdicts);
        let github = github
            .filter(|(payload, _)| payload.mutation.is_none())
            .map(|(payload, verdict)| Case {
                raw: Vec::new(),
                body: payload.body.into_bytes(),
                event: payload.event,
                valid: verdict.valid,
                becomes: Becomes::Event,
            })
            .collect();
        let small = (0..64).map(|number| zoom(seed, number)).collect();
        Ok(Self {
            small,
            github,
            schema: serde_json::from_str(&read("schema.json")?)?,
        })
    }

    /// The requests that a set consists of: `S`, `G` (those that the schema takes) or `L` (the large ones among them).
    pub(crate) fn set(&self, name: &str, path: &str, spoiled: Spoiled) -> Vec<Case> {
        let from: Box<dyn Iterator<Item = &Case>> = match name {
            "S" => Box::new(self.small.iter()),
            "L" => Box::new(self.github.iter().filter(|case| case.body.len() >= LARGE_BYTES)),
            _ => Box::new(self.github.iter()),
        };
        from.filter(|case| case.valid)
            .map(|case| Case {
                raw: raw(case, path, spoiled),
                body: case.body.clone(),
                event: case.event.clone(),
                valid: true,
                becomes: Becomes::Event,
            })
            .collect()
    }

    /// M: of a hundred requests 90 are events, 4 are signed by another, 3 do not fit their schema, 2 are no JSON and 1 goes
    /// nowhere; all of GitHub's.
    pub(crate) fn mix(&self, path: &str) -> Vec<Case> {
        let mut valid = self.github.iter().filter(|case| case.valid).cycle();
        let mut invalid = self.github.iter().filter(|case| !case.valid).cycle();
        let mut found = Vec::new();
        for place in 0..400 {
            let (from, path, spoiled, becomes) = match place % 100 {
                10 | 35 | 60 | 85 => (valid.next(), path, Spoiled::Signature, Becomes::Refused),
                20 | 50 | 80 => (invalid.next(), path, Spoiled::No, Becomes::DeadLetter),
                30 | 70 => (valid.next(), path, Spoiled::No, Becomes::DeadLetter),
                99 => (valid.next(), "/nowhere", Spoiled::No, Becomes::Unknown),
                _ => (valid.next(), path, Spoiled::No, Becomes::Event),
            };
            let Some(from) = from else { continue };
            let cut = matches!(place % 100, 30 | 70);
            let mut case = Case {
                raw: Vec::new(),
                body: from.body[..from.body.len() - usize::from(cut)].to_vec(),
                event: from.event.clone(),
                valid: from.valid && !cut,
                becomes,
            };
            case.raw = raw(&case, path, spoiled);
            found.push(case);
        }
        found
    }
}

fn zoom(seed: u64, number: u64) -> Case {
    // Names and ids of one length: a set's sizes do not depend on the seed.
    let word = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(number.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    let id = format!("{word:016x}");
    let body = json!({
        "event": "user.created",
        "event_ts": 1_767_323_045_000_u64,
        "payload": {
            "account_id": "AbCdEfGhIjKlMnOpQrStUv", "operator": "admin@example.org", "operator_id": id,
            "creation_type": "create",
            "object": {"id": id, "first_name": id, "last_name": "Example", "email": format!("{id}@example.org"), "type": 1},
        },
    });
    Case {
        raw: Vec::new(),
        body: body.to_string().into_bytes(),
        event: String::new(),
        valid: true,
        becomes: Becomes::Event,
    }
}

fn hex(tag: &hmac::Tag) -> String {
    tag.as_ref().iter().fold(String::new(), |mut text, byte| {
        // A String takes every text.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn raw(case: &Case, path: &str, spoiled: Spoiled) -> Vec<u8> {
    let key = hmac::Key::new(
        hmac::HMAC_SHA256,
        if spoiled == Spoiled::Signature {
            b"another"
        } else {
            SECRET
        },
    );
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        case.body.len()
    );
    // A String takes every text.
    let _ = if case.event.is_empty() {
        let mut signed = format!("v0:{AT_SECONDS}:").into_bytes();
        signed.extend_from_slice(&case.body);
        write!(head, "x-zm-request-timestamp: {AT_SECONDS}\r\n").and_then(|()| match spoiled {
            Spoiled::Header => Ok(()),
            _ => write!(head, "x-zm-signature: v0={}\r\n", hex(&hmac::sign(&key, &signed))),
        })
    } else {
        write!(
            head,
            "x-github-event: {}\r\nx-github-delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958\r\n",
            case.event
        )
        .and_then(|()| match spoiled {
            Spoiled::Header => Ok(()),
            _ => write!(
                head,
                "x-hub-signature-256: sha256={}\r\n",
                hex(&hmac::sign(&key, &case.body))
            ),
        })
    };
    head.push_str("\r\n");
    let mut raw = head.into_bytes();
    raw.extend_from_slice(&case.body);
    raw
}

/// The key that everything is signed with.
pub(crate) fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, SECRET)
}

/// The file a user would write for these requests: Zoom's with one schema, GitHub's with a rule per event, each also with a
/// transform of three lines.
pub(crate) fn sources(schema: &Value, rules: usize) -> String {
    let transform = "del(.sender)\n.seen_by = \"bench\"\n.kind = .action\n";
    let zoom_schema = json!({
        "type": "object", "required": ["event", "payload"],
        "properties": {
            "event": {"type": "string", "minLength": 1},
            "payload": {"type": "object", "required": ["object"], "properties": {"object": {
                "type": "object", "required": ["id", "email"],
                "properties": {"id": {"type": "string"}, "email": {"type": "string"}, "type": {"enum": [1, 2]}},
            }}},
        },
    });
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bench"},
        "stringData": {"secret": String::from_utf8_lossy(SECRET)}});
    let alternatives = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let github_rules: Vec<Value> = alternatives.iter().take(rules).filter_map(rule).collect();
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "github"},
        "data": {"schema.json": schema.to_string()}});
    let mut documents = vec![secret, config_map];
    for (name, transform) in [("", None), ("-transform", Some(transform))] {
        let mut zoom = source(
            &format!("zoom{name}"),
            "zoom",
            &json!([{"inline": zoom_schema.to_string()}]),
        );
        let mut github = source(&format!("github{name}"), "github", &json!(github_rules));
        if let Some(transform) = transform {
            zoom["spec"]["transform"] = json!(transform);
            github["spec"]["transform"] = json!(transform);
        }
        documents.extend([zoom, github]);
    }
    // JSON is YAML.
    documents
        .iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join("\n---\n")
}

fn source(name: &str, provider: &str, schemas: &Value) -> Value {
    json!({
        "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource", "metadata": {"name": name},
        "spec": {
            "webhook": {"provider": provider, "secrets": [{"secretRef": {"name": "bench", "key": "secret"}}]},
            "schemas": schemas,
            "schemaFallback": "DeadLetter",
        },
    })
}

/// The definition of an event in GitHub's document, by its pointer.
pub(crate) fn pointer(alternative: &Value) -> Option<(&str, &str)> {
    let pointer = alternative["$ref"].as_str()?.trim_start_matches('#');
    let name = pointer.trim_start_matches("/definitions/");
    let event = name.strip_suffix("_event").or(name.strip_suffix("$event"))?;
    Some((event, pointer))
}

fn rule(alternative: &Value) -> Option<Value> {
    let (event, pointer) = pointer(alternative)?;
    Some(json!({
        "match": {"from": "header:x-github-event", "equals": event},
        "configMapRef": {"name": "github", "key": "schema.json", "pointer": pointer},
    }))
}
