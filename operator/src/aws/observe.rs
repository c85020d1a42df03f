//! What events say of an operation that failed. Pure.

use super::stack::Failure;

/// Why something that was cancelled was: because of something else.
const CANCELLED: [&str; 2] = ["Resource creation cancelled", "Resource update cancelled"];
/// The type of the stack itself, which only says that something in it failed.
const STACK: &str = "AWS::CloudFormation::Stack";

/// An event, as far as it may be a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    failure: Failure,
    status: String,
}

impl Failure {
    /// The event of a resource's status.
    #[must_use]
    pub const fn of(self, status: String) -> Event {
        Event {
            failure: self,
            status,
        }
    }
}

/// The root cause of the newest operation that failed: the oldest failure that carries its token and was not cancelled by
/// another. `events` come newest first, as AWS lists them.
pub fn root_cause(events: impl IntoIterator<Item = Event>) -> Option<Failure> {
    let mut cause: Option<Failure> = None;
    for Event { failure, status } in events {
        if let Some(found) = &cause
            && found.token != failure.token
        {
            break;
        }
        let cancelled = CANCELLED.iter().any(|words| failure.reason.starts_with(words));
        if status.ends_with("_FAILED") && failure.kind != STACK && !cancelled {
            cause = Some(failure);
        }
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical_id: &str, status: &str, reason: &str, token: &str, seconds: i64) -> Event {
        Failure {
            logical_id: logical_id.to_owned(),
            kind: if logical_id == "mef" {
                STACK
            } else {
                "AWS::Lambda::Function"
            }
            .to_owned(),
            reason: reason.to_owned(),
            token: Some(token.to_owned()),
            at: jiff::Timestamp::from_second(seconds).unwrap(),
        }
        .of(status.to_owned())
    }

    #[test]
    fn the_cause_is_the_first_that_failed_by_itself_in_the_newest_operation() {
        let newest_first = [
            event("mef", "UPDATE_ROLLBACK_COMPLETE", "", "two", 9),
            event(
                "LogGroup",
                "CREATE_FAILED",
                "Resource creation cancelled",
                "two",
                8,
            ),
            event("Role", "UPDATE_FAILED", "followed", "two", 7),
            event("Function", "UPDATE_FAILED", "the cause", "two", 6),
            event("Function", "UPDATE_FAILED", "an older one", "one", 5),
        ];
        assert_eq!(root_cause(newest_first).unwrap().reason, "the cause");
        assert_eq!(
            root_cause([event("mef", "ROLLBACK_COMPLETE", "", "one", 1)]),
            None
        );
    }
}
