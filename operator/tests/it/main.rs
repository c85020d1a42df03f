//! The operator as a cluster sees it: the built binary, a real API server, a real nats-server. The tests play the kubelet by
//! writing Deployments' status.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, which clippy takes for others"
)]

mod bad_days;
mod churn;
mod argocd;
mod argocd_replay;
mod aws;
mod aws_story;
#[path = "../../../tests/bed/cloudformation/cloud.rs"]
#[allow(dead_code, reason = "the model of the decision uses the rest")]
mod cloud;
#[path = "../../../tests/bed/cloudformation/wire.rs"]
#[allow(dead_code, reason = "the tests of the client use the rest")]
mod wire;
mod cluster;
mod cluster_sqs;
mod clusters;
mod commands;
mod conformance;
mod crash;
mod deletion;
mod golden;
mod kstatus;
mod kubelet;
mod last_good;
mod letters;
#[path = "../../../tests/bed/aws/ministack.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod ministack;
#[path = "../../../tests/bed/nats/server.rs"]
mod nats_server;
mod permissions;
mod plan;
mod plan_aws;
mod pod;
mod overlay_days;
mod overlays;
mod provisioning;
mod reached;
mod reasons;
mod refusals;
mod replays;
mod replays_aws;
mod rest;
mod samples;
mod scale;
mod snapshot;
mod traces;
