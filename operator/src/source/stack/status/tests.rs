use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::*;
use crate::aws::known::{Letter, Sample};

fn at(text: &str) -> Timestamp {
    format!("2026-01-02T{text}Z").parse().unwrap()
}

fn sample() -> Option<Sample> {
    let letter = |id: &str, reason: Option<&str>, sent: &str| Letter {
        id: id.to_owned(),
        reason: reason.map(str::to_owned),
        sent_at: Some(at(sent)),
    };
    Sample::of(&[
        letter("a", Some("schema"), "03:59:59"),
        letter("b", Some("schema"), "02:10:00"),
        letter("c", None, "03:00:00"),
    ])
}

/// What the status says of the queues, with the condition's message.
fn said(queues: &Queues) -> Value {
    let names = Names::new("tests", "security", "zoom", None);
    let before = QueueStatus::default();
    let condition = dead_letters(Some(&Ok(queues.clone())));
    json!({
        "queue": queue(queues, &names, Some(&before)),
        "deadLetter": dead_letter(queues, &names),
        "condition": [condition.holds, condition.reason.as_str(), condition.message],
    })
}

#[test]
fn a_sample_is_told_as_a_sample_beside_the_count_of_all() {
    let names = Names::new("tests", "security", "zoom", None);
    let (queue, dead) = (names.queue(), names.dead_letters());
    let everything = Queues {
        events: 7,
        dead: 4_711,
        sample: sample(),
        oldest: Some(at("01:02:03")),
    };
    assert_eq!(
        said(&everything),
        json!({
            "queue": {"name": queue, "messages": 7, "oldest": "2026-01-02T01:00:00Z"},
            "deadLetter": {"name": dead, "messages": 4_711, "byReason": {"redrive": 1, "schema": 2}, "sampled": 3,
                "oldest": "2026-01-02T02:00:00Z"},
            "condition": [true, "MessagesPresent", "there are dead letters, among them: redrive, schema"],
        })
    );
    // Where neither can be had, the counts are told.
    let counts = Queues {
        events: 7,
        dead: 4_711,
        ..Queues::default()
    };
    assert_eq!(
        said(&counts),
        json!({
            "queue": {"name": queue, "messages": 7},
            "deadLetter": {"name": dead, "messages": 4_711},
            "condition": [true, "MessagesPresent", "there are dead letters"],
        })
    );
    assert_eq!(
        said(&Queues::default()),
        json!({
            "queue": {"name": queue, "messages": 0},
            "deadLetter": {"name": dead, "messages": 0},
            "condition": [false, "Empty", "there are no dead letters"],
        })
    );
}

/// What stood, what is estimated now, and what stands then.
#[test]
fn an_estimate_that_wavers_does_not_move_the_hour() {
    for (before, estimate, after) in [
        (None, "03:59:30", "03:00:00"),
        (Some("03:00:00"), "03:59:30", "03:00:00"),
        (Some("03:00:00"), "04:00:30", "03:00:00"),
        (Some("03:00:00"), "02:58:00", "03:00:00"),
        (Some("03:00:00"), "04:05:01", "04:00:00"),
        (Some("03:00:00"), "02:54:59", "02:00:00"),
        (Some("04:00:00"), "03:59:30", "04:00:00"),
    ] {
        let stood = before.map(|before| at(before).to_string());
        assert_eq!(
            settled(stood.as_deref(), at(estimate)),
            at(after).to_string(),
            "{before:?} {estimate}"
        );
    }
    assert_eq!(
        settled(Some("not a time"), at("03:10:00")),
        at("03:00:00").to_string()
    );
}
