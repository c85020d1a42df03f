//! A source, its stack, and everything that can go wrong between them, in virtual time. The operator's steps are the real
//! ones; only who carries them out is made up.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mef_crds::DeletionPolicy;

use super::cloud::{ApiError, Cloud, Create, Fate, Update};
use crate::aws::decide::{Call, Decision, Hashes, Leaving, Notes, Sight, Told, View, decide, refused};
use crate::aws::memory::Memory;
use crate::aws::refusal::{Kind, Refusal, sort};
use crate::aws::stack::{Failure, Owner, Stack, Status, tag};
use crate::aws::token::Verb;

pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const REGION: &str = "eu-central-1";
pub(super) const NAME: &str = "mef-security-zoom-9e743b18";

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub(super) fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    Right,
    OfAnotherAccount,
    Broken,
}

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) cloud: Cloud,
    pub(super) another: Cloud,
    pub(super) owner: Owner,
    pub(super) version: u64,
    pub(super) credentials: Credentials,
    pub(super) suspended: bool,
    pub(super) leaving: Option<DeletionPolicy>,
    pub(super) forced: bool,
    pub(super) notes: Notes,
    pub(super) finalizer: bool,
    /// `status`, as it is written.
    pub(super) memory: Memory,
    pub(super) told: Option<Told>,
    pub(super) writes: u64,
    /// Whether calls go wrong, and the process dies.
    pub(super) faults: bool,
    /// Creates that arrive later than anybody waits.
    pub(super) late: Vec<(Timestamp, Create)>,
    /// The last operation's verb, token and hash, and whether AWS took it.
    last: Option<(Verb, String, String, bool)>,
    /// Changes since when attempts may be counted anew.
    pub(super) era: u64,
    /// Calls AWS took, by era and verb, while the source was to stay.
    pub(super) counts: BTreeMap<(u64, &'static str), u32>,
    /// What must never happen, and did.
    pub(super) broken: Vec<String>,
    pub(super) log: Vec<String>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        Self {
            dice: Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1),
            cloud: Cloud::new(ACCOUNT, REGION, now),
            another: Cloud::new("444455556666", REGION, now),
            owner: Owner {
                cluster: "prod".to_owned(),
                namespace: "security".to_owned(),
                name: "zoom".to_owned(),
                uid: "5f0c7c1e-9d41-4c2b-8a11-0123456789ab".to_owned(),
            },
            version: 1,
            credentials: Credentials::Right,
            suspended: false,
            leaving: None,
            forced: false,
            notes: Notes::default(),
            finalizer: true,
            memory: Memory::default(),
            told: None,
            writes: 0,
            faults: false,
            late: Vec::new(),
            last: None,
            era: 0,
            counts: BTreeMap::new(),
            broken: Vec::new(),
            log: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.cloud.now
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.cloud.advance(seconds);
        self.another.advance(seconds);
        let now = self.cloud.now;
        let (due, later) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.late = later;
        for (_, create) in due {
            let token = create.token.clone();
            let before = self.cloud.taken.len();
            if self.cloud.create(create).is_ok() {
                self.took(Verb::Create, token.as_deref().unwrap_or_default());
                self.count("create", before);
            }
        }
    }

    pub(super) fn hashes(&self) -> Hashes {
        let hash = |closed: u64| format!("{:012x}", self.version * 16 + closed);
        Hashes {
            open: hash(0),
            closed: hash(1),
        }
    }

    fn template(&self, closed: bool) -> String {
        let rate = u8::from(!closed) * 50;
        format!(
            "{{\"Type\":\"AWS::IAM::Role\",\"v\":{},\"QueueName\":\"q\",\"ThrottlingRateLimit\":{rate}}}",
            self.version
        )
    }

    fn tags(&self, closed: bool) -> BTreeMap<String, String> {
        let hashes = self.hashes();
        let mut tags = self.owner.tags();
        tags.insert(
            tag::HASH.to_owned(),
            if closed { hashes.closed } else { hashes.open },
        );
        tags
    }

    fn reached(&mut self) -> &mut Cloud {
        match self.credentials {
            Credentials::OfAnotherAccount => &mut self.another,
            _ => &mut self.cloud,
        }
    }

    fn see(&mut self) -> Sight {
        let refused = |kind| {
            Sight::Unseen(Refusal {
                kind,
                message: "refused".to_owned(),
            })
        };
        if self.credentials == Credentials::Broken {
            return refused(Kind::Credentials);
        }
        if self.faults && self.dice.one_in(10) {
            return refused([Kind::Unreachable, Kind::Throttled][usize::from(self.dice.one_in(2))]);
        }
        let id = self.memory.stack_id.clone();
        let cloud = self.reached();
        let by_id = id.and_then(|id| cloud.describe(&id).ok().cloned());
        let by_id = by_id.filter(|stack| stack.status != "DELETE_COMPLETE");
        let found = by_id.or_else(|| cloud.describe(NAME).ok().cloned());
        let Some(found) = found else { return Sight::Absent };
        let events = cloud
            .events(&found.id)
            .map(|events| events.into_iter().cloned().collect::<Vec<_>>());
        let failure = crate::aws::observe::root_cause(events.unwrap_or_default().into_iter().map(|event| {
            Failure {
                logical_id: event.logical_id,
                kind: event.kind,
                reason: event.reason,
                token: event.token,
                at: event.at,
            }
            .of(event.status)
        }));
        Sight::There(Box::new(Stack {
            id: found.id,
            status: Status::of(found.status),
            word: found.status.to_owned(),
            tags: found.tags,
            outputs: BTreeMap::new(),
            protected: found.protected,
            failure: failure
                .filter(|_| !found.status.ends_with("COMPLETE") || found.status.contains("ROLLBACK")),
        }))
    }

    /// One look, as the driver does it. Returns the seconds until the next.
    pub(super) fn look(&mut self) -> i64 {
        let sight = self.see();
        let another = self.another.account.clone();
        let caller = match self.credentials {
            Credentials::Right => Some((ACCOUNT, REGION)),
            Credentials::OfAnotherAccount => Some((another.as_str(), REGION)),
            Credentials::Broken => None,
        };
        let ago = i64::try_from(self.dice.roll(45)).unwrap();
        let counted = self.cloud.count(NAME, ago);
        let leaving = self.leaving.map(|policy| Leaving {
            policy,
            forced: self.forced,
            messages: counted.ok_or_else(|| "no queue".to_owned()),
        });
        let (hashes, memory, notes, owner) = (
            self.hashes(),
            self.memory.clone(),
            self.notes.clone(),
            self.owner.clone(),
        );
        let view = View {
            owner: &owner,
            account: ACCOUNT,
            region: REGION,
            caller,
            sight: &sight,
            desired: Some(&hashes),
            memory: &memory,
            notes: &notes,
            leaving: leaving.as_ref(),
            suspended: self.suspended,
            now: self.now(),
        };
        let mut decision = decide(&view);
        if self.credentials != Credentials::Right {
            self.must(decision.call.is_none(), "8: a call with wrong credentials");
            let left = self.leaving == Some(DeletionPolicy::Retain);
            self.must(
                !decision.release || left,
                "8: the finalizer goes with wrong credentials",
            );
            self.must(
                decision.told.ready.holds != Some(true),
                "8: ready with wrong credentials",
            );
        }
        self.note(&sight, &decision);
        if self.dies() {
            return 1;
        }
        self.write(&decision);
        if self.dies() {
            return 1;
        }
        if decision.release {
            self.finalizer = false;
            return 1;
        }
        if let Some(call) = decision.call.clone() {
            let done = self.carry_out(&call, &decision);
            if self.dies() {
                return 1;
            }
            if let Err(refusal) = done {
                decision = refused(&view, &decision, &refusal);
                self.log.push(format!("    refused: {:?}", refusal.kind));
                self.write(&decision);
            }
        }
        i64::try_from(decision.look_in.as_secs()).unwrap().max(1)
    }

    fn note(&mut self, sight: &Sight, decision: &Decision) {
        let seen = match sight {
            Sight::There(stack) => stack.word.clone(),
            other => format!("{other:?}"),
        };
        let told = &decision.told;
        self.log.push(format!(
            "{} v{} {seen} -> {:?} release {} {:?} {:?} {:?}",
            self.now(),
            self.version,
            decision.call.as_ref().map(Call::verb),
            decision.release,
            told.ready.reason,
            told.reconciling,
            told.stalled
        ));
    }

    fn dies(&mut self) -> bool {
        self.faults && self.dice.one_in(12)
    }

    fn write(&mut self, decision: &Decision) {
        if self.memory != decision.memory || self.told.as_ref() != Some(&decision.told) {
            self.memory = decision.memory.clone();
            self.told = Some(decision.told.clone());
            self.writes += 1;
        }
    }

    fn must(&mut self, holds: bool, what: &str) {
        if !holds {
            self.broken.push(what.to_owned());
        }
    }

    fn carry_out(&mut self, call: &Call, decision: &Decision) -> Result<(), Refusal> {
        let (verb, token) = (call.verb(), token(call));
        let hash = decision
            .memory
            .operation
            .as_ref()
            .map(|operation| operation.hash.clone())
            .unwrap_or_default();
        let mut known = false;
        if let Some((of, before, for_hash, taken)) = &self.last
            && *of == verb
        {
            known = *taken && *before == token;
            if *before != token && *for_hash == hash && !taken {
                self.broken
                    .push(format!("3: {token} although {before} never arrived"));
            }
        }
        self.last = Some((verb, token.clone(), hash, known));
        let away = || Refusal {
            kind: Kind::Unreachable,
            message: "no answer".to_owned(),
        };
        let fault = if self.faults { self.dice.roll(12) } else { 99 };
        match fault {
            0 => return Err(away()),
            1 => {
                return Err(Refusal {
                    kind: Kind::Throttled,
                    message: "Rate exceeded".to_owned(),
                });
            }
            2 if verb == Verb::Create && self.credentials == Credentials::Right => {
                let seconds = i64::try_from(self.dice.roll(100)).unwrap();
                let at = self.now() + jiff::SignedDuration::from_secs(seconds);
                let create = self.ask(token);
                self.late.push((at, create));
                return Err(away());
            }
            _ => {}
        }
        let before = self.cloud.taken.len();
        match self.ask_cloud(call) {
            Ok(()) => {
                self.took(verb, &token);
                self.count(verb.as_str(), before);
                if fault == 3 { Err(away()) } else { Ok(()) }
            }
            Err(error) => {
                let kind = sort(&error.code, &error.message);
                if matches!(kind, Kind::TokenExists | Kind::NoUpdates) || kind.is_final().is_some() {
                    self.took(verb, &token);
                }
                Err(Refusal {
                    kind,
                    message: error.message,
                })
            }
        }
    }

    fn took(&mut self, verb: Verb, token: &str) {
        if let Some((of, known, _, taken)) = &mut self.last
            && *of == verb
            && *known == token
        {
            *taken = true;
        }
    }

    /// Whoever lost the status knows no tokens either.
    pub(super) fn forget_tokens(&mut self) {
        self.last = None;
    }

    /// Counts what AWS took; the same again, answered as before, is nothing new.
    fn count(&mut self, verb: &'static str, before: usize) {
        if self.leaving.is_none() && self.cloud.taken.len() > before {
            *self.counts.entry((self.era, verb)).or_default() += 1;
        }
    }

    fn ask(&self, token: String) -> Create {
        Create {
            name: NAME.to_owned(),
            template: self.template(false),
            tags: self.tags(false),
            token: Some(token),
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
            protected: true,
            policy: Some("policy".to_owned()),
            on_failure: None,
            disable_rollback: false,
        }
    }

    fn ask_cloud(&mut self, call: &Call) -> Result<(), ApiError> {
        let token = Some(token(call));
        let (open, live) = (self.ask(token.clone().unwrap()), self.leaving.is_none());
        let own = self.owner.tags();
        let (template, tags) = match call {
            Call::Update { closed, .. } => (Some(self.template(*closed)), self.tags(*closed)),
            _ => (None, BTreeMap::new()),
        };
        let capabilities = vec!["CAPABILITY_IAM".to_owned()];
        let cloud = self.reached();
        let before = cloud.taken.len();
        let update = |id: &String, template, tags| Update {
            name: id.clone(),
            template,
            tags,
            token: token.clone(),
            capabilities: capabilities.clone(),
        };
        // What the stack's tags were when it was touched.
        let touched = |cloud: &Cloud, id: &str| {
            cloud
                .describe(id)
                .map(|stack| stack.tags.clone())
                .unwrap_or_default()
        };
        let mut tags_before = own.clone();
        let done = match call {
            Call::Create { .. } => cloud.create(open).map(drop),
            Call::Update { id, .. } => {
                tags_before = touched(cloud, id);
                cloud.update(update(id, template, tags)).map(drop)
            }
            Call::Disown { id, .. } => {
                tags_before = touched(cloud, id);
                let mut tags = tags_before.clone();
                tags.remove(tag::UID);
                cloud.update(update(id, None, tags)).map(drop)
            }
            Call::Rollback { id, .. } => {
                tags_before = touched(cloud, id);
                cloud.rollback(id, token.clone())
            }
            Call::Continue { id, .. } => {
                tags_before = touched(cloud, id);
                cloud.go_on(id, token.clone())
            }
            Call::Unprotect { id } => {
                tags_before = touched(cloud, id);
                cloud.protect(id, false)
            }
            Call::Delete {
                id, retain, force, ..
            } => {
                tags_before = touched(cloud, id);
                cloud.delete(id, token.clone(), *force || !retain.is_empty())
            }
        };
        let taken = cloud.taken[before..].to_vec();
        let adopted = self.notes.adopt.is_some();
        for one in taken {
            let ours = own.iter().all(|(key, value)| tags_before.get(key) == Some(value)) || adopted;
            self.must(ours, &format!("1: {} on somebody else's stack", one.verb));
            self.must(
                one.verb != "delete" || !live || !one.live,
                "2: a stack that served was deleted",
            );
        }
        done
    }

    /// The next operation fails like this.
    pub(super) fn curse(&mut self, sticks: bool, passes: bool) {
        let reason = if passes {
            "Rate exceeded"
        } else {
            "Bucket does not exist"
        }
        .to_owned();
        let (logical_id, kind) = ("Function".to_owned(), "AWS::Lambda::Function".to_owned());
        self.cloud.fates.push_back(if sticks {
            Fate::Sticks {
                logical_id,
                kind,
                reason,
            }
        } else {
            Fate::Fails {
                logical_id,
                kind,
                reason,
            }
        });
    }
}

fn token(call: &Call) -> String {
    match call {
        Call::Create { token }
        | Call::Update { token, .. }
        | Call::Rollback { token, .. }
        | Call::Continue { token, .. }
        | Call::Disown { token, .. }
        | Call::Delete { token, .. } => token.to_string(),
        Call::Unprotect { .. } => "unprotect".to_owned(),
    }
}
