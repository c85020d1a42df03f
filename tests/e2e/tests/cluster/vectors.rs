//! The published vectors, over HTTP, at a receiver in a pod and at `mef dev`: equal answers, equal messages, equal dead letters.
//!
//! A signature holds at an instant, so both processes are given a clock that stands there: libfaketime reads it from a file,
//! in the pod through its root filesystem as the node sees it. Keys that senders publish are fetched, by DNS and TLS, from
//! `tests/bed/senders.py`, which is every sender: nothing else of either program is another than in use.

mod laptop;
mod pod;
mod senders;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;

use mef_e2e::{Vector, repository};
use mef_pipeline::preset::Preset;
use serde_json::{Value, json};

use crate::bed::{Bed, bed};
use crate::release;
use crate::siem::Siem;
use crate::team::{Team, runtime};
use laptop::Laptop;
use pod::Pod;
use senders::Senders;

/// Sources at once: each is a pod.
const AT_ONCE: usize = 24;

/// Vectors that one source serves.
struct Group {
    name: String,
    source: Value,
    secret: Value,
    /// What the sender publishes.
    published: Value,
    vectors: Vec<Vector>,
}

/// What a run gave.
#[derive(Default)]
struct Tally {
    vectors: usize,
    /// Messages and dead letters that both kept.
    kept: usize,
    /// Sources that neither takes.
    refused: usize,
    wrong: Vec<String>,
}

#[test]
fn a_pod_and_mef_dev_answer_every_vector_alike() {
    let Some(bed) = bed() else { return };
    if !bed.own {
        println!("the clocks of pods are set on the project's own node only");
        return;
    }
    let _alone = release::alone();
    let senders = match Senders::start() {
        Ok(senders) => senders,
        Err(reason) => return mef_e2e::skip(&reason),
    };
    let clock = install(bed, &senders);
    let team = Team::new(bed, "vectors");
    let siem = Siem::connect(&bed.nats);
    let groups = groups();
    let mut tally = Tally::default();
    for batch in groups.chunks(AT_ONCE) {
        run(&team, &siem, &senders, &clock, batch, &mut tally);
    }
    release::none(bed);
    println!(
        "{} vectors of {} sources: answers, messages and dead letters are equal but for {}; both kept {}, both refuse {} sources",
        tally.vectors,
        groups.len(),
        tally.wrong.len(),
        tally.kept,
        tally.refused
    );
    println!("fetches of keys:\n{}", senders.log());
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(tally.vectors >= 95, "only {} vectors", tally.vectors);
}

/// The operator, with receivers whose clock can be set. Gives the library that does it.
fn install(bed: &Bed, senders: &Senders) -> PathBuf {
    let ca = senders.authority().display().to_string();
    let printed = crate::bed::script("images/clock", &[&bed.images[1], &ca]).expect("the bed runs");
    let names: BTreeMap<&str, &str> = printed.lines().filter_map(|line| line.split_once('=')).collect();
    let mut values = release::values(bed);
    let (repository, tag) = names["image"].rsplit_once(':').expect("an image has a tag");
    values["receiver"]["image"] = json!({"repository": repository, "tag": tag, "pullPolicy": "Never"});
    release::with(bed, &values);
    names["library"].into()
}

/// Every committed vector; with `MEF_SOAK` those of our script too. What differs in the request alone shares a source.
fn groups() -> Vec<Group> {
    let folder = repository().join("pipeline/tests/data");
    let mut files = vec![folder.join("webhook-vectors.json")];
    if std::env::var_os("MEF_SOAK").is_some() {
        files.extend(
            ["general", "keys", "proof", "security"].map(|part| folder.join(format!("vectors-{part}.json"))),
        );
    }
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for vector in files.iter().flat_map(|file| Vector::read(file)) {
        let preset = Preset::get(&vector.preset).unwrap_or_else(|| panic!("{} has no preset", vector.name));
        let [source, secret] = vector.objects(preset, "keys");
        let published = vector.published();
        let number = groups.len();
        let group = groups
            .entry(format!("{source}{secret}{published}"))
            .or_insert_with(|| Group {
                name: format!("v{number}"),
                source,
                secret,
                published,
                vectors: Vec::new(),
            });
        group.vectors.push(vector);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in &mut groups {
        let keys = format!("keys-{}", group.name);
        group.source["metadata"]["name"] = json!(group.name);
        for entry in group.source["spec"]["webhook"]["secrets"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            entry["secretRef"]["name"] = json!(keys);
        }
        group.secret["metadata"]["name"] = json!(keys);
        // A clock that goes back is one of no process in use.
        group.vectors.sort_by_key(Vector::now);
    }
    groups
}

fn run(team: &Team, siem: &Siem, senders: &Senders, library: &PathBuf, batch: &[Group], tally: &mut Tally) {
    let objects: Vec<Value> = batch
        .iter()
        .flat_map(|group| {
            let mut source = group.source.clone();
            source["spec"]["runtime"] = runtime(team);
            source["spec"]["runtime"]["cluster"]["replicas"] = json!(1);
            source["spec"]["runtime"]["cluster"]["resources"]["requests"]["cpu"] = json!("1m");
            [group.secret.clone(), source]
        })
        .collect();
    team.ok(
        &["create", "-f", "-"],
        &json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string(),
    );
    for group in batch {
        if group.vectors[0].secrets.iter().any(String::is_empty) {
            // An empty secret verifies everything that an empty key signs, so nobody serves such a source.
            let message = team.until(&group.name, "ReferencesResolved", "False", "ReferenceNotFound");
            assert!(message.contains("empty"), "{message}");
            assert!(Laptop::refuses(team, group), "{} is taken by mef dev", group.name);
            tally.refused += 1;
            tally.vectors += group.vectors.len();
            continue;
        }
        team.wait_ready(&group.name);
        let pod = Pod::of(team, &group.name);
        senders.publish(&pod.address, &group.published);
        let laptop = Laptop::start(team, group, senders, library);
        for vector in &group.vectors {
            compare(vector, &pod, &laptop, tally);
        }
        let in_the_cluster = pod.kept(siem, team);
        let on_the_laptop = laptop.kept();
        tally.kept += on_the_laptop.len();
        if in_the_cluster != on_the_laptop {
            tally.wrong.push(format!(
                "{} ({}): kept in the cluster\n{in_the_cluster:#?}\nand on the laptop\n{on_the_laptop:#?}",
                group.name, group.vectors[0].name
            ));
        }
    }
    let names: Vec<&str> = batch.iter().map(|group| group.name.as_str()).collect();
    for name in &names {
        team.ok(
            &["annotate", "evsrc", name, "events.mozdef.io/force-delete=all"],
            "",
        );
    }
    team.ok(
        &[&["delete", "evsrc", "--wait=false"], names.as_slice()].concat(),
        "",
    );
}

fn compare(vector: &Vector, pod: &Pod, laptop: &Laptop, tally: &mut Tally) {
    let preset = Preset::get(&vector.preset).expect("it was there");
    let request = vector.request(preset).bytes();
    pod.set_clock(vector.now());
    laptop.set_clock(vector.now());
    let in_the_cluster = wire::ask(&pod.socket, &request);
    let on_the_laptop = wire::ask(&laptop.socket, &request);
    laptop.collect();
    tally.vectors += 1;
    if in_the_cluster != on_the_laptop {
        tally.wrong.push(format!(
            "{}: the pod answers {in_the_cluster:?}, mef dev {on_the_laptop:?}",
            vector.name
        ));
    }
    let expected = match (vector.expect.as_deref(), vector.expect_status) {
        (Some("accept"), _) => in_the_cluster.status / 100 == 2,
        (Some(_), _) => {
            in_the_cluster.status / 100 != 2 || preset.ack.unverified_status == Some(in_the_cluster.status)
        }
        (None, status) => Some(in_the_cluster.status) == status,
    };
    if !expected {
        tally.wrong.push(format!(
            "{}: expected {:?} {:?}, both answer {}",
            vector.name, vector.expect, vector.expect_status, in_the_cluster.status
        ));
    }
}

/// A message or dead letter without what is another in every process. A laptop has no API server that counts generations.
fn timeless(mut kept: Value) -> Value {
    for path in ["/details/mef", "", "/mef"] {
        if let Some(Value::Object(members)) = kept.pointer_mut(path) {
            members.remove("trace");
            members.remove("requestId");
            members.remove("generation");
        }
    }
    kept
}
