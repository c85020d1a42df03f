use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-01-02T{text}Z").parse().unwrap()
}

fn letter(id: &str, reason: Option<&str>, sent: Option<&str>) -> Letter {
    Letter {
        id: id.to_owned(),
        reason: reason.map(str::to_owned),
        sent_at: sent.map(at),
    }
}

#[test]
fn a_sample_counts_each_letter_once_by_its_reason() {
    assert_eq!(Sample::of(&[]), None);
    let sample = Sample::of(&[
        letter("a", Some("schema"), Some("03:00:00")),
        letter("b", Some("transform"), Some("01:30:00")),
        letter("c", None, None),
        letter("d", Some("a word of tomorrow"), Some("02:00:00")),
        letter("a", Some("schema"), Some("03:00:00")),
        letter("e", Some("schema"), Some("04:00:00")),
    ])
    .unwrap();
    let by_reason: Vec<_> = sample
        .by_reason
        .iter()
        .map(|(word, count)| (word.as_str(), *count))
        .collect();
    assert_eq!(
        by_reason,
        [("redrive", 1), ("schema", 2), ("transform", 1), ("unknown", 1)]
    );
    assert_eq!((sample.letters, sample.oldest), (5, Some(at("01:30:00"))));
    assert_eq!(Sample::of(&[letter("a", None, None)]).unwrap().oldest, None);
}

/// Each line: the time, the dead letters at it, and whether they are looked at. What is found is one letter, and nothing where
/// the line says so.
#[test]
fn dead_letters_are_looked_at_when_their_number_is_another_and_never_too_often() {
    let found = || Sample::of(&[letter("a", Some("schema"), Some("00:00:00"))]);
    let mut known = Known::default();
    for (line, time, letters, looks, sees, told) in [
        ("there are none", "00:00:00", 0, false, false, false),
        ("the first", "00:01:00", 1, true, true, true),
        ("the same", "00:30:00", 1, false, false, true),
        ("another number", "00:31:00", 2, true, true, true),
        ("too soon", "00:36:00", 5, false, false, true),
        ("no longer too soon", "00:41:00", 5, true, true, true),
        ("they are held", "00:51:00", 6, true, false, true),
        ("too soon for another try", "01:00:00", 6, false, false, true),
        ("another try of the same number", "01:01:00", 6, true, true, true),
        ("gone", "01:20:00", 0, false, false, false),
        ("the same number anew", "01:21:00", 6, true, false, false),
        (
            "gone and back within the pause",
            "01:25:00",
            0,
            false,
            false,
            false,
        ),
        ("too soon all the same", "01:26:00", 1, false, false, false),
    ] {
        let now = at(time);
        known.hold_against(0, letters);
        assert_eq!(known.wants_sample(letters, now), looks, "{line}");
        if looks {
            known.take_sample(letters, if sees { found() } else { None }, now);
        }
        assert_eq!(known.sample().is_some(), told, "{line}");
    }
}

#[test]
fn the_age_of_events_is_asked_for_while_there_are_some() {
    let mut known = Known::default();
    let (early, late) = (Some(at("00:00:00")), Some(at("00:30:00")));
    for (line, time, events, asks, answer, told) in [
        ("there are none", "00:00:00", 0, false, None, None),
        ("some", "00:01:00", 3, true, early, early),
        ("too soon", "00:04:00", 3, false, None, early),
        ("no longer too soon", "00:05:00", 3, true, late, late),
        ("it is not told", "00:10:00", 3, true, None, None),
        ("again", "00:15:00", 3, true, late, late),
        ("none", "00:16:00", 0, false, None, None),
        ("too soon again", "00:17:00", 1, false, None, None),
    ] {
        let now = at(time);
        known.hold_against(events, 0);
        assert_eq!(known.wants_age(events, now), asks, "{line}");
        if asks {
            known.take_age(answer, now);
        }
        assert_eq!(known.oldest(), told, "{line}");
    }
}
