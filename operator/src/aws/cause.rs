//! Which failures of a resource pass by themselves. One list; everything else needs a change of source, account or operator.

use std::time::Duration;

/// What AWS says, in lower case, and the first wait before the next try.
///
/// Sources: throttling and internal failures are what the API references of the services call retryable; limits free up when
/// somebody deletes; an SQS name can be used again 60 seconds after its queue went
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>); a new role takes a while
/// until every service knows it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>).
const RETRYABLE: [(&str, u64); 12] = [
    ("rate exceeded", 30),
    ("throttl", 30),
    ("too many requests", 30),
    ("internal failure", 30),
    ("internal error", 30),
    ("service unavailable", 30),
    ("serviceunavailable", 30),
    ("limit exceeded", 300),
    ("limitexceeded", 300),
    ("queuedeletedrecently", 60),
    ("cannot be assumed by lambda", 30),
    ("invalid principal", 30),
];
/// SQS's own sentence for `QueueDeletedRecently`.
const DELETED_RECENTLY: &str = "must wait 60 seconds after deleting a queue";
/// CloudFormation's sentence when a stack policy forbids a change.
const STACK_POLICY: &str = "denied by stack policy";
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The first wait before the next try, where a try may help.
#[must_use]
pub fn retry_after(reason: &str) -> Option<Duration> {
    let reason = reason.to_ascii_lowercase();
    if reason.contains(DELETED_RECENTLY) {
        return Some(Duration::from_secs(60));
    }
    let mut known = RETRYABLE.iter();
    let found = known.find(|(words, _)| reason.contains(words));
    found.map(|(_, seconds)| Duration::from_secs(*seconds))
}

/// Whether the stack's policy stood in the way.
#[must_use]
pub fn is_stack_policy(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains(STACK_POLICY)
}

/// The wait before a try: the first one, doubled with every try, an hour at most.
#[must_use]
pub fn back_off(first: Duration, tries: u32) -> Duration {
    first.saturating_mul(1 << tries.min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        for (reason, seconds) in [
            ("Rate exceeded (Service: ApiGateway, Status Code: 429)", Some(30)),
            ("Internal Failure", Some(30)),
            (
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
                Some(60),
            ),
            (
                "The role defined for the function cannot be assumed by Lambda.",
                Some(30),
            ),
            ("Resource limit exceeded", Some(300)),
            ("Bucket does not exist", None),
            (
                "User: arn:aws:sts::1:x is not authorized to perform: lambda:CreateFunction",
                None,
            ),
        ] {
            assert_eq!(
                retry_after(reason).map(|wait| wait.as_secs()),
                seconds,
                "{reason}"
            );
        }
        assert!(is_stack_policy(
            "Action denied by stack policy: Statement [#2] does not allow [Update:Replace]"
        ));
    }

    #[test]
    fn waits_double_up_to_an_hour() {
        let first = Duration::from_secs(300);
        let waits: Vec<_> = (0..6).map(|tries| back_off(first, tries).as_secs()).collect();
        assert_eq!(waits, [300, 600, 1_200, 2_400, 3_600, 3_600]);
    }
}
