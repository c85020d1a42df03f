//! `mef bootstrap`: what an AWS account and its regions need before the operator can make sources there. Nothing is asked of AWS.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::yaml;

const TEMPLATE: &str = include_str!("../../../cloudformation/bootstrap.yaml");
/// Not `mef-…`: what is called so, the operator may change.
const STACK: &str = "bootstrap-of-mef";
const FILE: &str = "mef-bootstrap.yaml";

/// Print what an AWS account needs before sources run there
///
/// Prints the commands that make the operator's role, the role CloudFormation uses, the bound of the functions' roles and
/// a bucket per region, and the values of the chart that name them. Nothing is asked of AWS: an administrator of the
/// account runs the commands, and may read first what they do.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mef bootstrap --template > mef-bootstrap.yaml
  mef bootstrap --account-id 111122223333 --region eu-central-1 --region us-east-1 \\
    --principal arn:aws:iam::444455556666:role/mef --external-id something-only-we-know")]
pub(crate) struct Bootstrap {
    /// Print the CloudFormation template itself
    #[arg(long, conflicts_with_all = ["account_id", "region", "principal", "external_id"])]
    template: bool,
    /// The account's twelve digits
    #[arg(long, value_name = "DIGITS", required_unless_present = "template")]
    account_id: Option<String>,
    /// A region sources are to run in; may be given several times
    #[arg(long, value_name = "REGION", required_unless_present = "template")]
    region: Vec<String>,
    /// ARN of the role or user the operator runs as, as EKS gives it
    #[arg(long, value_name = "ARN", required_unless_present = "template")]
    principal: Option<String>,
    /// What the operator says beside its name when it takes its role: anything that others do not know
    #[arg(long, value_name = "TEXT", required_unless_present = "template")]
    external_id: Option<String>,
    /// What sources call the account
    #[arg(long, value_name = "NAME", default_value = "main")]
    name: String,
    /// The partition: aws, aws-cn, aws-us-gov …
    #[arg(long, value_name = "NAME", default_value = "aws")]
    partition: String,
    /// What names of queues start with that sources choose themselves
    #[arg(long, value_name = "TEXT", default_value = "mef-")]
    queue_prefix: String,
    /// What names of secrets and parameters start with that functions may read
    #[arg(long, value_name = "TEXT", default_value = "mef/")]
    secret_prefix: String,
    /// A KMS key that sources may name in queue.kmsKeyArn
    #[arg(long, value_name = "ARN")]
    key_arn: Option<String>,
}

/// What is printed.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Printed {
    /// Of a shell, in order.
    commands: Vec<String>,
    /// Of the operator's chart.
    values: Values,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Values {
    aws_accounts: BTreeMap<String, Account>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Account {
    account_id: String,
    partition: String,
    role_arn: String,
    external_id: String,
    service_role_arn: String,
    permissions_boundary: String,
    regions: BTreeMap<String, Region>,
    queue_name_prefixes: Vec<String>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Region {
    artefact_bucket: String,
}

impl Bootstrap {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        if self.template {
            return output.bytes(TEMPLATE.as_bytes());
        }
        let printed = self.print()?;
        if output.is_json() {
            return output.document(&printed);
        }
        output.line("# As an administrator of the account:")?;
        for command in &printed.commands {
            output.line(command)?;
        }
        output.line("\n# Into the values of the operator's chart, beside a clusterId that never changes:")?;
        output.line(yaml::text(&printed.values)?.trim_end())
    }

    /// The commands and the values. Pure.
    fn print(&self) -> Outcome<Printed> {
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        let account = given(&self.account_id);
        let (principal, external_id) = (given(&self.principal), given(&self.external_id));
        let wrong = |option: &str, value: &str, expected: &str| {
            Err(Failure::Usage(format!(
                "--{option} {value:?}: expected {expected}"
            )))
        };
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong(
                "account-id",
                &account,
                "the account's twelve digits, as 111122223333",
            );
        }
        let plain = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if let Some(region) = self
            .region
            .iter()
            .find(|region| !plain(region) || region.split('-').count() < 3)
        {
            return wrong("region", region, "a region as eu-central-1");
        }
        if !plain(&self.partition) || !self.partition.starts_with("aws") {
            return wrong("partition", &self.partition, "a partition as aws or aws-cn");
        }
        let identity = format!("arn:{}:iam::", self.partition);
        if !principal.starts_with(&identity) || !principal.contains(":role/") && !principal.contains(":user/")
        {
            let expected = format!("a role or user as {identity}444455556666:role/mef");
            return wrong("principal", &principal, &expected);
        }
        // IAM's own rule for external ids; the text itself is not repeated.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
        if !(2..=1224).contains(&external_id.len()) || !external_id.bytes().all(allowed) {
            let expected = "2 to 1224 letters, digits and _+=,.@:/-";
            return Err(Failure::Usage(format!("--external-id: expected {expected}")));
        }
        let mut commands = vec![format!("mef bootstrap --template > {FILE}")];
        for (position, region) in self.region.iter().enumerate() {
            let whole = position == 0;
            let mut parameters = vec![("Part", if whole { "Both" } else { "Region" })];
            if whole {
                parameters.extend([
                    ("OperatorPrincipal", principal.as_str()),
                    ("ExternalId", external_id.as_str()),
                    ("QueueNamePrefix", self.queue_prefix.as_str()),
                    ("SecretPrefix", self.secret_prefix.as_str()),
                ]);
                parameters.extend(self.key_arn.iter().map(|key| ("KeyArn", key.as_str())));
            }
            let parameters: Vec<_> = parameters
                .iter()
                .map(|(name, value)| quoted(&format!("{name}={value}")))
                .collect();
            commands.push(format!(
                "aws cloudformation deploy --region {region} --stack-name {STACK} --template-file {FILE} \
                 --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset --parameter-overrides {}",
                parameters.join(" ")
            ));
            commands.push(format!(
                "aws cloudformation update-termination-protection --region {region} --stack-name {STACK} \
                 --enable-termination-protection"
            ));
        }
        let arn = |resource: &str| format!("{identity}{account}:{resource}");
        let regions = self.region.iter().map(|region| {
            let artefact_bucket = format!("mef-artefacts-{account}-{region}");
            (region.clone(), Region { artefact_bucket })
        });
        let account = Account {
            partition: self.partition.clone(),
            role_arn: arn("role/mef-operator"),
            external_id,
            service_role_arn: arn("role/mef-cloudformation"),
            permissions_boundary: arn("policy/mef-function-boundary"),
            regions: regions.collect(),
            queue_name_prefixes: vec![self.queue_prefix.clone()],
            account_id: account,
        };
        Ok(Printed {
            commands,
            values: Values {
                aws_accounts: BTreeMap::from([(self.name.clone(), account)]),
            },
        })
    }
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    match word.bytes().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
