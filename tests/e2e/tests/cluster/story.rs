//! The life of one source: from `helm install` to its end, with senders at work all the time.

mod broken;
mod change;
mod end;
mod first;
mod rotation;

use std::time::Instant;

use mef_e2e::Zoom;
use serde_json::{Value, json};

use crate::bed::bed;
use crate::load::Sent;
use crate::release;
use crate::siem::Siem;
use crate::team::{Team, zoom};

/// What the tests' Zoom app signs with, until it is rotated.
const TOKEN: &str = "a-secret-token-of-a-zoom-app";

/// What the chapters share.
struct Story {
    team: Team,
    siem: Siem,
    began: Instant,
}

#[test]
fn a_source_from_its_first_event_to_its_end() {
    let Some(bed) = bed() else { return };
    let began = Instant::now();
    let _operator = release::operator(bed);
    let story = Story {
        team: Team::new(bed, "security"),
        siem: Siem::connect(&bed.nats),
        began,
    };
    story.siem.remove(&story.team.streams("zoom").events);
    story.siem.remove(&story.team.streams("zoom").dead);
    story.says("helm has installed the operator");
    first::a_source_is_ready_and_its_message_is_that_of_mef_dev(&story);
    first::forged_is_refused_and_invalid_is_kept_and_told(&story);
    let token = rotation::a_secret_is_rotated_under_load(&story);
    let app = Zoom::new(token.as_bytes());
    change::another_definition_loses_no_request(&story, &app);
    broken::a_broken_definition_replaces_none(&story, &app);
    end::it_goes_when_everything_is_read_and_leaves_nothing(&story, &app);
    end::or_when_it_is_told_to_lose_what_is_left(&story, &app);
}

impl Story {
    /// Tells how far it is.
    fn says(&self, what: &str) {
        println!("{:6.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// The Zoom example with this secret in force; `change` edits it.
    fn source(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut source = zoom(&self.team);
        change(&mut source);
        source
    }

    fn set_secret(&self, values: &Value) {
        self.team.bed.secret(&self.team.namespace, "zoom-webhook", values);
    }

    /// Every acknowledged event of a load is in the queue, and nothing that was refused is.
    fn all_are_kept(&self, sent: &[Sent]) -> Vec<Value> {
        let acknowledged: Vec<&str> = sent
            .iter()
            .filter(|one| one.status == Some(200))
            .map(|one| one.serial.as_str())
            .collect();
        let messages = self
            .siem
            .take(&self.team.streams("zoom").events, acknowledged.len());
        let kept: std::collections::BTreeSet<&str> = messages.iter().map(serial).collect();
        let lost: Vec<&&str> = acknowledged
            .iter()
            .filter(|serial| !kept.contains(**serial))
            .collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert_eq!(kept.len(), messages.len(), "no event is there twice");
        messages
    }
}

/// What makes the event of a message unique.
fn serial(message: &Value) -> &str {
    message["details"]["payload"]["object"]["id"]
        .as_str()
        .unwrap_or_default()
}

/// The entry of a source's `secrets` for a key of the Secret.
fn secret_entry(key: &str) -> Value {
    json!({"secretRef": {"name": "zoom-webhook", "key": key}})
}
