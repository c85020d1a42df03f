//! How a source goes. Pure: what is still there in; the next single step, or what is waited for, out.
//!
//! `Delete`: it serves until nothing is left in queue and dead letters. Then ingress stops, and the queue is looked at once
//! more: what arrived meanwhile blocks again. Only then it goes. `Drain`: ingress stops first. `Retain`: the streams stay.
//!
//! A queue that somebody else made stays in any case, with what is in it: nothing can be lost, so `Delete` waits for nothing.
//! `Drain` waits until it is read, for whoever wants to be told; a replay needs the source.

use mef_crds::{DeletionPolicy, Reason};

/// What is known of a source that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// `spec.deletionPolicy`, as it is now.
    pub policy: DeletionPolicy,
    /// Whether the queue is somebody else's and stays as it is.
    pub queue_stays: bool,
    /// The annotation that ends it although messages remain.
    pub forced: bool,
    /// Whether the API server itself takes the children (foreground deletion, or the namespace goes): making them again
    /// would be a fight.
    pub children_go: bool,
    /// Messages in queue and dead letters; an error where that cannot be known.
    pub messages: Result<u64, String>,
    /// Children that bring events.
    pub ingress: usize,
    /// Pods that still run, terminating ones too.
    pub pods: usize,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Messages remain: everything is kept as it is, and serves.
    Serve(Reason, String),
    /// Delete what brings events.
    StopIngress,
    /// Wait; nothing can be done now.
    Wait(Reason, String),
    /// Nothing can arrive and nothing is left, or it may be lost: delete the streams, then let the object go.
    RemoveQueue,
    /// Leave the streams, let the object go.
    LetGo,
}

/// Decides the next step.
#[must_use]
pub fn step(leaving: &Leaving) -> Step {
    let stopped = leaving.ingress == 0 && leaving.pods == 0;
    let nothing_goes = leaving.queue_stays && leaving.policy == DeletionPolicy::Delete;
    let stop_first = leaving.forced
        || leaving.children_go
        || leaving.policy != DeletionPolicy::Delete
        || leaving.queue_stays;
    if !stopped {
        if !stop_first {
            match &leaving.messages {
                Ok(0) => {}
                Ok(count) => return Step::Serve(Reason::DeletionBlocked, blocked(*count, true)),
                Err(why) => return Step::Serve(Reason::DeletionBlocked, unreadable(why)),
            }
        }
        return if leaving.ingress > 0 {
            Step::StopIngress
        } else {
            Step::Wait(
                Reason::Deleting,
                format!("{} pods still finish their requests", leaving.pods),
            )
        };
    }
    if leaving.policy == DeletionPolicy::Retain || nothing_goes {
        return Step::LetGo;
    }
    let end = match leaving.queue_stays {
        true => Step::LetGo,
        false => Step::RemoveQueue,
    };
    match &leaving.messages {
        _ if leaving.forced => end,
        Ok(0) => end,
        // Something arrived between the last look and the stop.
        Ok(count) if !stop_first => Step::Serve(Reason::DeletionBlocked, blocked(*count, true)),
        Ok(count) if leaving.queue_stays => Step::Wait(Reason::DeletionBlocked, awaited(*count)),
        Ok(count) => Step::Wait(Reason::DeletionBlocked, blocked(*count, false)),
        Err(why) => Step::Wait(Reason::DeletionBlocked, unreadable(why)),
    }
}

fn blocked(count: u64, serves: bool) -> String {
    let meanwhile = if serves {
        "the source keeps serving"
    } else {
        "nothing new is taken"
    };
    format!(
        "{count} messages are in the queue and the dead letters; {meanwhile} until they are read. To keep them without the source \
         set spec.deletionPolicy: Retain, to lose them annotate it with {}=all",
        mef_crds::FORCE_DELETE_ANNOTATION
    )
}

fn awaited(count: u64) -> String {
    format!(
        "{count} messages are in the queue and the dead letters; nothing new is taken, and spec.deletionPolicy: Drain waits until \
         they are read. The queues stay in any case: to wait no longer set spec.deletionPolicy: Retain"
    )
}

fn unreadable(why: &str) -> String {
    format!(
        "it cannot be known whether messages remain ({why}); to let them stay where they are set spec.deletionPolicy: Retain"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaving(policy: DeletionPolicy, messages: u64, ingress: usize, pods: usize) -> Leaving {
        Leaving {
            policy,
            queue_stays: false,
            forced: false,
            children_go: false,
            messages: Ok(messages),
            ingress,
            pods,
        }
    }

    #[track_caller]
    fn check(leaving: &Leaving, expected: &str) {
        let step = match step(leaving) {
            Step::Serve(reason, _) => format!("serve {reason}"),
            Step::StopIngress => "stop".to_owned(),
            Step::Wait(reason, _) => format!("wait {reason}"),
            Step::RemoveQueue => "remove".to_owned(),
            Step::LetGo => "let go".to_owned(),
        };
        assert_eq!(step, expected, "{leaving:?}");
    }

    #[test]
    fn delete_serves_while_messages_remain_then_stops_looks_again_and_goes() {
        use DeletionPolicy::Delete;
        check(&leaving(Delete, 3, 2, 2), "serve DeletionBlocked");
        check(&leaving(Delete, 0, 2, 2), "stop");
        check(&leaving(Delete, 0, 0, 1), "wait Deleting");
        check(&leaving(Delete, 1, 0, 0), "serve DeletionBlocked");
        check(&leaving(Delete, 0, 0, 0), "remove");
    }

    #[test]
    fn drain_stops_at_once_and_goes_when_it_is_empty() {
        use DeletionPolicy::Drain;
        check(&leaving(Drain, 3, 2, 2), "stop");
        check(&leaving(Drain, 3, 0, 1), "wait Deleting");
        check(&leaving(Drain, 3, 0, 0), "wait DeletionBlocked");
        check(&leaving(Drain, 0, 0, 0), "remove");
    }

    #[test]
    fn retain_never_removes_a_queue() {
        use DeletionPolicy::Retain;
        for messages in [0, 3] {
            check(&leaving(Retain, messages, 2, 2), "stop");
            check(&leaving(Retain, messages, 0, 0), "let go");
            let forced = Leaving {
                forced: true,
                ..leaving(Retain, messages, 0, 0)
            };
            check(&forced, "let go");
        }
    }

    #[test]
    fn force_loses_what_is_there_but_stops_ingress_first() {
        for policy in [DeletionPolicy::Delete, DeletionPolicy::Drain] {
            let mut leaving = leaving(policy, 3, 2, 2);
            leaving.forced = true;
            check(&leaving, "stop");
            (leaving.ingress, leaving.pods) = (0, 1);
            check(&leaving, "wait Deleting");
            leaving.pods = 0;
            check(&leaving, "remove");
            leaving.messages = Err("away".to_owned());
            check(&leaving, "remove");
        }
    }

    #[test]
    fn a_queue_of_somebody_else_stays_and_only_drain_waits_for_it() {
        for policy in [
            DeletionPolicy::Delete,
            DeletionPolicy::Retain,
            DeletionPolicy::Drain,
        ] {
            let mut leaving = leaving(policy, 3, 2, 2);
            leaving.queue_stays = true;
            check(&leaving, "stop");
            (leaving.ingress, leaving.pods) = (0, 1);
            check(&leaving, "wait Deleting");
            leaving.pods = 0;
            let waits = policy == DeletionPolicy::Drain;
            check(&leaving, if waits { "wait DeletionBlocked" } else { "let go" });
            leaving.messages = Err("away".to_owned());
            check(&leaving, if waits { "wait DeletionBlocked" } else { "let go" });
            leaving.messages = Ok(0);
            check(&leaving, "let go");
            (leaving.messages, leaving.forced) = (Ok(3), true);
            check(&leaving, "let go");
        }
    }

    #[test]
    fn a_queue_that_cannot_be_read_is_not_taken_for_empty() {
        let mut away = leaving(DeletionPolicy::Delete, 0, 2, 2);
        away.messages = Err("no connection".to_owned());
        check(&away, "serve DeletionBlocked");
        (away.ingress, away.pods) = (0, 0);
        check(&away, "wait DeletionBlocked");
    }

    #[test]
    fn children_the_server_takes_are_not_made_again() {
        let mut leaving = leaving(DeletionPolicy::Delete, 3, 1, 0);
        leaving.children_go = true;
        check(&leaving, "stop");
        leaving.ingress = 0;
        check(&leaving, "wait DeletionBlocked");
    }
}
