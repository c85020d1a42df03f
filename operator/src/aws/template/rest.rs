//! A regional REST API in front of the function.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};

use super::function::{GATEWAY_TIMEOUT, capitalised, permit};
use super::resource::{
    EndpointConfiguration, MethodSetting, Properties, RestApi, RestDeployment, RestIntegration, RestMapping,
    RestMethod, RestResource, RestStage,
};
use super::value::{Policy, Principal, Statement, Text};
use super::{Resources, STAGE, tags, url};
use crate::aws::names::hex;
use crate::aws::wanted::Wanted;

/// Hex digits of the hash in a deployment's logical id.
const HASH: usize = 12;

/// Adds it and returns the endpoint's URL.
pub(super) fn add(resources: &mut Resources, wanted: &Wanted) -> Text {
    let mut parts = Resources::default();
    parts.add("RestApi", Properties::RestApi(api(wanted)));
    let leaf = path(&mut parts, &wanted.route.path);
    let mut methods = Vec::new();
    for method in &wanted.route.methods {
        let id = format!("Method{}", capitalised(method));
        parts.add(&id, Properties::RestMethod(rest_method(wanted, &leaf, method)));
        methods.push(id);
    }
    let deployment = deployment(&parts);
    resources.0.append(&mut parts.0);
    resources
        .add(
            &deployment,
            Properties::RestDeployment(RestDeployment {
                rest_api_id: Text::reference("RestApi"),
                description: deployment.clone(),
            }),
        )
        .depends_on = methods;
    resources.add("Stage", Properties::RestStage(stage(wanted, &deployment)));
    for method in &wanted.route.methods {
        permit(resources, wanted, "RestApi", method);
    }
    if let Some((domain_name, base_path)) = &wanted.front.domain {
        resources.add(
            "Mapping",
            Properties::RestMapping(RestMapping {
                domain_name: domain_name.clone(),
                base_path: base_path.clone(),
                rest_api_id: Text::reference("RestApi"),
                stage: Text::reference("Stage"),
            }),
        );
    }
    url(wanted, "RestApi")
}

/// A deployment is a snapshot of the API's parts: with the id it had, a change would never go live although the stack is
/// `UPDATE_COMPLETE`. The id is made of the parts' content, so a roll-back finds the deployment it had, and the same parts
/// give no other one.
fn deployment(parts: &Resources) -> String {
    let mut text = String::new();
    for (id, resource) in &parts.0 {
        // What has no bearing on the snapshot must not make a new one.
        let mut properties = resource.properties.clone();
        if let Properties::RestApi(api) = &mut properties {
            api.tags = Vec::new();
        }
        text.push_str(id);
        text.push_str(&serde_json::to_string(&properties).unwrap_or_default());
    }
    let hash = hex(digest(&SHA256, text.as_bytes()).as_ref());
    format!("Deployment{}", &hash[..HASH])
}

fn api(wanted: &Wanted) -> RestApi {
    RestApi {
        name: wanted.names.stack().to_owned(),
        endpoint_configuration: EndpointConfiguration {
            types: vec!["REGIONAL"],
        },
        // Every body is handed on as the bytes that were signed.
        binary_media_types: vec!["*/*"],
        policy: (!wanted.front.allowed_cidrs.is_empty()).then(|| only_from(&wanted.front.allowed_cidrs)),
        tags: tags(wanted),
    }
}

/// The form AWS shows for address ranges: everybody, but not from elsewhere.
fn only_from(cidrs: &[String]) -> Policy {
    let everybody = |sid, effect| Statement {
        sid,
        effect,
        principal: Some(Principal::Everybody("*")),
        action: vec!["execute-api:Invoke"],
        resource: vec!["execute-api:/*".into()],
        condition: BTreeMap::new(),
    };
    let mut elsewhere = everybody("NotFromElsewhere", "Deny");
    elsewhere.condition =
        BTreeMap::from([("NotIpAddress", BTreeMap::from([("aws:SourceIp", cidrs.to_vec())]))]);
    Policy::of(vec![everybody("Call", "Allow"), elsewhere])
}

/// Adds a resource per segment and returns what the last one is referred to by.
fn path(parts: &mut Resources, path: &str) -> Text {
    let mut parent = Text::attribute("RestApi", "RootResourceId");
    for (position, segment) in path.split('/').filter(|segment| !segment.is_empty()).enumerate() {
        let id = format!("Path{}", position + 1);
        parts.add(
            &id,
            Properties::RestResource(RestResource {
                rest_api_id: Text::reference("RestApi"),
                parent_id: parent,
                path_part: segment.to_owned(),
            }),
        );
        parent = Text::reference(&id);
    }
    parent
}

fn rest_method(wanted: &Wanted, leaf: &Text, method: &str) -> RestMethod {
    let (partition, region) = (&wanted.place.partition, &wanted.place.region);
    RestMethod {
        rest_api_id: Text::reference("RestApi"),
        resource_id: leaf.clone(),
        http_method: method.to_owned(),
        authorization_type: "NONE",
        integration: RestIntegration {
            kind: "AWS_PROXY",
            integration_http_method: "POST",
            uri: Text::sub(format!(
                "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/${{Function.Arn}}/invocations"
            )),
            timeout_in_millis: GATEWAY_TIMEOUT,
        },
    }
}

fn stage(wanted: &Wanted, deployment: &str) -> RestStage {
    RestStage {
        rest_api_id: Text::reference("RestApi"),
        deployment_id: Text::reference(deployment),
        stage_name: STAGE,
        tracing_enabled: true,
        method_settings: vec![MethodSetting {
            resource_path: "/*",
            http_method: "*",
            // Metrics of a method are billed as custom ones; those of API and stage are free.
            metrics_enabled: false,
            // Any other level needs a role that is set once for the whole account.
            logging_level: "OFF",
            data_trace_enabled: false,
            throttling_rate_limit: wanted.throttle().rate,
            throttling_burst_limit: wanted.throttle().burst,
        }],
        tags: tags(wanted),
    }
}
