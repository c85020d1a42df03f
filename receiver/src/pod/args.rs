//! What a receiver in a pod is told: the operator writes these arguments.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::keys::CallArgs;

/// Receives the events of one source and keeps them in JetStream or SQS.
#[derive(Clone, Debug, Parser)]
#[command(name = "mef-receiver", version)]
pub struct Args {
    /// The folder with the definition: `definition.json`, or `definition.json.gz`
    #[arg(long, value_name = "FOLDER")]
    pub definition: PathBuf,
    /// The folder with one folder per Secret, and a file per key in it
    #[arg(long, value_name = "FOLDER")]
    pub secrets: PathBuf,
    /// Where senders are answered
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Where probes and metrics are answered
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8081")]
    pub admin: SocketAddr,
    /// The NATS server, or several separated by commas
    #[arg(long, value_name = "URL", required_unless_present = "sqs_queue_url")]
    pub nats_url: Option<String>,
    /// The folder with the NATS credentials
    #[arg(long, value_name = "FOLDER")]
    pub nats_credentials: Option<PathBuf>,
    /// The prefix of inboxes the credentials allow
    #[arg(long, value_name = "SUBJECT")]
    pub nats_inbox_prefix: Option<String>,
    /// The SQS queue, by its URL; who we are says the service account's token for AWS
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "nats_url",
        requires = "sqs_dead_letter_queue_url"
    )]
    pub sqs_queue_url: Option<String>,
    /// The SQS queue of the dead letters
    #[arg(long, value_name = "URL", requires = "sqs_queue_url")]
    pub sqs_dead_letter_queue_url: Option<String>,
    /// The region of queues whose URL names none
    #[arg(long, value_name = "REGION")]
    pub aws_region: Option<String>,
    /// Another address than AWS's own
    #[arg(long, value_name = "URL")]
    pub aws_endpoint_url: Option<String>,
    /// How long requests are still taken after SIGTERM, while balancers learn of it
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub drain_notice_seconds: u64,
    /// How senders are called
    #[command(flatten)]
    pub calls: CallArgs,
}
