//! An HTTP API in front of the function: cheaper, changed faster, without X-Ray and without rules for addresses.

use super::function::{GATEWAY_TIMEOUT, capitalised, permit};
use super::resource::{
    HttpApi, HttpIntegration, HttpMapping, HttpRoute, HttpStage, Properties, RouteSettings,
};
use super::value::Text;
use super::{Resources, STAGE, url};
use crate::aws::wanted::Wanted;

/// Adds it and returns the endpoint's URL.
pub(super) fn add(resources: &mut Resources, wanted: &Wanted) -> Text {
    let api = || Text::reference("HttpApi");
    resources.add(
        "HttpApi",
        Properties::HttpApi(HttpApi {
            name: wanted.names.stack().to_owned(),
            protocol_type: "HTTP",
            tags: wanted.tags.clone(),
        }),
    );
    resources.add(
        "Integration",
        Properties::HttpIntegration(HttpIntegration {
            api_id: api(),
            integration_type: "AWS_PROXY",
            integration_uri: Text::attribute("Function", "Arn"),
            payload_format_version: "2.0",
            timeout_in_millis: GATEWAY_TIMEOUT,
        }),
    );
    for method in &wanted.route.methods {
        let path = &wanted.route.path;
        resources.add(
            format!("Route{}", capitalised(method)),
            Properties::HttpRoute(HttpRoute {
                api_id: api(),
                route_key: format!("{method} {path}"),
                authorization_type: "NONE",
                target: Text::sub("integrations/${Integration}".to_owned()),
            }),
        );
        permit(resources, wanted, "HttpApi", method);
    }
    resources.add(
        "Stage",
        Properties::HttpStage(HttpStage {
            api_id: api(),
            stage_name: STAGE,
            auto_deploy: true,
            default_route_settings: RouteSettings {
                throttling_rate_limit: wanted.throttle().rate,
                throttling_burst_limit: wanted.throttle().burst,
                detailed_metrics_enabled: false,
            },
            tags: wanted.tags.clone(),
        }),
    );
    if let Some((domain_name, key)) = &wanted.front.domain {
        resources.add(
            "Mapping",
            Properties::HttpMapping(HttpMapping {
                domain_name: domain_name.clone(),
                api_mapping_key: key.clone(),
                api_id: api(),
                stage: Text::reference("Stage"),
            }),
        );
    }
    url(wanted, "HttpApi")
}
