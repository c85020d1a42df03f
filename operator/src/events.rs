//! Events about sources, for `kubectl describe`: on transitions only, never on every look.

use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Resource, ResourceExt};
use mef_crds::{ConditionType, EventSource, EventSourceStatus};

/// The longest note the API server takes is a kilobyte.
const LONGEST_NOTE: usize = 1_000;

/// Publishes Events. One for the whole process: it folds repeats.
pub struct Announcer(Recorder);

impl Announcer {
    pub(crate) fn new(client: Client) -> Self {
        Self(Recorder::new(
            client,
            Reporter {
                controller: "mef-operator".to_owned(),
                instance: None,
            },
        ))
    }

    /// Publishes an Event about an object. Best effort.
    pub async fn tell<K: Resource<DynamicType = ()>>(&self, object: &K, event: &Event) {
        if let Err(error) = self.0.publish(event, &object.object_ref(&())).await {
            tracing::debug!(object = object.name_any(), %error, "an Event was not taken");
        }
    }

    /// Tells what changed between two statuses. Best effort: a source does not fail because nobody hears of it.
    pub async fn announce(
        &self,
        object: &EventSource,
        before: &EventSourceStatus,
        after: &EventSourceStatus,
    ) {
        for event in transitions(before, after) {
            self.tell(object, &event).await;
        }
    }
}

/// The Events of a change. Pure.
fn transitions(before: &EventSourceStatus, after: &EventSourceStatus) -> Vec<Event> {
    let mut events = Vec::new();
    let mut compare = |kind: ConditionType, bad: &str| {
        let find = |status: &EventSourceStatus| {
            let conditions = status.conditions.iter();
            conditions
                .filter(|condition| condition.type_ == kind.as_str())
                .map(|condition| {
                    (
                        condition.status.clone(),
                        condition.reason.clone(),
                        condition.message.clone(),
                    )
                })
                .next()
        };
        let Some((status, reason, message)) = find(after) else {
            return;
        };
        let changed =
            find(before).is_none_or(|(old, old_reason, _)| (&old, &old_reason) != (&status, &reason));
        if changed && status != "Unknown" {
            events.push(Event {
                type_: if status == bad {
                    EventType::Warning
                } else {
                    EventType::Normal
                },
                reason,
                note: Some(cut(message)),
                action: "Reconcile".to_owned(),
                secondary: None,
            });
        }
    };
    compare(ConditionType::Ready, "False");
    compare(ConditionType::DeadLettersPresent, "True");
    compare(ConditionType::DurabilityReduced, "True");
    events
}

fn cut(text: String) -> String {
    crate::source::status::cut(text, LONGEST_NOTE)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    fn status(value: &str, reason: &str, message: &str) -> EventSourceStatus {
        EventSourceStatus {
            conditions: vec![Condition {
                type_: "Ready".to_owned(),
                status: value.to_owned(),
                reason: reason.to_owned(),
                message: message.to_owned(),
                last_transition_time: Time(Default::default()),
                observed_generation: None,
            }],
            ..EventSourceStatus::default()
        }
    }

    #[test]
    fn a_transition_is_told_once_and_another_message_is_none() {
        let before = status("False", "Creating", "0 of 2");
        assert_eq!(transitions(&before, &status("True", "Available", "")).len(), 1);
        assert!(transitions(&before, &status("False", "Creating", "1 of 2")).is_empty());
    }

    #[test]
    fn what_goes_wrong_is_a_warning() {
        let events = transitions(
            &EventSourceStatus::default(),
            &status("False", "InvalidSpec", "no"),
        );
        assert!(matches!(events[0].type_, EventType::Warning));
    }
}
