//! A process may die at any moment. Here it dies at every moment at which it waits for somebody else: before a request leaves,
//! and after it was answered to nobody. A fresh one must bring everything to the state that an undisturbed one brings it to.
//!
//! With `MEF_SOAK` it dies before and after each request. Without it at every fifth, from a place that is printed, and only
//! after: "before the next" looks the same from outside.

mod gate;
mod life;
mod nats_proxy;

use futures::StreamExt;
use gate::{Cut, When};
use life::{Bed, Life};
use serde_json::{Value, json};

use crate::cluster::source;
use crate::snapshot::Snapshot;

/// Runs at once.
const AT_ONCE: usize = 6;

/// What happens to a source, after it is ready where there is one before.
struct Story {
    name: &'static str,
    begins_ready: bool,
    then: fn(&mut Value),
    deleted: bool,
}

const STORIES: [Story; 4] = [
    Story {
        name: "create",
        begins_ready: false,
        then: |_| {},
        deleted: false,
    },
    Story {
        name: "update",
        begins_ready: true,
        // Every kind of write: a Deployment changes, a budget goes, a route comes, streams change.
        then: |object| {
            object["spec"]["runtime"]["cluster"]["replicas"] = json!(1);
            object["spec"]["runtime"]["cluster"]["route"] = json!({"host": "hooks.example.org"});
            object["spec"]["queue"] = json!({"retention": "24h", "visibilityTimeout": "90s"});
        },
        deleted: false,
    },
    Story {
        name: "rotate",
        begins_ready: true,
        then: |object| object["spec"]["transform"] = json!(".seen = true"),
        deleted: false,
    },
    Story {
        name: "delete",
        begins_ready: true,
        then: |_| {},
        deleted: true,
    },
];

/// Tells a story to one operator that dies at `cut`, then to a fresh one; gives the end, and how many requests were made by
/// the first.
async fn tell(bed: &Bed, story: &Story, cut: Option<Cut>) -> (Snapshot, Vec<String>, bool) {
    let namespace = bed.namespace().await;
    if story.begins_ready {
        bed.apply(&namespace, &source("sample")).await;
        Life::new(bed, &namespace, None)
            .await
            .settle()
            .await
            .expect("nothing cuts it");
    }
    if story.deleted {
        bed.delete(&namespace).await;
    } else {
        let mut object = source("sample");
        (story.then)(&mut object);
        bed.apply(&namespace, &object).await;
    }
    let mut first = Life::new(bed, &namespace, cut).await;
    let died = first.settle().await.is_err();
    let requests = first.requests();
    drop(first);
    if died {
        let mut fresh = Life::new(bed, &namespace, None).await;
        fresh.settle().await.expect("nothing cuts it");
    }
    (
        Snapshot::take(bed.admin(), bed.nats(), &namespace).await,
        requests,
        died,
    )
}

async fn every_cut(story: &Story) {
    let bed = Bed::start().await;
    let (expected, requests, _) = tell(&bed, story, None).await;
    let (whens, step): (&[When], usize) = match std::env::var_os("MEF_SOAK") {
        Some(_) => (&[When::Before, When::After], 1),
        None => (&[When::After], 5),
    };
    let total = requests.len();
    let first = 1 + std::process::id() as usize % step;
    let cuts = (first..=total)
        .step_by(step)
        .flat_map(|at| whens.iter().map(move |when| Cut { at, when: *when }));
    let planned = cuts.clone().count();
    let runs = futures::stream::iter(cuts).map(|cut| {
        let (bed, expected, requests) = (&bed, &expected, &requests);
        async move {
            let (found, made, died) = tell(bed, story, Some(cut)).await;
            let at = made
                .get(cut.at - 1)
                .or(requests.get(cut.at - 1))
                .cloned()
                .unwrap_or_default();
            expected.same(&found, &format!("{}, cut {cut:?} at {at}", story.name));
            usize::from(died)
        }
    });
    let died: usize = runs
        .buffer_unordered(AT_ONCE)
        .fold(0, async |sum, one| sum + one)
        .await;
    let to_nats = requests.iter().filter(|request| request.starts_with('$')).count();
    println!(
        "{}: {total} requests ({to_nats} of them to NATS); cut from the {first}. on at every {step}., the operator died {died} \
         times, the same end each time",
        story.name
    );
    assert!(total > 15, "{requests:#?}");
    // One that had to wait for something makes a request more or less.
    assert!(died + 4 >= planned, "only {died} of {planned} cuts came to pass");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_is_cut_anywhere_ends_the_same() {
    Box::pin(every_cut(&STORIES[0])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_is_cut_anywhere_ends_the_same() {
    Box::pin(every_cut(&STORIES[1])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_of_definitions_that_is_cut_anywhere_ends_the_same() {
    Box::pin(every_cut(&STORIES[2])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_is_cut_anywhere_ends_the_same() {
    Box::pin(every_cut(&STORIES[3])).await;
}
