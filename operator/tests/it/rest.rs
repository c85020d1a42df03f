//! A source at rest costs the API server nothing: its own audit log says so.

use std::thread::sleep;
use std::time::Duration;

use crate::cluster::Cluster;
use serde_json::json;

/// How long nothing may happen; five minutes with `MEF_SOAK`.
fn long() -> Duration {
    match std::env::var_os("MEF_SOAK") {
        Some(_) => Duration::from_secs(300),
        None => Duration::from_secs(6),
    }
}

#[test]
fn nothing_is_asked_of_the_api_server_at_rest() {
    let cluster = Cluster::start();
    cluster.ready("sample", |_| {});
    cluster.ready("routed", |object| {
        object["spec"]["runtime"]["cluster"]["route"] = json!({"host": "hooks.example.org"});
        object["spec"]["runtime"]["cluster"]["autoscaling"] = json!({"minReplicas": 2, "maxReplicas": 4});
    });
    cluster.apply("bad", |object| object["spec"]["transform"] = json!("nonsense("));
    cluster.until("bad", "Stalled", "True", "InvalidSpec");
    cluster.apply("still", |object| object["spec"]["suspend"] = json!(true));
    cluster.until("still", "Suspended", "True", "SuspendedBySpec");
    // What was written last wakes one more look, which finds nothing to write.
    let asked = || -> Vec<String> {
        let requests = cluster.requests().into_iter();
        requests
            .filter(|request| request.verb != "watch")
            .map(|request| format!("{} {}", request.verb, request.uri))
            .collect()
    };
    let mut before = asked();
    cluster.eventually("rest", || {
        sleep(Duration::from_secs(2));
        let now = asked();
        std::mem::replace(&mut before, now) == before
    });
    // Time is what is tested here: nothing may come of it.
    sleep(long());
    let after = asked();
    assert_eq!(after[before.len()..], [] as [String; 0], "asked at rest");
    println!(
        "no request but watches in {} s, after {} to come to rest",
        long().as_secs(),
        before.len()
    );
}
