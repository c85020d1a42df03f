//! Where in AWS a source runs, and what its stack is to be. Pure: the object, its definition and the operator's configuration
//! in; plain values out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mef_crds::{AwsApi, AwsArchitecture, AwsRuntime, DurationText, EventSource, Reason};
use mef_pipeline::diagnostics::Problem;
use mef_queue::Settings;
use ring::digest::{SHA256, digest};

use super::decide::Hashes;
use super::names::{Names, hex};
use super::requests::Document;
use super::site::Site;
use super::stack::{Owner, tag};
use super::template::{VERSION, template};
use super::wanted::{
    Api, Architecture, Front, FunctionSettings, Package, Place as Region, QueueSettings, Route, Throttle,
    Wanted,
};
use crate::config::{AwsAccount, Config};

/// Requests a second and at once, where the source says nothing.
const THROTTLE: Throttle = Throttle { rate: 50, burst: 100 };
/// How often an event may be received, where the source says nothing.
const RECEIVES: u16 = 10;
/// The tag of every resource, and of queues somebody else made for a source: whose they are, as `namespace/name`.
pub const SOURCE_TAG: &str = "events.mozdef.io/source";

/// Where a source runs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// As the source says.
    pub runtime: &'a AwsRuntime,
    /// The account it names.
    pub account: &'a AwsAccount,
    /// The bucket of its region.
    pub bucket: &'a str,
    /// The role CloudFormation uses.
    pub service_role: &'a str,
    /// The policy that bounds the function's role.
    pub boundary: &'a str,
    /// The cluster, as the operator is told.
    pub cluster: &'a str,
}

/// Where a source runs; none where it is not to run in AWS.
///
/// # Errors
/// The problem, where it may not run there.
pub fn place<'a>(object: &'a EventSource, config: &'a Config) -> Option<Result<Place<'a>, Problem>> {
    let runtime = object.spec.runtime.as_ref()?.aws.as_ref()?;
    Some(find(object, runtime, config))
}

fn find<'a>(object: &EventSource, runtime: &'a AwsRuntime, config: &'a Config) -> Result<Place<'a>, Problem> {
    let unknown = |field: &str, message: String, help: &str| {
        Err(Problem::error(field, message)
            .help(help)
            .reason(Reason::UnknownAccount))
    };
    let name = &runtime.account;
    let Some(account) = config.aws_accounts.get(name) else {
        let known: Vec<_> = config.aws_accounts.keys().map(String::as_str).collect();
        return unknown(
            "spec.runtime.aws.account",
            format!("the operator knows no AWS account {name:?}; it knows {known:?}"),
            "accounts are added to awsAccounts in the chart's values",
        );
    };
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    if !account.serves(namespace) {
        return unknown(
            "spec.runtime.aws.account",
            format!("sources of the namespace {namespace:?} may not use the account {name:?}"),
            "namespaces are added to the account in the chart's values",
        );
    }
    let Some(region) = account.regions.get(&runtime.region) else {
        let known: Vec<_> = account.regions.keys().map(String::as_str).collect();
        return unknown(
            "spec.runtime.aws.region",
            format!(
                "the account {name:?} is not set up in {:?}, only in {known:?}",
                runtime.region
            ),
            "regions are added to the account in the chart's values, with their buckets",
        );
    };
    let queue = object.spec.queue.as_ref().and_then(|queue| queue.name.as_deref());
    if let Some(queue) = queue
        && !account
            .queue_name_prefixes
            .iter()
            .any(|prefix| queue.starts_with(prefix))
    {
        let prefixes = &account.queue_name_prefixes;
        return unknown(
            "spec.queue.name",
            format!("{queue:?} starts with none of {prefixes:?}, which the account {name:?} allows"),
            "take another name, or leave it out",
        );
    }
    let parts = (
        account.service_role_arn.as_deref(),
        account.permissions_boundary.as_deref(),
        region.artefact_bucket.as_deref(),
    );
    let (Some(service_role), Some(boundary), Some(bucket)) = parts else {
        return unknown(
            "spec.runtime.aws.account",
            format!(
                "the account {name:?} is set up in {:?} for looking at queues alone",
                runtime.region
            ),
            "serviceRoleArn, permissionsBoundary and the region's artefactBucket are added to the account in the chart's values",
        );
    };
    Ok(Place {
        runtime,
        account,
        bucket,
        service_role,
        boundary,
        cluster: config.cluster_id.as_deref().unwrap_or_default(),
    })
}

impl Place<'_> {
    /// The account and the region, for whoever asks AWS.
    #[must_use]
    pub fn site(&self) -> Site<'_> {
        Site {
            name: &self.runtime.account,
            account: self.account,
            region: &self.runtime.region,
            cluster: self.cluster,
        }
    }

    /// Names of the source's things.
    #[must_use]
    pub fn names(&self, object: &EventSource) -> Names {
        Names::of(self.cluster, object)
    }

    /// Who the source is.
    #[must_use]
    pub fn owner(&self, object: &EventSource) -> Owner {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Owner {
            cluster: self.cluster.to_owned(),
            namespace: text(&object.metadata.namespace),
            name: text(&object.metadata.name),
            uid: text(&object.metadata.uid),
        }
    }

    /// What the function runs on.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        match self.runtime.architecture.unwrap_or_default() {
            AwsArchitecture::X86 => Architecture::X86,
            AwsArchitecture::Arm => Architecture::Arm,
        }
    }

    /// What the stack is to be. `methods`: what the definition answers; `key`: where its package lies.
    #[must_use]
    pub fn wanted(&self, object: &EventSource, methods: &[String], key: &str) -> Wanted {
        let runtime = self.runtime;
        let spec = &object.spec;
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let secrets = || spec.webhook.secrets.iter();
        Wanted {
            names: self.names(object),
            place: Region {
                account: self.account.account_id.clone(),
                region: runtime.region.clone(),
                partition: self.account.partition.clone(),
                permissions_boundary: self.boundary.to_owned(),
            },
            front: Front {
                api: match runtime.api.unwrap_or_default() {
                    AwsApi::Rest => Api::Rest,
                    AwsApi::Http => Api::Http,
                },
                throttle: runtime.throttle.as_ref().map_or(THROTTLE, |throttle| Throttle {
                    rate: throttle.rate,
                    burst: throttle.burst,
                }),
                allowed_cidrs: runtime.allowed_cidrs.clone(),
                domain: runtime
                    .domain
                    .as_ref()
                    .map(|domain| (domain.name.clone(), domain.base_path.clone())),
            },
            route: Route {
                methods: methods.iter().cloned().collect(),
                path: spec.webhook.path.clone().unwrap_or_else(|| format!("/{name}")),
            },
            queue: queue(object),
            function: FunctionSettings {
                architecture: self.architecture(),
                reserved_concurrency: runtime.reserved_concurrency,
                package: Package {
                    bucket: self.bucket.to_owned(),
                    key: key.to_owned(),
                },
                secrets: secrets()
                    .filter_map(|entry| Some(entry.secrets_manager.as_ref()?.arn.clone()))
                    .collect(),
                parameters: secrets()
                    .filter_map(|entry| Some(entry.ssm_parameter.as_ref()?.name.clone()))
                    .collect::<BTreeSet<_>>(),
            },
            alarm_topic: runtime.alarm_topic_arn.clone(),
            tags: BTreeMap::from([(SOURCE_TAG.to_owned(), format!("{namespace}/{name}"))]),
            closed: false,
        }
    }
}

fn queue(object: &EventSource) -> QueueSettings {
    let settings = object.spec.queue.clone().unwrap_or_default();
    let defaults = Settings::default();
    let seconds = |text: Option<DurationText>, default: Duration| {
        text.and_then(|text| text.to_duration().ok())
            .unwrap_or(default)
            .as_secs()
    };
    QueueSettings {
        retention: seconds(settings.retention, defaults.retention),
        visibility_timeout: seconds(settings.visibility_timeout, defaults.visibility_timeout),
        max_receive_count: settings.max_receive_count.unwrap_or(RECEIVES),
        max_message_bytes: settings
            .max_message_bytes
            .unwrap_or_else(|| u32::try_from(defaults.max_message_bytes).unwrap_or(262_144)),
        kms_key_arn: settings.kms_key_arn,
    }
}

/// The two documents of a stack, and their hashes.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// The one that serves.
    pub open: Document,
    /// The one that takes no more events.
    pub closed: Document,
}

/// Writes the documents of a stack out. The hash is over everything that is sent: text and tags.
///
/// # Errors
/// Never for what [`template`] makes; serde has no other signature.
pub fn documents(wanted: &Wanted, owner: &Owner) -> Result<(Documents, Hashes), serde_json::Error> {
    let (open, open_hash) = document(wanted, owner)?;
    let mut wanted = wanted.clone();
    wanted.closed = true;
    let (closed, closed_hash) = document(&wanted, owner)?;
    let hashes = Hashes {
        open: open_hash,
        closed: closed_hash,
    };
    Ok((Documents { open, closed }, hashes))
}

fn document(wanted: &Wanted, owner: &Owner) -> Result<(Document, String), serde_json::Error> {
    let text = template(wanted).text()?;
    let mut tags = owner.tags();
    tags.insert(tag::TEMPLATE.to_owned(), VERSION.to_owned());
    let whole = format!("{text}\0{}", serde_json::to_string(&tags)?);
    let hash = hex(digest(&SHA256, whole.as_bytes()).as_ref())[..12].to_owned();
    tags.insert(tag::HASH.to_owned(), hash.clone());
    Ok((Document { text, tags }, hash))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_source_runs_in_an_account_whose_queues_are_only_looked_at() {
        let object: EventSource = serde_json::from_value(json!({
            "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource",
            "metadata": {"name": "mole", "namespace": "garden"},
            "spec": {"webhook": {"provider": "okta"},
                "runtime": {"aws": {"account": "main", "region": "eu-central-1"}}},
        }))
        .unwrap();
        let whole = json!({"accountId": "111122223333",
            "serviceRoleArn": "arn:aws:iam::111122223333:role/x",
            "permissionsBoundary": "arn:aws:iam::111122223333:policy/x",
            "regions": {"eu-central-1": {"artefactBucket": "b"}}});
        let config = |account: &serde_json::Value| -> Config {
            let config =
                json!({"receiver": {"image": "x"}, "clusterId": "tests", "awsAccounts": {"main": account}});
            serde_json::from_value(config).unwrap()
        };
        assert!(place(&object, &config(&whole)).unwrap().is_ok());
        for part in [
            "/serviceRoleArn",
            "/permissionsBoundary",
            "/regions/eu-central-1/artefactBucket",
        ] {
            let mut account = whole.clone();
            let (parent, key) = part.rsplit_once('/').unwrap();
            let parent = account.pointer_mut(parent).unwrap();
            parent.as_object_mut().unwrap().remove(key);
            let problem = place(&object, &config(&account)).unwrap().unwrap_err();
            let said = format!("{}: {}", problem.field, problem.message);
            assert_eq!(
                said,
                "spec.runtime.aws.account: the account \"main\" is set up in \"eu-central-1\" for looking at queues alone"
            );
            assert_eq!(problem.reason, "UnknownAccount");
        }
    }
}
