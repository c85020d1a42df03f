//! What a function is told by its environment, read once.

use std::path::PathBuf;

use mef_crds::{FUNCTION_DEAD_LETTER_QUEUE_URL, FUNCTION_QUEUE_URL};

/// What a function is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `host:port` of the Runtime API.
    pub runtime_api: String,
    /// The folder of the package, with the definition.
    pub folder: PathBuf,
    /// The region of the function, its queues and its parameters.
    pub region: String,
    /// What the SIEM pulls from.
    pub queue_url: String,
    /// The dead letters.
    pub dead_letter_queue_url: String,
    /// Other addresses than AWS's own, of SQS, Secrets Manager and Systems Manager.
    pub sqs_endpoint: Option<String>,
    /// As above.
    pub secrets_manager_endpoint: Option<String>,
    /// As above.
    pub ssm_endpoint: Option<String>,
}

/// A variable that is missing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {0} is not set; {1}")]
pub struct Missing(&'static str, &'static str);

impl Config {
    /// Reads the environment; `variable` is the process's own but in tests.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Missing> {
        let set = |name: &str| variable(name).filter(|text| !text.is_empty());
        let by_lambda = "Lambda sets it: this program is the bootstrap of a function, not a command";
        let by_stack = "the source's stack sets it";
        let must = |name: &'static str, who: &'static str| set(name).ok_or(Missing(name, who));
        let endpoint =
            |service: &str| set(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| set("AWS_ENDPOINT_URL"));
        Ok(Self {
            runtime_api: must("AWS_LAMBDA_RUNTIME_API", by_lambda)?,
            folder: must("LAMBDA_TASK_ROOT", by_lambda)?.into(),
            region: must("AWS_REGION", by_lambda)?,
            queue_url: must(FUNCTION_QUEUE_URL, by_stack)?,
            dead_letter_queue_url: must(FUNCTION_DEAD_LETTER_QUEUE_URL, by_stack)?,
            sqs_endpoint: endpoint("SQS"),
            secrets_manager_endpoint: endpoint("SECRETS_MANAGER"),
            ssm_endpoint: endpoint("SSM"),
        })
    }
}
