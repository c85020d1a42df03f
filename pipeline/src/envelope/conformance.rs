//! What MozDef's SQS worker makes of a message, as a check of one's own: bytes in, everything that is wrong with them out.
//!
//! Written from the worker's rules and Elasticsearch's mapping, not from the writer of this project, so that the two can
//! disagree. It reads with `serde_json` and shares no code with the envelope. The ancestor's message (eight fields, no
//! time) is known as such; the worker takes it, drops `eventsource` and fills the rest with `UNKNOWN`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The top-level keys the worker keeps. Anything else is dropped in silence, or taken for one of these by accident.
const KEYS: &[&str] = &[
    "category",
    "details",
    "hostname",
    "processid",
    "processname",
    "severity",
    "source",
    "summary",
    "tags",
    "timestamp",
    "utctimestamp",
];

/// The keys of the MozDef Event Framework of 2019.
const ANCESTOR_KEYS: &[&str] = &[
    "category",
    "details",
    "eventsource",
    "hostname",
    "processname",
    "source",
    "summary",
    "tags",
];

const SEVERITIES: &[&str] = &[
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "CRITICAL",
    "ALERT",
    "EMERGENCY",
];

/// Checks one message.
///
/// # Errors
/// Everything that is wrong with it, each a sentence with the consequence.
pub fn conform(message: &[u8]) -> Result<(), Vec<String>> {
    let mut wrong = Vec::new();
    if let Some(byte) = message.iter().find(|byte| !(0x20..0x7f).contains(*byte)) {
        wrong.push(format!(
            "byte {byte:#04x}: beyond printable ASCII the queue may refuse or replace characters"
        ));
    }
    match serde_json::from_slice::<Members>(message) {
        Ok(Members(members)) => Message {
            members,
            wrong: &mut wrong,
        }
        .check(),
        Err(error) => wrong.push(format!(
            "no JSON object, which the worker drops or dies of: {error}"
        )),
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

struct Message<'a> {
    members: Vec<(String, Box<RawValue>)>,
    wrong: &'a mut Vec<String>,
}

impl Message<'_> {
    fn check(&mut self) {
        let mut keys: Vec<String> = self.members.iter().map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        let ancestor = keys == ANCESTOR_KEYS;
        for pair in keys.windows(2) {
            if let [a, b] = pair
                && a == b
            {
                self.wrong.push(format!("{a} stands there twice"));
            }
        }
        for key in keys
            .iter()
            .filter(|key| !ancestor && !KEYS.contains(&key.as_str()))
        {
            self.wrong.push(format!(
                "top-level {key}: the worker drops it or takes it for another field"
            ));
        }
        for key in ["category", "hostname", "processname", "source", "summary"] {
            self.text(key);
        }
        self.tags();
        self.details();
        if !ancestor {
            self.severity();
            self.times();
            if self.raw("processid").is_some() {
                self.text("processid");
            }
        }
    }

    fn raw(&self, key: &str) -> Option<&str> {
        self.members
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.get())
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let text: Option<String> = self.raw(key).and_then(|raw| serde_json::from_str(raw).ok());
        if text.as_deref().is_none_or(str::is_empty) {
            self.wrong.push(format!(
                "{key} must be a string that is not empty; the worker would fill in UNKNOWN"
            ));
        }
        text
    }

    fn tags(&mut self) {
        if self
            .raw("tags")
            .and_then(|raw| serde_json::from_str::<Vec<String>>(raw).ok())
            .is_none()
        {
            self.wrong
                .push("tags must be a list of strings; anything else stops the worker".to_owned());
        }
    }

    fn details(&mut self) {
        if !self.raw("details").is_some_and(|raw| raw.starts_with('{')) {
            self.wrong
                .push("details must be an object; anything else lands in details.message".to_owned());
        }
    }

    fn severity(&mut self) {
        if let Some(severity) = self.text("severity")
            && !SEVERITIES.contains(&severity.as_str())
        {
            self.wrong.push(format!(
                "severity {severity:?} is none of {}",
                SEVERITIES.join(", ")
            ));
        }
    }

    fn times(&mut self) {
        let (event, utc) = (self.text("timestamp"), self.text("utctimestamp"));
        if event != utc {
            self.wrong
                .push("timestamp and utctimestamp differ; the last one in key order wins".to_owned());
        }
        if let Some(text) = event
            && !is_time(&text)
        {
            self.wrong.push(format!(
                "timestamp {text:?} is not ISO 8601 with +00:00; the worker drops the event"
            ));
        }
    }
}

/// `YYYY-MM-DDTHH:MM:SS[.f{1,6}]+00:00`, an existing day, no leap second.
fn is_time(text: &str) -> bool {
    let Some((date_time, "")) = text.split_once("+00:00") else {
        return false;
    };
    let (seconds, fraction) = date_time.split_once('.').unwrap_or((date_time, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.len() != "2026-01-02T03:04:05".len() || seconds.ends_with(":60") {
        return false;
    }
    if !digits(fraction) || fraction.len() > 6 {
        return false;
    }
    seconds.as_bytes().get(10) == Some(&b'T') && seconds.parse::<jiff::civil::DateTime>().is_ok()
}

/// The members of an object in order, duplicates kept.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"hostname":"zoom_host","processname":"zoom","summary":"zoom_event","category":"zoom",
        "source":"api_aws_lambda","tags":["zoom"],"severity":"INFO","timestamp":"2026-01-02T03:04:05.5+00:00",
        "utctimestamp":"2026-01-02T03:04:05.5+00:00","details":{"event":"a"}}"#;

    fn good() -> String {
        GOOD.replace("\n        ", "")
    }

    #[track_caller]
    fn wrong(from: &str, to: &str, expected: &str) {
        let message = good().replace(from, to);
        assert_ne!(message, good(), "{from:?} is not in the message");
        let found = conform(message.as_bytes()).unwrap_err();
        assert!(
            found.iter().any(|sentence| sentence.contains(expected)),
            "{found:?} lacks {expected:?}"
        );
    }

    #[test]
    fn a_message_as_mozdef_wants_it_conforms() {
        assert_eq!(conform(good().as_bytes()), Ok(()));
    }

    #[test]
    fn the_ancestors_message_conforms() {
        let message = r#"{"hostname":"zoom_host","processname":"zoom","summary":"zoom_event","category":"zoom","source":"api_aws_lambda","eventsource":"zoom_api","tags":["zoom"],"details":{"payload":{}}}"#;
        assert_eq!(conform(message.as_bytes()), Ok(()));
    }

    #[test]
    fn half_a_surrogate_pair_in_the_payload_conforms() {
        assert_eq!(conform(good().replace("\"a\"", r#""\ud800""#).as_bytes()), Ok(()));
    }

    #[test]
    fn what_mozdef_drops_or_dies_of_is_found() {
        wrong("\"tags\":[\"zoom\"]", "\"tags\":\"zoom\"", "tags must be a list");
        wrong("\"tags\":[\"zoom\"]", "\"tags\":null", "tags must be a list");
        wrong("\"tags\":[\"zoom\"]", "\"tags\":[1]", "tags must be a list");
        wrong("\"tags\"", "\"Tags\"", "top-level Tags");
        wrong(
            "\"details\":{\"event\":\"a\"}",
            "\"details\":[1]",
            "details must be an object",
        );
        wrong(
            "\"details\"",
            "\"eventsource\":\"x\",\"details\"",
            "top-level eventsource",
        );
        wrong("\"INFO\"", "\"info\"", "severity \"info\"");
        wrong("\"severity\":\"INFO\",", "", "severity must be a string");
        wrong(
            "\"summary\":\"zoom_event\"",
            "\"summary\":\"\"",
            "summary must be",
        );
        wrong("\"timestamp\":\"2026", "\"timestamp\":\"2025", "differ");
        wrong(
            "\"summary\"",
            "\"tags\":[],\"summary\"",
            "tags stands there twice",
        );
        wrong("zoom_event", "zoom_\u{e9}", "ASCII");
        wrong(
            "\"processname\"",
            "\"processid\":1,\"processname\"",
            "processid must be a string",
        );
        assert!(conform(b"[]").is_err() && conform(b"").is_err() && conform(b"null").is_err());
    }

    #[test]
    fn times_mozdef_drops_the_event_for_are_found() {
        for time in [
            "",
            "1700000000",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:60+00:00",
            "2026-01-02 03:04:05+00:00",
            "2026-01-02T03:04:05.1234567+00:00",
            "2026-02-30T03:04:05+00:00",
            "2026-01-02T03:04:05.+00:00",
            "2026-01-02T03:04:05+01:00",
            "2026-01-02",
            "2026-01-02T03:04:05+00:00+00:00",
            "2026-01-02T03:04:05.-1+00:00",
        ] {
            assert!(!is_time(time), "{time}");
        }
        assert!(is_time("2026-01-02T03:04:05+00:00") && is_time("2026-01-02T03:04:05.123456+00:00"));
    }
}
