//! Streams are made and kept as the source asks, and nobody else's is touched.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self, Context};
use mef_queue::nats::owner::{Marks, Owner};
use mef_queue::nats::streams::Storage;
use mef_queue::nats::{ProvisionError, messages, provision, remove};
use mef_queue::{Lane, Queue, Settings};

use crate::support::{Bench, all, event, owner, send};

async fn config(context: &Context, name: &str) -> Config {
    let stream = context.get_stream(name).await.unwrap();
    stream.cached_info().config.clone()
}

#[tokio::test]
async fn a_second_look_changes_nothing() {
    let bench = Bench::bare().await;
    let settings = Settings::default();
    let made = provision(
        bench.connection.client(),
        &bench.layout,
        &owner(),
        &settings,
        Storage::default(),
    )
    .await;
    let events = bench.layout.stream(Lane::Events).to_owned();
    let dead = bench.layout.stream(Lane::Dead).to_owned();
    assert_eq!(made.unwrap().created, [events, dead]);
    let again = provision(
        bench.connection.client(),
        &bench.layout,
        &owner(),
        &settings,
        Storage::default(),
    )
    .await;
    assert_eq!(again.unwrap(), mef_queue::nats::Provisioned::default());
}

#[tokio::test]
async fn another_retention_reaches_the_stream_and_its_messages_stay() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    send(&queue, Lane::Events, event("one", "{}")).await;
    let settings = Settings {
        retention: Duration::from_secs(86_400),
        visibility_timeout: Duration::from_secs(90),
        ..Settings::default()
    };
    let changed = provision(
        bench.connection.client(),
        &bench.layout,
        &owner(),
        &settings,
        Storage::default(),
    )
    .await;
    assert_eq!(changed.unwrap().updated, [bench.layout.stream(Lane::Events)]);
    let context = jetstream::new(bench.connection.client().clone());
    let found = config(&context, bench.layout.stream(Lane::Events)).await;
    assert_eq!(found.max_age, settings.retention);
    let stream = context
        .get_stream(bench.layout.stream(Lane::Events))
        .await
        .unwrap();
    let consumer = stream.consumer_info("siem").await.unwrap();
    assert_eq!(consumer.config.ack_wait, settings.visibility_timeout);
    assert_eq!(all(&queue, Lane::Events).await.len(), 1);
}

#[tokio::test]
async fn a_foreign_stream_of_our_name_is_left_alone_and_named() {
    let bench = Bench::bare().await;
    let context = jetstream::new(bench.connection.client().clone());
    let theirs = Config {
        name: bench.layout.stream(Lane::Events).to_owned(),
        subjects: vec!["theirs".to_owned()],
        ..Config::default()
    };
    context.create_stream(theirs).await.unwrap();
    context
        .publish("theirs", "keep me".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let before = config(&context, bench.layout.stream(Lane::Events)).await;
    let result = provision(
        bench.connection.client(),
        &bench.layout,
        &owner(),
        &Settings::default(),
        Storage::default(),
    )
    .await;
    assert!(
        matches!(&result, Err(ProvisionError::Foreign { found, .. }) if *found == Marks::default()),
        "{result:?}"
    );
    remove(bench.connection.client(), &bench.layout, &owner())
        .await
        .unwrap();
    let mut stream = context
        .get_stream(bench.layout.stream(Lane::Events))
        .await
        .unwrap();
    assert_eq!(stream.cached_info().config, before);
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
}

/// Two clusters that share an account, each with the source of one Git repository.
#[tokio::test]
async fn the_same_source_of_another_cluster_gets_its_own_streams_or_none() {
    let bench = Bench::new().await;
    send(&bench.queue(), Lane::Events, event("one", "{}")).await;
    let context = jetstream::new(bench.connection.client().clone());
    let before = config(&context, bench.layout.stream(Lane::Events)).await;
    let other = Owner::new("another-cluster", "security", "sample");
    let client = bench.connection.client();
    let settings = Settings {
        retention: Duration::from_secs(3_600),
        ..Settings::default()
    };
    let result = provision(client, &bench.layout, &other, &settings, Storage::default()).await;
    let error = result.expect_err("they belong to the other cluster").to_string();
    for words in ["\"a-cluster\"", "\"another-cluster\"", "clusterId"] {
        assert!(error.contains(words), "{error}");
    }
    let read = bench.queue().of(other.clone()).depth(Lane::Events).await;
    let error = read.expect_err("it is not its own to read").to_string();
    assert!(error.contains("a-cluster"), "{error}");
    assert_eq!(messages(client, &bench.layout, &other).await.unwrap(), 0);
    remove(client, &bench.layout, &other).await.unwrap();
    assert_eq!(config(&context, bench.layout.stream(Lane::Events)).await, before);
    assert_eq!(messages(client, &bench.layout, &owner()).await.unwrap(), 1);
    let own = bench.queue().of(owner()).depth(Lane::Events).await.unwrap();
    assert_eq!(own.ready, 1);
}

#[tokio::test]
async fn a_stream_changed_by_hand_is_shown_with_both_values_and_not_set_back() {
    let bench = Bench::new().await;
    let context = jetstream::new(bench.connection.client().clone());
    let mut changed = config(&context, bench.layout.stream(Lane::Events)).await;
    changed.discard = DiscardPolicy::Old;
    context.update_stream(changed).await.unwrap();
    let result = provision(
        bench.connection.client(),
        &bench.layout,
        &owner(),
        &Settings::default(),
        Storage::default(),
    )
    .await;
    let error = result.expect_err("it differs").to_string();
    assert!(error.contains("discard is Old, expected New"), "{error}");
    let found = config(&context, bench.layout.stream(Lane::Events)).await;
    assert_eq!(found.discard, DiscardPolicy::Old);
}

#[tokio::test]
async fn subjects_of_another_stream_are_told() {
    let bench = Bench::bare().await;
    let context = jetstream::new(bench.connection.client().clone());
    let theirs = Config {
        name: "theirs".to_owned(),
        subjects: vec!["mef.>".to_owned()],
        ..Config::default()
    };
    context.create_stream(theirs).await.unwrap();
    let result = provision(
        bench.connection.client(),
        &bench.layout,
        &owner(),
        &Settings::default(),
        Storage::default(),
    )
    .await;
    assert!(
        matches!(result, Err(ProvisionError::SubjectsTaken { .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_stream_deleted_by_hand_is_made_again() {
    let bench = Bench::new().await;
    let context = jetstream::new(bench.connection.client().clone());
    context
        .delete_stream(bench.layout.stream(Lane::Dead))
        .await
        .unwrap();
    let made = provision(
        bench.connection.client(),
        &bench.layout,
        &owner(),
        &Settings::default(),
        Storage::default(),
    )
    .await;
    assert_eq!(made.unwrap().created, [bench.layout.stream(Lane::Dead)]);
}

#[tokio::test]
async fn removing_takes_both_streams_and_may_be_repeated() {
    let bench = Bench::new().await;
    for _ in 0..2 {
        remove(bench.connection.client(), &bench.layout, &owner())
            .await
            .unwrap();
    }
    let context = jetstream::new(bench.connection.client().clone());
    assert!(
        context
            .get_stream(bench.layout.stream(Lane::Events))
            .await
            .is_err()
    );
}
