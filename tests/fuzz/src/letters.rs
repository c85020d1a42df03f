//! Dead letters: what is written is read back as it was, also packed; what is read at all is written again the same; and a
//! replay fails as the first time, one attempt later.

use std::sync::LazyLock;

use mef_pipeline::dead_letter::{Letter, Unit};
use mef_pipeline::pipeline::{Prepared, reprocess};
use serde_json::json;

use crate::bench::{Bench, SECRET};

const REPLAY: &str = "replay-1";
const ROOM: usize = 1 << 24;

static BENCHES: LazyLock<[Bench; 3]> = LazyLock::new(|| {
    let aborts = json!({"transform": "abort"});
    [
        Bench::new(&aborts, &json!({"formats": ["Json"]})),
        Bench::new(&aborts, &json!({"formats": ["Ndjson"]})),
        Bench::new(
            &json!({"filter": ".keep == true"}),
            &json!({"formats": ["Json"], "split": {"pointer": ""}}),
        ),
    ]
});

/// Bytes as a letter; and a letter from `a` to `c` that chooses a source, the limit in bytes divided by ten as a byte, and
/// a body that is genuine and of no use.
pub fn target(data: &[u8]) {
    if let Ok(letter) = Letter::decode(data) {
        check_read(&letter);
    }
    let [choice, limit, body @ ..] = data else {
        return;
    };
    let bench = &BENCHES[usize::from(choice.wrapping_sub(b'a')) % BENCHES.len()];
    for item in bench.post(body, &[]) {
        if let Prepared::DeadLetter(letter) = item {
            check_written(bench, &letter, usize::from(*limit) * 10);
        }
    }
}

/// A letter that somebody else wrote.
fn check_read(letter: &Letter) {
    let text = letter.encode(ROOM).expect("there is room");
    assert_eq!(Letter::decode(&text).as_ref(), Ok(letter), "read again");
    let bench = &BENCHES[0];
    let Ok(items) = reprocess(&bench.source, letter, REPLAY, &bench.keys, &|| false) else {
        return;
    };
    assert!(!items.is_empty(), "what was kept vanishes");
    for item in items {
        check_again(letter, &item);
    }
}

/// A letter of ours.
fn check_written(bench: &Bench, letter: &Letter, limit: usize) {
    let text = letter.encode(ROOM).expect("there is room");
    check_text(&text);
    let read = Letter::decode(&text).expect("what we wrote we can read");
    assert_eq!(read, *letter, "read again");
    match letter.encode(limit) {
        Ok(text) => {
            assert!(text.len() <= limit);
            check_text(&text);
            let read = Letter::decode(&text).expect("what we wrote we can read");
            assert_eq!(read.body_bytes(), letter.body_bytes(), "the body, packed");
            let unpacked = Letter {
                body: letter.body.clone(),
                body_encoding: letter.body_encoding,
                ..read
            };
            assert_eq!(unpacked, *letter, "all but the body, packed");
        }
        Err(error) => assert!(error.bytes > error.limit && error.limit == limit),
    }
    let items =
        reprocess(&bench.source, letter, REPLAY, &bench.keys, &|| false).expect("what we wrote goes back");
    assert!(!items.is_empty(), "what was kept vanishes");
    for item in &items {
        check_again(letter, item);
    }
    let redacted = letter.body.contains("[redacted]");
    if letter.unit == Unit::Item && !redacted {
        let [Prepared::DeadLetter(again)] = items.as_slice() else {
            panic!("one item becomes one letter again: {items:?}");
        };
        assert_eq!(again.reason, letter.reason);
        assert_eq!(again.body, letter.body);
    }
}

fn check_again(before: &Letter, item: &Prepared) {
    if let Prepared::DeadLetter(again) = item {
        assert_eq!(again.attempts, before.attempts.saturating_add(1));
        assert_eq!(again.replay.as_deref(), Some(REPLAY));
        assert_eq!(again.received_at, before.received_at);
        if again.unit == before.unit {
            assert_eq!(again.event_id, before.event_id);
        }
    }
}

fn check_text(text: &[u8]) {
    assert!(
        text.iter().all(|byte| (0x20..0x7f).contains(byte)),
        "one line of ASCII"
    );
    let shown = text.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(!shown, "the secret is shown");
}
