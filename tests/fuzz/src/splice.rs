//! Bodies copied into messages as they came in, against the same message built of a `serde_json` value: equal, one line of
//! ASCII, and without the source's secret however it is spelled.

use std::sync::LazyLock;

use mef_pipeline::dead_letter::DeadReason;
use mef_pipeline::pipeline::{Message, Prepared};
use serde_json::{Map, Value, json};

use crate::bench::{Bench, KEPT, SECRET, any_text};
use crate::oracle::{self, Answer, Sequence};

/// Letters are bounded by the queue, and these bodies are far from it.
const LIMIT: usize = 1 << 20;
const TIME: &str = "2026-01-02T03:04:05.678+00:00";

static FORMATS: [&str; 3] = ["MozDef", "CloudEvents", "Raw"];

/// How bodies are read: what the first byte chooses, format by format.
#[derive(Clone, Copy)]
enum Reading {
    Json,
    Split,
    Ndjson,
    Stream,
}

static READINGS: [(Reading, &str); 4] = [
    (Reading::Json, r#"{"formats": ["Json"]}"#),
    (
        Reading::Split,
        r#"{"formats": ["Json"], "split": {"pointer": "/items"}}"#,
    ),
    (Reading::Ndjson, r#"{"formats": ["Ndjson"]}"#),
    (Reading::Stream, r#"{"formats": ["JsonStream"]}"#),
];

/// Every format with every reading.
static BENCHES: LazyLock<Vec<Bench>> = LazyLock::new(|| {
    let readings = || {
        READINGS
            .iter()
            .map(|(_, rules)| serde_json::from_str(rules).expect("JSON"))
    };
    let of_format =
        |format| readings().map(move |rules: Value| Bench::new(&json!({"format": format}), &rules));
    FORMATS.iter().flat_map(of_format).collect()
});

/// A letter from `a` to `l` that chooses format and reading, then a body.
pub fn target(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let choice = usize::from(choice.wrapping_sub(b'a')) % (FORMATS.len() * READINGS.len());
    let bench = &BENCHES[choice];
    let reading = READINGS[choice % READINGS.len()].0;
    let items = bench.post(body, &[]);
    for item in &items {
        check_shows_no_secret(item);
    }
    let Some(expected) = expected(reading, body) else {
        return;
    };
    assert_eq!(items.len(), expected.len(), "as many events as the body holds");
    for (item, expected) in items.iter().zip(&expected) {
        match (item, expected) {
            (Prepared::Event(message), Some(value)) => {
                if !any_text(value, &|text| bench.would_redact(text)) {
                    check(FORMATS[choice / READINGS.len()], message, value);
                }
            }
            (Prepared::DeadLetter(letter), None) => assert_eq!(letter.reason, DeadReason::Unparsable),
            (item, None) => panic!("an event of what serde_json refuses: {item:?}"),
            (item, Some(_)) => panic!("no event of what serde_json reads: {item:?}"),
        }
    }
}

/// The events of a body, none for what is unparsable; nothing at all where the oracle does not know.
fn expected(reading: Reading, body: &[u8]) -> Option<Vec<Option<Value>>> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Some(vec![None]);
    }
    Some(match reading {
        Reading::Json => vec![value(body)?],
        Reading::Split => match value(body)? {
            None => vec![None],
            Some(value) => match value.pointer("/items").and_then(Value::as_array) {
                Some(items) if !items.is_empty() => items.iter().cloned().map(Some).collect(),
                _ => vec![Some(value)],
            },
        },
        Reading::Stream => match oracle::sequence(body) {
            Sequence::Values(values) => values.into_iter().map(Some).collect(),
            Sequence::Refused | Sequence::Unspaced(..) => vec![None],
            Sequence::TooDeep => return None,
        },
        Reading::Ndjson => {
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let read = |line: &[u8]| value(line);
            let lines: Vec<_> = lines
                .filter(|line| !line.is_empty())
                .map(read)
                .collect::<Option<_>>()?;
            if lines.iter().all(Option::is_none) {
                vec![None]
            } else {
                lines
            }
        }
    })
}

fn value(text: &[u8]) -> Option<Option<Value>> {
    match oracle::value(text) {
        Answer::Accepts(value) => Some(Some(value)),
        Answer::Refuses => Some(None),
        Answer::TooDeep => None,
    }
}

fn check(format: &str, message: &Message, event: &Value) {
    let text = message.body();
    assert!(
        text.iter().all(|byte| (0x20..0x7f).contains(byte)),
        "one line of ASCII"
    );
    let Answer::Accepts(written) = oracle::value(text) else {
        panic!("the message is no JSON: {}", String::from_utf8_lossy(text));
    };
    let expected = match format {
        "MozDef" => mozdef(event, message.id()),
        "CloudEvents" => cloudevent(event, message.id(), &written),
        _ => event.clone(),
    };
    assert_eq!(written, expected);
}

fn mozdef(event: &Value, id: &str) -> Value {
    let mut details = match event {
        Value::Object(members) => members.clone(),
        other => Map::from_iter([("message".to_owned(), other.clone())]),
    };
    let mut mef = json!({
        "id": id, "receivedAt": TIME, "eventsource": "fuzz_api", "headers": {KEPT.0: KEPT.1},
    });
    if let Some(original) = details.remove("mef") {
        mef["original"] = original;
    }
    details.insert("mef".to_owned(), mef);
    json!({
        "hostname": "fuzz_host", "processname": "fuzz", "summary": "fuzz_event", "category": "fuzz",
        "source": "api_aws_lambda", "tags": ["fuzz"], "severity": "INFO", "timestamp": TIME, "utctimestamp": TIME,
        "details": details,
    })
}

fn cloudevent(event: &Value, id: &str, written: &Value) -> Value {
    let text = |name: &str| {
        event
            .get(name)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    };
    if event.get("specversion") == Some(&json!("1.0")) && text("id") && text("source") && text("type") {
        return event.clone();
    }
    let kind = match event.get("event") {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Bool(truth)) => truth.to_string(),
        // The digits are those of the body, and a value of serde_json has forgotten them.
        Some(number @ Value::Number(_)) => {
            let digits = written["type"].as_str().unwrap_or_default();
            assert_eq!(serde_json::from_str::<Value>(digits).ok().as_ref(), Some(number));
            digits.to_owned()
        }
        _ => "mef.fuzz".to_owned(),
    };
    json!({
        "specversion": "1.0", "id": id, "source": "/mef/security/fuzz", "type": kind, "time": TIME,
        "datacontenttype": "application/json", "data": event,
    })
}

/// Neither as it is nor behind JSON's escapes.
fn check_shows_no_secret(item: &Prepared) {
    let text = match item {
        Prepared::Event(message) => message.body().to_vec(),
        Prepared::DeadLetter(letter) => {
            let body = letter.body_bytes().expect("what we wrote we can read");
            check_bytes(&body);
            letter.encode(LIMIT).expect("it is small")
        }
        Prepared::Filtered => return,
    };
    check_bytes(&text);
    let Answer::Accepts(value) = oracle::value(&text) else {
        panic!("what is written is no JSON");
    };
    assert!(
        !any_text(&value, &|text| text.contains(SECRET)),
        "the secret is shown"
    );
}

fn check_bytes(text: &[u8]) {
    let shown = text.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(!shown, "the secret is shown");
}
