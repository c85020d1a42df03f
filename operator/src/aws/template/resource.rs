//! Resources of a document, as typed as their schemas ask: a property that is misspelt does not compile.

use std::collections::BTreeMap;

use serde::Serialize;

use super::value::{Policy, Tag, Text};

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Resource {
    /// Type and properties.
    #[serde(flatten)]
    pub properties: Properties,
    /// Resources that must be there before it and that no property names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// What becomes of it when it leaves the document or the stack goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<&'static str>,
    /// What becomes of the old one when it is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_replace_policy: Option<&'static str>,
}

impl From<Properties> for Resource {
    fn from(properties: Properties) -> Self {
        Self {
            properties,
            depends_on: Vec::new(),
            deletion_policy: None,
            update_replace_policy: None,
        }
    }
}

/// The types in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "Type", content = "Properties")]
#[allow(missing_docs, reason = "the names of AWS, documented there")]
pub enum Properties {
    #[serde(rename = "AWS::SQS::Queue")]
    Queue(Queue),
    #[serde(rename = "AWS::SQS::QueuePolicy")]
    QueuePolicy(QueuePolicy),
    #[serde(rename = "AWS::Logs::LogGroup")]
    LogGroup(LogGroup),
    #[serde(rename = "AWS::IAM::Role")]
    Role(Role),
    #[serde(rename = "AWS::Lambda::Function")]
    Function(Box<Function>),
    #[serde(rename = "AWS::Lambda::Permission")]
    Permission(Permission),
    #[serde(rename = "AWS::ApiGateway::RestApi")]
    RestApi(RestApi),
    #[serde(rename = "AWS::ApiGateway::Resource")]
    RestResource(RestResource),
    #[serde(rename = "AWS::ApiGateway::Method")]
    RestMethod(RestMethod),
    #[serde(rename = "AWS::ApiGateway::Deployment")]
    RestDeployment(RestDeployment),
    #[serde(rename = "AWS::ApiGateway::Stage")]
    RestStage(RestStage),
    #[serde(rename = "AWS::ApiGateway::BasePathMapping")]
    RestMapping(RestMapping),
    #[serde(rename = "AWS::ApiGatewayV2::Api")]
    HttpApi(HttpApi),
    #[serde(rename = "AWS::ApiGatewayV2::Integration")]
    HttpIntegration(HttpIntegration),
    #[serde(rename = "AWS::ApiGatewayV2::Route")]
    HttpRoute(HttpRoute),
    #[serde(rename = "AWS::ApiGatewayV2::Stage")]
    HttpStage(HttpStage),
    #[serde(rename = "AWS::ApiGatewayV2::ApiMapping")]
    HttpMapping(HttpMapping),
    #[serde(rename = "AWS::CloudWatch::Alarm")]
    Alarm(Box<Alarm>),
}

macro_rules! properties {
    ($($(#[$meta:meta])* $name:ident { $($(#[$on:meta])* $field:ident: $type:ty,)+ })+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
            #[serde(rename_all = "PascalCase")]
            #[allow(missing_docs, reason = "the names of AWS, documented there")]
            pub struct $name { $($(#[$on])* pub $field: $type,)+ }
        )+
    };
}

properties! {
    /// A queue.
    Queue {
        queue_name: String,
        message_retention_period: u64,
        visibility_timeout: u64,
        receive_message_wait_time_seconds: u8,
        maximum_message_size: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        sqs_managed_sse_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        kms_master_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        redrive_policy: Option<RedrivePolicy>,
        #[serde(skip_serializing_if = "Option::is_none")]
        redrive_allow_policy: Option<RedriveAllowPolicy>,
        tags: Vec<Tag>,
    }
    /// Who may do what with queues.
    QueuePolicy { queues: Vec<Text>, policy_document: Policy, }
    /// Where the function logs.
    LogGroup { log_group_name: String, retention_in_days: u16, tags: Vec<Tag>, }
    /// What the function may do.
    Role {
        path: &'static str,
        permissions_boundary: String,
        assume_role_policy_document: Policy,
        policies: Vec<NamedPolicy>,
        tags: Vec<Tag>,
    }
    /// A policy within a role.
    NamedPolicy { policy_name: &'static str, policy_document: Policy, }
    /// The function.
    Function {
        function_name: String,
        runtime: &'static str,
        architectures: Vec<&'static str>,
        handler: &'static str,
        role: Text,
        code: Code,
        memory_size: u16,
        timeout: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        reserved_concurrent_executions: Option<u32>,
        tracing_config: TracingConfig,
        logging_config: LoggingConfig,
        environment: Environment,
        tags: Vec<Tag>,
    }
    /// Where the function's package is.
    Code { s3_bucket: String, s3_key: String, }
    /// X-Ray.
    TracingConfig { mode: &'static str, }
    /// How the function logs.
    LoggingConfig {
        log_group: Text,
        log_format: &'static str,
        application_log_level: &'static str,
        system_log_level: &'static str,
    }
    /// What the function is told.
    Environment { variables: BTreeMap<&'static str, Text>, }
    /// Who may call the function.
    Permission {
        function_name: Text,
        action: &'static str,
        principal: &'static str,
        source_account: String,
        source_arn: Text,
    }
    /// A REST API.
    RestApi {
        name: String,
        endpoint_configuration: EndpointConfiguration,
        binary_media_types: Vec<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        policy: Option<Policy>,
        tags: Vec<Tag>,
    }
    /// Where a REST API answers.
    EndpointConfiguration { types: Vec<&'static str>, }
    /// A segment of a path.
    RestResource { rest_api_id: Text, parent_id: Text, path_part: String, }
    /// A method of a path.
    RestMethod {
        rest_api_id: Text,
        resource_id: Text,
        http_method: String,
        authorization_type: &'static str,
        integration: RestIntegration,
    }
    /// What a method does.
    RestIntegration {
        #[serde(rename = "Type")]
        kind: &'static str,
        integration_http_method: &'static str,
        uri: Text,
        timeout_in_millis: u32,
    }
    /// A snapshot of a REST API: nothing goes live without a new one.
    RestDeployment { rest_api_id: Text, description: String, }
    /// The stage of a REST API.
    RestStage {
        rest_api_id: Text,
        deployment_id: Text,
        stage_name: &'static str,
        tracing_enabled: bool,
        method_settings: Vec<MethodSetting>,
        tags: Vec<Tag>,
    }
    /// Settings of a stage's methods.
    MethodSetting {
        resource_path: &'static str,
        http_method: &'static str,
        metrics_enabled: bool,
        logging_level: &'static str,
        data_trace_enabled: bool,
        throttling_rate_limit: u32,
        throttling_burst_limit: u32,
    }
    /// A REST API below a domain.
    RestMapping {
        domain_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        base_path: Option<String>,
        rest_api_id: Text,
        stage: Text,
    }
    /// An HTTP API.
    HttpApi { name: String, protocol_type: &'static str, tags: BTreeMap<String, String>, }
    /// What a route does.
    HttpIntegration {
        api_id: Text,
        integration_type: &'static str,
        integration_uri: Text,
        payload_format_version: &'static str,
        timeout_in_millis: u32,
    }
    /// A route.
    HttpRoute { api_id: Text, route_key: String, authorization_type: &'static str, target: Text, }
    /// The stage of an HTTP API.
    HttpStage {
        api_id: Text,
        stage_name: &'static str,
        auto_deploy: bool,
        default_route_settings: RouteSettings,
        tags: BTreeMap<String, String>,
    }
    /// Settings of a stage's routes.
    RouteSettings {
        throttling_rate_limit: u32,
        throttling_burst_limit: u32,
        detailed_metrics_enabled: bool,
    }
    /// An HTTP API below a domain.
    HttpMapping {
        domain_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        api_mapping_key: Option<String>,
        api_id: Text,
        stage: Text,
    }
    /// An alarm.
    Alarm {
        alarm_name: String,
        alarm_description: &'static str,
        namespace: &'static str,
        metric_name: &'static str,
        dimensions: Vec<Dimension>,
        statistic: &'static str,
        period: u16,
        evaluation_periods: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        datapoints_to_alarm: Option<u8>,
        threshold: u32,
        comparison_operator: &'static str,
        treat_missing_data: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        alarm_actions: Vec<String>,
        tags: Vec<Tag>,
    }
    /// Which metric of a name.
    Dimension { name: &'static str, value: Text, }
}

/// Where messages go that are received too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePolicy {
    /// The queue of dead letters.
    pub dead_letter_target_arn: Text,
    /// How often a message may be received.
    pub max_receive_count: u16,
}

/// Whose dead letters a queue takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedriveAllowPolicy {
    /// `byQueue`.
    pub redrive_permission: &'static str,
    /// The queues; by name, because each of the two names the other.
    pub source_queue_arns: Vec<String>,
}
