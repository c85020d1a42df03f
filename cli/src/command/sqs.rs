//! Queues of SQS, as `mef tail`, `mef queue` and `mef dlq` look into them.
//!
//! SQS has no peek: whoever looks at a message receives it. So nothing is looked at before `--consume-receives` says that this
//! is meant, everything is given back at the end, and nothing is ever deleted. Counts cost no receive.

use std::time::Duration;

use mef_crds::EventSource;
use mef_operator::aws::clients::own_credentials;
use mef_queue::sqs::connect::{Connection, Identity, Place};
use mef_queue::sqs::{QueueUrls, ScanSettings, SqsQueue};
use mef_queue::{Delivery, Depth, Lane, Queue as _, QueueError, SOURCE, Settings};

use super::cluster::{Cluster, block_on};
use crate::failure::{Failure, Outcome};
use crate::output::Output;

/// Messages read at once.
const BATCH: usize = 500;
/// How long messages are hidden from others when the command is killed before it has given them back.
const HOLD: Duration = Duration::from_secs(60);

/// Which queues of SQS.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "A source in AWS")]
pub(crate) struct SqsArg {
    /// Look into the SQS queues of a source in a cluster, named by SOURCE, instead of the folder
    #[arg(long, conflicts_with = "data")]
    in_cluster: bool,
    /// Look into this SQS queue of events instead of the folder
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "in_cluster"])]
    queue_url: Option<String>,
    /// Look into this SQS queue of dead letters instead of the folder
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "in_cluster"])]
    dead_letter_queue_url: Option<String>,
    /// The region [default: what the URL or the source says, else AWS_REGION]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Another address than AWS's own [default: AWS_ENDPOINT_URL_SQS, else AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Look at messages although each look is a receive
    #[arg(long)]
    consume_receives: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// A lane of one source, found.
struct Found {
    queue: SqsQueue,
    /// What to call the source of a message that does not say it.
    name: String,
}

/// The queues as the source or the user names them; either may be missing.
struct Urls {
    events: Option<String>,
    dead: Option<String>,
    region: Option<String>,
}

impl SqsArg {
    /// Whether SQS is meant at all.
    pub(crate) fn is_meant(&self) -> bool {
        self.in_cluster || self.queue_url.is_some() || self.dead_letter_queue_url.is_some()
    }

    /// Every message that can be received of a lane, with its source; given back, and none deleted.
    pub(crate) fn all(
        &self,
        lane: Lane,
        source: Option<&str>,
        output: Output,
    ) -> Outcome<Vec<(String, Delivery)>> {
        if !self.consume_receives {
            return Err(Failure::Usage(cost(lane)));
        }
        block_on(async {
            let Found { queue, name } = self.find(lane, source).await?;
            let mut all: Vec<(String, Delivery)> = Vec::new();
            let ended = loop {
                let after = all.last().map(|(_, last)| last.message_id.clone());
                match queue.scan(lane, after, BATCH).await {
                    Ok(found) if found.is_empty() => break Ok(()),
                    Ok(found) => all.extend(found.into_iter().map(|delivery| {
                        let source = delivery.attributes.get(SOURCE).unwrap_or(&name).clone();
                        (source, delivery)
                    })),
                    Err(QueueError::OverLimit(why)) => {
                        output.note(format!("these are not all: {why}"));
                        break Ok(());
                    }
                    Err(error) => break Err(error.into()),
                }
            };
            queue.end_scan(lane).await;
            ended.map(|()| all)
        })
    }

    /// The source's name, and how much is in its queues, by SQS's own approximate counts.
    pub(crate) fn depths(&self, source: Option<&str>) -> Outcome<(String, Depth, Depth)> {
        block_on(async {
            let events = self.find(Lane::Events, source).await?;
            let dead = self.find(Lane::Dead, source).await?;
            let depths = (
                events.queue.depth(Lane::Events).await?,
                dead.queue.depth(Lane::Dead).await?,
            );
            Ok((source.map_or(events.name, str::to_owned), depths.0, depths.1))
        })
    }

    async fn find(&self, lane: Lane, source: Option<&str>) -> Outcome<Found> {
        let urls = self.urls(source).await?;
        let (url, option) = match lane {
            Lane::Events => (urls.events, "--queue-url"),
            Lane::Dead => (urls.dead, "--dead-letter-queue-url"),
        };
        let url = url.ok_or_else(|| Failure::Usage(format!("which queue? name it with {option} URL")))?;
        let region = self.region.clone().or(urls.region);
        let region = region.or_else(|| Place::region_of(&url).map(str::to_owned));
        let region = region.or_else(|| variable("AWS_REGION")).ok_or_else(|| {
            Failure::Usage(format!(
                "the URL {url:?} names no region; say it with --region or AWS_REGION"
            ))
        })?;
        let endpoint = self.endpoint_url.clone();
        let endpoint = endpoint.or_else(|| variable("AWS_ENDPOINT_URL_SQS"));
        let endpoint = endpoint.or_else(|| variable("AWS_ENDPOINT_URL"));
        let credentials = own_credentials(&region);
        let connection = Connection::new(&Place { region, endpoint }, Identity::Given(credentials));
        let name = url.rsplit('/').next().unwrap_or(&url).to_owned();
        let urls = QueueUrls {
            events: url.clone(),
            dead: url,
        };
        let scans = ScanSettings {
            hold: HOLD,
            ..ScanSettings::default()
        };
        Ok(Found {
            queue: SqsQueue::with_scans(connection, urls, Settings::default(), scans),
            name,
        })
    }

    async fn urls(&self, source: Option<&str>) -> Outcome<Urls> {
        if !self.in_cluster {
            return Ok(Urls {
                events: self.queue_url.clone(),
                dead: self.dead_letter_queue_url.clone(),
                region: None,
            });
        }
        let name = source.ok_or_else(|| {
            Failure::Usage("in a cluster one source is looked at: give its name".to_owned())
        })?;
        let object = self.cluster.connect().await?.source(name).await?;
        of(&object)
    }
}

/// The queues that a source names, or its status.
fn of(object: &EventSource) -> Outcome<Urls> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    let runtime = object.spec.runtime.as_ref();
    let cluster = runtime.and_then(|runtime| runtime.cluster.as_ref());
    if let Some(queues) = cluster.and_then(|cluster| cluster.queue.sqs.as_ref()) {
        return Ok(Urls {
            events: Some(queues.queue_url.clone()),
            dead: Some(queues.dead_letter_queue_url.clone()),
            region: None,
        });
    }
    let Some(aws) = status.aws else {
        return Err(Failure::Wrong(format!(
            "the source {name:?} has no queue in SQS; this looks into SQS and into the folder of `mef dev`. Streams of \
             JetStream are read with the `nats` command"
        )));
    };
    let (Some(account), Some(region)) = (aws.account_id, aws.region) else {
        return Err(Failure::Wrong(format!(
            "the stack of the source {name:?} is not made yet; `mef status {name}` says how far it is"
        )));
    };
    let suffix = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    let url =
        |queue: Option<String>| queue.map(|queue| format!("https://sqs.{region}.{suffix}/{account}/{queue}"));
    Ok(Urls {
        events: url(status.queue.and_then(|queue| queue.name)),
        dead: url(status.dead_letter.and_then(|dead| dead.name)),
        region: Some(region),
    })
}

/// What a look costs, for whoever has not said that it is meant.
fn cost(lane: Lane) -> String {
    let lost = match lane {
        Lane::Events => {
            "an event that was received more often than maxReceiveCount moves to the dead letters, and the SIEM gets none of \
             them meanwhile"
        }
        Lane::Dead => "a replay that runs meanwhile does not find them",
    };
    format!(
        "SQS has no peek: every message that is looked at is received. Its receive count goes up, it is hidden from everybody \
         else until this command ends (killed: {} seconds), and {lost}. Say --consume-receives if that is meant; `mef queue` \
         counts without a receive",
        HOLD.as_secs()
    )
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(status: &serde_json::Value) -> EventSource {
        serde_json::from_value(json!({
            "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource", "metadata": {"name": "zoom"},
            "spec": {"webhook": {"provider": "okta"}}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn the_status_of_a_source_in_aws_names_its_queues() {
        for (region, host) in [
            ("eu-central-1", "sqs.eu-central-1.amazonaws.com"),
            ("cn-north-1", "sqs.cn-north-1.amazonaws.com.cn"),
        ] {
            let urls = of(&source(&json!({
                "aws": {"accountId": "111122223333", "region": region},
                "queue": {"name": "mef-x"}, "deadLetter": {"name": "mef-x-dlq"},
            })));
            let urls = urls.unwrap_or_else(|error| panic!("{error}"));
            let at = |queue: &str| Some(format!("https://{host}/111122223333/{queue}"));
            assert_eq!((urls.events, urls.dead), (at("mef-x"), at("mef-x-dlq")));
        }
    }

    #[test]
    fn a_source_without_a_queue_in_sqs_says_so() {
        for (status, said) in [
            (json!({"queue": {"name": "mef-x"}}), "JetStream"),
            (json!({"aws": {}}), "not made yet"),
        ] {
            let error = of(&source(&status)).err().unwrap().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
