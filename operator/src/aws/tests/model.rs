//! Many lives of a source, each from a seed: whatever AWS, people and crashes do, the invariants hold. And each rule is needed:
//! with any one switched off, some life breaks an invariant.
//!
//! `MEF_MODEL_SEED=n` runs one life and prints it.

use mef_crds::DeletionPolicy;

use super::super::decide::{CONTINUES, Notes, RECREATES, UPDATES};
use super::super::memory::Memory;
use super::super::rules::Rule;
use super::world::{Credentials, NAME, World};

/// Looks after which a calm world must have come to an end.
const CALM_LOOKS: u32 = 600;

/// One life. What is broken, and how it went.
fn life(seed: u64) -> (Vec<String>, Vec<String>) {
    let mut world = World::new(seed);
    // Some lives are about leaving: nothing but messages, and nothing that fails.
    let about_leaving = seed.is_multiple_of(4);
    // In some, AWS answers and every operation fails for something that may pass.
    let cursed = seed % 4 == 1;
    if !about_leaving && world.dice.one_in(10) {
        stranger(&mut world);
    }
    let looks = 10 + world.dice.roll(60);
    world.faults = !about_leaving;
    for _ in 0..looks {
        if cursed {
            let sticks = world.dice.one_in(4);
            world.curse(sticks, true);
        }
        if !about_leaving {
            something_happens(&mut world);
        }
        if world.dice.one_in(2) {
            world.cloud.send(NAME);
        }
        if about_leaving && world.leaving.is_none() && world.dice.one_in(12) {
            world.leaving =
                Some([DeletionPolicy::Delete, DeletionPolicy::Drain][usize::from(world.dice.one_in(2))]);
        }
        if about_leaving && world.dice.one_in(3) {
            world.cloud.drain(NAME);
        }
        let wait = world.look();
        if !world.finalizer {
            break;
        }
        let wake = world.dice.one_in(3);
        let pass = if wake {
            1 + world.dice.roll(20)
        } else {
            u64::try_from(wait).unwrap()
        };
        world.pass(i64::try_from(pass).unwrap());
    }
    calm(&mut world, cursed);
    lasting(&mut world, about_leaving);
    (world.broken, world.log)
}

/// Somebody has a stack of our name.
fn stranger(world: &mut World) {
    let create = super::cloud::Create {
        name: NAME.to_owned(),
        template: "{}".to_owned(),
        tags: [("team".to_owned(), "another".to_owned())].into(),
        ..Default::default()
    };
    world.cloud.create(create).unwrap();
    world.pass(60);
    world.cloud.taken.clear();
}

fn something_happens(world: &mut World) {
    match world.dice.roll(60) {
        0 => {
            world.version += 1;
            world.era += 1;
        }
        1 => {
            world.notes = Notes {
                reconcile: Some(world.now().to_string()),
                ..world.notes.clone()
            };
            world.era += 1;
        }
        2 => world.suspended = !world.suspended,
        3..=6 => world.curse(false, true),
        7..=9 => world.curse(false, false),
        10..=12 => world.curse(true, true),
        13 => {
            meddle(world, "DELETE_COMPLETE");
            world.cloud.forgive();
        }
        14 if served(world) => meddle(world, "DELETE_FAILED"),
        15 if served(world) => meddle(world, "UPDATE_ROLLBACK_FAILED"),
        16 if served(world) => meddle(world, "UPDATE_FAILED"),
        17 if served(world) => meddle(world, "IMPORT_ROLLBACK_COMPLETE"),
        // The status is lost: what it counted is too. (Whoever loses it while a create is on its way whose reply was lost as well
        // cannot know of that create; this is the one thing that is not survived.)
        18 if world.late.is_empty() => {
            world.memory = Memory::default();
            world.told = None;
            world.era += 1;
            world.forget_tokens();
        }
        19..=22 => world.credentials = Credentials::OfAnotherAccount,
        23..=24 => world.credentials = Credentials::Broken,
        25..=34 => world.credentials = Credentials::Right,
        35..=38 => world.cloud.drain(NAME),
        39..=40 if world.leaving.is_none() => {
            let policies = [
                DeletionPolicy::Delete,
                DeletionPolicy::Drain,
                DeletionPolicy::Retain,
            ];
            world.leaving = Some(policies[usize::try_from(world.dice.roll(3)).unwrap()]);
        }
        41 if world.leaving.is_some() => world.forced = true,
        _ => {}
    }
}

/// Somebody else puts the stack into a status; what follows is another era.
fn meddle(world: &mut World, status: &'static str) {
    world.cloud.put(NAME, status);
    world.era += 1;
}

fn served(world: &World) -> bool {
    world.cloud.describe(NAME).is_ok_and(|stack| stack.live)
}

/// AWS answers, nobody meddles: it ends, in a bounded number of looks.
fn calm(world: &mut World, cursed: bool) {
    world.faults = false;
    world.suspended = false;
    world.credentials = Credentials::Right;
    if !cursed {
        world.cloud.fates.clear();
    }
    for _ in 0..CALM_LOOKS {
        if !world.finalizer || ended(world) {
            return;
        }
        if cursed && world.leaving.is_none() && world.cloud.fates.is_empty() {
            world.curse(false, true);
        }
        if world.leaving.is_some() {
            world.cloud.drain(NAME);
            world.cloud.fates.clear();
        }
        let wait = world.look();
        world.pass(wait);
    }
    world.broken.push("4: it never ends".to_owned());
}

fn ended(world: &World) -> bool {
    let Some(told) = &world.told else { return false };
    let served = told.ready.holds == Some(true) && told.reconciling.is_none();
    let current = world
        .cloud
        .describe(NAME)
        .is_ok_and(|stack| stack.tags.get(super::super::stack::tag::HASH) == Some(&world.hashes().open));
    world.leaving.is_none() && (told.stalled.is_some() || (served && current))
}

/// What must hold of the whole life.
fn lasting(world: &mut World, about_leaving: bool) {
    if world.finalizer && world.leaving.is_none() {
        // Stalled by the clock or by a refusal that is over: one more look may still change it.
        for _ in 0..3 {
            let wait = world.look();
            world.pass(wait);
        }
        if ended(world) {
            let (writes, calls) = (world.writes, world.cloud.taken.len());
            for _ in 0..5 {
                let wait = world.look();
                world.pass(wait);
            }
            if (world.writes, world.cloud.taken.len()) != (writes, calls) {
                world
                    .broken
                    .push("6: it writes or calls although nothing changes".to_owned());
            }
        }
    }
    if !world.finalizer {
        // What was on its way arrives.
        world.pass(200);
        let uid = &world.owner.uid;
        let left = world.cloud.stacks().iter().any(|stack| {
            stack.status != "DELETE_COMPLETE" && stack.tags.get(super::super::stack::tag::UID) == Some(uid)
        });
        if left && world.leaving != Some(DeletionPolicy::Retain) {
            world
                .broken
                .push("5: the finalizer is gone and the stack is not".to_owned());
        }
    }
    if about_leaving && world.cloud.lost > 0 {
        world.broken.push(format!(
            "queue: {} acknowledged messages are lost",
            world.cloud.lost
        ));
    }
    let bounds = [
        ("create", RECREATES + 1),
        ("update", UPDATES),
        ("continue", CONTINUES),
    ];
    for ((era, verb), count) in world.counts.clone() {
        let bound = bounds.iter().find(|(name, _)| *name == verb);
        if bound.is_some_and(|(_, bound)| count > *bound) {
            world.broken.push(format!("7: {count} times {verb} in era {era}"));
        }
    }
}

/// A life without incident: made once, never touched again.
fn quiet_life() -> Vec<String> {
    let mut world = World::new(0);
    for _ in 0..50 {
        let wait = world.look();
        world.pass(wait);
    }
    let verbs: Vec<_> = world.cloud.taken.iter().map(|call| call.verb).collect();
    let ready = world
        .told
        .as_ref()
        .is_some_and(|told| told.ready.holds == Some(true));
    if !ready || verbs != ["create"] || world.writes > 5 {
        world.broken.push(format!(
            "6: a source that is well: {verbs:?}, {} writes, ready {ready}",
            world.writes
        ));
    }
    world.broken
}

fn seeds() -> u64 {
    if std::env::var_os("MEF_SOAK").is_some() {
        10_000
    } else {
        1_500
    }
}

#[test]
fn the_invariants_hold_in_every_life() {
    if let Some(seed) = std::env::var("MEF_MODEL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        let (broken, log) = life(seed);
        println!("{}\n{broken:#?}", log.join("\n"));
        assert!(broken.is_empty());
        return;
    }
    assert!(quiet_life().is_empty(), "{:?}", quiet_life());
    for seed in 0..seeds() {
        let (broken, log) = life(seed);
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}\n{}", log.join("\n"));
    }
}

#[test]
fn without_any_one_rule_an_invariant_breaks() {
    for rule in Rule::ALL {
        let found = Rule::without(Some(rule), || {
            if let Some(what) = quiet_life().first() {
                return Some((0, what.clone()));
            }
            (0..20_000).find_map(|seed| {
                let (broken, _) = life(seed);
                broken.first().map(|what| (seed, what.clone()))
            })
        });
        let (seed, what) = found.unwrap_or_else(|| panic!("nobody misses {rule:?}"));
        println!("without {rule:?}: seed {seed}: {what}");
    }
}
