use mef_pipeline::explain::StageVerdict;

use super::*;

fn trace(message_bytes: usize) -> Trace {
    let said = |stage| StageVerdict {
        stage,
        verdict: "passed",
    };
    Trace {
        number: 0,
        source: "default/zoom".into(),
        definition: "3fa1c0ffee00".to_owned(),
        request_id: "r".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        body_bytes: message_bytes,
        status: 200,
        outcome: "accepted",
        reason: "none",
        times: Times::default(),
        secret: None,
        stages: [said("receive"), said("challenge"), said("verify")],
        events: vec![EventTrace {
            id: None,
            became: "delivered",
            reason: None,
            stages: Vec::new(),
            detail: Vec::new(),
            message: Some(vec![0; message_bytes].into()),
        }],
        event_count: 1,
        captured: None,
    }
}

fn numbers(next: &Next) -> Vec<u64> {
    next.traces.iter().map(|trace| trace.number).collect()
}

#[test]
fn the_oldest_go_first_and_a_slow_reader_is_told_what_it_missed() {
    let observer = Observer::new(Bounds {
        requests: 3,
        bytes: 1 << 20,
    });
    assert_eq!(observer.after(0, 10).missed, 0);
    for _ in 0..5 {
        observer.record(trace(1));
    }
    let next = observer.after(0, 10);
    assert_eq!((numbers(&next), next.missed), (vec![3, 4, 5], 2));
    let next = observer.after(3, 1);
    assert_eq!((numbers(&next), next.missed), (vec![4], 0));
    assert!(observer.after(5, 10).traces.is_empty());
    // A number of another life of the process.
    let ahead = observer.after(900, 10);
    assert_eq!((numbers(&ahead), ahead.missed), (vec![], 0));
    assert!(observer.get(2).is_none());
    assert_eq!(observer.get(3).map(|trace| trace.number), Some(3));
    assert!(observer.get(6).is_none());
    assert_eq!(*observer.latest().borrow(), 5);
}

#[test]
fn bytes_are_bounded_and_what_is_too_large_alone_loses_its_contents() {
    let bytes = 256 * 1_024;
    let observer = Observer::new(Bounds {
        requests: 1_000,
        bytes,
    });
    for _ in 0..200 {
        observer.record(trace(8_000));
        assert!(observer.bytes() <= bytes);
    }
    assert!(observer.all().len() > 10);
    observer.record(trace(bytes));
    let large = observer.all().first().cloned().expect("it is there");
    assert!(large.events[0].message.is_none());
    assert_eq!(large.body_bytes, bytes);
    let held: usize = observer.all().iter().map(|trace| trace.bytes()).sum();
    assert_eq!(held, observer.bytes());
}

#[test]
fn handshakes_are_remembered_when_their_traces_are_gone() {
    let observer = Observer::new(Bounds {
        requests: 1,
        bytes: 1 << 20,
    });
    observer.record(Trace {
        outcome: "challenged",
        ..trace(0)
    });
    observer.record(Trace {
        outcome: "rejected",
        reason: "challenge-guard",
        ..trace(0)
    });
    observer.record(trace(0));
    let seen = observer.handshakes("default/zoom");
    assert_eq!((seen.answered, seen.refused), (1, 1));
    assert_eq!(seen.answered_at, Some(Timestamp::UNIX_EPOCH));
    assert_eq!(observer.handshakes("default/okta"), Handshakes::default());
}
