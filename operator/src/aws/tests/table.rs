//! The decision against its tables: readable files, complete by test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mef_crds::DeletionPolicy;

use super::world::{ACCOUNT, NAME, REGION};
use crate::aws::decide::{Call, Decision, Hashes, Leaving, Notes, Sight, View, decide, refused};
use crate::aws::memory::{Memory, Operation};
use crate::aws::refusal::{Refusal, sort};
use crate::aws::stack::{Failure, Owner, Stack, Status, tag};
use crate::aws::token::Verb;

const ID: &str = "arn:aws:cloudformation:eu-central-1:111122223333:stack/mef-security-zoom-9e743b18/1";

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn owner() -> Owner {
    Owner {
        cluster: "prod".to_owned(),
        namespace: "security".to_owned(),
        name: "zoom".to_owned(),
        uid: "5f0c7c1e-9d41-4c2b-8a11-0123456789ab".to_owned(),
    }
}

fn hashes() -> Hashes {
    Hashes {
        open: "aaaaaaaaaaaa".to_owned(),
        closed: "cccccccccccc".to_owned(),
    }
}

fn stack(status: &str, tags: &str, hash: &str) -> Stack {
    let mut marks = owner().tags();
    match tags {
        "orphan" => drop(marks.remove(tag::UID)),
        "foreign" => drop(marks.insert(tag::NAMESPACE.to_owned(), "another".to_owned())),
        _ => {}
    }
    let hash = match hash {
        "same" => hashes().open,
        "closed" => hashes().closed,
        _ => "bbbbbbbbbbbb".to_owned(),
    };
    marks.insert(tag::HASH.to_owned(), hash);
    Stack {
        id: ID.to_owned(),
        status: Status::of(status),
        word: status.to_owned(),
        tags: marks,
        outputs: BTreeMap::new(),
        protected: false,
        failure: None,
    }
}

/// Everything a decision is made of, with defaults.
struct Case {
    sight: Sight,
    memory: Memory,
    leaving: Option<Leaving>,
    caller: (&'static str, &'static str),
    now: Timestamp,
}

impl Case {
    fn new(sight: Sight) -> Self {
        Self {
            sight,
            memory: Memory {
                account: Some(ACCOUNT.to_owned()),
                region: Some(REGION.to_owned()),
                stack_id: Some(ID.to_owned()),
                ..Memory::default()
            },
            leaving: None,
            caller: (ACCOUNT, REGION),
            now: now(),
        }
    }

    fn with<T>(&self, then: impl FnOnce(&View<'_>) -> T) -> T {
        then(&View {
            owner: &owner(),
            account: ACCOUNT,
            region: REGION,
            caller: Some(self.caller),
            sight: &self.sight,
            desired: Some(&hashes()),
            memory: &self.memory,
            notes: &Notes::default(),
            leaving: self.leaving.as_ref(),
            suspended: false,
            now: self.now,
        })
    }
}

fn call(decision: &Decision) -> String {
    match &decision.call {
        None if decision.release => "release".to_owned(),
        None => "-".to_owned(),
        Some(Call::Update { closed: true, .. }) => "close".to_owned(),
        Some(call) => call.verb().as_str().to_owned(),
    }
}

fn ready(decision: &Decision) -> String {
    let keeps = if decision.told.keeps_ready { "keeps " } else { "" };
    format!("{keeps}{}", decision.told.ready.reason)
}

fn or_dash(reason: Option<mef_crds::Reason>) -> String {
    reason.map_or_else(|| "-".to_owned(), |reason| reason.to_string())
}

fn rows(text: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let cells = |side: &str| {
        side.split('|')
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (given, expected) = line.split_once("||").expect("two sides");
            (cells(given), cells(expected))
        })
        .collect()
}

#[test]
fn every_status_is_answered_as_the_table_says() {
    let rows = rows(include_str!("decisions.txt"));
    let mut statuses: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
    assert_eq!(statuses.len(), 23);
    statuses.extend(["UNKNOWN", "absent"]);
    let mut used = vec![false; rows.len()];
    let mut wrong = String::new();
    for status in statuses {
        for (source, tags, hash, served) in combinations() {
            let gone = matches!(status, "absent" | "DELETE_COMPLETE");
            let given = [source, tags, hash, served];
            let fits = |cells: &[String]| {
                let of_status = cells[0]
                    .split(',')
                    .any(|cell| cell.trim() == status || (cell.trim() == "stands" && !gone));
                of_status
                    && given
                        .iter()
                        .zip(&cells[1..])
                        .all(|(value, cell)| cell == "*" || cell == value)
            };
            let found: Vec<_> = (0..rows.len()).filter(|index| fits(&rows[*index].0)).collect();
            let [index] = found[..] else {
                panic!("{status} {given:?} stands in {} rows", found.len());
            };
            used[index] = true;
            let sight = if status == "absent" {
                Sight::Absent
            } else {
                Sight::There(Box::new(stack(status, tags, hash)))
            };
            let mut case = Case::new(sight);
            case.memory.ever_ready = served == "yes";
            case.leaving = (source == "goes").then_some(Leaving {
                policy: DeletionPolicy::Delete,
                forced: false,
                messages: Ok(0),
            });
            let decision = case.with(decide);
            let told = [
                call(&decision),
                ready(&decision),
                or_dash(decision.told.reconciling),
                or_dash(decision.told.stalled),
            ];
            if told[..] != rows[index].1[..] {
                let _ = writeln!(
                    wrong,
                    "{status} {given:?}: {told:?}, and the table says {:?}",
                    rows[index].1
                );
            }
            assert!(
                decision.look_in >= Duration::from_secs(1),
                "{status}: looks at once"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let unused: Vec<_> = (0..rows.len())
        .filter(|index| !used[*index])
        .map(|index| &rows[index].0)
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

fn combinations() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    let mut all = Vec::new();
    for source in ["stays", "goes"] {
        for tags in ["ours", "orphan", "foreign"] {
            for hash in ["same", "other"] {
                for served in ["yes", "no"] {
                    all.push((source, tags, hash, served));
                }
            }
        }
    }
    all
}

#[test]
fn what_was_tried_before_counts_as_the_table_says() {
    for (given, expected) in rows(include_str!("history.txt")) {
        let [status, verb, tries, cause, ago] = &given[..] else {
            panic!("{given:?}")
        };
        let verb = [
            Verb::Create,
            Verb::Update,
            Verb::Rollback,
            Verb::Continue,
            Verb::Delete,
        ]
        .into_iter()
        .find(|known| known.as_str() == verb)
        .unwrap();
        let failure = (cause != "-").then(|| Failure {
            logical_id: "Function".to_owned(),
            kind: "AWS::Lambda::Function".to_owned(),
            reason: cause.clone(),
            token: None,
            at: now(),
        });
        let sight = if status == "absent" {
            Sight::Absent
        } else {
            let mut stack = stack(status, "ours", "other");
            stack.failure.clone_from(&failure);
            Sight::There(Box::new(stack))
        };
        let mut case = Case::new(sight);
        let tries: u32 = tries.parse().unwrap();
        case.memory.failure = failure;
        case.memory.attempts.insert(verb, tries);
        case.memory.operation = Some(Operation {
            verb,
            hash: hashes().open,
            attempt: tries,
            at: now() - SignedDuration::from_secs(ago.parse().unwrap()),
            arrived: true,
        });
        let decision = case.with(decide);
        let told = [
            call(&decision),
            ready(&decision),
            or_dash(decision.told.reconciling),
            or_dash(decision.told.stalled),
        ];
        assert_eq!(told[..], expected[..], "{given:?}");
        if cause != "-" && status != "absent" {
            assert!(
                decision.told.ready.message.contains(cause.as_str()),
                "{given:?}: {}",
                decision.told.ready.message
            );
        }
    }
}

#[test]
fn every_refusal_is_answered_as_the_table_says() {
    let mut kinds = std::collections::BTreeSet::new();
    for (given, expected) in rows(include_str!("refusals.txt")) {
        let [call, code, sentence, times, minutes] = &given[..] else {
            panic!("{given:?}")
        };
        let refusal = Refusal {
            kind: sort(code, sentence),
            message: sentence.clone(),
        };
        kinds.insert(refusal.kind);
        let seen = match call.as_str() {
            "create" => Sight::Absent,
            "delete" => Sight::There(Box::new(stack("CREATE_IN_PROGRESS", "ours", "same"))),
            "describe" => Sight::Unseen(refusal.clone()),
            _ => Sight::There(Box::new(stack("UPDATE_COMPLETE", "ours", "other"))),
        };
        let mut case = Case::new(seen);
        if call == "delete" {
            case.leaving = Some(Leaving {
                policy: DeletionPolicy::Delete,
                forced: false,
                messages: Ok(0),
            });
        }
        match call.as_str() {
            "account" => case.caller = ("444455556666", REGION),
            "region" => case.caller = (ACCOUNT, "us-east-1"),
            _ => {}
        }
        let (times, minutes): (i64, i64) = (times.parse().unwrap(), minutes.parse().unwrap());
        let mut decision = case.with(decide);
        for time in 0..times {
            // Spread evenly, so that the last one is `minutes` after the first; each long after the wait of the one before.
            case.now = now() + SignedDuration::from_secs(minutes * 60 * time / (times - 1).max(1));
            if let Some(trouble) = &mut case.memory.trouble {
                trouble.until = case.now;
            }
            decision = case.with(|view| {
                let decision = decide(view);
                match &decision.call {
                    Some(_) => refused(view, &decision, &refusal),
                    None => decision,
                }
            });
            case.memory = decision.memory.clone();
        }
        let told = [
            ready(&decision),
            or_dash(decision.told.reconciling),
            or_dash(decision.told.stalled),
        ];
        assert_eq!(told[..], expected[..], "{given:?}");
        assert!(decision.call.is_none() && !decision.release, "{given:?}");
    }
    // Only `NotThere` of a call that changes something is left out: the next look finds out.
    assert_eq!(kinds.len(), 16, "{kinds:?}");
}

#[test]
fn a_source_goes_as_the_table_says() {
    for (given, expected) in rows(include_str!("leaving.txt")) {
        let [policy, forced, messages, front, empty, readings] = &given[..] else {
            panic!("{given:?}")
        };
        let hash = if front == "closed" { "closed" } else { "same" };
        let mut case = Case::new(Sight::There(Box::new(stack("UPDATE_COMPLETE", "ours", hash))));
        case.memory.ever_ready = true;
        let readings: u32 = readings.parse().unwrap();
        let empty: i64 = empty.parse().unwrap();
        case.memory.empty = (readings > 0).then(|| (now() - SignedDuration::from_secs(empty), readings));
        case.leaving = Some(Leaving {
            policy: match policy.as_str() {
                "Delete" => DeletionPolicy::Delete,
                "Drain" => DeletionPolicy::Drain,
                _ => DeletionPolicy::Retain,
            },
            forced: forced == "yes",
            messages: messages.parse().map_err(|_| "no answer".to_owned()),
        });
        let decision = case.with(decide);
        assert_eq!([call(&decision), ready(&decision)][..], expected[..], "{given:?}");
        assert!(!decision.release);
    }
    assert!(NAME.len() < 64);
}
