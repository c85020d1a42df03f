//! Traces of looks, as a real collector sees them, and the log lines that belong to them.

use mef_e2e::Collector;
use serde_json::{Value, json};

use crate::cluster::Cluster;

#[test]
fn a_look_is_a_trace_and_its_log_lines_name_it() {
    let collector = match Collector::start() {
        Ok(collector) => collector,
        Err(why) => return mef_e2e::skip(&why),
    };
    let cluster = Cluster::start_with(json!({"traces": {"endpoint": collector.endpoint()}}));
    cluster.ready("sample", |_| {});
    let container = &cluster.get("deployment", "mef-sample")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"][0]["value"], collector.endpoint().as_str());

    // The line that tells of a made child, and the trace it names.
    let log = cluster.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut made = lines.filter(|line| line["message"] == "made" && line["kind"] == "Deployment");
    let line = made.next().expect("a line about the Deployment");
    let spans = line["spans"].as_array().expect("the spans of a line");
    let look = spans
        .iter()
        .find(|span| span["name"] == "look")
        .expect("it was made in a look");
    assert_eq!(look["source"], format!("{}/sample", cluster.namespace).as_str());
    let trace = look["trace_id"].as_str().expect("a trace id").to_owned();
    assert_eq!(trace.len(), 32, "{trace}");
    cluster.eventually("the spans of that look", || {
        let spans = collector.spans();
        let names: Vec<&str> = spans
            .iter()
            .filter(|span| span.trace() == trace)
            .map(mef_e2e::Span::name)
            .collect();
        ["look", "fetch", "settle", "apply"]
            .iter()
            .all(|name| names.contains(name))
    });
}
