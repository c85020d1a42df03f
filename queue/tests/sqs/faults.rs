//! What goes wrong between us and SQS. Each message gets its own verdict, and none is called kept that is not.

use mef_queue::sqs::{QueueUrls, SqsQueue};
use mef_queue::{EVENT_ID, Lane, Queue, QueueError, SendError, Settings};
use serde_json::json;

use crate::support::{MINUTE, QUICK, connection, event};
use crate::wire::{Reply, Wire, error};

fn queue(wire: &Wire) -> SqsQueue {
    let urls = QueueUrls {
        events: format!("{}/1/events", wire.url),
        dead: format!("{}/1/dead", wire.url),
    };
    SqsQueue::with_scans(connection(&wire.url), urls, Settings::default(), QUICK)
}

/// A word per message: kept, refused, unavailable.
async fn verdicts(wire: &Wire, count: usize) -> Vec<&'static str> {
    let messages = (0..count)
        .map(|number| event(&number.to_string(), "{}"))
        .collect();
    let results = queue(wire).send(Lane::Events, messages).await;
    results
        .iter()
        .map(|result| match result {
            Ok(_) => "kept",
            Err(SendError::Refused(_)) => "refused",
            Err(SendError::Unavailable(_)) => "unavailable",
        })
        .collect()
}

#[tokio::test]
async fn a_batch_that_succeeds_in_part_has_a_verdict_per_entry() {
    let wire = Wire::start(vec![Reply::Says(
        200,
        json!({
            "Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "x"}],
            "Failed": [
                {"Id": "1", "Code": "InvalidMessageContents", "SenderFault": true, "Message": "no"},
                {"Id": "2", "Code": "InternalError", "SenderFault": false},
                {"Id": "3", "Code": "AWS.SimpleQueueService.InvalidMessageContents", "SenderFault": true},
            ],
        }),
    )])
    .await;
    // The fifth entry is in neither list.
    let found = verdicts(&wire, 5).await;
    assert_eq!(
        found,
        ["kept", "refused", "unavailable", "refused", "unavailable"]
    );
    assert_eq!(wire.actions(), ["SendMessageBatch"]);
}

#[tokio::test]
async fn a_throttled_broken_or_silent_sqs_is_worth_another_try_and_is_tried_once_per_call() {
    for reply in [
        error(400, "ThrottlingException"),
        error(403, "RequestThrottled"),
        error(500, "InternalFailure"),
        error(503, "ServiceUnavailable"),
        // A proxy's page is no answer of SQS.
        Reply::Says(200, json!("<html>")),
        Reply::Says(502, json!("<html>")),
        Reply::Lost,
    ] {
        let wire = Wire::start(vec![reply]).await;
        assert_eq!(verdicts(&wire, 2).await, ["unavailable"; 2]);
        assert_eq!(wire.actions(), ["SendMessageBatch"]);
    }
}

#[tokio::test]
async fn a_reply_lost_after_acceptance_becomes_a_second_message_of_the_same_event_id() {
    let wire = Wire::start(vec![Reply::Lost]).await;
    let queue = queue(&wire);
    let message = event("one", "{}");
    let first = queue.send(Lane::Events, vec![message.clone()]).await;
    assert!(matches!(first[0], Err(SendError::Unavailable(_))), "{first:?}");
    assert!(queue.send(Lane::Events, vec![message]).await[0].is_ok());
    let ids: Vec<_> = wire
        .asked()
        .iter()
        .map(|asked| asked.body["MessageAttributes"][EVENT_ID]["StringValue"].clone())
        .collect();
    assert_eq!(ids, ["one", "one"]);
}

#[tokio::test]
async fn expired_credentials_and_missing_rights_are_told_and_are_no_fault_of_the_message() {
    for (code, said) in [
        ("ExpiredToken", "credentials"),
        ("InvalidClientTokenId", "credentials"),
        ("AccessDeniedException", "may not"),
        ("KmsAccessDenied", "may not"),
    ] {
        let wire = Wire::start(vec![error(403, code)]).await;
        let results = queue(&wire).send(Lane::Events, vec![event("one", "{}")]).await;
        assert!(
            matches!(&results[0], Err(SendError::Unavailable(why)) if why.contains(said)),
            "{results:?}"
        );
    }
}

#[tokio::test]
async fn a_batch_refused_as_a_whole_is_sent_one_by_one() {
    for code in ["BatchRequestTooLong", "InvalidMessageContents"] {
        let wire = Wire::start(vec![
            error(400, code),
            Reply::Keeps(&[]),
            error(400, "InvalidMessageContents"),
            Reply::Keeps(&[]),
        ])
        .await;
        assert_eq!(verdicts(&wire, 3).await, ["kept", "refused", "kept"]);
        assert_eq!(
            wire.actions(),
            ["SendMessageBatch", "SendMessage", "SendMessage", "SendMessage"]
        );
    }
}

#[tokio::test]
async fn an_entry_nothing_is_said_of_is_not_kept() {
    let wire = Wire::start(vec![Reply::Keeps(&["1"])]).await;
    assert_eq!(verdicts(&wire, 3).await, ["kept", "unavailable", "kept"]);
    let wire = Wire::start(vec![Reply::Says(200, json!({}))]).await;
    assert_eq!(verdicts(&wire, 1).await, ["unavailable"]);
}

fn received(ids: &[&str]) -> Reply {
    let messages = ids
        .iter()
        .map(|id| json!({"MessageId": id, "ReceiptHandle": format!("h{id}"), "Body": "{}"}));
    Reply::Says(200, json!({"Messages": messages.collect::<Vec<_>>()}))
}

#[tokio::test]
async fn a_scan_ends_politely_when_too_many_messages_are_in_flight() {
    let over = || error(403, "OverLimit");
    let wire = Wire::start(vec![received(&["a", "b"]), over(), over()]).await;
    let queue = queue(&wire);
    let found = queue.scan(Lane::Dead, None, 10).await.unwrap();
    assert_eq!(found.len(), 2);
    let ended = queue.scan(Lane::Dead, Some("b".to_owned()), 10).await;
    assert!(matches!(ended, Err(QueueError::OverLimit(_))), "{ended:?}");
    queue.end_scan(Lane::Dead).await;
    let asked = wire.asked();
    let last = asked.last().expect("a call");
    assert_eq!(last.action, "ChangeMessageVisibilityBatch");
    let entries = last.body["Entries"].as_array().expect("entries");
    assert!(
        entries.iter().all(|entry| entry["VisibilityTimeout"] == 0),
        "{last:?}"
    );
    assert_eq!(entries.len(), 2);
}

/// The ids that a scan shows until it is at its end.
async fn scanned(queue: &SqsQueue) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let after = found.last().cloned();
        let more = queue.scan(Lane::Dead, after, 10).await.unwrap();
        if more.is_empty() {
            return found;
        }
        found.extend(more.into_iter().map(|delivery| delivery.message_id));
    }
}

#[tokio::test]
async fn a_look_that_finds_nothing_is_not_the_end_of_a_scan() {
    let wire = Wire::start(vec![
        received(&[]),
        received(&["a"]),
        received(&[]),
        received(&[]),
        received(&["b"]),
        received(&[]),
        received(&[]),
        received(&[]),
        received(&["never asked for"]),
    ])
    .await;
    let found = scanned(&queue(&wire)).await;
    assert_eq!(found, ["a", "b"]);
}

#[tokio::test]
async fn a_message_delivered_twice_in_one_scan_is_shown_once_and_known_by_its_newest_handle() {
    let again = Reply::Says(
        200,
        json!({"Messages": [{"MessageId": "a", "ReceiptHandle": "newer", "Body": "{}"}]}),
    );
    let wire = Wire::start(vec![received(&["a"]), again]).await;
    let queue = queue(&wire);
    assert_eq!(queue.scan(Lane::Dead, None, 1).await.unwrap().len(), 1);
    assert_eq!(queue.scan(Lane::Dead, Some("a".to_owned()), 1).await.unwrap(), []);
    queue.end_scan(Lane::Dead).await;
    let shown = wire.asked();
    let given_back = shown
        .iter()
        .rfind(|asked| asked.action == "ChangeMessageVisibilityBatch");
    let body = &given_back.expect("it was given back").body;
    assert_eq!(body["Entries"][0]["ReceiptHandle"], "newer");
}

/// Where holds end sooner than they can be extended, what was shown comes again, and stands before what is new.
#[tokio::test]
async fn looks_that_find_only_what_was_shown_are_not_the_end_of_a_scan() {
    let mut script = vec![received(&["a"]), received(&["b"])];
    script.extend([["a"], ["b"], ["a"], ["b"]].map(|again| received(&again)));
    script.push(received(&["c"]));
    // And once more, without an end: a scan that learns nothing ends all the same.
    script.extend(std::iter::repeat_with(|| received(&["a"])).take(20));
    let wire = Wire::start(script).await;
    let found = scanned(&queue(&wire)).await;
    assert_eq!(found, ["a", "b", "c"]);
    let looks = wire.asked().into_iter();
    let looks = looks.filter(|asked| asked.action == "ReceiveMessage").count();
    assert!(looks < 20, "{looks} looks");
}

#[tokio::test]
async fn what_a_scan_has_shown_can_be_taken_until_it_is_ended_also_when_it_found_the_end() {
    let wire = Wire::start(vec![received(&["a", "b"])]).await;
    let queue = queue(&wire);
    assert_eq!(queue.scan(Lane::Dead, None, 10).await.unwrap().len(), 2);
    assert_eq!(
        queue.scan(Lane::Dead, Some("b".to_owned()), 10).await.unwrap(),
        []
    );
    // Whoever works on the messages is slower than the look for more.
    assert!(queue.take(Lane::Dead, "a", MINUTE).await.unwrap().is_some());
    queue.end_scan(Lane::Dead).await;
    assert_eq!(queue.take(Lane::Dead, "b", MINUTE).await.unwrap(), None);
}

#[tokio::test]
async fn a_queue_that_cannot_be_read_says_so() {
    let wire = Wire::start(vec![error(403, "AccessDenied")]).await;
    let result = queue(&wire).receive(Lane::Events, 1, MINUTE).await;
    assert!(
        matches!(&result, Err(QueueError::Unavailable(why)) if why.contains("may not")),
        "{result:?}"
    );
    let wire = Wire::start(vec![Reply::Says(200, json!({"Attributes": {}}))]).await;
    let depth = queue(&wire).depth(Lane::Events).await;
    assert!(matches!(depth, Err(QueueError::Unavailable(_))), "{depth:?}");
}
