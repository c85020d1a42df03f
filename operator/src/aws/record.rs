//! What is remembered of a stack, as `status.aws` holds it. Pure, both ways.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mef_crds::{AwsFailure, AwsOperation, AwsRejection, AwsStatus, AwsTrouble, Reason};

use super::memory::{Memory, Operation, Trouble};
use super::refusal::Kind;
use super::stack::Failure;
use super::token::Verb;
use crate::source::status::cut;

/// Characters of a sentence of AWS that are kept.
const SENTENCE: usize = 1_024;

/// What a status remembers. What cannot be read is as if it were not there: the stack's own tags and events tell the rest.
#[must_use]
pub fn recall(status: Option<&AwsStatus>) -> Memory {
    let Some(status) = status else {
        return Memory::default();
    };
    let empty = status.empty_since.as_deref().and_then(time);
    Memory {
        account: status.account_id.clone(),
        region: status.region.clone(),
        stack_id: status.stack_id.clone(),
        ever_ready: status.ever_ready,
        operation: status.operation.as_ref().and_then(operation),
        attempts: counts(&status.attempts),
        forgiven: counts(&status.forgiven),
        failure: status.last_failure.as_ref().and_then(failure),
        accepted: status.accepted.clone(),
        rejected: status.rejected.as_ref().and_then(rejection),
        trouble: status.trouble.as_ref().and_then(trouble),
        empty: empty.map(|since| (since, status.empty_readings.unwrap_or(1))),
        consumed: status.consumed.clone(),
        reconciled: status.reconciled.clone(),
    }
}

/// What a status says of a stack beside what is remembered: no decision about it is made by this.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// The stack's name.
    pub name: &'a str,
    /// Its status, where it was seen.
    pub word: Option<&'a str>,
    /// The hash of its document, where it was seen.
    pub hash: Option<&'a str>,
    /// The key of the package that serves, where it is known.
    pub package: Option<&'a str>,
    /// The generation its definition was written under.
    pub generation: Option<i64>,
}

/// The status that remembers.
#[must_use]
pub fn record(memory: &Memory, shown: Shown<'_>) -> AwsStatus {
    let Shown {
        name,
        word,
        hash,
        package,
        generation,
    } = shown;
    AwsStatus {
        hash: hash.map(str::to_owned),
        package: package.map(str::to_owned),
        definition_generation: generation,
        account_id: memory.account.clone(),
        region: memory.region.clone(),
        stack_name: Some(name.to_owned()),
        stack_id: memory.stack_id.clone(),
        stack_status: word.map(str::to_owned),
        ever_ready: memory.ever_ready,
        operation: memory.operation.as_ref().map(|operation| AwsOperation {
            verb: operation.verb.as_str().to_owned(),
            hash: operation.hash.clone(),
            attempt: operation.attempt,
            at: operation.at.to_string(),
            arrived: operation.arrived,
        }),
        attempts: written(&memory.attempts),
        forgiven: written(&memory.forgiven),
        last_failure: memory.failure.as_ref().map(|failure| AwsFailure {
            logical_id: failure.logical_id.clone(),
            r#type: failure.kind.clone(),
            reason: cut(failure.reason.clone(), SENTENCE),
            token: failure.token.clone(),
            at: failure.at.to_string(),
        }),
        accepted: memory.accepted.clone(),
        rejected: memory
            .rejected
            .as_ref()
            .map(|(hash, reason, message)| AwsRejection {
                hash: hash.clone(),
                reason: reason.to_string(),
                message: cut(message.clone(), SENTENCE),
            }),
        trouble: memory.trouble.as_ref().map(|trouble| AwsTrouble {
            kind: trouble.kind.as_str().to_owned(),
            since: trouble.since.to_string(),
            count: trouble.count,
            until: trouble.until.to_string(),
            hash: trouble.hash.clone(),
            message: cut(trouble.message.clone(), SENTENCE),
        }),
        empty_since: memory.empty.map(|(since, _)| since.to_string()),
        empty_readings: memory.empty.map(|(_, readings)| readings),
        consumed: memory.consumed.clone(),
        reconciled: memory.reconciled.clone(),
    }
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn verb(word: &str) -> Option<Verb> {
    Verb::ALL.into_iter().find(|verb| verb.as_str() == word)
}

fn operation(status: &AwsOperation) -> Option<Operation> {
    Some(Operation {
        verb: verb(&status.verb)?,
        hash: status.hash.clone(),
        attempt: status.attempt,
        at: time(&status.at)?,
        arrived: status.arrived,
    })
}

fn failure(status: &AwsFailure) -> Option<Failure> {
    Some(Failure {
        logical_id: status.logical_id.clone(),
        kind: status.r#type.clone(),
        reason: status.reason.clone(),
        token: status.token.clone(),
        at: time(&status.at)?,
    })
}

fn rejection(status: &AwsRejection) -> Option<(String, Reason, String)> {
    let reason = Reason::ALL
        .iter()
        .find(|reason| reason.as_str() == status.reason)?;
    Some((status.hash.clone(), *reason, status.message.clone()))
}

fn trouble(status: &AwsTrouble) -> Option<Trouble> {
    Some(Trouble {
        kind: Kind::ALL.into_iter().find(|kind| kind.as_str() == status.kind)?,
        since: time(&status.since)?,
        count: status.count,
        until: time(&status.until)?,
        hash: status.hash.clone(),
        message: status.message.clone(),
    })
}

fn counts(status: &BTreeMap<String, u32>) -> BTreeMap<Verb, u32> {
    status
        .iter()
        .filter_map(|(word, count)| Some((verb(word)?, *count)))
        .collect()
}

fn written(counts: &BTreeMap<Verb, u32>) -> BTreeMap<String, u32> {
    counts
        .iter()
        .map(|(verb, count)| (verb.as_str().to_owned(), *count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_survives_the_status() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let memory = Memory {
            account: Some("111122223333".to_owned()),
            region: Some("eu-central-1".to_owned()),
            stack_id: Some("arn".to_owned()),
            ever_ready: true,
            operation: Some(Operation {
                verb: Verb::Continue,
                hash: "0123456789ab".to_owned(),
                attempt: 3,
                at: at(1),
                arrived: true,
            }),
            attempts: Verb::ALL.map(|verb| (verb, 3)).into(),
            forgiven: [(Verb::Create, 1)].into(),
            failure: Some(Failure {
                logical_id: "Function".to_owned(),
                kind: "AWS::Lambda::Function".to_owned(),
                reason: "no bucket".to_owned(),
                token: Some("mef-a-b-create-1".to_owned()),
                at: at(2),
            }),
            accepted: Some("a".to_owned()),
            rejected: Some(("b".to_owned(), Reason::TemplateRejected, "no".to_owned())),
            trouble: Some(Trouble {
                kind: Kind::Throttled,
                since: at(3),
                count: 2,
                until: at(4),
                hash: "c".to_owned(),
                message: "Rate exceeded".to_owned(),
            }),
            empty: Some((at(5), 2)),
            consumed: vec!["adopt=arn".to_owned()],
            reconciled: Some("now".to_owned()),
        };
        let shown = Shown {
            name: "mef-a",
            word: Some("UPDATE_COMPLETE"),
            hash: Some("d"),
            package: Some("functions/e.zip"),
            generation: Some(3),
        };
        let status = record(&memory, shown);
        let text = serde_json::to_string(&status).unwrap();
        let read: AwsStatus = serde_json::from_str(&text).unwrap();
        assert_eq!(recall(Some(&read)), memory);
        assert_eq!(recall(None), Memory::default());
        for kind in Kind::ALL {
            assert_eq!(
                Kind::ALL
                    .iter()
                    .filter(|other| other.as_str() == kind.as_str())
                    .count(),
                1
            );
        }
    }
}
