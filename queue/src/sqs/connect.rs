//! Clients of SQS: where it is, and who we are. Nothing is asked of AWS until the first call.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Region, SharedHttpClient};
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::{Client, Config};

use super::http;

/// How long a call that sends may take; a sender with three seconds of patience is not helped by more.
const SEND_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long any other call may take; a long poll alone takes up to 20 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Who we are. A way to find that out is a function and not a word for one, so that a program links only the ways it takes:
/// a function in AWS never asks STS.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Found out for a region, through the connection's own client.
    Found(fn(&Region, &SharedHttpClient) -> SharedCredentialsProvider),
    /// Whatever the given provider says.
    Given(SharedCredentialsProvider),
}

impl Identity {
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`: what a function is given.
    #[must_use]
    pub fn environment() -> Self {
        Self::Found(|_, _| SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
    }

    /// The token that `AWS_WEB_IDENTITY_TOKEN_FILE` names, for the role `AWS_ROLE_ARN`: what a pod is given by its service
    /// account.
    #[must_use]
    pub fn web_identity() -> Self {
        Self::Found(|region, http| {
            let config = ProviderConfig::without_region()
                .with_region(Some(region.clone()))
                .with_http_client(http.clone());
            let provider = WebIdentityTokenCredentialsProvider::builder().configure(&config);
            SharedCredentialsProvider::new(provider.build())
        })
    }
}

/// Where SQS is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The region, as `eu-central-1`.
    pub region: String,
    /// Another address than AWS's own, as `http://127.0.0.1:4566`.
    pub endpoint: Option<String>,
}

impl Place {
    /// The region that a queue's URL names, as `https://sqs.eu-central-1.amazonaws.com/…` does; endpoints of one's own
    /// (`https://vpce-….sqs.eu-central-1.vpce.amazonaws.com`) name it behind `sqs.` too.
    #[must_use]
    pub fn region_of(queue_url: &str) -> Option<&str> {
        let host = queue_url.split_once("://")?.1.split(['/', ':']).next()?;
        let mut labels = host.split('.');
        labels.by_ref().find(|label| *label == "sqs")?;
        labels.next().filter(|label| label.contains('-'))
    }
}

/// Clients that share their connections.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Tries once: whoever sends decides whether another try is worth it, and knows the sender's patience.
    pub(super) sender: Client,
    /// Tries three times, as reading twice costs nobody anything.
    pub(super) reader: Client,
}

impl Connection {
    /// Clients for this place.
    #[must_use]
    pub fn new(place: &Place, identity: Identity) -> Self {
        let http = http::client(CONNECT_WITHIN);
        let region = Region::new(place.region.clone());
        let credentials = match identity {
            Identity::Found(find) => find(&region, &http),
            Identity::Given(provider) => provider,
        };
        let config = |retries: RetryConfig, within: Duration| {
            let timeouts = TimeoutConfig::builder().operation_timeout(within).build();
            let mut config = Config::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .region(region.clone())
                .http_client(http.clone())
                .credentials_provider(credentials.clone())
                .retry_config(retries)
                .timeout_config(timeouts);
            if let Some(endpoint) = &place.endpoint {
                config = config.endpoint_url(endpoint);
            }
            Client::from_conf(config.build())
        };
        Self {
            sender: config(RetryConfig::disabled(), SEND_WITHIN),
            reader: config(RetryConfig::standard(), ANSWER_WITHIN),
        }
    }

    /// Whether AWS can be reached and knows us: asks for the attributes of a queue.
    pub async fn reaches(&self, queue_url: &str) -> bool {
        let asked = self
            .reader
            .get_queue_attributes()
            .queue_url(queue_url)
            .send()
            .await;
        match asked {
            Ok(_) => true,
            // A role may be allowed to send and nothing else; whoever says so was reached.
            Err(error) => says_no(&error),
        }
    }
}

fn says_no<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: aws_sdk_sqs::error::ProvideErrorMetadata,
{
    error
        .as_service_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code.contains("AccessDenied"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queues_url_names_its_region() {
        for (url, region) in [
            (
                "https://sqs.eu-central-1.amazonaws.com/123456789012/q",
                Some("eu-central-1"),
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q",
                Some("cn-north-1"),
            ),
            (
                "https://vpce-0a.sqs.us-east-1.vpce.amazonaws.com/1/q",
                Some("us-east-1"),
            ),
            ("http://127.0.0.1:4566/000000000000/q", None),
            ("not a url", None),
        ] {
            assert_eq!(Place::region_of(url), region, "{url}");
        }
    }
}
