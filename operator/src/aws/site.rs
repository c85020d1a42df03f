//! An account and a region that the operator asks, and with whose configuration. Pure.

use mef_crds::{EventSource, SqsQueues};

use crate::config::{AwsAccount, Config};

/// An account and a region.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The account, as the configuration calls it.
    pub name: &'a str,
    /// The account.
    pub account: &'a AwsAccount,
    /// The region.
    pub region: &'a str,
    /// The cluster, as the operator is told.
    pub cluster: &'a str,
}

/// What a queue's URL says: `https://sqs.<region>.amazonaws.com/<account>/<name>`, which the schema of the source asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueUrl<'a> {
    /// The region.
    pub region: &'a str,
    /// The account's twelve digits.
    pub account: &'a str,
    /// The queue's name.
    pub name: &'a str,
}

impl<'a> QueueUrl<'a> {
    /// Reads one; none of what is no such URL.
    #[must_use]
    pub fn read(url: &'a str) -> Option<Self> {
        let (host, path) = url.strip_prefix("https://sqs.")?.split_once('/')?;
        let (region, _) = host.split_once('.')?;
        let (account, name) = path.split_once('/')?;
        Some(Self {
            region,
            account,
            name,
        })
    }
}

/// Where the queues of a source in a cluster stand, if the operator may ask there.
///
/// # Errors
/// Why it may not, for people.
pub fn of_queues<'a>(
    object: &EventSource,
    queues: &'a SqsQueues,
    config: &'a Config,
) -> Result<Site<'a>, String> {
    let Some(url) = QueueUrl::read(&queues.queue_url) else {
        return Err(format!("{:?} is no URL of a queue", queues.queue_url));
    };
    let unread = "so the operator does not look at the queues; events are kept all the same";
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let mut accounts: Vec<_> = config
        .aws_accounts
        .iter()
        .filter(|(_, account)| account.account_id == url.account)
        .collect();
    if accounts.is_empty() {
        return Err(format!(
            "awsAccounts in the chart's values holds no account {:?}, {unread}",
            url.account
        ));
    }
    accounts.retain(|(_, account)| account.serves(namespace));
    if accounts.is_empty() {
        return Err(format!(
            "sources of the namespace {namespace:?} may not use the account {:?} (namespaces in awsAccounts), {unread}",
            url.account
        ));
    }
    let of_region = |(_, account): &&(&String, &AwsAccount)| account.regions.contains_key(url.region);
    match accounts.iter().find(of_region) {
        Some((name, account)) => Ok(Site {
            name,
            account,
            region: url.region,
            cluster: config.cluster_id.as_deref().unwrap_or_default(),
        }),
        None => Err(format!(
            "the account {:?} has no region {:?} in awsAccounts, {unread}",
            url.account, url.region
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URL: &str = "https://sqs.eu-central-1.amazonaws.com/111122223333/mole";

    #[test]
    fn a_url_says_where_its_queue_is() {
        let url = QueueUrl {
            region: "eu-central-1",
            account: "111122223333",
            name: "mole",
        };
        assert_eq!(QueueUrl::read(URL), Some(url));
        let china = QueueUrl::read("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/mole");
        assert_eq!(china.map(|url| url.region), Some("cn-north-1"));
        for other in [
            "",
            "https://sqs.eu-central-1.amazonaws.com",
            "http://127.0.0.1:4566/1/mole",
        ] {
            assert_eq!(QueueUrl::read(other), None, "{other}");
        }
    }

    #[track_caller]
    fn check(account: &serde_json::Value, expected: &str) {
        let object: EventSource = serde_json::from_value(json!({
            "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource",
            "metadata": {"name": "mole", "namespace": "garden"},
            "spec": {"webhook": {"provider": "okta"}},
        }))
        .unwrap();
        let queues = SqsQueues {
            queue_url: URL.to_owned(),
            dead_letter_queue_url: format!("{URL}-dead"),
        };
        let config: Config = serde_json::from_value(json!({
            "receiver": {"image": "x"}, "clusterId": "tests", "awsAccounts": {"main": account},
        }))
        .unwrap();
        let found = of_queues(&object, &queues, &config);
        match found {
            Ok(site) => assert_eq!(expected, format!("{} {}", site.name, site.region)),
            Err(why) => assert!(why.contains(expected), "{why}"),
        }
    }

    #[test]
    fn a_queue_is_read_where_the_configuration_says_so_alone() {
        let regions = json!({"eu-central-1": {}});
        check(
            &json!({"accountId": "111122223333", "regions": regions}),
            "main eu-central-1",
        );
        check(
            &json!({"accountId": "444455556666", "regions": regions}),
            "holds no account \"111122223333\"",
        );
        check(
            &json!({"accountId": "111122223333", "regions": regions, "namespaces": ["loft"]}),
            "of the namespace \"garden\" may not use",
        );
        check(
            &json!({"accountId": "111122223333", "regions": {"eu-west-1": {}}}),
            "has no region \"eu-central-1\"",
        );
    }
}
