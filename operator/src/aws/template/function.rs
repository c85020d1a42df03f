//! The function, what it may do, and where it logs.

use std::collections::BTreeMap;

use super::resource::{
    Code, Environment, Function, LogGroup, LoggingConfig, NamedPolicy, Permission, Properties, Role,
    TracingConfig,
};
use super::value::{Policy, Principal, Statement, Text};
use super::{Resources, tags};
use crate::aws::wanted::Wanted;

/// Below this path stand the roles of all functions, so that the rights to make them can name it.
const ROLE_PATH: &str = "/mef/";
/// Megabytes. CPU comes with memory: a quarter of a core is enough for the engine and TLS.
const MEMORY: u16 = 256;
/// Seconds a request may take; senders give up sooner.
const TIMEOUT: u16 = 10;
/// Milliseconds after which the gateway gives up: a little after the function, so that the function's answer is the one sent.
pub(super) const GATEWAY_TIMEOUT: u32 = 11_000;
/// Days log lines are kept.
const LOGS_KEPT: u16 = 30;

pub(super) fn add(resources: &mut Resources, wanted: &Wanted) {
    resources.add(
        "LogGroup",
        Properties::LogGroup(LogGroup {
            log_group_name: wanted.names.log_group(),
            retention_in_days: LOGS_KEPT,
            tags: tags(wanted),
        }),
    );
    resources.add("FunctionRole", Properties::Role(role(wanted)));
    resources.add("Function", Properties::Function(Box::new(function(wanted))));
}

fn function(wanted: &Wanted) -> Function {
    let settings = &wanted.function;
    Function {
        function_name: wanted.names.stack().to_owned(),
        runtime: "provided.al2023",
        architectures: vec![settings.architecture.as_str()],
        handler: "bootstrap",
        role: Text::attribute("FunctionRole", "Arn"),
        code: Code {
            s3_bucket: settings.package.bucket.clone(),
            s3_key: settings.package.key.clone(),
        },
        memory_size: MEMORY,
        timeout: TIMEOUT,
        // None at all is how AWS stops a function, whatever calls it:
        // <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>.
        reserved_concurrent_executions: if wanted.closed {
            Some(0)
        } else {
            settings.reserved_concurrency
        },
        tracing_config: TracingConfig { mode: "Active" },
        logging_config: LoggingConfig {
            log_group: Text::reference("LogGroup"),
            log_format: "JSON",
            application_log_level: "INFO",
            // Without START, END and REPORT, which cost as much as all else.
            system_log_level: "WARN",
        },
        environment: Environment {
            variables: BTreeMap::from([
                ("MEF_QUEUE_URL", Text::reference("EventQueue")),
                ("MEF_DEAD_LETTER_QUEUE_URL", Text::reference("DeadLetterQueue")),
            ]),
        },
        tags: tags(wanted),
    }
}

fn role(wanted: &Wanted) -> Role {
    let mut statements = vec![
        Statement::allow(
            "Send",
            &["sqs:SendMessage"],
            ["EventQueue", "DeadLetterQueue"]
                .map(|queue| Text::attribute(queue, "Arn"))
                .to_vec(),
        ),
        // No right to make the group: one that was deleted stays deleted, and does not stand in the next stack's way.
        Statement::allow(
            "Logs",
            &["logs:CreateLogStream", "logs:PutLogEvents"],
            vec![
                wanted
                    .place
                    .arn("logs", &format!("log-group:{}:*", wanted.names.log_group()))
                    .into(),
            ],
        ),
        Statement::allow(
            "Trace",
            &["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
            vec!["*".into()],
        ),
    ];
    let settings = &wanted.function;
    if !settings.secrets.is_empty() {
        let arns = settings.secrets.iter().map(|arn| arn.as_str().into()).collect();
        statements.push(Statement::allow(
            "Secrets",
            &["secretsmanager:GetSecretValue"],
            arns,
        ));
    }
    if !settings.parameters.is_empty() {
        let of = |name: &String| {
            Text::from(
                wanted
                    .place
                    .arn("ssm", &format!("parameter/{}", name.trim_start_matches('/'))),
            )
        };
        let arns = settings.parameters.iter().map(of).collect();
        statements.push(Statement::allow("Parameters", &["ssm:GetParameter"], arns));
    }
    if let Some(key) = &wanted.queue.kms_key_arn {
        statements.push(Statement::allow(
            "Key",
            &["kms:Decrypt", "kms:GenerateDataKey"],
            vec![key.as_str().into()],
        ));
    }
    let mut trust = Statement::allow("Lambda", &["sts:AssumeRole"], Vec::new());
    trust.principal = Some(Principal::Service {
        service: "lambda.amazonaws.com",
    });
    Role {
        path: ROLE_PATH,
        permissions_boundary: wanted.place.permissions_boundary.clone(),
        assume_role_policy_document: Policy::of(vec![trust]),
        policies: vec![NamedPolicy {
            policy_name: "receive",
            policy_document: Policy::of(statements),
        }],
        tags: tags(wanted),
    }
}

/// Lets one method of an API call the function. `method_id`: a word that tells the permissions of an API apart.
pub(super) fn permit(resources: &mut Resources, wanted: &Wanted, api: &str, method: &str) {
    let path = &wanted.route.path;
    let source = wanted
        .place
        .arn("execute-api", &format!("${{{api}}}/*/{method}{path}"));
    resources.add(
        format!("Permission{}", capitalised(method)),
        Properties::Permission(Permission {
            function_name: Text::attribute("Function", "Arn"),
            action: "lambda:InvokeFunction",
            principal: "apigateway.amazonaws.com",
            source_account: wanted.place.account.clone(),
            source_arn: Text::sub(source),
        }),
    );
}

/// `POST` → `Post`.
pub(super) fn capitalised(method: &str) -> String {
    let (first, rest) = method.split_at(1);
    format!("{first}{}", rest.to_ascii_lowercase())
}
