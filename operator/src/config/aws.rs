//! Accounts of AWS, as the operator is told. A source names an account, never a role: what it may use is decided here.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An account.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsAccount {
    /// Its twelve digits.
    pub account_id: String,
    /// Its partition.
    #[serde(default = "aws")]
    pub partition: String,
    /// The role the operator takes there. Absent: its own credentials are of this account.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// What the role's trust asks for besides, so that nobody else's word is enough.
    #[serde(default)]
    pub external_id: Option<String>,
    /// The role CloudFormation uses. Absent: no source runs there, and queues of sources in the cluster are looked at.
    #[serde(default)]
    pub service_role_arn: Option<String>,
    /// The policy that bounds the roles of functions. Absent: as above.
    #[serde(default)]
    pub permissions_boundary: Option<String>,
    /// The regions sources may use.
    pub regions: BTreeMap<String, AwsRegion>,
    /// What names of queues that sources choose must start with. Empty: they may choose none.
    #[serde(default)]
    pub queue_name_prefixes: Vec<String>,
    /// The namespaces whose sources may use it. Empty: all.
    #[serde(default)]
    pub namespaces: Vec<String>,
}

/// A region of an account.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsRegion {
    /// The bucket for the packages of functions; it stands in the region. Absent: no source runs there.
    #[serde(default)]
    pub artefact_bucket: Option<String>,
}

fn aws() -> String {
    "aws".to_owned()
}

impl AwsAccount {
    /// What is wrong with it; `name` is how sources call it.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        let id = &self.account_id;
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!(
                "awsAccounts.{name}.accountId is {id:?}; an account has twelve digits, in quotes"
            ));
        }
        if self.regions.is_empty() {
            return Err(format!(
                "awsAccounts.{name}.regions is empty; name each region with its artefactBucket"
            ));
        }
        let partition = &self.partition;
        if !matches!(partition.as_str(), "aws" | "aws-cn" | "aws-us-gov" | "aws-eusc") {
            return Err(format!(
                "awsAccounts.{name}.partition is {partition:?}; there are aws, aws-cn, aws-us-gov and aws-eusc"
            ));
        }
        let arns = [
            ("serviceRoleArn", self.service_role_arn.as_ref()),
            ("roleArn", self.role_arn.as_ref()),
            ("permissionsBoundary", self.permissions_boundary.as_ref()),
        ];
        for (key, arn) in arns {
            let start = format!("arn:{partition}:iam::{id}:");
            if let Some(arn) = arn.filter(|arn| !arn.starts_with(&start)) {
                return Err(format!(
                    "awsAccounts.{name}.{key} is {arn:?}; it must be of this account, so start with {start:?}"
                ));
            }
        }
        Ok(())
    }

    /// Whether a source of a namespace may use it.
    #[must_use]
    pub fn serves(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|allowed| allowed == namespace)
    }
}
