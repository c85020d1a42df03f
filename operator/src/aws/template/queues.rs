//! The queue of events, the one of dead letters, and who may speak to them.

use std::collections::BTreeMap;

use super::resource::{Properties, Queue, QueuePolicy, RedriveAllowPolicy, RedrivePolicy};
use super::value::{Policy, Principal, Statement, Text};
use super::{Resources, tags};
use crate::aws::wanted::Wanted;

/// Seconds a dead letter is kept: 14 days, the longest SQS takes.
const DEAD_LETTERS_KEPT: u64 = 14 * 86_400;
/// Seconds a reader waits for a message: the longest SQS takes, and the fewest empty answers to pay for.
const LONG_POLL: u8 = 20;
/// Seconds a received dead letter is hidden from other readers.
const DEAD_LETTER_HIDDEN: u64 = 60;
/// Dead letters carry what did not fit elsewhere, so they may be as large as SQS allows.
const LARGEST: u32 = 1_048_576;
/// SQS counts the attributes of a message to its size: room for ours beside the largest body.
const ATTRIBUTES: u32 = 1_024;

pub(super) fn add(resources: &mut Resources, wanted: &Wanted) {
    let settings = &wanted.queue;
    let mut events = queue(wanted, wanted.names.queue().to_owned());
    events.message_retention_period = settings.retention;
    events.visibility_timeout = settings.visibility_timeout;
    events.maximum_message_size = (settings.max_message_bytes + ATTRIBUTES).min(LARGEST);
    events.redrive_policy = Some(RedrivePolicy {
        dead_letter_target_arn: Text::attribute("DeadLetterQueue", "Arn"),
        max_receive_count: settings.max_receive_count,
    });
    let mut dead = queue(wanted, wanted.names.dead_letters());
    dead.redrive_allow_policy = Some(RedriveAllowPolicy {
        redrive_permission: "byQueue",
        source_queue_arns: vec![wanted.place.arn("sqs", wanted.names.queue())],
    });
    for (id, queue) in [("EventQueue", events), ("DeadLetterQueue", dead)] {
        let resource = resources.add(id, Properties::Queue(queue));
        // The operator deletes no stack whose queues hold messages; a replaced queue would be lost without a word.
        resource.deletion_policy = Some("Delete");
        resource.update_replace_policy = Some("Retain");
    }
    resources.add("QueuePolicy", Properties::QueuePolicy(tls_only()));
}

fn queue(wanted: &Wanted, queue_name: String) -> Queue {
    let key = wanted.queue.kms_key_arn.clone();
    Queue {
        queue_name,
        message_retention_period: DEAD_LETTERS_KEPT,
        visibility_timeout: DEAD_LETTER_HIDDEN,
        receive_message_wait_time_seconds: LONG_POLL,
        maximum_message_size: LARGEST,
        // The two exclude each other.
        sqs_managed_sse_enabled: key.is_none().then_some(true),
        kms_master_key_id: key,
        redrive_policy: None,
        redrive_allow_policy: None,
        tags: tags(wanted),
    }
}

/// Nobody reads or writes events in clear.
fn tls_only() -> QueuePolicy {
    let queues = ["EventQueue", "DeadLetterQueue"];
    QueuePolicy {
        queues: queues.map(Text::reference).to_vec(),
        policy_document: Policy::of(vec![Statement {
            sid: "TlsOnly",
            effect: "Deny",
            principal: Some(Principal::Everybody("*")),
            action: vec!["sqs:*"],
            resource: queues.map(|queue| Text::attribute(queue, "Arn")).to_vec(),
            condition: BTreeMap::from([(
                "Bool",
                BTreeMap::from([("aws:SecureTransport", vec!["false".to_owned()])]),
            )]),
        }]),
    }
}
