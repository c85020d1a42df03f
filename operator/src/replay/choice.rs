//! Whether a replay may run now. Pure: the object and all other replays in; run, wait or rest out.

use std::sync::Arc;

use kube::ResourceExt;
use mef_crds::{EventReplay, Reason};

use super::options::Options;
use super::status::Phase;

/// What to do with a replay that is not finished and not running.
pub(crate) enum Choice {
    /// Run it, if its source is there and no other run has it.
    Run(Box<Options>),
    /// Look again soon.
    Wait(Reason, String),
    /// Nothing until the object changes.
    Rest(Phase),
}

/// Decides.
pub(crate) fn choose(object: &EventReplay, others: &[Arc<EventReplay>]) -> Choice {
    if object.spec.suspend {
        return Choice::Rest(Phase::Suspended);
    }
    let failed = object.status.iter().flat_map(|status| &status.conditions);
    let failed = failed.filter(|condition| condition.type_ == "Stalled");
    if let Some(stalled) = failed
        .into_iter()
        .find(|condition| condition.reason == Reason::FilterFailed.as_str())
    {
        // It cannot change, so it would fail on the same letter again.
        return Choice::Rest(Phase::Stalled(Reason::FilterFailed, stalled.message.clone()));
    }
    let options = match Options::read(&object.spec) {
        Ok(options) => options,
        Err(message) => return Choice::Rest(Phase::Stalled(Reason::InvalidSpec, message)),
    };
    match others.iter().find(|other| goes_first(other, object)) {
        Some(first) => Choice::Wait(
            Reason::WaitingForReplay,
            format!(
                "the replay {:?} of the same source is older and not finished",
                first.name_any()
            ),
        ),
        None => Choice::Run(Box::new(options)),
    }
}

/// Whether another replay of the same source is older and still to run.
fn goes_first(other: &EventReplay, object: &EventReplay) -> bool {
    let age = |replay: &EventReplay| (replay.metadata.creation_timestamp.clone(), replay.name_any());
    other.namespace() == object.namespace()
        && other.spec.source_ref == object.spec.source_ref
        && other.metadata.uid != object.metadata.uid
        && other.metadata.deletion_timestamp.is_none()
        && !other.spec.suspend
        && !other.is_complete()
        && !other.has_condition("Stalled")
        && age(other) < age(object)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn replay(name: &str, second: u8, change: impl FnOnce(&mut Value)) -> Arc<EventReplay> {
        let mut object = json!({
            "apiVersion": "events.mozdef.io/v1alpha1",
            "kind": "EventReplay",
            "metadata": {"name": name, "namespace": "team", "uid": name,
                "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z")},
            "spec": {"sourceRef": {"name": "sample"}},
        });
        change(&mut object);
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn word(object: &EventReplay, others: &[Arc<EventReplay>]) -> &'static str {
        match choose(object, others) {
            Choice::Run(_) => "run",
            Choice::Wait(reason, _) => reason.as_str(),
            Choice::Rest(Phase::Suspended) => "suspended",
            Choice::Rest(Phase::Stalled(reason, _)) => reason.as_str(),
            Choice::Rest(_) => "rest",
        }
    }

    #[test]
    fn the_oldest_of_a_source_that_can_go_on_goes_first() {
        let younger = replay("b", 2, |_| {});
        let ended = |kind: &str| {
            json!({"conditions": [{"type": kind, "status": "True", "reason": "X",
            "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
        };
        type Change = Box<dyn FnOnce(&mut Value)>;
        let cases: Vec<(&str, Change, &str)> = vec![
            ("one that runs", Box::new(|_| {}), "WaitingForReplay"),
            (
                "of another source",
                Box::new(|o| o["spec"]["sourceRef"]["name"] = json!("other")),
                "run",
            ),
            (
                "elsewhere",
                Box::new(|o| o["metadata"]["namespace"] = json!("other")),
                "run",
            ),
            (
                "suspended",
                Box::new(|o| o["spec"]["suspend"] = json!(true)),
                "run",
            ),
            (
                "complete",
                Box::new(move |o| o["status"] = ended("Complete")),
                "run",
            ),
            (
                "stalled",
                Box::new(move |o| o["status"] = ended("Stalled")),
                "run",
            ),
        ];
        for (name, change, expected) in cases {
            let older = replay("a", 1, change);
            assert_eq!(
                word(&younger, &[older.clone(), younger.clone()]),
                expected,
                "{name}"
            );
            let first = word(&older, &[older.clone(), younger.clone()]);
            assert!(first != "WaitingForReplay", "{name}");
        }
    }

    #[test]
    fn what_cannot_run_says_why() {
        let filter = |text: &'static str| move |o: &mut Value| o["spec"]["select"] = json!({"filter": text});
        assert_eq!(word(&replay("a", 1, filter(".event.x ==")), &[]), "InvalidSpec");
        assert_eq!(word(&replay("a", 1, filter(".event.x")), &[]), "InvalidSpec");
        assert_eq!(word(&replay("a", 1, filter(".event.x == 1")), &[]), "run");
        let turned = |o: &mut Value| {
            o["spec"]["select"] = json!({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"});
        };
        assert_eq!(word(&replay("a", 1, turned), &[]), "InvalidSpec");
        assert_eq!(
            word(&replay("a", 1, |o| o["spec"]["suspend"] = json!(true)), &[]),
            "suspended"
        );
    }
}
