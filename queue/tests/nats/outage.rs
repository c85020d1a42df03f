//! A server that goes away and comes back.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use mef_queue::{Lane, Queue, SendError};

use crate::support::{Bench, all, connected, event, ids};

#[tokio::test]
async fn while_the_server_is_away_senders_are_told_at_once() {
    let mut bench = Bench::new().await;
    let queue = bench.queue();
    bench.server.kill();
    crate::support::eventually("the loss of the connection", async || !bench.connection.is_up()).await;
    let began = Instant::now();
    let results = queue.send(Lane::Events, vec![event("one", "{}")]).await;
    assert!(matches!(&results[0], Err(SendError::Unavailable(_))));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn nothing_acknowledged_is_missing_after_the_server_was_killed_again_and_again() {
    let mut bench = Bench::new().await;
    let queue = std::sync::Arc::new(bench.queue());
    let sender = {
        let queue = std::sync::Arc::clone(&queue);
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            let mut refusals = 0_u32;
            for number in 0_u32.. {
                let id = format!("event-{number}");
                match queue.send(Lane::Events, vec![event(&id, "{}")]).await.remove(0) {
                    Ok(_) => acknowledged.push(id),
                    Err(_) => {
                        refusals += 1;
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                if acknowledged.len() >= 3_000 && refusals > 0 {
                    break;
                }
            }
            (acknowledged, refusals)
        })
    };
    for _ in 0..5 {
        let before = bench
            .connection
            .client()
            .statistics()
            .in_messages
            .load(std::sync::atomic::Ordering::Relaxed);
        crate::support::eventually("traffic", async || {
            let now = bench
                .connection
                .client()
                .statistics()
                .in_messages
                .load(std::sync::atomic::Ordering::Relaxed);
            now > before + 100 || sender.is_finished()
        })
        .await;
        bench.server.kill();
        bench.server.run();
        connected(&bench.connection).await;
    }
    let (acknowledged, refusals) = sender.await.unwrap();
    let found = all(&queue, Lane::Events).await;
    let found: HashSet<&str> = ids(&found).into_iter().collect();
    let missing: Vec<_> = acknowledged
        .iter()
        .filter(|id| !found.contains(id.as_str()))
        .collect();
    println!(
        "{} acknowledged, {refusals} refused, {} found",
        acknowledged.len(),
        found.len()
    );
    assert!(missing.is_empty(), "{missing:?}");
}
