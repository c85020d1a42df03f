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
pub(crate) const SECRET: &[u8] = b"a secret of the bench";
/// From here on a body of GitHub's is a large one.
pub(crate) const LARGE_BYTES: usize = 20_000;
/// Sizes of what is refused on purpose.
const REJECTED_BYTES: std::ops::Range<usize> = 10_000..25_000;
/// More than a receiver takes where nothing else is said.
const ANNOUNCED_BYTES: usize = 2_000_000;
/// What GitHub calls a delivery; its last digits are made new for each request.
const DELIVERY: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
/// So many digits.
const DELIVERY_DIGITS: usize = 12;

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
    /// Where in `raw` the last digits of GitHub's delivery id stand, which the load makes new for each request.
    pub(crate) delivery: Option<std::ops::Range<usize>>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoiled {
    /// As they should be.
    No,
    /// The signature is another's.
    Signature,
    /// There is no signature.
    Header,
    /// The schema does not take them.
    Schema,
    /// The last byte is missing: no JSON.
    Cut,
    /// They go where nothing is.
    Path,
    /// The head announces more than is taken, and nothing follows it.
    Large,
    /// As they should be, but each asks that the connection be closed.
    Close,
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
                delivery: None,
            })
            .collect();
        let small = (0..64).map(|number| zoom(seed, number)).collect();
        Ok(Self {
            small,
            github,
            schema: serde_json::from_str(&read("schema.json")?)?,
        })
    }

    /// The requests that a set consists of: `S`, `G` (those that the schema takes), `L` (the large ones among them) or `R`
    /// (those of 10 to 25 kB).
    pub(crate) fn set(&self, name: &str, path: &str, spoiled: Spoiled) -> Vec<Case> {
        let from = match name {
            "S" => &self.small,
            _ => &self.github,
        };
        let sizes = match name {
            "L" => LARGE_BYTES..usize::MAX,
            "R" => REJECTED_BYTES,
            _ => 0..usize::MAX,
        };
        from.iter()
            .filter(|case| sizes.contains(&case.body.len()) && case.valid == (spoiled != Spoiled::Schema))
            .map(|case| made(case, path, spoiled))
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
                30 | 70 => (valid.next(), path, Spoiled::Cut, Becomes::DeadLetter),
                99 => (valid.next(), path, Spoiled::Path, Becomes::Unknown),
                _ => (valid.next(), path, Spoiled::No, Becomes::Event),
            };
            let Some(from) = from else { continue };
            let mut case = made(from, path, spoiled);
            case.becomes = becomes;
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
        delivery: None,
    }
}

fn hex(tag: &hmac::Tag) -> String {
    tag.as_ref().iter().fold(String::new(), |mut text, byte| {
        // A String takes every text.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A request of a case, spoiled.
fn made(case: &Case, path: &str, spoiled: Spoiled) -> Case {
    let cut = usize::from(spoiled == Spoiled::Cut);
    let body = match spoiled {
        Spoiled::Large => Vec::new(),
        _ => case.body[..case.body.len() - cut].to_vec(),
    };
    let mut raw = head(case, &body, path, spoiled).into_bytes();
    let delivery = raw
        .windows(DELIVERY.len())
        .position(|window| window == DELIVERY.as_bytes());
    raw.extend_from_slice(&body);
    Case {
        raw,
        body,
        event: case.event.clone(),
        valid: case.valid && spoiled != Spoiled::Cut,
        becomes: match spoiled {
            Spoiled::Schema | Spoiled::Cut => Becomes::DeadLetter,
            _ => Becomes::Event,
        },
        delivery: delivery.map(|at| at + DELIVERY.len() - DELIVERY_DIGITS..at + DELIVERY.len()),
    }
}

fn head(case: &Case, body: &[u8], path: &str, spoiled: Spoiled) -> String {
    let key = hmac::Key::new(
        hmac::HMAC_SHA256,
        match spoiled {
            Spoiled::Signature => b"another",
            _ => SECRET,
        },
    );
    let path = match spoiled {
        Spoiled::Path => "/nowhere",
        _ => path,
    };
    let length = match spoiled {
        Spoiled::Large => ANNOUNCED_BYTES,
        _ => body.len(),
    };
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    );
    if spoiled == Spoiled::Close {
        head.push_str("connection: close\r\n");
    }
    let signed = spoiled != Spoiled::Header;
    // A String takes every text.
    let _ = if case.event.is_empty() {
        let message = [format!("v0:{AT_SECONDS}:").as_bytes(), body].concat();
        write!(head, "x-zm-request-timestamp: {AT_SECONDS}\r\n").and_then(|()| match signed {
            false => Ok(()),
            true => write!(
                head,
                "x-zm-signature: v0={}\r\n",
                hex(&hmac::sign(&key, &message))
            ),
        })
    } else {
        write!(
            head,
            "x-github-event: {}\r\nx-github-delivery: {DELIVERY}\r\n",
            case.event
        )
        .and_then(|()| match signed {
            false => Ok(()),
            true => write!(
                head,
                "x-hub-signature-256: sha256={}\r\n",
                hex(&hmac::sign(&key, body))
            ),
        })
    };
    head.push_str("\r\n");
    head
}

/// The key that everything is signed with.
pub(crate) fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, SECRET)
}

/// The definition of an event in GitHub's document, by its pointer.
pub(crate) fn pointer(alternative: &Value) -> Option<(&str, &str)> {
    let pointer = alternative["$ref"].as_str()?.trim_start_matches('#');
    let name = pointer.trim_start_matches("/definitions/");
    let event = name.strip_suffix("_event").or(name.strip_suffix("$event"))?;
    Some((event, pointer))
}
