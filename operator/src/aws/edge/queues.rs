//! What AWS says of a source's queues: counts, a few letters, an age.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mef_queue::REASON;

use super::client::Client;
use super::xml;
use crate::aws::known::Letter;
use crate::aws::refusal::Refusal;

const SQS: &str = "2012-11-05";
const CLOUDWATCH: &str = "2010-08-01";
/// Looks of one sample. SQS hands out what it likes of a queue that has more than ten messages.
const LOOKS: usize = 3;
/// Messages of one look (SQS quotas).
const AT_ONCE: usize = 10;
/// So far is looked back for an age: CloudWatch has one a minute, some minutes late.
const BACK: SignedDuration = SignedDuration::from_mins(15);

impl Client {
    async fn sqs(
        &self,
        action: &'static str,
        queue_url: &str,
        parameters: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let of = ("QueueUrl".to_owned(), queue_url.to_owned());
        let parameters = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let form = std::iter::once(of).chain(parameters).collect();
        let credentials = self.credentials(now).await?;
        self.query("sqs", SQS, action, form, &credentials, now).await
    }

    /// Messages of a queue: to be read, being read, and delayed. SQS counts approximately.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn depth(&self, queue_url: &str, now: Timestamp) -> Result<u64, Refusal> {
        let counts = [
            ("AttributeName.1", "ApproximateNumberOfMessages"),
            ("AttributeName.2", "ApproximateNumberOfMessagesNotVisible"),
            ("AttributeName.3", "ApproximateNumberOfMessagesDelayed"),
        ];
        let body = self.sqs("GetQueueAttributes", queue_url, &counts, now).await?;
        let found = xml::attributes(&body)?;
        Ok(counts
            .iter()
            .filter_map(|(_, name)| found.get(*name)?.parse::<u64>().ok())
            .sum())
    }

    /// The tags of a queue.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn tags(&self, queue_url: &str, now: Timestamp) -> Result<BTreeMap<String, String>, Refusal> {
        let body = self.sqs("ListQueueTags", queue_url, &[], now).await?;
        xml::tags(&body)
    }

    /// A few of the dead letters, some of them more than once.
    ///
    /// SQS has no peek: this receives. With a visibility timeout of 0 nothing is hidden by it, and whoever receives after it
    /// has the newer handle. The receive counts go up, on which nothing acts: `template/queues.rs` gives the dead-letter queue
    /// no redrive policy. Never to be asked of the events, where a receive too many moves an event away from the consumer.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn letters(&self, dead_letter_queue_url: &str, now: Timestamp) -> Result<Vec<Letter>, Refusal> {
        let parameters = [
            ("MaxNumberOfMessages", "10"),
            ("VisibilityTimeout", "0"),
            // With a wait SQS asks all its servers; without one a few letters are easily missed.
            ("WaitTimeSeconds", "1"),
            ("AttributeName.1", "SentTimestamp"),
            ("MessageAttributeName.1", REASON),
        ];
        let mut letters: Vec<Letter> = Vec::new();
        for _ in 0..LOOKS {
            let body = self
                .sqs("ReceiveMessage", dead_letter_queue_url, &parameters, now)
                .await?;
            let found = xml::letters(&body)?;
            let all = found.len() < AT_ONCE;
            let before = letters.len();
            for letter in found {
                if !letters.iter().any(|known| known.id == letter.id) {
                    letters.push(letter);
                }
            }
            if all || letters.len() == before {
                break;
            }
        }
        Ok(letters)
    }

    /// When the oldest message of a queue came, by CloudWatch: a minute more or less, some minutes late. None where it says
    /// nothing, as of a queue that was empty.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn oldest(&self, queue_url: &str, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let name = queue_url.rsplit('/').next().unwrap_or(queue_url);
        let form = [
            ("Namespace", "AWS/SQS".to_owned()),
            ("MetricName", "ApproximateAgeOfOldestMessage".to_owned()),
            ("Dimensions.member.1.Name", "QueueName".to_owned()),
            ("Dimensions.member.1.Value", name.to_owned()),
            ("StartTime", (now - BACK).to_string()),
            ("EndTime", now.to_string()),
            ("Period", "60".to_owned()),
            ("Statistics.member.1", "Maximum".to_owned()),
        ];
        let form = form.map(|(name, value)| (name.to_owned(), value));
        let credentials = self.credentials(now).await?;
        let body = self
            .query(
                "monitoring",
                CLOUDWATCH,
                "GetMetricStatistics",
                form.into(),
                &credentials,
                now,
            )
            .await?;
        xml::oldest(&body)
    }
}
